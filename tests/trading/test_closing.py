"""Selling because the operator says so, when the exchange does not go along: what is said, and that the wish stands."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from scripted_exchange import rules_of
from trading_room import HOUR, Room

from thunes_cli.exchange.failures import ExchangeDown, Rejected
from thunes_cli.ledger import bans
from thunes_cli.model import ExitReason, OrderState, PositionStatus, Side
from thunes_cli.process import boot_id
from thunes_cli.trading.closing import Closer, Closing, Outcome
from thunes_cli.trading.operator_word import Judgement

ALICE = Judgement("alice", "looks odd")


def close(room: Room, *, timeout_s: float = 10) -> Closing:
    """Close what the room holds; a wait lets the time go by."""
    closer = Closer(
        room.journal,
        room.exchange,
        room.engine._exits,
        room.resolver,
        wait=lambda seconds: room.pass_by(timedelta(seconds=seconds)),
    )
    (closing,) = closer.close(room.positions(), ALICE, timeout=timedelta(seconds=timeout_s))
    return closing


def sells(room: Room) -> list[OrderState]:
    return [order.state for order in room.orders() if order.side is Side.SELL]


def wants_out(room: Room) -> bool:
    return room.positions()[0].exit_wanted is ExitReason.OPERATOR


def test_it_is_sold(holding: Room) -> None:
    """One order, and the position is closed."""
    closing = close(holding)

    assert (closing.outcome, closing.wished) == (Outcome.CLOSED, True)
    assert sells(holding) == [OrderState.FILLED]


def test_while_the_exchange_bans_us(holding: Room) -> None:
    """Nothing is sent; it says until when, and the wish is the daemon's to fulfil."""
    clock = holding.journal.clock
    with holding.journal.change() as change:
        until = bans.Ban(clock.wall() + HOUR, clock.monotonic() + 3600, boot_id(), 418, 1, clock.wall())
        bans.save_ban(change.connection, until)

    closing = close(holding)

    assert closing.outcome is Outcome.UNREACHABLE
    assert closing.why == "rate_limit_ban: HTTP 418 until 2026-03-10T14:00:00.000Z"
    assert sells(holding) == []
    assert wants_out(holding)


def test_while_the_exchange_is_away(holding: Room) -> None:
    """No price is to be had: nothing is sent, the wish stands."""
    holding.exchange.down = True

    closing = close(holding)

    assert closing.outcome is Outcome.UNREACHABLE
    assert closing.why
    assert sells(holding) == []
    assert wants_out(holding)


def test_when_it_goes_away_between_price_and_order(holding: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of the symbol cannot be had: no attempt was made, and that is said."""
    holding.symbols.doubt("BTCUSDT")

    def away(_symbols: object) -> None:
        raise ExchangeDown("scripted")

    monkeypatch.setattr(holding.exchange, "symbol_rules", away)
    holding.symbols._rules.clear()

    closing = close(holding)

    assert (closing.outcome, closing.why) == (Outcome.UNREACHABLE, "the exchange did not answer")
    assert sells(holding) == []
    assert wants_out(holding)


def test_when_the_exchange_refuses(holding: Room) -> None:
    """One attempt, its reason in the exchange's words; the daemon goes on trying with growing pauses."""
    holding.exchange.script = [Rejected("Market is closed.", -2010)]

    closing = close(holding)

    assert closing.outcome is Outcome.UNSOLD
    assert "Market is closed." in closing.why
    assert sells(holding) == [OrderState.REJECTED]
    assert wants_out(holding)
    assert holding.positions()[0].exit_next_try_wall is not None


def test_a_book_that_runs_dry_is_asked_again(holding: Room) -> None:
    """Each attempt sells what there is; the rest does not wait for a back-off."""
    holding.exchange.rules["BTCUSDT"] = rules_of(minimum="0.1")
    holding.symbols.refresh(["BTCUSDT"])
    holding.exchange.script = ["half", "half"]

    closing = close(holding)

    assert closing.outcome is Outcome.CLOSED
    assert sells(holding) == [OrderState.EXPIRED, OrderState.EXPIRED, OrderState.FILLED]
    assert holding.positions()[0].status is PositionStatus.CLOSED


def test_an_order_in_doubt_is_resolved_before_anything_is_said(holding: Room) -> None:
    """Executed though its answer was lost: it is found, not sent again."""
    holding.exchange.script = ["unknown_after"]

    closing = close(holding)

    assert closing.outcome is Outcome.CLOSED
    assert sells(holding) == [OrderState.FILLED]


def test_doubt_that_outlasts_the_patience_is_said(holding: Room) -> None:
    """The order is named, and goes on being asked for."""
    holding.exchange.script = ["unknown_before"]

    closing = close(holding, timeout_s=2)

    assert closing.outcome is Outcome.IN_DOUBT
    assert holding.orders()[-1].client_order_id in closing.why
    assert sells(holding) == [OrderState.UNKNOWN]
    assert holding.exchange.balances["BTC"] > Decimal(3)
