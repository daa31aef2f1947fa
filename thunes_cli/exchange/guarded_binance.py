"""Binance behind the guard: one client with its key, whose clock is kept in step for every process of the home."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.binance import BinanceExchange, connect
from thunes_cli.exchange.breaker import PROBE_LEASE_S, Breaker
from thunes_cli.exchange.clock_sync import SAMPLES, read_anchor
from thunes_cli.exchange.guarded import LEDGER_ERRORS, GuardedExchange
from thunes_cli.exchange.key_guard import KeyGuard
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.exchange.rate_gate import RateGate
from thunes_cli.ledger.bans import RateUsage
from thunes_cli.ledger.breakers import BreakerLimits
from thunes_cli.ledger.identity import save_anchor
from thunes_cli.model import KeyRestrictions

if TYPE_CHECKING:
    from thunes_cli.config.credentials import Credentials
    from thunes_cli.config.endpoints import Endpoints

_LOG = logging.getLogger(__name__)


class GuardedBinance(GuardedExchange):
    """Binance behind the guard, with the clock kept in step."""

    def __init__(
        self,
        journal: Journal,
        build: Callable[[Credentials], BinanceExchange],
        credentials: Credentials,
        *,
        breaker: Breaker,
        gate: RateGate,
        patient: bool = True,
    ) -> None:
        """``build`` makes the client of a key; ``patient``: a rejected key is not sent again at once."""
        self._build = build
        self._binance = build(credentials)
        super().__init__(self._binance, breaker=breaker, gate=gate, key=KeyGuard(journal) if patient else None)
        self._journal = journal

    def key_permissions(self) -> Mapping[str, bool] | None:
        """What the key may do, by Binance's names; None where nobody can be asked."""
        restrictions = self.key_restrictions()
        return None if restrictions is None else restrictions.permissions

    def key_restrictions(self) -> KeyRestrictions | None:
        """What the key may do, and its dates; None where nobody can be asked."""
        return self._call(self._binance.key_restrictions, signed=True)

    @property
    def usage(self) -> RateUsage:
        """How much of this minute's request weight is used."""
        return self._gate.usage

    @property
    def key_is_rejected(self) -> bool:
        """Whether the exchange refused the key when it was used last."""
        return self._key is not None and self._key.is_rejected

    def with_key(self, credentials: Credentials) -> GuardedBinance:
        """The same exchange asked with another key, behind the same breaker and ban clock; this one stays as it is.

        Raises:
            ConfigError: what signs cannot be used.
        """
        return GuardedBinance(
            self._journal, self._build, credentials, breaker=self._breaker, gate=self._gate, patient=False
        )

    def take_key_of(self, other: GuardedBinance) -> None:
        """From the next call on, use the client of ``other``; a call in flight ends on the one that it began with.

        A rejection of the key before is forgotten, and over for everybody.
        """
        self._exchange = self._binance = other._binance
        self._key = KeyGuard(self._journal)
        self._key.accepted(ordering=True)

    def resync_clock(self, *, speed: Decimal | None = None, samples: int = SAMPLES) -> None:
        """Read the exchange's clock, set ours by it and record the anchor for every process.

        Raises:
            ExchangeFailure: the clock could not be read; ours is left as it was.
        """
        _resync(self, self._journal, speed=speed, samples=samples)


def open_binance(
    endpoints: Endpoints,
    credentials: Credentials,
    journal: Journal,
    *,
    limits: BreakerLimits,
    recv_window_ms: int,
    timeout_s: float | Decimal,
    wait: Callable[[float], object] = time.sleep,
    patient: bool = True,
) -> GuardedBinance:
    """Binance (or a simulator) behind breaker and gate of one home; nothing is sent yet.

    Args: as :func:`thunes_cli.exchange.binance.connect`; ``journal`` also gives the clock, ``wait`` is how the gate
        slows down near the exchange's limits (seconds of network time). ``patient``: False asks with a rejected key as
        often as it is told to (a check of the key itself).
    """
    gate = RateGate(journal, wait=wait)

    def build(key: Credentials) -> BinanceExchange:
        exchange: BinanceExchange = connect(
            endpoints,
            key,
            clock=journal.clock,
            recv_window_ms=recv_window_ms,
            timeout_s=timeout_s,
            on_clock_skew=lambda: _resync(exchange, journal),
            on_headers=gate.observe,
            on_limits=gate.set_limits,
        )
        return exchange

    # A probe may take two requests (its clock read anew in between) before somebody else should send one.
    lease_s = max(PROBE_LEASE_S, 3 * float(timeout_s))
    breaker = Breaker(journal, limits=limits, probe_lease_s=lease_s)
    return GuardedBinance(journal, build, credentials, breaker=breaker, gate=gate, patient=patient)


def _resync(exchange: Exchange, journal: Journal, *, speed: Decimal | None = None, samples: int = SAMPLES) -> None:
    clock = journal.clock
    anchor = read_anchor(exchange, clock, speed=clock.speed if speed is None else speed, samples=samples)
    clock.set_anchor(anchor)
    try:
        with journal.ledger.write() as connection:
            save_anchor(connection, anchor)
    except LEDGER_ERRORS as error:
        _LOG.warning("the exchange's clock could not be recorded: %s", error)
