"""No rule of ours, and nothing that is wrong at home, keeps a position from being left."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from manual_time import ManualTime
from scripted_exchange import ScriptedExchange
from trading_room import BUY_NOW, HOUR, Room, assemble

from thunes_cli.audit.journal import Journal
from thunes_cli.ledger import bans, breakers, controls
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.identity import save_entries_from
from thunes_cli.ledger.schema import create_ledger
from thunes_cli.model import ExitReason, Mode, OrderState, PositionStatus, Side
from thunes_cli.process import boot_id


@dataclass
class Situation:
    """A room that holds a position, and what is about to go wrong with it."""

    room: Room
    home: Path
    limits: dict[str, object]


def _kill_switch(situation: Situation) -> None:
    with situation.room.journal.change() as change:
        controls.activate_kill_switch(change.connection, reason="crash", actor="alice", at=change.at)


def _frozen(situation: Situation) -> None:
    with situation.room.journal.change() as change:
        controls.freeze_symbol(change.connection, "BTCUSDT", reason="odd", actor="alice", at=change.at)


def _tiny_daily_loss(situation: Situation) -> None:
    situation.limits["max_daily_loss"] = Decimal("0.00000001")


def _tiny_trade(situation: Situation) -> None:
    situation.limits["max_loss_per_trade"] = Decimal("0.01")


def _no_positions(situation: Situation) -> None:
    situation.limits["max_positions"] = 0


def _cool_down(situation: Situation) -> None:
    situation.limits["cool_down"] = timedelta(days=7)


def _trail_unwritable(situation: Situation) -> None:
    trail = situation.home / "audit_trail.jsonl"
    trail.rename(trail.with_suffix(".aside"))
    trail.mkdir()


def _trail_tampered(situation: Situation) -> None:
    trail = situation.home / "audit_trail.jsonl"
    if trail.is_file():
        trail.write_bytes(trail.read_bytes()[:-20])


def _trail_locked(situation: Situation) -> None:
    lock = situation.home / "audit.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()


def _exits_only(situation: Situation) -> None:
    situation.room.engine.mode = Mode.EXITS_ONLY
    situation.room.engine.mode_reason = "a bad limit"


def _skewed(situation: Situation) -> None:
    situation.room.time.wall += timedelta(hours=1)


def _no_candles(situation: Situation) -> None:
    situation.room.exchange.series = []


TROUBLES: dict[str, Callable[[Situation], None]] = {
    "kill switch": _kill_switch,
    "frozen": _frozen,
    "daily loss": _tiny_daily_loss,
    "per-trade loss": _tiny_trade,
    "no positions allowed": _no_positions,
    "cool-down": _cool_down,
    "trail unwritable": _trail_unwritable,
    "trail tampered": _trail_tampered,
    "trail locked": _trail_locked,
    "exits only": _exits_only,
    "skewed clock": _skewed,
    "no candles": _no_candles,
}


def holding(home: Path) -> Situation:
    """A home that has bought a bitcoin's worth."""
    time = ManualTime()
    create_ledger(home / "thunes.db", environment="sim", instance="abcdef", epoch="abc", wall=time.wall)
    journal = Journal(Ledger(home / "thunes.db"), home / "audit_trail.jsonl", time.clock())
    with journal.change() as change:
        save_entries_from(change.connection, change.at - timedelta(days=1))
    room = assemble(journal, ScriptedExchange(journal.clock), time, home=home)
    room.gate.open()
    room.show(BUY_NOW)
    room.engine.signal_check()
    room.pass_by(HOUR)
    assert [position.status for position in room.positions()] == [PositionStatus.OPEN]
    return Situation(room, home, {})


def restarted(situation: Situation) -> Room:
    """The same home and exchange under the limits that are in force now."""
    room = situation.room
    again = assemble(room.journal, room.exchange, room.time, home=situation.home, **situation.limits)
    again.engine.mode, again.engine.mode_reason = room.engine.mode, room.engine.mode_reason
    again.symbols.refresh(["BTCUSDT"])
    object.__setattr__(again.plan, "min_free_mib", 10**9)
    return again


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    troubles=st.sets(st.sampled_from(sorted(TROUBLES)), min_size=1),
    wish=st.sampled_from(["stop", "operator"]),
    price=st.decimals("17000", "19400", places=2),
)
@example(troubles=set(TROUBLES), wish="stop", price=Decimal(17000))
@example(troubles=set(TROUBLES), wish="operator", price=Decimal(17000))
def test_no_rule_rejects_an_exit(troubles: set[str], wish: str, price: Decimal) -> None:
    """Whatever combination holds, a stop that is hit or an operator's wish sells everything, once."""
    home = Path(tempfile.mkdtemp(prefix="thunes-exit-"))
    try:
        situation = holding(home)
        for name in sorted(troubles):
            TROUBLES[name](situation)
        room = restarted(situation)
        if wish == "operator":
            (position,) = room.positions()
            room.engine._exits.want(position, ExitReason.OPERATOR)
            price = Decimal(20000)
        room.exchange.price = price

        room.engine.stop_check()

        (position,) = room.positions()
        assert position.status is PositionStatus.CLOSED
        sells = [order for order in room.orders() if order.side is Side.SELL]
        assert [order.state for order in sells] == [OrderState.FILLED]
        assert [order.side for order in room.exchange.placed].count(Side.SELL) == 1
        room.journal.close()
    finally:
        shutil.rmtree(home)


@pytest.mark.parametrize("held_by", ["breaker", "ban", "order count"])
def test_only_the_wire_holds_an_exit_back_and_the_wish_stays(held_by: str, tmp_path: Path) -> None:
    """What cannot be sent now is sent when it can; no attempt is wasted on it and nothing is forgotten."""
    situation = holding(tmp_path)
    room, journal = situation.room, situation.room.journal
    room.exchange.price = Decimal(10000)
    wall, monotonic = journal.clock.wall(), journal.clock.monotonic()
    usage = bans.RateUsage(wall, order_count_10s=50, order_limit_10s=50, orders_at_wall=wall)
    with journal.change() as change:
        match held_by:
            case "breaker":
                breakers.save_opened(
                    change.connection, breakers.REST, cause="503", wall=wall, monotonic=monotonic, boot=boot_id()
                )
            case "ban":
                ban = bans.Ban(wall + HOUR, monotonic + 3600, boot_id(), 418, 1, wall)
                bans.save_ban(change.connection, ban)
            case _:
                bans.save_usage(change.connection, usage)

    room.engine.stop_check()
    (waiting,) = room.positions()
    assert waiting.exit_wanted is ExitReason.STOP_LOSS
    assert [order.side for order in room.orders()] == [Side.BUY]

    with journal.change() as change:
        breakers.save_state(change.connection, breakers.REST, breakers.BreakerState.CLOSED)
        change.connection.execute("DELETE FROM ban")
        bans.save_usage(change.connection, usage._replace(order_count_10s=0))
    room.engine.stop_check()

    assert [position.status for position in room.positions()] == [PositionStatus.CLOSED]
    journal.close()
