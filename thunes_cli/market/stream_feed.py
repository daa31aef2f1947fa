"""Candles and prices from a stream, with REST behind it.

What the stream delivers is joined to the series that REST began; whatever is missing in between is asked for. So a
series is the same whether the stream was there or not, and nobody who reads it needs to know.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from thunes_cli.clock import Clock, to_text
from thunes_cli.exchange.failures import ExchangeFailure
from thunes_cli.exchange.kline_line import KlineLine, Update
from thunes_cli.exchange.lifeline import Lifeline
from thunes_cli.exchange.line import Change, LineState, Patience
from thunes_cli.market.candles import Gap
from thunes_cli.market.feed import Price, RestFeed
from thunes_cli.market.intake import Intake, Tick
from thunes_cli.model import Candle, timeframe_span

_log = logging.getLogger(__name__)

WEBSOCKET, REST = "websocket", "rest"
_FRESH = timedelta(seconds=5)  # market time: an older price is asked for anew
_CLOCKS_DIFFER = timedelta(seconds=10)  # network time; a clock that is further off takes no entries either
_OVERDUE_S = 10.0  # network time after its end, until a candle that did not come is asked for
_AGAIN_S = 30.0
_AT_ONCE = 20  # questions of one look; stops must not wait long
_SIGN_S = 10.0


class Notice(NamedTuple):
    """Something that became of the stream, for whoever records it."""

    change: Change
    why: str


class StreamFeed:
    """See :class:`~thunes_cli.market.feed.Feed`. Until :meth:`begin` it is REST alone; used by the trading thread."""

    def __init__(self, rest: RestFeed, clock: Clock, *, timeframe: str) -> None:
        self._rest = rest
        self._clock = clock
        self._timeframe = timeframe
        self._span = timeframe_span(timeframe)
        self.intake = Intake()
        self._kline_line: KlineLine | None = None
        self._line: Lifeline | None = None
        self._stale_s = 0.0
        self._refill = False
        self._asked_mono: dict[str, float] = {}
        self._notices: deque[Notice] = deque()
        self._asked_for_life_mono = -_SIGN_S
        self._on_notice: Callable[[], None] = lambda: None

    # -- the stream's life -------------------------------------------------------------------------------------

    def begin(
        self,
        base_url: str,
        symbols: Iterable[str],
        patience: Patience,
        *,
        on_notice: Callable[[], None] = lambda: None,
    ) -> None:
        """Listen from now on; ``on_notice`` is called by the reader's thread when there is a notice."""
        self._stale_s = patience.stale_s or 0.0
        self._on_notice = on_notice
        self._kline_line = KlineLine(base_url, self._timeframe, symbols, take=self._take)
        self._line = Lifeline(self._kline_line, patience, on_change=self._changed)
        self._line.start()

    def stop(self) -> None:
        """Listen no more; returns at once."""
        if self._line is not None:
            self._line.stop()

    def finished(self, wait_s: float) -> bool:
        """Whether the reader has ended."""
        return self._line is None or self._line.finished(wait_s)

    def follow(self, symbols: Iterable[str]) -> None:
        """Listen to these symbols too."""
        if self._kline_line is not None:
            self._kline_line.follow(symbols)

    def take_notices(self) -> list[Notice]:
        """What became of the stream since the last time."""
        return [self._notices.popleft() for _ in range(len(self._notices))]

    @property
    def line(self) -> LineState | None:
        """How the stream stands; None when there is none."""
        return None if self._line is None else self._line.state

    @property
    def garbage(self) -> int:
        """Messages that made no sense."""
        return self._kline_line.garbage if self._kline_line is not None else 0

    def _take(self, update: Update) -> None:
        now, closed = self._clock.now(), update.closed
        if closed is not None and self._is_early(closed, now):
            _log.warning("candle passed over: symbol=%s why=it closes at %s", update.symbol, to_text(closed.close_time))
            closed = None
        self.intake.put(Tick(update.symbol, update.price, min(update.at, now), self._clock.monotonic()), closed)

    def _is_early(self, closed: Candle, now: datetime) -> bool:
        """Whether a candle is told to have closed that cannot have; a market that stands still goes on by steps."""
        speed = float(self._clock.speed)
        return speed > 0 and closed.close_time - now > _CLOCKS_DIFFER * max(speed, 1.0)

    def _changed(self, change: Change, why: str) -> None:
        if change in {Change.AGAIN, Change.RESTORED}:
            self._refill = True
        self._notices.append(Notice(change, why))
        self._on_notice()

    # -- the feed ----------------------------------------------------------------------------------------------

    @property
    def mode(self) -> str:
        """``websocket`` while it delivers, or its loss is not yet given up and REST answers; else as REST answers."""
        state = self.line
        if state is None or state.heard_mono is None or state.fallen_back:
            return self._rest.mode
        silent_s = self._clock.monotonic() - state.heard_mono
        if self.delivers or (self._rest.mode == REST and silent_s <= 2 * self._stale_s):
            return WEBSOCKET
        return self._rest.mode

    @property
    def delivers(self) -> bool:
        """Whether there is a connection, and it has told news of late."""
        state = self.line
        if state is None or state.up_mono is None or state.heard_mono is None:
            return False
        return self._clock.monotonic() - state.heard_mono <= self._stale_s

    @property
    def age_s(self) -> float | None:
        """Seconds of network time since the exchange last told us anything; None before it did."""
        state = self.line
        ages = [self._rest.age_s]
        if state is not None and state.heard_mono is not None:
            ages.append(self._clock.monotonic() - state.heard_mono)
        return min((age for age in ages if age is not None), default=None)

    @property
    def gaps(self) -> Mapping[str, tuple[Gap, ...]]:
        """By symbol, the holes in the exchange's own data within what is remembered."""
        return self._rest.gaps

    def closed_candles(self, symbol: str, *, needed: int) -> Sequence[Candle]:
        """The latest ``needed`` closed candles, oldest first; fewer when the exchange has no more.

        Raises:
            ExchangeFailure: one is missing, and could not be asked for.
        """
        self._join(symbol)
        return self._rest.closed_candles(symbol, needed=needed)

    def last_price(self, symbol: str) -> Price:
        """The price of the last trade: the stream's while it is fresh, else asked for."""
        tick = self.intake.latest(symbol)
        if tick is not None and self._clock.now() - tick.at <= _FRESH:
            return Price(tick.price, tick.at, tick.monotonic)
        return self._rest.last_price(symbol)

    def _join(self, symbol: str) -> int:
        return self._rest.take(symbol, self.intake.take_closed(symbol))

    # -- upkeep ------------------------------------------------------------------------------------------------

    def keep_up(self, symbols: Iterable[str]) -> int:
        """Take in what came, ask for what should have come and did not; returns how many candles were asked for.

        After a gap everything that closed meanwhile is asked for at once. A candle that trades went into, and that a
        living stream did not tell of, is a reason to make another connection.
        """
        refill, self._refill = self._refill, False
        asked = filled = 0
        for symbol in symbols:
            self._join(symbol)
            newest = self._rest.newest(symbol)
            if newest is None or not self._is_missing(symbol, newest, refill=refill):
                continue
            if asked >= _AT_ONCE:
                self._refill = refill
                break
            asked += 1
            filled += self._fill(symbol, newest)
        if filled:
            _log.info("candles back-filled over REST: count=%d", filled)
        return filled

    def _is_missing(self, symbol: str, newest: Candle, *, refill: bool) -> bool:
        late = self._clock.now() - (newest.close_time + self._span)
        if late < timedelta(0):
            return False
        state = self.line
        if state is None or state.up_mono is None:
            return False  # whoever needs it asks for it
        now = self._clock.monotonic()
        if refill:
            return True
        overdue = late.total_seconds() >= _OVERDUE_S * float(self._clock.speed)
        return overdue and now - self._asked_mono.get(symbol, -_AGAIN_S) >= _AGAIN_S

    def _fill(self, symbol: str, newest: Candle) -> int:
        self._asked_mono[symbol] = self._clock.monotonic()
        before = newest.open_time
        try:
            candles = self._rest.closed_candles(symbol, needed=1)
            found = self._rest.newest(symbol)
        except ExchangeFailure as error:
            _log.warning("candles not back-filled: symbol=%s why=%s", symbol, error)
            return 0
        if not candles or found is None or found.open_time <= before:
            return 0
        self._doubt(symbol, found)
        return (found.open_time - before) // self._span

    def _doubt(self, symbol: str, found: Candle) -> None:
        """The stream should have told of a candle in which something was traded, if it listened when it closed."""
        state = self.line
        if state is None or state.up_mono is None or self._line is None or found.volume == 0:
            return
        speed = float(self._clock.speed)
        closed_ago_s = (self._clock.now() - found.close_time).total_seconds() / speed if speed else 0.0
        listening_s = self._clock.monotonic() - state.up_mono
        if _OVERDUE_S <= closed_ago_s < listening_s:
            self._line.distrust(f"candle overdue: {symbol} closed {closed_ago_s:.0f}s ago and was not told of")

    def look_for_life(self, symbol: str) -> None:
        """Without a stream and without questions nobody would notice that REST is gone too: ask for a price."""
        now = self._clock.monotonic()
        if self.delivers or self._rest_is_fresh() or now - self._asked_for_life_mono < _SIGN_S / 2:
            return
        self._asked_for_life_mono = now
        try:
            self._rest.last_price(symbol)
        except ExchangeFailure as error:
            _log.debug("no price: symbol=%s why=%s", symbol, error)

    def _rest_is_fresh(self) -> bool:
        age_s = self._rest.age_s
        return self._rest.mode != "down" and age_s is not None and age_s < _SIGN_S
