"""Checks that ask the exchange: does it answer, do the clocks agree, would it take our orders, does it know our key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from thunes_cli.clock import Clock
from thunes_cli.config.settings import Settings
from thunes_cli.errors import ExitCode
from thunes_cli.exchange.classify import WRONG_SIGNATURE
from thunes_cli.exchange.clock_sync import SAMPLES, anchor_of, best_reading, exchange_rate_of_clock, take_reading
from thunes_cli.exchange.failures import AuthFailed, ExchangeDown, ExchangeFailure, Rejected
from thunes_cli.exchange.filters import SymbolRules
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger.bans import RateUsage
from thunes_cli.model import Environment, plain
from thunes_cli.ops.check import Check, CheckStatus
from thunes_cli.ops.config_checks import amount_checks, funds_checks, symbol_checks

_OK, _WARN, _FAIL, _SKIP = CheckStatus.OK, CheckStatus.WARN, CheckStatus.FAIL, CheckStatus.SKIP
_MAX_SKEW = timedelta(seconds=1)  # the exchange refuses timestamps further ahead of its clock
_BUSY_PERCENT = 80
_LOOK_AT = "look at this machine's network and proxy, BINANCE_REST_URL, then the exchange's announcements"


@dataclass(frozen=True, slots=True)
class OnlineFacts:
    """What the checks need besides the exchange at ``rest_url``; ``uid``: the account this home is bound to, if any."""

    settings: Settings
    rest_url: str
    clock: Clock
    uid: str | None
    usage: Callable[[], RateUsage]


@dataclass(slots=True)
class OnlineChecks:
    """The checks made, and the exit code that the exchange's silence or refusal calls for (else None).

    After :meth:`run` the clock is set by the exchange's.
    """

    exchange: Exchange
    facts: OnlineFacts
    exit_code: ExitCode | None = None
    _rules: dict[str, SymbolRules] = field(default_factory=dict)

    def run(self) -> Iterator[Check]:
        """Make the checks, one after the other; once the exchange does not answer the others are skipped."""
        steps: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
            ("exchange", self._ping),
            ("clock", self._compare_clocks),
            ("symbols", self._look_at_symbols),
            ("amounts", self._look_at_amounts),
            ("account", self._look_at_account),
            ("weight", self._look_at_weight),
        )
        for name, make in steps:
            if self.exit_code is ExitCode.UNAVAILABLE:
                yield Check(name, _SKIP, "the exchange cannot be asked")
                continue
            try:
                yield from make()
            except ExchangeFailure as failure:
                yield self._failed(name, failure)

    def _failed(self, name: str, failure: ExchangeFailure) -> Check:
        wrong_secret = isinstance(failure, Rejected) and failure.business_code == WRONG_SIGNATURE
        if isinstance(failure, AuthFailed) or wrong_secret:
            self.exit_code = ExitCode.AUTH
            value = "the secret does not belong to the key" if wrong_secret else failure.message
            return Check(name, _FAIL, value, "the key is accepted", "correct the key, its secret or its IP restriction")
        if isinstance(failure, Rejected):
            return Check(name, _FAIL, failure.message, hint=failure.hint)
        self.exit_code = ExitCode.UNAVAILABLE
        hint = _LOOK_AT if isinstance(failure, ExchangeDown) else failure.hint  # whose own says: do what is done here
        return Check(name, _FAIL, failure.message, hint=hint)

    def _ping(self) -> Iterator[Check]:
        started = time.monotonic()
        self.exchange.ping()
        yield Check("exchange", _OK, f"answers in {round((time.monotonic() - started) * 1000)} ms", "answers")

    def _compare_clocks(self) -> Iterator[Check]:
        clock = self.facts.clock
        best = best_reading([take_reading(self.exchange.server_time, clock) for _ in range(SAMPLES)])
        if self.facts.settings.environment is Environment.SIM:
            speed = exchange_rate_of_clock(self.facts.rest_url)
            clock.set_anchor(anchor_of(best, speed=clock.speed if speed is None else speed))
            yield Check(
                "clock",
                _OK,
                f"market time {best.server:%Y-%m-%d %H:%M:%S}Z, speed {plain(clock.speed)}",
                "the simulator's own",
            )
            return
        clock.set_anchor(anchor_of(best, speed=Decimal(1)))
        skew = best.wall - best.server
        value = f"{skew / timedelta(milliseconds=1):+.0f} ms from the exchange's, ±{best.round_trip_s * 500:.0f} ms"
        hint = "it is corrected for, but let this machine keep time: timedatectl set-ntp true"
        late = abs(skew) >= _MAX_SKEW
        yield Check("clock", _WARN if late else _OK, value, "within 1000 ms", hint if late else "")

    def _look_at_symbols(self) -> Iterator[Check]:
        settings = self.facts.settings
        self._rules = self.exchange.symbol_rules(settings.symbols)
        yield from symbol_checks(settings, self._rules)

    def _look_at_amounts(self) -> Iterator[Check]:
        settings = self.facts.settings
        prices: dict[str, Decimal] = {symbol: self.exchange.average_price(symbol) for symbol in self._rules}
        yield from amount_checks(settings, self._rules, prices)

    def _look_at_account(self) -> Iterator[Check]:
        account = self.exchange.account()
        bound = self.facts.uid
        if bound is not None and account.uid != bound:
            self.exit_code = ExitCode.CONFIG
            hint = f"use the key of account {bound}, or a home of its own"
            yield Check("account", _FAIL, f"the key is of account {account.uid}", f"account {bound}", hint)
        elif not account.can_trade:
            hint = "allow spot trading for the key, or ask the exchange why the account may not trade"
            yield Check("account", _FAIL, f"account {account.uid} may not trade", "may trade", hint)
        else:
            yield Check("account", _OK, f"account {account.uid} may trade", "key accepted, may trade")
        free = {asset: balance.free for asset, balance in account.balances.items()}
        yield from funds_checks(self.facts.settings, self._rules, free)

    def _look_at_weight(self) -> Iterator[Check]:
        usage = self.facts.usage()
        if usage.used_weight_1m is None or not usage.limit_1m:
            yield Check("weight", _SKIP, "the exchange did not say")
            return
        value = f"{usage.used_weight_1m} of {usage.limit_1m} used this minute"
        busy = usage.used_weight_1m * 100 >= usage.limit_1m * _BUSY_PERCENT
        hint = "something else uses this address's share: find it before the exchange bans the address"
        yield Check("weight", _WARN if busy else _OK, value, f"below {_BUSY_PERCENT} %", hint if busy else "")
