"""What the exchange allows a WebSocket connection: the published limits, in wall time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from thunes_cli.sim.options import SimOptions

MOST_STREAMS: Final = 1024
MESSAGES_A_SECOND: Final = 5
CONNECTS: Final = 300
CONNECTS_SPAN_MS: Final = 300_000
MOST_SUBSCRIPTIONS: Final = 65_535
# A request is small; whoever sends more is no client of this exchange.
MOST_MESSAGE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Seconds between pings, for a pong, and of a connection's life; bytes that may wait for a slow reader.

    ``messages``: how many a client may send in a second, or None where its requests are weighed instead.
    """

    ping_s: float
    pong_s: float
    life_s: float
    queue_bytes: int
    messages: int | None = None

    @classmethod
    def of(cls, options: SimOptions, *, messages: int | None = None) -> Self:
        """The limits of a served exchange."""
        return cls(
            ping_s=float(options.ws_ping_seconds),
            pong_s=float(options.ws_pong_seconds),
            life_s=float(options.ws_life_seconds),
            queue_bytes=options.ws_queue_bytes,
            messages=messages,
        )
