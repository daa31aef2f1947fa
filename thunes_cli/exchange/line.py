"""What a lifeline keeps alive, how patient it is, and what becomes of it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

_LEAST_FIRST_S = 5.0  # a candle is told of every two seconds
_LIFE_S = 23.5 * 3600  # the exchange cuts after 24 h
_CONNECT_S = 10.0


class Heard(enum.Enum):
    """What a message was: nothing to us, news, or the notice that the connection will end."""

    NOTHING = enum.auto()
    NEWS = enum.auto()
    LEAVING = enum.auto()


class Session(Protocol):
    """One connection's conversation. Both may raise :class:`SocketLost`: then the connection is not worth keeping."""

    def hear(self, message: bytes) -> Heard:
        """Take a message in; quick, and whatever it holds."""

    def tend(self) -> None:
        """Called a few times a second: say what is to be said."""


class Line(Protocol):
    """What is listened to."""

    @property
    def name(self) -> str:
        """For the log."""

    def url(self) -> str:
        """Where to connect."""

    def begin(self, send: Callable[[str], None]) -> Session:
        """A connection was made; may raise :class:`SocketLost`."""


class Change(enum.Enum):
    """What became of a line. UP: the first time. AGAIN: another connection after one that was lost."""

    UP = enum.auto()
    AGAIN = enum.auto()
    LOST = enum.auto()
    FELL_BACK = enum.auto()
    RESTORED = enum.auto()


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds of network time. ``stale_s``: without news a connection is silent; None: its silence means nothing.

    ``first_s``: for the first news of a connection. A frame of any kind is asked for after ``ping_s`` and must come
    within ``pong_s``. ``settle_s``: a connection that has lasted so long ends a row of failures. ``retry_s``: between
    two attempts after falling back.
    """

    stale_s: float | None
    max_reconnects: int
    first_s: float
    ping_s: float
    pong_s: float
    settle_s: float
    retry_s: float
    connect_s: float = _CONNECT_S
    life_s: float = _LIFE_S

    @classmethod
    def of(cls, stale_s: float, *, max_reconnects: int) -> Patience:
        """By the settings; everything else shortens with them."""
        return cls(
            stale_s=stale_s,
            max_reconnects=max_reconnects,
            first_s=max(_LEAST_FIRST_S, stale_s / 3),
            ping_s=stale_s / 4,
            pong_s=stale_s / 3,
            settle_s=stale_s / 6,
            retry_s=stale_s / 2,
        )

    def whose_silence_means_nothing(self) -> Patience:
        """The same for a line on which nothing may happen for hours."""
        return replace(self, stale_s=None)


class LineState(NamedTuple):
    """How a line stands. ``up_mono`` is when the connection in use was made, None without one that brought news.

    ``reconnects`` counts connections after the first; ``heard_mono`` is when the last news came.
    """

    up_mono: float | None
    fallen_back: bool
    reconnects: int
    heard_mono: float | None
    problem: str | None
