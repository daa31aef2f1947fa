"""``thunes demo``: a whole bot in a few seconds, on its own, leaving the operator's things alone."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest
from daemon_processes import PATIENCE_S, Home, wait_for

from thunes_cli.ledger.connection import open_for_reading
from thunes_cli.trading.assurance import differing_positions

QUICK = ("--speed", "5760", "--duration", "7")


@pytest.fixture
def demo(tmp_path):
    """A place for a demonstration, with a space in its path."""
    home = Home(tmp_path / "a demo")
    yield home
    home.close()


def run_demo(demo, *words):
    """Run a demonstration to its end."""
    return subprocess.run(
        [*demo.command()[:3], "demo", "--home", str(demo.path), *QUICK, *words],
        env={"PATH": os.environ["PATH"], "HOME": str(demo.path.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_buys_and_sells_and_tells_it_line_by_line(demo):
    """The default market trades within hours: at least one BUY and one SELL are filled, and the books are right.

    In a pipe each order is a line with its market time; the summary says what to type next; its exchange is gone.
    """
    done = run_demo(demo)

    assert done.returncode == 0, done.stderr
    orders = re.findall(r"^2025-01-\d\d \d\d:\d\dZ  (BUY|SELL) +\w+ [\d.]+ at ", done.stderr, re.MULTILINE)
    assert {"BUY", "SELL"} <= set(orders), done.stderr
    assert f"thunes --home '{demo.path}' status" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert "ERROR" not in demo.log
    connection = open_for_reading(demo.path / "thunes.db")
    assert differing_positions(connection) == []
    connection.close()
    assert not (demo.path / "sim" / "address").exists()


def test_it_can_be_gone_on_with(demo):
    """The market stands still when it has ended, however long; the same home again goes on where it stood."""
    first = json.loads(run_demo(demo, "--json", "--duration", "2").stdout)
    before, after = demo.answer("status")["ts"], demo.answer("status")["ts"]
    again = json.loads(run_demo(demo, "--json", "--duration", "2").stdout)

    assert before == after == first["ts"]
    assert again["ts"] > first["ts"]
    assert again["data"]["audit_records"] > first["data"]["audit_records"]
    assert {"ran_s", "ticks", "orders", "buys", "sells"} <= set(again["data"])


def test_quiet_says_nothing(demo):
    """``-q``: no line at all when all is well."""
    done = run_demo(demo, "-q", "--duration", "1")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_keeps_out_of_a_home_that_trades_elsewhere(tmp_path):
    """A home of another environment is refused (78) and not touched."""
    home = Home(tmp_path / "testnet")
    home.thunes("init", "--environment", "testnet")
    before = (home.path / ".env").read_bytes()

    done = home.thunes("demo", "--home", str(home.path))

    assert done.returncode == 78
    assert (home.path / ".env").read_bytes() == before


def test_settings_of_another_bot_do_not_reach_it(demo):
    """What the operator's environment says is for another bot, its keys above all."""
    demo.environ = {"ENVIRONMENT": "live", "BINANCE_API_KEY": "k", "STRATEGY": "nonsense", "MAX_POSITIONS": "-3"}

    done = demo.thunes("demo", "--home", str(demo.path), "--speed", "5760", "--duration", "2", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"]["home"] == str(demo.path)


def test_killed_it_leaves_no_exchange_behind(demo):
    """kill -9: the exchange sees its parent gone and ends, too."""
    process = demo.start("demo", "--home", str(demo.path))
    address = demo.path / "sim" / "address"
    wait_for(lambda: address.exists() and (demo.path / "thunes.log").exists() and "daemon ready" in demo.log, "demo")

    process.kill()
    process.wait()

    assert wait_for(lambda: not address.exists(), "end of the exchange")


class Terminal:
    """A command on a pseudo-terminal of 130 columns."""

    def __init__(self, arguments: list[str], home: Path) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execve(
                arguments[0], arguments, {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "xterm-256color"}
            )
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 130, 0, 0))
        self.output = ""

    def read(self, seconds: float = 0.1) -> bool:
        """Take in what is there; False at the end."""
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.descriptor, 65_536)
        except OSError:
            return False
        self.output += data.decode("utf-8", "replace")
        return bool(data)

    def read_until(self, pattern: str) -> None:
        """Read until the output holds a pattern."""
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(pattern, self.output):
            assert self.read(), self.output[-2000:]
            assert time.monotonic() < deadline, f"no {pattern!r}"

    def end(self) -> int:
        """Read to the end and return the exit code."""
        while self.read(1.0):
            pass
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_on_a_terminal_it_shows_what_happens_and_ctrl_c_ends_it_well(demo):
    """Prices, orders and the log on one screen; Ctrl-C gives the terminal back, the summary and 0."""
    words = [*demo.command()[:3], "demo", "--home", str(demo.path), "--speed", "5760"]
    terminal = Terminal(words, demo.path.parent)

    terminal.read_until(r"(BUY|SELL) +\w+ [\d.]+ at ")
    os.write(terminal.descriptor, b"\x03")

    assert terminal.end() == 0
    assert "\x1b[?1049h" in terminal.output
    screen, _, after = terminal.output.rpartition("\x1b[?1049l")
    for word in ("market", "signals and orders", "log", "realised", "Ctrl-C ends it", "BTCUSDT"):
        assert word in screen
    assert "look around:" in after
