"""Of many symbols few are read each time: those on which something happened, and in the end every one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from reconcile_room import kinds, reconciler, stranger
from scripted_exchange import rules_of
from trading_room import Room

from thunes_cli.model import OrderReport, PositionStatus, Side
from thunes_cli.trading.reconcile_choice import IN_TURN

MANY = ("BTCUSDT", *(f"C{number:02d}USDT" for number in range(39)))


@pytest.fixture
def many(holding: Room) -> Room:
    """A room that trades forty symbols and holds a position on one; others hold coins there, too."""
    holding.exchange.rules |= {symbol: rules_of(symbol) for symbol in MANY}
    return dataclasses.replace(holding, plan=dataclasses.replace(holding.plan, symbols=MANY))


@contextmanager
def noting(room: Room) -> Iterator[set[str]]:
    """The symbols whose orders are asked for meanwhile."""
    asked: set[str] = set()
    original = room.exchange.orders

    def orders(symbol: str, **which: Any) -> list[OrderReport]:
        asked.add(symbol)
        return original(symbol, **which)

    room.exchange.orders = orders  # type: ignore[method-assign]
    yield asked
    room.exchange.orders = original  # type: ignore[method-assign]


def compare(room: Room) -> tuple[set[str], list[str]]:
    """One comparison as the job makes it: which symbols were read, and what was found."""
    with noting(room) as asked:
        done = reconciler(room).routine(by="job")
    return asked, [str(finding.kind) for finding in done.look.comparison.findings if finding.counts]


def test_few_are_read_each_time_and_all_in_turn(many: Room) -> None:
    """What is held is read always, the quiet ones in turn."""
    rounds = [compare(many) for _ in range(4)]

    assert all("BTCUSDT" in asked and len(asked) <= IN_TURN + 1 for asked, _ in rounds)
    assert set().union(*(asked for asked, _ in rounds)) == set(MANY)
    assert {found for _, kinds_found in rounds for found in kinds_found} == set()


def test_where_balances_moved_is_looked_at_whosever_turn_it_is(many: Room) -> None:
    """Somebody bought on a symbol that we never traded."""
    compare(many)
    stranger(many, Side.BUY, "50", symbol="C38USDT")

    asked, found = compare(many)

    assert "C38USDT" in asked
    assert "external_order" in found


def test_what_was_found_is_looked_for_again(many: Room) -> None:
    """It is not over because its symbol had no turn: it counts until it is settled, and is told once."""
    stranger(many, Side.BUY, "50", symbol="C38USDT")
    _, found = compare(many)

    again = [compare(many) for _ in range(3)]

    assert "external_order" in found
    for asked, still in again:
        assert "C38USDT" in asked
        assert sorted(still) == sorted(found)
        assert len(asked) < len(MANY)


def test_what_no_read_symbol_explains_makes_it_read_all(many: Room) -> None:
    """Bought and sold again: only the quote asset shows it, and then every symbol is read."""
    compare(many)
    report = stranger(many, Side.BUY, "50", symbol="C38USDT")
    many.exchange.balances["C38"] = report.executed_qty
    stranger(many, Side.SELL, str(report.executed_qty), symbol="C38USDT")
    many.exchange.balances["C38"] *= 0

    asked, found = compare(many)

    assert asked == set(MANY)
    assert "external_order" in found


def test_balances_say_whether_the_exchange_knows_more(many: Room) -> None:
    """One question, whatever the number of symbols; what a comparison has found is no news."""
    compare(many)
    assert not reconciler(many).is_behind()

    stranger(many, Side.BUY, "50", symbol="C38USDT")

    assert reconciler(many).is_behind()
    compare(many)
    assert not reconciler(many).is_behind()


def test_a_stop_that_sells_in_the_middle_is_no_difference(many: Room) -> None:
    """Stops are looked at between two questions: what one sells meanwhile is booked and compared like the rest."""
    many.exchange.price = Decimal(15000)

    done = reconciler(many).routine(by="job", progress=lambda _: many.engine.stop_check())

    assert many.positions()[0].status is PositionStatus.CLOSED
    assert done.look.comparison.clean


def test_a_person_gets_everything(many: Room) -> None:
    """``thunes reconcile`` reads every symbol, however many there are."""
    with noting(many) as asked:
        assert kinds(many) == []

    assert asked == set(MANY)
