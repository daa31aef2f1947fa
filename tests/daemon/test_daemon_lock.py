"""One daemon a home: the lock is the kernel's, its content is for people."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from thunes_cli.daemon.lock import NAME, ONCE, DaemonLock, read_holder
from thunes_cli.errors import Locked
from thunes_cli.process import start_tick

HOLD = """
import sys, time
from pathlib import Path
from thunes_cli.daemon.lock import DaemonLock
lock = DaemonLock(Path(sys.argv[1]))
lock.acquire(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
lock.release()
print("released", flush=True)
sys.stdin.close()
"""


def test_a_lock_whose_file_was_removed_is_taken_anew(tmp_path):
    """``rm daemon.lock`` under a daemon does not let a second one in."""
    lock = DaemonLock(tmp_path)
    lock.acquire("run")
    (tmp_path / NAME).unlink()

    lock.keep("run")

    with pytest.raises(Locked):
        DaemonLock(tmp_path).acquire("run")
    assert read_holder(tmp_path).process.pid == os.getpid()
    lock.release()


def test_a_lock_that_somebody_else_took_meanwhile_is_lost(tmp_path):
    """Its file was removed, and another one locked, before the loss was noticed: the first holder hears of it."""
    lock, other = DaemonLock(tmp_path), DaemonLock(tmp_path)
    lock.acquire("run")
    (tmp_path / NAME).unlink()
    other.acquire("run")

    with pytest.raises(Locked):
        lock.keep("run")

    other.release()
    lock.release()


def test_a_home_that_is_away_for_a_moment_stays_locked(tmp_path):
    """Moved and moved back: the lock is the one that was taken at first."""
    home = tmp_path / "home"
    home.mkdir()
    lock = DaemonLock(home)
    lock.acquire("run")
    home.rename(tmp_path / "elsewhere")
    lock.keep("run")
    (tmp_path / "elsewhere").rename(home)

    lock.keep("run")

    with pytest.raises(Locked):
        DaemonLock(home).acquire("run")
    lock.release()


@pytest.fixture
def hold(tmp_path):
    """Start processes that hold the lock until their stdin closes."""
    started = []

    def start(command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path), command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "held\n"
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_a_second_one_is_told_who_holds_it_and_since_when(tmp_path, hold):
    """The refusal names pid, command and time (11)."""
    holder = hold("run")

    with pytest.raises(Locked) as caught:
        DaemonLock(tmp_path).acquire("run")

    assert f"pid {holder.pid} (thunes run) since 20" in caught.value.message
    assert caught.value.message.endswith("Z")
    assert caught.value.hint == "thunes stop"
    assert caught.value.exit_code == 11


def test_killing_the_holder_frees_it_though_the_file_still_names_it(tmp_path, hold):
    """kill -9 leaves the content behind; the lock itself is gone with the process."""
    holder = hold("run")
    holder.send_signal(signal.SIGKILL)
    holder.wait()

    assert str(holder.pid) in (tmp_path / NAME).read_text()
    assert read_holder(tmp_path) is None
    DaemonLock(tmp_path).acquire("run")


def test_a_daemon_waits_for_a_single_check_to_end(tmp_path, hold):
    """``run --once`` ends by itself, so a daemon starting meanwhile waits instead of giving up."""
    holder = hold(ONCE)
    lock = DaemonLock(tmp_path)
    holder.stdin.close()

    lock.acquire("run", wait_seconds=10, wait_for=ONCE)

    assert read_holder(tmp_path).command == "run"


def test_a_daemon_is_not_waited_for(tmp_path, hold):
    """A daemon does not end by itself: whoever waits for a single check is refused at once by a daemon."""
    hold("run")

    with pytest.raises(Locked):
        DaemonLock(tmp_path).acquire("run", wait_seconds=3600, wait_for=ONCE)


def test_the_holder_is_known_beyond_its_pid(tmp_path, hold):
    """The start tick tells the holder from a later process with the same pid."""
    holder = hold("demo")

    found = read_holder(tmp_path)

    assert found is not None
    assert (found.process.pid, found.command) == (holder.pid, "demo")
    assert found.process.started == start_tick(holder.pid)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"pid": "x"}', b"\xff\xfe", b'{"pid": 1}'])
def test_content_is_advisory(tmp_path, content):
    """Whatever the file says, an unheld lock is free and can be taken."""
    (tmp_path / NAME).write_bytes(content)

    assert read_holder(tmp_path) is None
    lock = DaemonLock(tmp_path)
    lock.acquire("run")

    assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()


def test_released_it_is_free_and_private(tmp_path):
    """After release nobody holds it; the file stays, readable by its owner only; releasing twice is harmless."""
    lock = DaemonLock(tmp_path)
    lock.acquire("run")
    lock.release()
    lock.release()

    assert read_holder(tmp_path) is None
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_without_a_lock_file_nobody_holds_it(tmp_path):
    """Asking creates nothing."""
    assert read_holder(tmp_path) is None
    assert not (tmp_path / NAME).exists()
