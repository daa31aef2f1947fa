"""Setting our clock by the exchange's, through a slow and uneven network."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from exchange_cases import START
from hypothesis import given
from hypothesis import strategies as st
from loopback_exchange import LoopbackExchange, Reply, answer, html, raw

from thunes_cli.clock import Anchor, Clock
from thunes_cli.exchange.binance import BinanceExchange
from thunes_cli.exchange.clock_sync import (
    Reading,
    anchor_of,
    best_reading,
    exchange_rate_of_clock,
    read_anchor,
    speed_told,
    take_reading,
)


class Network:
    """Answers ``server_time`` after scripted delays; time moves only while a request is under way."""

    def __init__(self, delays: list[tuple[float, float]], *, ahead: timedelta, wall_steps: bool = False) -> None:
        self.wall = START
        self.mono = 50.0
        self._delays: Iterator[tuple[float, float]] = iter(delays)
        self._ahead = ahead
        self._wall_steps = wall_steps
        self.clock = Clock(Anchor(START, START), wall=lambda: self.wall, monotonic=lambda: self.mono)

    def _pass(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.mono += seconds

    def server_time(self) -> datetime:
        """One round trip."""
        out, back = next(self._delays)
        self._pass(out)
        seen = self.wall + self._ahead
        self._pass(back)
        if self._wall_steps:
            self.wall += timedelta(hours=1)
        return seen


@given(
    delays=st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), min_size=3, max_size=3),
    ahead=st.integers(-10_000_000, 10_000_000),
)
def test_the_anchor_is_wrong_by_at_most_half_the_quickest_round_trip(
    delays: list[tuple[float, float]], ahead: int
) -> None:
    """However uneven the way there and back, the quickest of three bounds the error."""
    network = Network(delays, ahead=timedelta(milliseconds=ahead))

    anchor = read_anchor(network, network.clock, speed=Decimal(1))  # type: ignore[arg-type]

    error = abs((anchor.market - anchor.wall) - timedelta(milliseconds=ahead))
    assert error <= timedelta(seconds=min(out + back for out, back in delays) / 2 + 1e-4)


def test_a_step_of_the_wall_clock_does_not_distort_a_reading() -> None:
    """The round trip is measured monotonically."""
    network = Network([(0.2, 0.2)], ahead=timedelta(seconds=3), wall_steps=True)

    anchor = read_anchor(network, network.clock, speed=Decimal(1), samples=1)  # type: ignore[arg-type]

    assert anchor.market - anchor.wall == timedelta(seconds=3)


def test_skew_is_ours_minus_theirs() -> None:
    """Positive: we run ahead of the exchange; the clock itself is left alone."""
    network = Network([(0.1, 0.1)] * 3, ahead=timedelta(seconds=-2))
    before = network.clock.anchor

    reading = best_reading([take_reading(network.server_time, network.clock) for _ in range(3)])

    assert network.clock.anchor.market_at(reading.wall) - reading.server == timedelta(seconds=2)
    assert network.clock.anchor == before


def test_a_reading_at_speed_counts_market_time() -> None:
    """At 600 times the speed a second of ours is ten minutes of theirs."""
    reading = Reading(asked=START, round_trip_s=0.5, server=START + timedelta(days=1))
    anchor = anchor_of(best_reading([reading, Reading(START, 0.9, START)]), speed=Decimal(600))

    assert anchor.market_at(START + timedelta(seconds=1.25)) == START + timedelta(days=1, minutes=10)
    late = Reading(asked=START + timedelta(seconds=10), round_trip_s=0.5, server=START + timedelta(days=1))
    assert anchor.market_at(late.wall) - late.server == timedelta(minutes=100)


def test_reading_the_clock_of_a_real_server(exchange: BinanceExchange, server: LoopbackExchange, clock: Clock) -> None:
    """The anchor ties the server's answer to our wall time."""
    server.always["/api/v3/time"] = answer({"serverTime": 1_753_000_000_000})

    anchor = read_anchor(exchange, clock, speed=Decimal(1))

    assert anchor.market == datetime(2025, 7, 20, 8, 26, 40, tzinfo=UTC)
    assert anchor.wall == START
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("reply", "speed"),
    [
        pytest.param(answer({"market_time_ms": 1, "speed": "600", "step": False}), Decimal(600), id="fast"),
        pytest.param(answer({"market_time_ms": 1, "speed": "1", "step": True}), Decimal(0), id="stepped"),
        pytest.param(answer({"speed": "NaN"}), None, id="nan"),
        pytest.param(answer({"speed": "-1"}), None, id="negative"),
        pytest.param(answer([600]), None, id="list"),
        pytest.param(html(404), None, id="no-simulator"),
        pytest.param(answer({"speed": "5"}, 500), None, id="error"),
        pytest.param(raw(b"garbage"), None, id="not-http"),
    ],
)
def test_the_simulators_speed_is_asked_for(reply: Reply, speed: Decimal | None, server: LoopbackExchange) -> None:
    """Only a simulator that answers sensibly says how fast its clock runs; a stepped one stands still."""
    server.then("/sim/clock", reply)

    assert exchange_rate_of_clock(server.url) == speed


def test_no_server_has_no_speed(server: LoopbackExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead port and a nonsensical address are no error; a proxy is never asked."""
    monkeypatch.setenv("http_proxy", server.url)
    dead = LoopbackExchange()
    dead.close()

    assert exchange_rate_of_clock(dead.url) is None
    for address in ("not an address", "http://127.0.0.1:99999", "http://[bad"):
        assert exchange_rate_of_clock(address) is None
    assert not server.requests


@given(body=st.binary(max_size=40))
def test_no_bytes_break_the_question_for_the_speed(body: bytes) -> None:
    """Whatever comes back, the answer is a speed or none."""
    speed = speed_told(body)

    assert speed is None or speed >= 0
