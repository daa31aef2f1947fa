"""A stream that tells what cannot be: no candle of it is believed, and no frame of it fills our memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

from market_cases import START
from stream_server import START_MS, StreamServer, combined, kline, wait_for
from tape_exchange import TapeExchange
from websockets.sync.server import ServerConnection

from thunes_cli.clock import Anchor, Clock, from_ms
from thunes_cli.exchange.line import Patience
from thunes_cli.market.feed import RestFeed
from thunes_cli.market.stream_feed import StreamFeed

SYMBOL = "BTCUSDT"
PATIENCE = Patience(stale_s=20, max_reconnects=5, first_s=20, ping_s=9, pong_s=9, settle_s=0.1, retry_s=1, connect_s=9)
A_DAY = 24 * 60  # candles


@contextmanager
def fed_by(server: StreamServer) -> Iterator[StreamFeed]:
    """A feed on it, at the moment in which the server's first candle closes; its clock stands there."""
    now = from_ms(START_MS) + timedelta(minutes=1)
    clock = Clock(Anchor(now, now), wall=lambda: now)
    tape = TapeExchange(now=START)
    feed = StreamFeed(RestFeed(tape.as_exchange(), clock, timeframe="1m"), clock, timeframe="1m")
    feed.begin(server.url, [SYMBOL], PATIENCE)
    try:
        yield feed
    finally:
        feed.stop()
        assert feed.finished(10)


def test_a_candle_of_tomorrow_is_not_believed():
    """It is told as closed, with figures that fit: nothing is decided on it, the price beside it is."""
    told = threading.Event()

    def conversation(connection: ServerConnection, _number: int) -> None:
        connection.send(combined(kline(number=A_DAY, closed=True, price="100.7")))
        connection.send(combined(kline(number=0, closed=True, price="100.6")))
        connection.send(combined(kline(number=1, price="100.9")))
        told.wait(30)

    with StreamServer(conversation) as server, fed_by(server) as feed:
        wait_for(lambda: (tick := feed.intake.latest(SYMBOL)) and tick.price == Decimal("100.9"))
        candles = feed.intake.take_closed(SYMBOL)
        told.set()

    assert [candle.close for candle in candles] == [Decimal("100.6")]


def test_a_frame_of_ten_megabytes_ends_the_connection_and_nothing_else():
    """It is not taken into memory; the next connection goes on."""
    told = threading.Event()

    def conversation(connection: ServerConnection, number: int) -> None:
        connection.send(combined(kline(price="100.1")))
        if number == 0:
            connection.send("x" * 10_000_000)
        connection.send(combined(kline(price=f"100.{number + 2}")))
        told.wait(30 if number else 0.1)

    with StreamServer(conversation) as server, fed_by(server) as feed:
        wait_for(lambda: (tick := feed.intake.latest(SYMBOL)) and tick.price == Decimal("100.3"))
        told.set()

        assert len(server.opened_mono) == 2
        assert feed.line is not None
        assert feed.line.fallen_back is False
