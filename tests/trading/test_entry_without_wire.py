"""A BUY signal while nothing may be sent: refused by the rules, on the trail, with what keeps it back."""

from __future__ import annotations

import json

import pytest
from trading_room import BUY_NOW, HOUR, Room

from thunes_cli.exchange.failures import BreakerOpen, RateBanned
from thunes_cli.ledger import bans, breakers
from thunes_cli.model import Rejection
from thunes_cli.process import boot_id


@pytest.mark.parametrize("held_by", [Rejection.BREAKER, Rejection.RATE_BAN])
def test_it_is_a_rejection_of_its_own(held_by: Rejection, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Candles came by a stream; prices cannot be asked for. The record names the rule, and no order is made."""
    journal, clock = room.journal, room.journal.clock
    with journal.change() as change:
        if held_by is Rejection.BREAKER:
            now = {"wall": clock.wall(), "monotonic": clock.monotonic(), "boot": boot_id()}
            breakers.save_opened(change.connection, breakers.REST, cause="HTTP 503", **now)
        else:
            until = clock.wall() + HOUR
            ban = bans.Ban(until, clock.monotonic() + 3600, boot_id(), 418, 1, clock.wall())
            bans.save_ban(change.connection, ban)

    def held_back(symbol: str) -> None:
        kind = BreakerOpen if held_by is Rejection.BREAKER else RateBanned
        raise kind(f"nothing is asked about {symbol},", "later")

    monkeypatch.setattr(room.exchange, "average_price", held_back)
    room.show(BUY_NOW)

    (tick,) = room.engine.signal_check()

    assert (tick.decision, tick.reason, tick.client_order_id) == ("rejected", held_by, None)
    assert room.orders() == []
    record = json.loads(journal.trail.path.read_text().splitlines()[-1])
    assert (record["event"], record["reason"]) == ("TRADE_REJECTED", held_by)
    assert "503" in record["breaker"] if held_by is Rejection.BREAKER else "418" in record["until"]
