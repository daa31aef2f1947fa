"""The account's stream in a daemon: events are taken in on a thread of their own, gaps are compared for.

An order that hangs keeps the trading thread for seconds; its fill, told by the stream, is booked meanwhile.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from thunes_cli.daemon import jobs
from thunes_cli.daemon.assembly import TradingRoom
from thunes_cli.daemon.jobs import Job, JobBook
from thunes_cli.daemon.worker import Worker
from thunes_cli.errors import Unavailable
from thunes_cli.exchange.account_line import Event
from thunes_cli.exchange.failures import ExchangeFailure
from thunes_cli.exchange.lifeline import Lifeline
from thunes_cli.exchange.line import Change, LineState, Patience
from thunes_cli.trading.reconcile_choice import ALL_AT_ONCE
from thunes_cli.trading.reconcile_reading import Progress

_log = logging.getLogger(__name__)

_MOST_WAITING = 10_000  # events; whoever has so many has to compare in any case
_LEAST_DISTANCE_S = 10.0
_EACH_SYMBOL_S = 2.0  # of those that a comparison reads: they cost their multiple of request weight


class AccountWatch:
    """One account's stream. :meth:`close_gap` belongs to the trading thread."""

    def __init__(self, room: TradingRoom, patience: Patience, *, redact: Callable[[str], str]) -> None:
        self._room = room
        self._clock = room.journal.clock
        self._book = JobBook(room.journal, redact=redact)
        self._job = Job(jobs.ACCOUNT, self._take_in)
        self._worker = Worker("account", on_end=room.journal.close)
        self._waiting: deque[Event] = deque()
        self._compare = self._gap = False
        self._distance_s = max(_LEAST_DISTANCE_S, _EACH_SYMBOL_S * min(len(room.plan.symbols), ALL_AT_ONCE))
        self._not_before_mono = 0.0
        self._line = Lifeline(room.account, patience.whose_silence_means_nothing(), on_change=self._changed)
        room.account.connect_to(self._take, renew=self._line.renew)

    def begin(self) -> None:
        """Subscribe."""
        self._line.start()

    def stop(self) -> None:
        """Listen no more, take in nothing more."""
        self._line.stop()
        self._worker.close()
        self._worker.finished(1.0)

    @property
    def state(self) -> LineState:
        """How the stream stands."""
        return self._line.state

    # -- the reader --------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self._compare = True
            return
        self._waiting.append(event)
        self.poke()

    def _changed(self, change: Change, why: str) -> None:
        if change in {Change.UP, Change.AGAIN, Change.RESTORED}:
            self._gap = True  # nothing is repeated: what happened meanwhile is asked for
        elif change is Change.FELL_BACK:
            _log.warning("account events come by REST comparisons until the stream is back: why=%s", why)

    # -- its own thread ----------------------------------------------------------------------------------------

    def poke(self) -> None:
        """Take in what waits."""
        if self._waiting:
            self._worker.submit(jobs.ACCOUNT, self._run)

    def _run(self) -> None:
        if not self._book.run(self._job):
            self._compare = True  # what an event said may not be written down

    def _take_in(self) -> None:
        while self._waiting:
            events = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if self._room.events.take_in(events).compare:
                self._compare = True

    # -- the trading thread ------------------------------------------------------------------------------------

    @property
    def wants_comparison(self) -> bool:
        """Whether something happened that only a comparison can settle, and one may be made now."""
        return (self._compare or self._gap) and self._clock.monotonic() >= self._not_before_mono

    def close_gap(self, progress: Progress) -> str | None:
        """Compare ledger and exchange; after a new connection only if the exchange knows more than the ledger.

        What could not be found out is still wanted. ``progress`` is called between two questions.
        """
        self._not_before_mono = self._clock.monotonic() + self._distance_s
        compare, self._compare, self._gap = self._compare, False, False
        try:
            self._room.resolver.resolve_due()
            if not compare and not self._room.reconciler.is_behind():
                return "nothing happened meanwhile"
            return self._room.reconciler.routine(by="stream", progress=progress).summary
        except (ExchangeFailure, Unavailable) as error:
            self._compare, self._gap = compare, True
            _log.warning("account not compared yet: why=%s", error)
            return f"waits: {error.message}"
