"""``thunes status``: the verdict, every reason for it, and the keys scripts depend on."""

from __future__ import annotations

import shlex
import time
from datetime import timedelta

import pytest
from bot_home import DEAD, NOON, BotHome, names

from thunes_cli.cli.table import COMMANDS
from thunes_cli.ledger import breakers, controls, daemon
from thunes_cli.model import Mode
from thunes_cli.process import boot_id

KEYS = {
    "environment",
    "daemon",
    "kill_switch",
    "breakers",
    "feed",
    "positions",
    "daily_pnl",
    "unresolved_orders",
    "frozen_symbols",
    "last_reconcile",
    "audit",
    "jobs",
    "last_backup",
}


def test_a_new_home_is_well(bot: BotHome) -> None:
    """Nothing ran yet and nothing is held: 0, every key of the contract, no problem."""
    answer = bot.ask("status", "--json")

    assert answer.code == 0
    assert answer.data.keys() >= KEYS
    assert answer.document["problems"] == []
    assert answer.data["environment"] == "sim"
    assert answer.data["daemon"] == {
        "running": False,
        "pid": None,
        "since": None,
        "heartbeat_age_s": None,
        "mode": None,
    }
    assert answer.data["kill_switch"] == {"active": False, "reason": None}
    assert answer.data["breakers"][0].keys() >= {
        *("name", "state", "fail_counter", "fail_max", "window_s", "opened_at", "retry_in_s", "cause")
    }
    assert answer.data["last_backup"] is None


def test_a_running_daemon_is_described(bot: BotHome) -> None:
    """pid, mode, heartbeat, feed, limits and result of the day are what the daemon recorded; 0."""
    bot.buy()
    bot.daemon_runs()
    bot.feed("websocket", age=timedelta(seconds=4))

    answer = bot.ask("status", "--json")

    assert answer.code == 0, answer.out
    data = answer.data
    assert data["daemon"]["running"] is True
    assert data["daemon"]["mode"] == "trading"
    assert data["daemon"]["since"] == "2026-03-10T12:00:00.000Z"
    assert 0 <= data["daemon"]["heartbeat_age_s"] < 60
    feed = data["feed"]
    assert (feed["mode"], feed["age_s"], feed["reconnects"]) == ("websocket", 4.0, 2)
    assert data["positions"] == {"open": 1, "max": 3}
    assert data["daily_pnl"] == "-0.012"
    assert data["audit"]["last_seq"] == 4
    assert data["audit"]["outbox"] == 0


def test_the_verdict_comes_first(bot: BotHome) -> None:
    """Text for people: environment and home, then whether all is well."""
    bot.daemon_runs()

    lines = bot.ask("status").out.splitlines()

    assert lines[0].startswith("environment: sim   home: ")
    assert lines[1] == "all is well"


def test_each_reason_is_a_line_with_the_next_command(bot: BotHome) -> None:
    """Several things at once: counted, one line each with numbers, and what to type for this very home."""
    bot.buy()
    bot.daemon_runs(DEAD, silent_for=timedelta(minutes=7))
    with bot.journal.change() as change:
        controls.activate_kill_switch(change.connection, reason="daily loss 20.4", actor="automatic", at=NOON)

    answer = bot.ask("status")

    assert answer.code == 3
    lines = answer.out.splitlines()
    assert lines[1] == "2 things need you:"
    assert lines[2].startswith(f"  1. the daemon (pid {DEAD.pid}) died; last sign of life 7 min ago")
    assert lines[3] == f"     -> thunes --home {shlex.quote(str(bot.path))} run"
    assert "daily loss 20.4" in lines[4]
    assert answer.out.count("kill switch is active") == 1  # told once, not again at the end


def test_quiet_says_nothing_only_while_all_is_well(bot: BotHome) -> None:
    """``-q``: silence means well; bad news is printed."""
    bot.daemon_runs()
    assert bot.ask("-q", "status").out == ""

    bot.feed("down")

    assert "need" in bot.ask("-q", "status").out


