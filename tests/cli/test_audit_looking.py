"""``thunes audit tail`` and ``stats``: what each answers, and that no text of a record is obeyed."""

from __future__ import annotations

import json
import signal as signals
import subprocess
import sys

from bot_home import BotHome, signal
from frame import clean_environ

from thunes_cli.audit.events import Event


def test_tail_filters(trading: BotHome) -> None:
    """Event, reason and time are looked at before the number."""
    assert [r["symbol"] for r in trading.ask("audit", "tail", "-n", "2", "--json").data["records"]] == [
        "BNBUSDT",
        "ADAUSDT",
    ]
    rejected = trading.ask("audit", "tail", "--event", "TRADE_REJECTED", "--json").data["records"]
    assert [record["reason"] for record in rejected] == ["kill_switch_active", "cool_down_active"]
    recent = trading.ask("audit", "tail", "--event", "TRADE_REJECTED", "--since", "today", "--json").data["records"]
    assert [record["reason"] for record in recent] == ["cool_down_active"]
    reason = trading.ask("audit", "tail", "--reason", "kill_switch_active", "--json").data["records"]
    assert len(reason) == 1
    assert trading.ask("audit", "tail", "--event", "NOTHING").out.endswith("no record fits\n")


def test_tail_across_segments_and_what_waits(trading: BotHome) -> None:
    """Closed segments are part of the trail, and so is what is committed but not yet in the file."""
    trading.ask("audit", "rotate")
    with trading.journal.change(drain=False) as change:
        change.record(Event.DAEMON_STOPPED, why="waits")

    events = [record["event"] for record in trading.ask("audit", "tail", "--json").data["records"]]

    assert events[:5] == ["TRADE_REJECTED"] * 2 + ["TRADE_APPROVED"] * 3
    assert "SEGMENT_STARTED" in events
    assert events[-1] == "DAEMON_STOPPED"


def test_tail_text_is_not_obeyed(trading: BotHome) -> None:
    """Control characters from outside are shown, not sent to the terminal."""
    with trading.journal.change() as change:
        change.record(Event.ORDER_UNKNOWN, why="\x1b[2Jgone")

    answer = trading.ask("audit", "tail", "-n", "1")

    assert "\x1b" not in answer.out
    assert "\\x1b[2Jgone" in answer.out


def test_tail_follows(trading: BotHome) -> None:
    """Records come as they are written, through a rotation, one JSON object a line; Ctrl-C ends it with 130."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "thunes_cli",
            "--home",
            str(trading.path),
            "audit",
            "tail",
            "-n",
            "1",
            "--follow",
            "--json",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environ(),
    )
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline())["symbol"] == "ADAUSDT"
        trading.approve(signal("XRPUSDT"))
        assert json.loads(process.stdout.readline())["symbol"] == "XRPUSDT"
        trading.ask("audit", "rotate")
        trading.approve(signal("DOTUSDT"))
        events = []
        while "DOTUSDT" not in events:
            record = json.loads(process.stdout.readline())
            events.append(record.get("symbol", record["event"]))
        assert "SEGMENT_STARTED" in events
        assert len(events) == len(set(events)) + events.count("CHECKPOINT_SIGNED") - 1
        process.send_signal(signals.SIGINT)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.communicate()


def test_stats(trading: BotHome) -> None:
    """The runbook's monthly figures."""
    answer = trading.ask("audit", "stats", "--json")

    assert answer.code == 0
    assert answer.data["events"] == {"TRADE_APPROVED": 3, "TRADE_REJECTED": 2}
    assert (answer.data["approved"], answer.data["rejected"]) == (3, 2)
    assert answer.data["rejection_rate_pct"] == 40.0
    assert answer.data["reasons"] == {"kill_switch_active": 1, "cool_down_active": 1}
    assert trading.ask("audit", "stats", "--since", "today", "--json").data["rejection_rate_pct"] == 25.0
    assert "40 %" in trading.ask("audit", "stats").out


def test_stats_of_an_empty_month(bot: BotHome) -> None:
    """Nothing happened: no division by it."""
    answer = bot.ask("audit", "stats", "--since", "30d", "--json")

    assert answer.code == 0
    assert answer.data["records"] == 0
    assert answer.data["rejection_rate_pct"] is None
    assert bot.ask("audit", "stats").code == 0
