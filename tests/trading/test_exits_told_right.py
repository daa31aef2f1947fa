"""What is said about an exit is true: of a position that somebody else closed, of a rest, of attempts that sold."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from queued_alerts import pending_alerts
from reconcile_room import reconciler
from scripted_exchange import ScriptedExchange, rules_of
from trading_room import SELL_NOW, Room

from thunes_cli.exchange.failures import Rejected
from thunes_cli.exchange.filters import SymbolRules, parse_symbol
from thunes_cli.model import ExitReason, OrderState, PositionStatus, Side
from thunes_cli.risk.freezing import freeze_symbol
from thunes_cli.trading.exiting import Exits

CLOSED = Rejected("Market is closed.", -2010)
MINUTE = timedelta(minutes=1)


def exits_of(room: Room) -> Exits:
    return room.engine._exits


def events_of(room: Room, event: str) -> int:
    return room.journal.trail.path.read_text(encoding="utf-8").count(f'"event":"{event}"')


def blocked(room: Room) -> list[str]:
    with room.journal.read() as connection:
        return [alert.text for alert in pending_alerts(connection) if alert.kind == "exit_blocked"]


def test_a_position_that_somebody_closed_meanwhile_ends_once(holding: Room) -> None:
    """A check reads the positions first and comes to each later: what is sold by then is not closed a second time."""
    (before,) = holding.positions()
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    assert holding.positions()[0].status is PositionStatus.CLOSED
    assert events_of(holding, "POSITION_CLOSED") == 1

    holding.exchange.price = Decimal(1)  # far below the stop
    holding.engine._leave(before, holding.engine._price("BTCUSDT"), signals=())

    assert events_of(holding, "POSITION_CLOSED") == 1
    assert events_of(holding, "EXIT_WANTED") == 1


def test_a_rest_that_the_average_price_keeps_from_being_sold_is_held_back(
    holding: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worth enough at the last price and too little at the average: neither dust nor a question with every price."""
    holding.exchange.script = ["half"]
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    (position,) = holding.positions()
    worth = position.quantity * holding.exchange.price
    holding.exchange.rules["BTCUSDT"] = rules_of(minimum=str(worth - 1))
    holding.symbols.refresh(["BTCUSDT"])
    asked: list[str] = []

    def average(symbol: str) -> Decimal:
        asked.append(symbol)
        return holding.exchange.price / 2

    monkeypatch.setattr(holding.exchange, "average_price", average)
    holding.pass_by(MINUTE)
    for _ in range(3):
        holding.engine.stop_check()

    assert len(asked) == 1
    assert "NOTIONAL" in (holding.positions()[0].exit_problem or "")


def in_lots_of(greatest: str) -> SymbolRules:
    """The symbol with so much base in one order at the most."""
    return parse_symbol(
        {
            "symbol": "BTCUSDT",
            "status": "TRADING",
            "baseAsset": "BTC",
            "quoteAsset": "USDT",
            "orderTypes": ["MARKET"],
            "quoteOrderQtyMarketAllowed": True,
            "filters": [{"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": greatest, "stepSize": "0.00001"}],
        }
    )


def test_attempts_that_sold_a_part_have_not_failed(holding: Room) -> None:
    """A position that leaves in lots: one refusal after three good ones is a first failure, and no alarm."""
    holding.exchange.rules["BTCUSDT"] = in_lots_of("0.0001")
    holding.symbols.refresh(["BTCUSDT"])
    holding.exchange.script = ["ok", "ok", "ok", CLOSED]
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    for _ in range(3):
        holding.engine.stop_check()

    states = [order.state for order in holding.orders() if order.side is Side.SELL]
    assert states == [OrderState.FILLED] * 3 + [OrderState.REJECTED]
    assert blocked(holding) == []
    (position,) = holding.positions()
    assert position.exit_next_try_wall is not None
    assert position.exit_next_try_wall - holding.time.wall <= timedelta(seconds=10)


def test_a_freeze_by_the_operator_blocks_no_exit_whatever_its_reason(holding: Room) -> None:
    """Nobody has seen a wipe: a reason that only sounds like one stops entries, as every freeze does."""
    with holding.journal.change() as change:
        freeze_symbol(change, "BTCUSDT", reason="exchange_reset was announced", actor="alice")
    holding.show(SELL_NOW)

    holding.engine.signal_check()

    assert holding.positions()[0].status is PositionStatus.CLOSED


def test_a_wipe_of_a_symbol_that_was_frozen_before_sells_no_grant(holding: Room) -> None:
    """The freeze keeps its first reason; what the account holds after the wipe is somebody's grant all the same."""
    with holding.journal.change() as change:
        freeze_symbol(change, "BTCUSDT", reason="I do not like it today", actor="alice")
    wipe(holding.exchange)
    assert reconciler(holding).routine(by="job").look.comparison.wiped

    sold = exits_of(holding)
    (position,) = holding.positions()
    sold.want(position, ExitReason.OPERATOR)
    (position,) = holding.positions()
    order = sold.attempt(position, price=holding.exchange.price)

    assert order is None
    assert "wiped" in (holding.positions()[0].exit_problem or "")


def wipe(exchange: ScriptedExchange) -> None:
    """Orders are gone, balances are a new grant."""
    exchange.reports.clear()
    exchange.balances = {"USDT": Decimal(777), "BTC": Decimal(1)}
