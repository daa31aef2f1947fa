"""The circuit breaker: one state for all processes, on the ledger, and no lock held while a call is under way.

Who wants to call asks :meth:`Breaker.admit`; how the call ended is told afterwards. While it is not closed nothing
goes out but one probe at a time, under a lease that dies with its owner. A failure that ends late, of a call admitted
before the last opening, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change, Journal
from thunes_cli.clock import to_text
from thunes_cli.exchange.failures import (
    AuthFailed,
    BreakerOpen,
    ExchangeDown,
    ExchangeFailure,
    OutcomeUnknown,
    Rejected,
)
from thunes_cli.exchange.telling import tell_closed
from thunes_cli.ledger.breakers import (
    CONTROL,
    REST,
    BreakerLimits,
    BreakerRow,
    BreakerState,
    ProbeLease,
    clear_failures,
    read_breaker,
    save_lease,
    save_state,
)
from thunes_cli.ledger.controls import note_transition
from thunes_cli.process import ProcessIdentity, is_alive, this_process

if TYPE_CHECKING:
    from pybreaker import CircuitBreaker

_PROBE_PATIENCE_S = 1.0  # while somebody probes; nobody should ask in a tight loop
PROBE_LEASE_S = 60.0  # longer than a probe can take; the lease of a dead owner ends at once


def trips(failure: ExchangeFailure) -> bool:
    """Whether it speaks against the exchange's health: unavailable and unknown do; rejected, auth and bans do not."""
    return isinstance(failure, ExchangeDown | OutcomeUnknown)


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to call. ``after`` is the last opening known then: a failure counts only while there was none since."""

    after: datetime | None


class Breaker:
    """One named breaker of one home; any number of threads and processes."""

    def __init__(
        self,
        journal: Journal,
        *,
        limits: BreakerLimits,
        name: str = REST,
        probe_lease_s: float = PROBE_LEASE_S,
        identify: Callable[[], ProcessIdentity] = this_process,
    ) -> None:
        self._journal = journal
        self._clock = journal.clock
        self._limits = limits
        self._name = name
        self._probe_lease_s = probe_lease_s
        self._identify = identify
        self._boot = identify().boot_id

    def admit(self) -> Admission:
        """Leave to call.

        Raises:
            BreakerOpen: it is not closed; ``retry_at`` (wall) says when asking again makes sense.
        """
        row = self._read()
        if row.state is not BreakerState.CLOSED:
            retry_at = self._clock.wall() + timedelta(seconds=max(self._waits_s(row), _PROBE_PATIENCE_S))
            cause = f", {row.cause}" if row.cause else ""
            raise BreakerOpen(f"the circuit breaker is {row.state}{cause},", to_text(retry_at), retry_at=retry_at)
        return Admission(after=row.opened_wall)

    def failed(self, admission: Admission, failure: ExchangeFailure) -> None:
        """A call ended badly; counts when it trips, the breaker is closed, and has not opened since."""
        if not trips(failure):
            return
        with self._journal.change() as change:
            row = read_breaker(change.connection, self._name)
            if row.state is BreakerState.CLOSED and row.opened_wall == admission.after:
                self._replay(change, cause=str(failure), failed=True)

    def probe_due(self) -> bool:
        """Whether a probe may go out now and nobody has it."""
        return self._may_probe(self._read())

    def take_probe(self) -> ProbeLease | None:
        """The probe, for us alone; None when it is not due or somebody living has it."""
        if not self.probe_due():
            return None
        with self._journal.change() as change:
            row = read_breaker(change.connection, self._name)
            if not self._may_probe(row):
                return None
            if row.state is BreakerState.OPEN:
                self._machine(change, cause=row.cause or "").half_open()
            # Milliseconds only, as stored, so that the lease can be recognised when the probe ends.
            until = change.at_wall + timedelta(seconds=self._probe_lease_s)
            lease = ProbeLease(self._identify(), until.replace(microsecond=until.microsecond // 1000 * 1000))
            save_lease(change.connection, self._name, lease)
            return lease

    def settle(self, lease: ProbeLease, failure: BaseException | None) -> None:
        """How the probe ended: an answer closes, what trips opens anew, anything else only gives the probe back.

        A refusal is an answer too, a rejected key included: the exchange is well, and it must be heard why. A lease
        that somebody else took over meanwhile is late and changes nothing.
        """
        with self._journal.change() as change:
            row = read_breaker(change.connection, self._name)
            if row.state is not BreakerState.HALF_OPEN or row.lease != lease:
                return
            if failure is None:
                self._replay(change, cause="the probe succeeded", failed=False)
            elif isinstance(failure, Rejected | AuthFailed):
                self._replay(change, cause=f"the probe was answered: {failure}", failed=False)
            elif isinstance(failure, ExchangeFailure) and trips(failure):
                self._replay(change, cause=str(failure), failed=True)
            else:
                save_lease(change.connection, self._name, None)

    def _read(self) -> BreakerRow:
        with self._journal.read() as connection:
            return read_breaker(connection, self._name)

    def _waits_s(self, row: BreakerRow) -> float:
        return row.waits_s(
            self._limits.reset_s, wall=self._clock.wall(), monotonic=self._clock.monotonic(), boot=self._boot
        )

    def _may_probe(self, row: BreakerRow) -> bool:
        if row.state is BreakerState.CLOSED or self._waits_s(row) > 0:
            return False
        return row.lease is None or not self._holds(row.lease)

    def _holds(self, lease: ProbeLease) -> bool:
        left = (lease.until_wall - self._clock.wall()).total_seconds()
        return 0 < left <= self._probe_lease_s and is_alive(lease.owner)

    def _replay(self, change: Change, *, cause: str, failed: bool) -> None:
        from thunes_cli.exchange.breaker_storage import replay  # noqa: PLC0415 - pybreaker: only when something failed

        replay(self._machine(change, cause=cause), failed=failed)

    def _machine(self, change: Change, *, cause: str) -> CircuitBreaker:
        from thunes_cli.exchange.breaker_storage import LedgerStorage, machine  # noqa: PLC0415 - as above

        storage = LedgerStorage(
            change,
            self._name,
            limits=self._limits,
            monotonic=self._clock.monotonic(),
            boot=self._boot,
            cause=cause,
            actor=f"pid {self._identify().pid}",
        )
        return machine(storage, self._limits)


def reset_breaker(
    change: Change, *, reason: str, actor: str, name: str = REST, facts: Mapping[str, str | int | None] | None = None
) -> bool:
    """Close it by hand and forget its failures; False, with nothing written, when it is closed.

    Calls under way that were admitted before it opened still count for nothing. ``facts`` go to the trail as well.
    """
    row = read_breaker(change.connection, name)
    if row.state is BreakerState.CLOSED:
        return False
    save_state(change.connection, name, BreakerState.CLOSED)
    clear_failures(change.connection, name)
    tell_closed(change, name, why=f"by {actor}: {reason}")
    note_transition(
        change.connection,
        CONTROL,
        name,
        before=row.state,
        after=BreakerState.CLOSED,
        reason=reason,
        actor=actor,
        at=change.at,
        at_wall=change.at_wall,
        facts=facts,
    )
    change.record(
        Event.BREAKER_RESET,
        breaker=name,
        from_state=row.state.value,
        cause=row.cause,
        reason=reason,
        actor=actor,
        **(facts or {}),
    )
    return True
