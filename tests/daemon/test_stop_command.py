"""``thunes stop``: ends this home's daemon and nothing else."""

from __future__ import annotations

import signal

from daemon_processes import Home

from thunes_cli.daemon.lock import NAME, ONCE, DaemonLock


def test_it_ends_the_daemon_and_waits(home):
    """The daemon ends in order and is gone when the command returns."""
    process = home.start_daemon()

    document = home.answer("stop")

    assert process.wait(20) == 0
    assert document["changed"] is True
    assert (document["data"]["stopped"], document["data"]["pid"]) == (True, process.pid)
    assert document["data"]["waited_s"] >= 0
    assert home.daemon_row()["stopped_cleanly"] == 1


def test_with_no_daemon_there_is_nothing_to_do(home):
    """0, nothing changed: also after a stop, and also when the lock file still names a dead process."""
    assert home.answer("stop")["data"] == {"stopped": False, "pid": None, "waited_s": 0}

    home.end(home.start_daemon(), signal.SIGKILL)

    document = home.answer("stop")
    assert (home.path / NAME).read_text()
    assert (document["exit_code"], document["changed"], document["data"]["stopped"]) == (0, False, False)


def test_a_daemon_that_does_not_end_in_time_is_14(home):
    """A stopped process hears nothing: the command says so, and the daemon still ends when it wakes."""
    process = home.start_daemon()
    process.send_signal(signal.SIGSTOP)

    done = home.thunes("stop", "--timeout", "0.3")

    assert done.returncode == 14
    assert f"pid {process.pid}" in done.stderr
    process.send_signal(signal.SIGCONT)
    assert process.wait(20) == 0


def test_a_single_check_is_left_alone(home):
    """``run --once`` is no daemon."""
    lock = DaemonLock(home.path)
    lock.acquire(ONCE)

    document = home.answer("stop")

    lock.release()
    assert (document["exit_code"], document["changed"]) == (0, False)


def test_the_home_must_be_there(tmp_path):
    """10: a stop of nothing that exists is a mistake."""
    assert Home(tmp_path / "absent").thunes("stop").returncode == 10


def test_a_lock_without_a_name_is_no_hindrance(home):
    """On a full disk the lock bears no name: then the ledger says who the daemon is."""
    process = home.start_daemon()
    (home.path / NAME).write_text("")

    document = home.answer("stop")

    assert document["data"]["pid"] == process.pid
    assert process.wait(20) == 0


def test_a_lock_of_somebody_unknown_is_11(home):
    """Held by who knows whom: nobody is sent a signal."""
    lock = DaemonLock(home.path)
    lock.acquire("run")
    (home.path / NAME).write_text("")

    done = home.thunes("stop")

    lock.release()
    assert done.returncode == 11
