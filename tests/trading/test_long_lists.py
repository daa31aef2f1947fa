"""The exchange lists a thousand rows at once: what lies beyond is asked for before anything is concluded."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from manual_time import ManualTime
from scripted_exchange import ScriptedExchange
from trading_room import BUY_NOW, Room, assemble

from thunes_cli.audit.journal import Journal
from thunes_cli.ledger import fills
from thunes_cli.model import ClientOrderId, MarketOrder, OrderReport, OrderState, Side, Trade

SECOND = timedelta(seconds=1)
PAGE = 1000


class PagingExchange(ScriptedExchange):
    """At most a page an answer: the first rows from a bound on, the newest ones where there is none."""

    page = PAGE
    pieces = 1

    def _execute(self, order: MarketOrder, at: datetime, *, share: Decimal) -> OrderReport:
        """In so many trades."""
        report = super()._execute(order, at, share=share)
        (whole,) = report.trades
        each = whole.quantity / self.pieces
        trades = tuple(
            replace(
                whole,
                trade_id=self._take_id(),
                quantity=each,
                quote_quantity=each * whole.price,
                commission=whole.commission / self.pieces,
            )
            for _ in range(self.pieces)
        )
        return replace(report, trades=trades)

    def order(self, symbol: str, client_order_id: ClientOrderId) -> OrderReport | None:
        report = super().order(symbol, client_order_id)
        return None if report is None else replace(report, trades=())

    def trades(self, symbol: str, *, order_id: int | None = None, from_trade_id: int | None = None) -> list[Trade]:
        found = super().trades(symbol, order_id=order_id, from_trade_id=from_trade_id)
        return found[-self.page :] if from_trade_id is None else found[: self.page]

    def orders(
        self, symbol: str, *, from_order_id: int | None = None, start: datetime | None = None
    ) -> list[OrderReport]:
        found = sorted(super().orders(symbol, from_order_id=from_order_id, start=start), key=lambda each: each.order_id)
        return found[: self.page]


@pytest.fixture
def paging(time: ManualTime, journal: Journal, bare_home: Path) -> Room:
    """A home on an exchange with pages."""
    return assemble(journal, PagingExchange(journal.clock), time, home=bare_home)


def settle(room: Room) -> None:
    """Let the resolver work until nothing is open."""
    for _ in range(60):
        if room.resolver.resolve_due() == 0:
            return
        room.pass_by(SECOND)
    pytest.fail("still unresolved")


def buy_unheard(room: Room, script: str) -> None:
    """A BUY of which the answer is lost."""
    room.exchange.script = [script]
    room.show(BUY_NOW)
    room.engine.signal_check()


def crowd(room: Room, count: int, *, client_order_id: str = "") -> None:
    """Orders of somebody else on the same symbol."""
    for number in range(count):
        name = ClientOrderId(client_order_id or f"web_{number}")
        order = MarketOrder("BTCUSDT", Side.BUY, name, quantity=Decimal("0.001"))
        report = room.exchange._execute(order, room.journal.clock.now(), share=Decimal(1))
        room.exchange.reports[f"{name} {number}"] = report


@pytest.mark.parametrize("page", [500, PAGE])
def test_an_order_in_more_trades_than_a_page(paging: Room, page: int) -> None:
    """All of them are booked, though the exchange lists the newest first when it is not told where to begin."""
    assert isinstance(paging.exchange, PagingExchange)
    paging.exchange.pieces, paging.exchange.page = 2 * PAGE, page
    buy_unheard(paging, "unknown_after")

    settle(paging)

    (order,) = paging.orders()
    assert order.state is OrderState.FILLED
    with paging.journal.read() as connection:
        booked = len(fills.all_fills(connection))
    assert booked == 2 * PAGE
    assert paging.positions()[0].quantity == paging.exchange.balances["BTC"] - 3


def test_an_order_beyond_the_first_page_of_the_list(paging: Room) -> None:
    """An order that only the list shows, behind a thousand of somebody else's: found, not taken for "not placed"."""
    assert isinstance(paging.exchange, PagingExchange)
    crowd(paging, PAGE + 1)
    buy_unheard(paging, "unknown_after")
    paging.exchange.hidden_queries = 1000

    settle(paging)

    assert [order.state for order in paging.orders()] == [OrderState.FILLED]


def test_an_old_order_of_the_same_id_is_no_obstacle(paging: Room) -> None:
    """Somebody used our id long before us: that says no more than "no such order", and the doubt ends."""
    buy_unheard(paging, "unknown_before")
    (order,) = paging.orders()
    crowd(paging, 1, client_order_id=order.client_order_id)
    (key, report), *_ = paging.exchange.reports.items()
    old = replace(report, time=report.time - timedelta(days=3))
    paging.exchange.reports = {key: old, str(order.client_order_id): old}

    settle(paging)

    assert [order.state for order in paging.orders()] == [OrderState.NOT_PLACED]


def test_a_listed_order_of_our_id_that_does_not_fit_proves_nothing(paging: Room) -> None:
    """Neither booked as ours nor taken for the proof that ours was not placed."""
    buy_unheard(paging, "unknown_before")
    (order,) = paging.orders()
    crowd(paging, 1, client_order_id=order.client_order_id)

    for _ in range(60):
        paging.resolver.resolve_due()
        paging.pass_by(SECOND)

    assert [order.state for order in paging.orders()] == [OrderState.UNKNOWN]
    assert paging.positions() == []
