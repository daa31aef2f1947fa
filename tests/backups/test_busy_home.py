"""Backups of a home that trades, some of them killed: every finished one restores to a home that agrees."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_processes import Home, make_home, serve

PATIENCE_S = 60.0


@pytest.fixture
def trading(tmp_path: Path) -> Iterator[Home]:
    """A daemon that trades a market sixty times as fast."""
    market = serve(tmp_path / "market", "--speed", "60")
    home = make_home(tmp_path / "home", market.address)
    home.start_daemon()
    yield home
    home.close()
    market.stop()


_UNAVAILABLE, _NOT_ASKED = 13, 15


def back_up_and_kill(home: Home, *, times: int, seed: int) -> tuple[list[str], int]:
    """Make so many backups and kill a third of them at any instant; ids of those that ended well, and kills."""
    chance = random.Random(seed)
    usual_s, finished, killed = 1.0, list[str](), 0
    for number in range(times):
        began = time.monotonic()
        process = subprocess.Popen(home.command("-q", "backup"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr is not None
        if number % 3 == 2:
            try:
                process.wait(chance.uniform(0.0, usual_s * 1.2))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        words = process.stderr.read().decode()
        code = process.wait(PATIENCE_S)
        assert code in {0, -9}, words
        killed += code == -9
        if code == 0:
            usual_s = time.monotonic() - began
            finished.append(home.answer("backup", "list")["data"]["backups"][0]["id"])
    return finished, killed


def prove(home: Home, ids: list[str], place: Path) -> None:
    """Each restores beside, its trail validates, and it agrees with the exchange once our own fills are booked."""
    listed = {each["id"]: each for each in home.answer("backup", "list")["data"]["backups"]}
    assert set(ids) <= set(listed)
    assert all(home.thunes("backup", "verify", each).returncode == 0 for each in listed)
    for name in ids:
        target = place / name
        done = subprocess.run(
            home.command("backup", "restore", name, "--to", str(target)),
            capture_output=True,
            text=True,
            check=False,
            env=environ_of(home),
        )
        assert done.returncode in {0, _NOT_ASKED}, done.stdout + done.stderr
        restored = Home(target, environ_of(home))
        if done.returncode == _NOT_ASKED:  # the weight of the minute was used up: what the next start does too
            assert _compared(restored, "--apply") == 0
        assert restored.thunes("audit", "validate", "--deep").returncode == 0
        assert _compared(restored) == 0


def _compared(home: Home, *options: str) -> int:
    """So many homes use the exchange's weight of a minute up: 13 until it is over."""
    deadline = time.monotonic() + 2 * PATIENCE_S
    while (code := home.thunes("reconcile", *options).returncode) == _UNAVAILABLE and time.monotonic() < deadline:
        time.sleep(1)
    return code


def environ_of(home: Home) -> dict[str, str]:
    """The settings of a home as environment: a backup has no key in it."""
    lines = (home.path / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines) | {"PATH": "/usr/bin:/bin", "HOME": str(home.path.parent)}


def test_killed_backups(trading: Home, tmp_path: Path) -> None:
    """A few of them."""
    finished, killed = back_up_and_kill(trading, times=6, seed=1)
    for process in trading.running:
        trading.end(process)

    assert killed
    prove(trading, finished[-2:], tmp_path / "restored")
    assert len(trading.answer("backup", "list")["data"]["backups"]) >= len(finished)


@pytest.mark.long
def test_a_hundred_backups(trading: Home, tmp_path: Path) -> None:
    """A third of them killed; every finished one restores."""
    finished, killed = back_up_and_kill(trading, times=100, seed=random.randrange(10**6))
    for process in trading.running:
        trading.end(process)

    sys.stdout.write(f"{len(finished)} finished, {killed} killed\n")
    assert killed > 15
    prove(trading, finished, tmp_path / "restored")
