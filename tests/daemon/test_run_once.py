"""``thunes run --once``: one check, for cron and for stepping through a market."""

from __future__ import annotations

from daemon_processes import wait_for

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock
from thunes_cli.daemon.lock import ONCE, DaemonLock
from thunes_cli.ledger.connection import Ledger
from thunes_cli.risk import kill_switch


def test_once_checks_every_symbol_and_says_what_it_found(home):
    """A tick a symbol with the keys scripts read; no daemon is left behind."""
    document = home.answer("run", "--once")

    assert document["exit_code"] == 0
    (tick,) = document["data"]["ticks"]
    assert set(tick) == {
        *("symbol", "candle_open_time", "signal", "decision", "reason", "client_order_id", "order_state"),
    }
    assert tick["symbol"] == "BTCUSDT"
    assert tick["candle_open_time"].endswith("Z")
    assert home.checks() == 1
    assert home.answer("status")["data"]["daemon"]["running"] is False


def test_once_is_an_answer_of_3_when_the_kill_switch_is_active(home):
    """It checks (exits go on) and the answer is bad."""
    journal = Journal(Ledger(home.path / "thunes.db"), home.path / "audit_trail.jsonl", Clock())
    with journal.change() as change:
        kill_switch.activate(change, reason="a test", actor="test")
    journal.close()

    document = home.answer("run", "--once")

    assert (document["exit_code"], document["status"]) == (3, "attention")
    assert document["problems"][0]["code"] == "kill_switch_active"
    assert document["data"]["ticks"]


def test_once_with_no_exchange_is_could_not_find_out(home):
    """13, in one line, without waiting."""
    home.environ = {"BINANCE_REST_URL": "http://127.0.0.1:9"}

    done = home.thunes("run", "--once")

    assert done.returncode == 13
    assert "Traceback" not in done.stderr


def test_two_single_checks_at_once_are_no_error(home):
    """Cron overlapping itself: the second does nothing, changes nothing, and is content."""
    lock = DaemonLock(home.path)
    lock.acquire(ONCE)

    document = home.answer("run", "--once")

    lock.release()
    assert (document["exit_code"], document["changed"]) == (0, False)
    assert document["data"] == {"ticks": []}
    assert home.checks() == 0


def test_once_is_quiet_when_asked(home):
    """``-q`` from cron prints nothing at all when all is well."""
    done = home.thunes("run", "--once", "-q")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_daemon_waits_for_a_single_check(home):
    """A start that meets a running ``run --once`` waits for it to end."""
    lock = DaemonLock(home.path)
    lock.acquire(ONCE)
    process = home.start("run")

    assert process.poll() is None
    lock.release()
    wait_for(home.checks, "signal check")
    assert home.end(process) == 0
