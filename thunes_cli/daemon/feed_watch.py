"""How the feed stands, told to everybody: log, trail, alerts, and the row that ``status`` reads."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from thunes_cli.alerts.telling import tell_prices_back, tell_prices_lost, tell_stream_back, tell_stream_lost
from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.counts import count
from thunes_cli.daemon.records import FEED_DOWN, record_feed
from thunes_cli.exchange.line import Change as Became
from thunes_cli.market.stream_feed import Notice, StreamFeed

_log = logging.getLogger(__name__)

RECORD_S = 5.0
DOWN_FOR_S = 30.0  # what passes by itself sooner is in the log and in status


class FeedWatch:
    """Watches one daemon's feed, on the trading thread."""

    def __init__(self, journal: Journal, feed: StreamFeed, *, max_reconnects: int) -> None:
        self._journal = journal
        self._feed = feed
        self._max_reconnects = max_reconnects
        self._untold: list[Notice] = []
        self._recorded: tuple[str, int] | None = None
        self._recorded_mono = 0.0
        self._fell_back_mono: float | None = None
        self._down_since_mono: float | None = None
        self._told_down: bool | None = None  # None: a daemon before this one may have told it

    def look(self) -> None:
        """Tell what became of the feed since the last look."""
        self._untold += self._feed.take_notices()
        while self._untold:  # what cannot be written down now (a full disk) is told later
            notice = self._untold[0]
            if notice.change is Became.FELL_BACK:
                self._fall_back(notice.why)
            elif notice.change in {Became.RESTORED, Became.UP}:
                self._restore()
            self._untold.pop(0)
        self._record()
        self._look_at_prices()

    def _record(self) -> None:
        """At once when something changed, else every few seconds: a look is cheap, a commit is not."""
        line, now = self._feed.line, self._journal.clock.monotonic()
        facts = (self._feed.mode, line.reconnects if line is not None else 0)
        if facts == self._recorded and now - self._recorded_mono < RECORD_S:
            return
        with self._journal.ledger.write() as connection:
            record_feed(connection, self._feed, self._journal.clock)
        self._recorded, self._recorded_mono = facts, now

    # -- the stream --------------------------------------------------------------------------------------------

    def _fall_back(self, why: str) -> None:
        if self._fell_back_mono is None:
            self._fell_back_mono = self._journal.clock.monotonic()
        most, line = self._max_reconnects, self._feed.line
        _log.warning("Using REST fallback for price data: failed_reconnections=%d why=%s", most, why)
        with self._journal.change() as change:
            change.record(Event.FEED_FELL_BACK, why=why, failed_reconnections=most)
            record_feed(change.connection, self._feed, self._journal.clock, fell_back=True)
            since = self._market_moment(line.heard_mono if line is not None else None)
            tell_stream_lost(change, why=f"{count(most, 'reconnection')} failed, the last one: {why}", since=since)

    def _restore(self) -> None:
        """It is back; also when it was a daemon before this one that lost it."""
        began = self._fell_back_mono
        lasted_s = None if began is None else f"{self._journal.clock.monotonic() - began:.1f}"
        with self._journal.change() as change:
            if not tell_stream_back(change) and began is None:
                return
            change.record(Event.FEED_RESTORED, fallback_s=lasted_s)
        self._fell_back_mono = None
        _log.info("prices come from the stream again: fallback_s=%s", lasted_s or "-")

    def _market_moment(self, mono: float | None) -> datetime:
        """The market time of a monotonic second; now for none."""
        clock = self._journal.clock
        ago_s = 0.0 if mono is None else clock.monotonic() - mono
        return clock.now() - timedelta(seconds=ago_s * float(clock.speed))

    # -- prices at all -----------------------------------------------------------------------------------------

    def _look_at_prices(self) -> None:
        """No fresh price from anywhere, for longer than a hiccup: then the stops see nothing."""
        now = self._journal.clock.monotonic()
        if self._feed.mode != FEED_DOWN:
            self._down_since_mono = None
            if self._told_down is not False:
                self._tell_prices_are_back()
            return
        if self._down_since_mono is None:
            self._down_since_mono = now
        if self._told_down or now - self._down_since_mono < DOWN_FOR_S:
            return
        age_s = self._feed.age_s or 0.0
        _log.error("no prices: age_s=%.0f", age_s)
        with self._journal.change() as change:
            since = self._market_moment(now - age_s)
            tell_prices_lost(change, why="neither stream nor REST answers", since=since)
        self._told_down = True

    def _tell_prices_are_back(self) -> None:
        with self._journal.change() as change:
            tell_prices_back(change)
        self._told_down = False
