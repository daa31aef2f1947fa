"""What is left of a crash, and what the next start says of it."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from daemon_processes import Exchange, Home, make_home, serve, wait_for

from thunes_cli.daemon.crashes import KEPT, StackWatch, record_crash, told
from thunes_cli.daemon.logs import is_journal, logging_to

CANARY = "c4n4ry-cr4sh-s3cr3t"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    served = serve(tmp_path_factory.mktemp("market"), "--speed", "60")
    yield served
    served.stop()


@pytest.fixture
def home(market: Exchange, tmp_path: Path) -> Iterator[Home]:
    made = make_home(
        tmp_path / "home",
        market.address,
        TELEGRAM_BOT_TOKEN=f"1:{CANARY}",
        TELEGRAM_CHAT_ID="7",
        TELEGRAM_API_URL="http://127.0.0.1:9",
    )
    yield made
    made.close()


def records(home: Home) -> list[Path]:
    return sorted(path for path in (home.path / "crashes").glob("*Z") if path.is_dir())


def told_of_crashes(home: Home) -> list[str]:
    rows = home.rows("SELECT text FROM alerts WHERE kind = 'daemon' AND text LIKE '%ended without stopping%'")
    return [row["text"] for row in rows]


def test_a_watchdogs_signal_leaves_every_threads_stack(home: Home) -> None:
    """SIGABRT, as systemd sends it; the next start makes the record, tells of it once, and the one after does not."""
    first = home.start_daemon()
    assert home.end(first, signal.SIGABRT) in {-signal.SIGABRT, -signal.SIGSEGV}  # writing down moving threads is risky
    home.end(home.start_daemon())
    home.end(home.start_daemon())

    (record,) = records(home)
    assert (
        "Current thread" in (record / "traceback.txt").read_text()
        or "Thread 0x" in (record / "traceback.txt").read_text()
    )
    assert "daemon ready" in (record / "log-tail.txt").read_text()
    facts = json.loads((record / "ledger.json").read_text())
    assert facts["daemon"]["pid"] != first.pid  # whoever records is the daemon by then
    assert len(told_of_crashes(home)) == 1
    assert str(record) in told_of_crashes(home)[0]
    assert record.stat().st_mode & 0o777 == 0o700
    assert not (home.path / "crashes" / ".stacks").exists()


def test_a_kill_leaves_what_can_be_known(home: Home) -> None:
    """No signal of ours was heard: the record says so, with log and ledger."""
    home.end(home.start_daemon(), signal.SIGKILL)
    home.end(home.start_daemon())

    (record,) = records(home)
    assert "ended without a word" in (record / "traceback.txt").read_text()


def test_an_exception_is_recorded_without_secrets(home: Home) -> None:
    """Traceback, log and ledger; what the redactor knows is in none of them; twenty records are kept."""
    home.end(home.start_daemon())
    (home.path / "thunes.log").write_text(f"a line with {CANARY}\n")
    connection = sqlite3.connect(home.path / "thunes.db")
    connection.row_factory = sqlite3.Row
    began = datetime(2026, 3, 10, tzinfo=UTC)

    for number in range(KEPT + 2):
        directory = record_crash(
            home.path,
            connection,
            what=told(ValueError(CANARY)),
            wall=began + timedelta(minutes=number),
            redact=lambda text: text.replace(CANARY, "***"),
        )
    connection.close()

    assert directory is not None
    assert "ValueError: ***" in (directory / "traceback.txt").read_text()
    assert json.loads((directory / "ledger.json").read_text())["kill_switch"] is False
    assert len(records(home)) == KEPT
    assert CANARY not in "".join(path.read_text() for record in records(home) for path in record.iterdir())


def test_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    """Nobody is kept from anything."""
    (tmp_path / "crashes").write_text("in the way")

    StackWatch(tmp_path).begin()

    assert record_crash(tmp_path, None, what="x", wall=datetime.now(UTC), redact=str) is None


def test_an_orderly_end_leaves_nothing(home: Home) -> None:
    """No record, no stacks, nothing to tell."""
    home.end(home.start_daemon())
    home.end(home.start_daemon())

    assert records(home) == []
    assert told_of_crashes(home) == []
    assert not (home.path / "crashes" / ".stacks").exists()


def test_a_frozen_loop_feeds_no_watchdog(home: Home, tmp_path: Path) -> None:
    """While the process stands still there is no WATCHDOG=1; it goes on when the process does."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.settimeout(20)
    process = home.start_daemon(NOTIFY_SOCKET=str(tmp_path / "notify"))

    def next_watchdog() -> None:
        while b"WATCHDOG=1" not in listener.recv(4096):
            pass

    next_watchdog()
    os.kill(process.pid, signal.SIGSTOP)
    wait_for(lambda: "T (stopped)" in Path(f"/proc/{process.pid}/status").read_text(), "standstill")
    listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
    with pytest.raises(BlockingIOError):
        while True:
            listener.recv(4096)
    listener.settimeout(7)  # longer than the distance of two beats
    with pytest.raises(TimeoutError):
        next_watchdog()
    listener.settimeout(20)
    os.kill(process.pid, signal.SIGCONT)
    next_watchdog()
    home.end(process)
    listener.close()


def test_lines_for_the_journal(tmp_path: Path) -> None:
    """Each line begins with its priority, those of a traceback too; the file stays as it is."""

    with (tmp_path / "stderr").open("w+") as stderr:
        found = os.fstat(stderr.fileno())
        environ = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        with logging_to(
            tmp_path / "thunes.log",
            level="INFO",
            log_format="text",
            secrets=(),
            stderr=stderr,
            journal=is_journal(stderr, environ),
        ):
            logging.getLogger("x").warning("look")
            logging.getLogger("x").error("it failed", exc_info=ValueError("two\nlines"))
        stderr.seek(0)
        lines = stderr.read().splitlines()

    assert lines[0].startswith("<4>")
    assert all(re.match(r"<3>", line) for line in lines[1:])
    assert not (tmp_path / "thunes.log").read_text().startswith("<")
