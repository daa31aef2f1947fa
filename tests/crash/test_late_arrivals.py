"""An order that is still on its way when we give up waiting: nothing is concluded before it can arrive no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from bad_proxy import BadProxy
from crash_room import Room, open_room

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.identity import save_entries_from
from thunes_cli.model import OrderState

RECV_WINDOW_S, GIVES_UP_S = 2.5, 0.5


@pytest.fixture
def late(tmp_path: Path) -> Iterator[tuple[Room, BadProxy]]:
    """A market at the speed of life (the documented rule for timestamps), with a BUY to be made at once."""
    proxies: list[BadProxy] = []

    def between(url: str) -> str:
        proxies.append(BadProxy(url))
        return proxies[0].url

    settings = {
        "RECV_WINDOW_MS": str(int(RECV_WINDOW_S * 1000)),
        "REQUEST_TIMEOUT_SECONDS": str(GIVES_UP_S),
        "NOT_PLACED_MARGIN_SECONDS": "0.5",
        "SIGNAL_INTERVAL_SECONDS": "3600",
    }
    with open_room(tmp_path, speed=1, history=21, between=between, **settings) as room:
        room.once()
        journal = Journal(Ledger(room.home.path / "thunes.db"), room.home.path / "audit_trail.jsonl", Clock())
        with journal.change() as change:  # as if the home had been ready for long
            save_entries_from(change.connection, change.at - timedelta(days=10_000))
        journal.close()
        yield room, proxies[0]
        proxies[0].close()


def end_of(room: Room) -> OrderState:
    """Check until the one order has ended."""
    for _ in range(200):
        assert room.once().code == 0, room.said
        (order,) = room.orders()
        if not order.state.live:
            return order.state
    raise AssertionError("never ended")


def test_arriving_within_its_window_it_is_found(late: tuple[Room, BadProxy]) -> None:
    """Given up after half a second, executed after one and a half: booked, never taken for lost."""
    room, proxy = late
    proxy.delay_order_s = 1.5

    assert end_of(room) is OrderState.FILLED
    room.prove()


@pytest.mark.long
def test_arriving_after_its_window_it_is_refused_and_not_placed(late: tuple[Room, BadProxy]) -> None:
    """The exchange refuses what comes too late, and only then do we call it not placed."""
    room, proxy = late
    proxy.delay_order_s = RECV_WINDOW_S + 0.4

    assert end_of(room) is OrderState.NOT_PLACED
    assert proxy.orders == 1  # it had arrived before that was concluded
    assert not room.reports()
