"""pybreaker's state machine on the ledger, for the length of one transaction.

pybreaker decides when a failure opens the circuit and what a probe's outcome does to it; time, the probe's lease and
all I/O are ours. Its ``call`` holds a lock while the guarded call runs, so it is never given one: what happened is
replayed to it afterwards (:func:`replay`).
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import NoReturn

from pybreaker import STATE_OPEN, CircuitBreaker, CircuitBreakerStorage

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.exchange.telling import tell_closed, tell_open
from thunes_cli.ledger.breakers import (
    CONTROL,
    BreakerLimits,
    BreakerState,
    add_failure,
    clear_failures,
    count_failures,
    read_breaker,
    save_opened,
    save_state,
)
from thunes_cli.ledger.controls import note_transition

_EVENTS = {
    BreakerState.OPEN: Event.BREAKER_OPENED,
    BreakerState.HALF_OPEN: Event.BREAKER_HALF_OPEN,
    BreakerState.CLOSED: Event.BREAKER_CLOSED,
}


class _Replayed(Exception):
    """Stands for the failure that is replayed."""


class LedgerStorage(CircuitBreakerStorage):
    """One breaker's rows, seen and changed inside one open transaction."""

    def __init__(
        self, change: Change, name: str, *, limits: BreakerLimits, monotonic: float, boot: str, cause: str, actor: str
    ) -> None:
        super().__init__(name)
        self._change = change
        self._limits = limits
        self._monotonic = monotonic
        self._boot = boot
        self._cause = cause
        self._actor = actor
        self._successes = 0

    @property
    def state(self) -> str:
        """The stored state."""
        return read_breaker(self._change.connection, self.name).state.value

    @state.setter
    def state(self, state: str) -> None:
        before, after = BreakerState(self.state), BreakerState(state)
        connection = self._change.connection
        if after == STATE_OPEN:
            save_opened(
                connection,
                self.name,
                cause=self._cause,
                wall=self._change.at_wall,
                monotonic=self._monotonic,
                boot=self._boot,
            )
        else:
            save_state(connection, self.name, after)
        note_transition(
            connection,
            CONTROL,
            self.name,
            before=before,
            after=after,
            reason=self._cause,
            actor=self._actor,
            at=self._change.at,
            at_wall=self._change.at_wall,
        )
        self._change.record(
            _EVENTS[after], breaker=self.name, from_state=before.value, cause=self._cause, failures=self.counter
        )
        if after is BreakerState.OPEN:
            tell_open(self._change, self.name, cause=self._cause, failures=self.counter, limits=self._limits)
        elif after is BreakerState.CLOSED:
            tell_closed(self._change, self.name, why=self._cause)

    @property
    def counter(self) -> int:
        """Failures within the window: not consecutive ones, whatever lies between."""
        return count_failures(
            self._change.connection, self.name, wall=self._change.at_wall, window_s=self._limits.window_s
        )

    def increment_counter(self) -> None:
        """Count a failure."""
        add_failure(
            self._change.connection,
            self.name,
            cause=self._cause,
            wall=self._change.at_wall,
            window_s=self._limits.window_s,
        )

    def reset_counter(self) -> None:
        """Forget the failures, but not because a call succeeded while closed: the window alone ages them."""
        if self.state != BreakerState.CLOSED:
            clear_failures(self._change.connection, self.name)

    @property
    def success_counter(self) -> int:
        """Good probes in a row; one closes."""
        return self._successes

    def increment_success_counter(self) -> None:
        """Count a good probe."""
        self._successes += 1

    def reset_success_counter(self) -> None:
        """Start counting good probes at zero."""
        self._successes = 0

    @property
    def opened_at(self) -> datetime | None:
        """When it opened last (wall)."""
        return read_breaker(self._change.connection, self.name).opened_wall

    @opened_at.setter
    def opened_at(self, _: datetime) -> None:
        """Stored with the state, by our own clock: pybreaker reads the wall clock itself, and only that."""


def machine(storage: LedgerStorage, limits: BreakerLimits) -> CircuitBreaker:
    """pybreaker's breaker on these rows."""
    return CircuitBreaker(
        fail_max=limits.fail_max,
        reset_timeout=limits.reset_s,
        state_storage=storage,
        name=storage.name,
        throw_new_error_on_trip=False,
    )


def replay(breaker: CircuitBreaker, *, failed: bool) -> None:
    """Tell pybreaker how a call ended that is over already. Only while the stored state is not open."""

    def outcome() -> None:
        if failed:
            _fail()

    with contextlib.suppress(_Replayed):
        breaker.call(outcome)


def _fail() -> NoReturn:
    raise _Replayed
