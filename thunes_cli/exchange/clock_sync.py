"""Reading the exchange's clock across a network: the middle of the quickest of a few round trips."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

from thunes_cli.clock import Anchor, Clock
from thunes_cli.exchange.protocol import Exchange

SAMPLES = 3
_SIM_CLOCK_TIMEOUT_S = 5.0
_SIM_CLOCK_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Reading:
    """One question: asked at wall time ``asked``, answered ``round_trip_s`` later; the answer was ``server``."""

    asked: datetime
    round_trip_s: float
    server: datetime

    @property
    def wall(self) -> datetime:
        """Our best guess of the wall time at which the exchange looked at its clock."""
        return self.asked + timedelta(seconds=self.round_trip_s / 2)


def best_reading(readings: Sequence[Reading]) -> Reading:
    """The quickest: it is wrong by at most half its round trip."""
    return min(readings, key=lambda reading: reading.round_trip_s)


def anchor_of(reading: Reading, *, speed: Decimal) -> Anchor:
    """The anchor a reading gives a clock that runs at ``speed`` market seconds a second."""
    return Anchor(wall=reading.wall, market=reading.server, speed=speed)


def take_reading(server_time: Callable[[], datetime], clock: Clock) -> Reading:
    """Ask once. The span is measured monotonically, so that a step of the wall clock cannot distort it.

    Raises:
        ExchangeFailure: whatever asking raises.
    """
    asked, started = clock.wall(), clock.monotonic()
    server = server_time()
    return Reading(asked=asked, round_trip_s=max(clock.monotonic() - started, 0.0), server=server)


def read_anchor(exchange: Exchange, clock: Clock, *, speed: Decimal, samples: int = SAMPLES) -> Anchor:
    """A new anchor from a few readings of the exchange's clock.

    Raises:
        ExchangeFailure: any of the readings failed.
    """
    return anchor_of(best_reading([take_reading(exchange.server_time, clock) for _ in range(samples)]), speed=speed)


def exchange_rate_of_clock(rest_url: str) -> Decimal | None:
    """At which speed a simulator's clock runs: ``GET /sim/clock``; 0 when it is stepped.

    Ask simulators only. None when there is no such page, or no sensible answer. Never goes through a proxy.
    """
    try:
        parts = urlsplit(rest_url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if host is None:
        return None
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, port, timeout=_SIM_CLOCK_TIMEOUT_S)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/sim/clock", headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read(_SIM_CLOCK_BYTES)
        return speed_told(body) if response.status == http.client.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def speed_told(body: bytes) -> Decimal | None:
    """The speed in the simulator's answer ``{"speed": "600", "step": false, …}``, None when it makes no sense."""
    try:
        document = json.loads(body)
        if document.get("step") is True:
            return Decimal(0)
        speed = Decimal(str(document["speed"]))
    except (ValueError, ArithmeticError, LookupError, AttributeError, TypeError, RecursionError):
        return None
    return speed if speed.is_finite() and speed >= 0 else None
