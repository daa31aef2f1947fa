"""The streams of one daemon: prices to the stops, candles to the series, the account's events to the ledger.

They begin after the first check, so that a start waits for no socket. With ``FEED=rest`` there are none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from thunes_cli.daemon import jobs
from thunes_cli.daemon.account_watch import AccountWatch
from thunes_cli.daemon.assembly import ExchangeLink, HomeSettings, TradingRoom
from thunes_cli.daemon.checking import check_candle
from thunes_cli.daemon.feed_watch import FeedWatch
from thunes_cli.daemon.jobs import Job, JobBook
from thunes_cli.daemon.periodic import Periodic
from thunes_cli.daemon.records import redactor_of
from thunes_cli.daemon.schedule import Every
from thunes_cli.daemon.worker import Worker
from thunes_cli.exchange.line import Patience
from thunes_cli.ledger.machine_faults import is_machine_fault
from thunes_cli.market.feed import Price
from thunes_cli.trading.engine import raise_first

_log = logging.getLogger(__name__)

LOOK_S = 1.0
_TOO_OLD_S = 30.0  # a price that waited for so long says nothing about now
_READER_S = 0.5


class Streams:
    """Everything that listens. ``listening``: there is nothing left to connect."""

    def __init__(
        self,
        room: TradingRoom,
        configured: HomeSettings,
        link: ExchangeLink,
        *,
        worker: Worker,
        book: JobBook,
        stops_every_s: float,
    ) -> None:
        settings = configured.settings
        self._room = room
        self._clock = room.journal.clock
        self._worker = worker
        self._book = book
        self._endpoints = link.endpoints
        listens = settings.feed == "auto"
        self.listening = not listens
        self._patience = Patience.of(
            float(settings.stream_stale_seconds), max_reconnects=settings.stream_max_reconnects
        )
        self._watch = FeedWatch(room.journal, room.feed, max_reconnects=settings.stream_max_reconnects)
        self._account = AccountWatch(room, self._patience, redact=redactor_of(settings)) if listens else None
        self._feed_job = Job(jobs.FEED, self._look)
        self._price_job = Job(jobs.PRICE_CHECK, self._check_prices)
        self._gap_job = Job(jobs.ACCOUNT_GAP, self._close_gap, every_run=True)
        self._candle_job = Job(jobs.CANDLE_CHECK, self._check_candles)
        self._grid = Every(room.plan.signal_interval)
        self._stops_every_s = stops_every_s
        self._stops_looked_at_mono = 0.0
        room.feed.intake.wake_by(on_tick=self._submission(self._price_job), on_close=self._submission(self._candle_job))

    def begin(self, beats: Periodic) -> None:
        """Look after the feed from now on."""
        beats.add(LOOK_S, self._submission(self._feed_job))
        if self._account is not None:
            beats.add(LOOK_S, self._account.poke)

    def listen(self) -> None:
        """Connect; on the trading thread, after the first check."""
        if self.listening:
            return
        room = self._room
        symbols = [*room.plan.symbols, *room.engine.held_symbols()]
        self.listening = True
        room.feed.begin(self._endpoints.stream_url, symbols, self._patience, on_notice=self._submission(self._feed_job))
        assert self._account is not None
        self._account.begin()

    def stop(self) -> None:
        """Listen no more."""
        self._room.feed.stop()
        if self._account is not None:
            self._account.stop()
        self._room.feed.finished(_READER_S)

    def _submission(self, job: Job) -> Callable[[], None]:
        return self._book.submission(job, self._worker)

    # -- on the trading thread ---------------------------------------------------------------------------------

    def _look(self) -> None:
        feed, symbols = self._room.feed, self._room.plan.symbols
        held = self._room.engine.held_symbols()
        feed.intake.watch(held)
        feed.follow(held)
        feed.keep_up([*symbols, *(symbol for symbol in held if symbol not in symbols)])
        feed.look_for_life(symbols[0])
        self._check_prices()
        self._check_candles()
        self._watch.look()
        if self._account is not None and self._account.wants_comparison:
            self._book.run(self._gap_job)

    def _check_prices(self) -> None:
        """Every price that came of a position's symbol, in the order in which they came."""
        bugs: list[Exception] = []
        while ticks := self._room.feed.intake.take_ticks():
            for tick in ticks:
                if self._clock.monotonic() - tick.monotonic > _TOO_OLD_S:
                    continue
                try:
                    self._room.engine.price_check(tick.symbol, Price(tick.price, tick.at, tick.monotonic))
                except Exception as error:  # noqa: BLE001 - whatever it is, other symbols may have to be sold
                    bugs.append(error)
        raise_first(bugs)

    def _check_candles(self) -> None:
        """Decide on a candle as soon as it is told of, if a check is due at its end; that check comes all the same."""
        while arrived := self._room.feed.intake.take_arrivals():
            for symbol, end in arrived.items():
                if self._grid.last_at(end) == end:
                    check_candle(self._room, symbol)

    def _close_gap(self) -> str | None:
        assert self._account is not None
        return self._account.close_gap(self.breathe)

    def breathe(self, _: int = 0) -> None:
        """Look at stops in the middle of something long, as they are looked at between two jobs; it goes on after."""
        try:
            self._check_prices()
            now = self._clock.monotonic()
            if now - self._stops_looked_at_mono >= self._stops_every_s:
                self._stops_looked_at_mono = now
                self._room.engine.stop_check()
        except Exception as error:  # noqa: BLE001 - the job of stops will say it; what it interrupted is not to blame
            _log.error("stops not looked at in between: error=%s", error, exc_info=not is_machine_fault(error))
