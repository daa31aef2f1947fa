"""Where candles and prices come from: asked of the exchange over REST, as little as possible each time.

Errors of the exchange go through to the caller unchanged, and leave what is already known as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol, TypeVar

from thunes_cli.clock import Clock, to_text
from thunes_cli.exchange.failures import ExchangeDown, ExchangeFailure, Rejected
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.market.candles import Gap, find_flaw, find_gaps, merge_candles, split_closed
from thunes_cli.model import Candle, timeframe_span

_log = logging.getLogger(__name__)

# The most candles the exchange gives in one answer.
PAGE = 1000
_MILLISECOND = timedelta(milliseconds=1)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Price:
    """A last price: ``at`` is the market time, ``monotonic`` the monotonic second, at which it was asked for."""

    value: Decimal
    at: datetime
    monotonic: float

    def age_s(self, clock: Clock) -> float:
        """Its age in seconds of market time: what "stale" is measured in."""
        return (clock.now() - self.at).total_seconds()


class Feed(Protocol):
    """Candles and prices of the market, whatever brings them."""

    @property
    def mode(self) -> str:
        """``websocket``, ``rest`` or ``down``."""

    @property
    def age_s(self) -> float | None:
        """Seconds of network time since the exchange last told us anything; None before it did."""

    @property
    def gaps(self) -> Mapping[str, tuple[Gap, ...]]:
        """By symbol, the holes in the exchange's own data within what is remembered."""

    def closed_candles(self, symbol: str, *, needed: int) -> Sequence[Candle]:
        """The latest ``needed`` closed candles, oldest first; fewer when the exchange has no more."""

    def last_price(self, symbol: str) -> Price:
        """The price of the last trade."""