class TestDaemon:
    """Running, stopped, dead, silent."""

    def test_stopped_in_order_with_nothing_held_is_fine(self, bot: BotHome) -> None:
        """The operator stopped it: that is no alarm."""
        bot.daemon_runs(DEAD)
        bot.daemon_stops()

        assert bot.ask("status").code == 0

    def test_stopped_with_a_position_open_needs_the_operator(self, bot: BotHome) -> None:
        """No daemon, no stop-loss: 3, and the line says so."""
        bot.buy()
        bot.daemon_runs(DEAD)
        bot.daemon_stops()

        answer = bot.ask("status", "--json")

        assert answer.code == 3
        assert answer.codes == ["daemon_not_running"]
        assert "1 open position has no stop-loss" in answer.document["problems"][0]["message"]

    def test_a_position_without_any_daemon_needs_the_operator(self, bot: BotHome) -> None:
        """`run --once` may have opened it."""
        bot.buy()

        assert bot.ask("status", "--json").codes == ["daemon_not_running"]

    def test_one_that_did_not_stop_cleanly_needs_the_operator(self, bot: BotHome) -> None:
        """kill -9 or a reboot, even with nothing held."""
        bot.daemon_runs(DEAD, silent_for=timedelta(hours=2))

        answer = bot.ask("status", "--json")

        assert answer.codes == ["daemon_died"]
        assert answer.data["daemon"]["running"] is False
        assert answer.data["daemon"]["heartbeat_age_s"] == pytest.approx(7200, abs=60)

    def test_one_that_is_alive_but_silent_needs_the_operator(self, bot: BotHome) -> None:
        """The process is there, its loop makes no progress."""
        bot.daemon_runs(silent_for=timedelta(minutes=5))

        assert bot.ask("status", "--json").codes == ["daemon_silent"]

    def test_exits_only_needs_the_operator(self, bot: BotHome) -> None:
        """Something held it back from trading; the reason is told."""
        bot.daemon_runs()
        with bot.journal.change() as change:
            daemon.save_mode(change.connection, Mode.EXITS_ONLY, reason="MAX_POSITIONS is negative")

        answer = bot.ask("status", "--json")

        assert answer.data["daemon"]["mode"] == "exits-only"
        assert answer.codes == ["exits_only"]
        assert "MAX_POSITIONS is negative" in answer.document["problems"][0]["message"]


def test_jobs_tell_when_they_ran_and_run_next(bot: BotHome) -> None:
    """The newest run of each job, with its outcome; a failed one says why in the text."""
    bot.daemon_runs()
    with bot.journal.change() as change:
        for outcome, why in (("ok", None), ("failed", "no candles")):
            run = daemon.start_job(change.connection, "signal_check", planned_at=NOON, started_at=NOON)
            daemon.end_job(
                change.connection,
                run,
                ended_at=NOON,
                outcome=outcome,
                next_at=NOON + timedelta(minutes=10),
                detail=why,
            )

    jobs = bot.ask("status", "--json").data["jobs"]

    assert names(jobs, "id") == ["signal_check"]
    assert jobs[0]["last"] == "2026-03-10T12:00:00.000Z"
    assert jobs[0]["next"] == "2026-03-10T12:10:00.000Z"
    assert jobs[0]["outcome"] == "failed"
    assert "failed 0 s ago, next in 10 min: no candles" in bot.ask("status").out


def test_the_day_begins_at_midnight_utc(bot: BotHome) -> None:
    """Yesterday's loss is not today's."""
    bot.at(NOON - timedelta(hours=12, seconds=1))
    bot.lose()
    bot.at(NOON)

    assert bot.ask("status", "--json").data["daily_pnl"] == "0"


def test_every_next_command_exists(bot: BotHome) -> None:
    """A hint that cannot be typed is worse than none."""
    position = bot.buy()
    bot.want_exit(position, problem="no")
    bot.alert_lasting("exit_blocked", key="BTCUSDT")
    bot.doubt(bot.send(bot.intend(symbol="ETHUSDT")))
    bot.daemon_runs(silent_for=timedelta(minutes=5))
    bot.feed("down")
    bot.reconciled(clean=False)
    with bot.journal.change() as change:
        daemon.save_mode(change.connection, Mode.EXITS_ONLY)
        controls.activate_kill_switch(change.connection, reason="x", actor="x", at=NOON)
        controls.freeze_symbol(change.connection, "ETHUSDT", reason="x", actor="x", at=NOON)
        breakers.save_opened(
            change.connection,
            breakers.REST,
            cause="x",
            wall=change.at_wall,
            monotonic=time.monotonic(),
            boot=boot_id(),
        )

    problems = bot.ask("status", "--json").document["problems"]

    assert len(problems) == 9
    known = {entry.path for entry in COMMANDS}
    for problem in problems:
        words = [word for word in shlex.split(problem["hint"])[3:] if not word.startswith("-")]
        assert words[0] in known or " ".join(words[:2]) in known, problem["hint"]


def test_a_rejected_key_is_attention(bot: BotHome) -> None:
    """3 from the moment the exchange refused it until it is accepted again."""
    bot.alert_lasting("key_rejected", key="")

    answer = bot.ask("status", "--json")

    assert answer.code == 3
    assert "key_rejected" in answer.codes