class RestFeed:
    """A feed that polls. It remembers the closed candles of each symbol and asks only for what came after them."""

    def __init__(self, exchange: Exchange, clock: Clock, *, timeframe: str) -> None:
        self._exchange = exchange
        self._clock = clock
        self._timeframe = timeframe
        self._span = timeframe_span(timeframe)
        self._windows: dict[str, tuple[Candle, ...]] = {}
        # Symbols whose history begins within the window: there is nothing older to ask for.
        self._complete: set[str] = set()
        # The most that was ever asked for: what is older is forgotten.
        self._keep: dict[str, int] = {}
        self._gaps: dict[str, tuple[Gap, ...]] = {}
        self._answered: float | None = None
        self._failed = False

    @property
    def mode(self) -> str:
        """``rest`` when the exchange answered the last question, else ``down``."""
        return "down" if self._answered is None or self._failed else "rest"

    @property
    def age_s(self) -> float | None:
        """Seconds of network time since the exchange last answered; None before it did."""
        return None if self._answered is None else self._clock.monotonic() - self._answered

    @property
    def gaps(self) -> Mapping[str, tuple[Gap, ...]]:
        """By symbol, the holes in the exchange's own data within what is remembered."""
        return dict(self._gaps)

    def closed_candles(self, symbol: str, *, needed: int) -> Sequence[Candle]:
        """The latest ``needed`` closed candles, oldest first; fewer when the exchange has no more.

        A candle is closed when its close time has been reached in market time. Holes in the exchange's data are asked
        for once more, then reported (``gaps``) and passed over: no candle is ever invented.

        Raises:
            ExchangeFailure: the exchange failed, or sent a candle that cannot be true.
        """
        now = self._clock.now()
        keep = self._keep[symbol] = max(needed, self._keep.get(symbol, 0))
        window = self._windows.get(symbol, ())
        if not window or now - window[-1].open_time > max(keep, PAGE) * self._span:
            self._complete.discard(symbol)
            window = self._read_latest(symbol, needed, now)
        elif now >= window[-1].close_time + self._span:
            window = self._read_on(symbol, window, now)
        if window and len(window) < needed and symbol not in self._complete:
            window = self._read_back(symbol, window, needed)
        if len(window) > keep:
            self._complete.discard(symbol)
        window = self._note_gaps(symbol, window[-keep:])
        self._windows[symbol] = window
        return window[-needed:]

    def last_price(self, symbol: str) -> Price:
        """The price of the last trade, stamped with the moment before it was asked for."""
        at, monotonic = self._clock.now(), self._clock.monotonic()
        value = self._question(lambda: self._exchange.last_price(symbol))
        if not value.is_finite() or value <= 0:
            raise ExchangeDown(f"{symbol}: a last price of {value}")
        return Price(value=value, at=at, monotonic=monotonic)

    # -- what a stream delivers --------------------------------------------------------------------------------

    def take(self, symbol: str, candles: Iterable[Candle]) -> int:
        """Join closed candles from elsewhere to what is remembered; returns how many were new.

        What does not follow on the last known candle is left out: the next question over REST brings it together with
        what lies between, so that no candle is missed and none is taken twice.
        """
        window = self._windows.get(symbol)
        fresh: list[Candle] = []
        last = window[-1] if window else None
        for candle in candles:
            if last is None or candle.open_time != last.close_time or find_flaw(candle) is not None:
                continue
            if candle.close_time - candle.open_time != self._span:
                continue
            fresh.append(candle)
            last = candle
        if window and fresh:
            keep = self._keep.get(symbol, len(window))
            self._windows[symbol] = (*window, *fresh)[-keep:]
            if len(window) + len(fresh) > keep:
                self._complete.discard(symbol)
        return len(fresh)

    def newest(self, symbol: str) -> Candle | None:
        """The newest candle that is remembered of a symbol."""
        window = self._windows.get(symbol)
        return window[-1] if window else None

    # -- questions ---------------------------------------------------------------------------------------------

    def _read_latest(self, symbol: str, needed: int, now: datetime) -> tuple[Candle, ...]:
        """The newest page: as much of ``needed`` as fits into it, and the open candle."""
        return self._closed_of(symbol, self._ask(symbol, limit=min(PAGE, needed + 1)), now)

    def _read_on(self, symbol: str, window: tuple[Candle, ...], now: datetime) -> tuple[Candle, ...]:
        """What came after the window. The last known candle is read again: it proves that the pages join."""
        while True:
            last = window[-1]
            page = self._ask(symbol, limit=PAGE, start=last.open_time)
            window = merge_candles(window, self._closed_of(symbol, page, now, known=last.open_time))
            if len(page) < PAGE or window[-1].open_time == last.open_time:
                return window

    def _read_back(self, symbol: str, window: tuple[Candle, ...], needed: int) -> tuple[Candle, ...]:
        """Older pages until there are ``needed`` candles or the history begins."""
        while len(window) < needed:
            first = window[0].open_time
            page = self._ask(symbol, limit=min(PAGE, needed - len(window)), end=first - _MILLISECOND)
            older = tuple(candle for candle in page if candle.open_time < first)
            if not older:
                self._complete.add(symbol)
                break
            window = merge_candles(older, window)
        return window

    def _closed_of(
        self, symbol: str, page: Sequence[Candle], now: datetime, *, known: datetime | None = None
    ) -> tuple[Candle, ...]:
        """The closed candles of a page that ends in the present; the one opened at ``known`` was read before.

        A last candle that is closed by our clock, with none after it, is in doubt: our clock may be ahead, and the
        exchange may still be changing it. Its own clock decides, and then that candle alone is read once more.
        """
        closed, still_open = split_closed(page, now=now)
        if still_open is not None or not closed or closed[-1].open_time == known:
            return closed
        last = closed[-1]
        if self._question(self._exchange.server_time) < last.close_time:
            return closed[:-1]
        final, _ = split_closed(self._ask(symbol, limit=1, start=last.open_time), now=now)
        return merge_candles(closed[:-1], final)

    def _note_gaps(self, symbol: str, window: tuple[Candle, ...]) -> tuple[Candle, ...]:
        """Ask once more for what is missing inside the window; what stays missing is reported."""
        known = self._gaps.get(symbol, ())
        for gap in find_gaps(window, span=self._span):
            if gap not in known:
                window = self._fill(symbol, window, gap)
        gaps = find_gaps(window, span=self._span)
        for gap in gaps:
            if gap not in known:
                _log.warning(
                    "%s %s: the exchange has no candles from %s to %s (%d missing)",
                    symbol,
                    self._timeframe,
                    to_text(gap.start),
                    to_text(gap.end),
                    gap.missing,
                )
        self._gaps[symbol] = gaps
        return window

    def _fill(self, symbol: str, window: tuple[Candle, ...], gap: Gap) -> tuple[Candle, ...]:
        page = self._ask(symbol, limit=min(PAGE, gap.missing), start=gap.start, end=gap.end - _MILLISECOND)
        return merge_candles((candle for candle in page if gap.start <= candle.open_time < gap.end), window)

    def _ask(
        self, symbol: str, *, limit: int, start: datetime | None = None, end: datetime | None = None
    ) -> list[Candle]:
        """One page of candles, each of which can be true."""
        page = self._question(
            lambda: self._exchange.candles(symbol, self._timeframe, limit=limit, start=start, end=end)
        )
        for candle in page:
            flaw = find_flaw(candle)
            if flaw is not None:
                self._failed = True
                raise ExchangeDown(f"{symbol} candle of {to_text(candle.open_time)}: {flaw}")
        return page

    def _question(self, ask: Callable[[], _T]) -> _T:
        """Ask, and remember whether there was an answer; a refusal is one."""
        try:
            answer = ask()
        except Rejected:
            self._failed = False
            raise
        except ExchangeFailure:
            self._failed = True
            raise
        self._answered, self._failed = self._clock.monotonic(), False
        return answer
