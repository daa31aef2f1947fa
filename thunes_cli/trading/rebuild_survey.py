"""What the exchange remembers of THUNES homes: whose orders are on the account, by the client ids they carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from thunes_cli.clock import Clock
from thunes_cli.errors import ConfigError, NotFound
from thunes_cli.exchange.filters import SymbolRules
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger.identity import parse_client_order_id
from thunes_cli.model import OrderReport
from thunes_cli.trading.reconcile_inputs import Market, Window
from thunes_cli.trading.reconcile_reading import MarketReader, Progress, silently


class NothingOfOurs(NotFound):
    """the exchange lists no order of a THUNES home{0}"""

    code = "nothing_to_rebuild"
    hint = "name what it traded: thunes reconcile --rebuild --symbol SYMBOL"


class SeveralInstances(ConfigError):
    """several THUNES homes traded on this account: {0}"""

    code = "several_instances"


@dataclass(frozen=True, slots=True)
class Traces:
    """What the exchange remembers of one instance."""

    instance: str
    epochs: frozenset[str]
    reports: tuple[OrderReport, ...]
    last_number: int

    @property
    def filled(self) -> int:
        """Orders of which something was executed."""
        return sum(report.executed_qty > 0 for report in self.reports)

    @property
    def span(self) -> tuple[datetime, datetime]:
        """First and last order."""
        return self.reports[0].time, self.reports[-1].time


@dataclass(frozen=True, slots=True)
class Survey:
    """The account's whole history on some symbols, by instance."""

    market: Market
    rules: Mapping[str, SymbolRules]
    traces: Mapping[str, Traces]


def survey(exchange: Exchange, clock: Clock, symbols: Sequence[str], *, progress: Progress = silently) -> Survey:
    """Read everything the exchange lists on these symbols.

    Raises:
        ExchangeFailure: a question failed.
    """
    rules = exchange.symbol_rules(symbols)
    windows = [Window(symbol, each.base, each.quote) for symbol, each in sorted(rules.items())]
    market = MarketReader(exchange, clock, progress=progress).read(windows, wanted={}, known=set())
    found: dict[str, list[OrderReport]] = {}
    epochs: dict[str, set[str]] = {}
    numbers: dict[str, int] = {}
    seen: set[str] = set()
    for listed in market.listed.values():
        for report in listed.orders:
            parts = parse_client_order_id(report.client_order_id)
            if parts is not None and report.client_order_id not in seen:  # of two with one id, the older was sent
                seen.add(report.client_order_id)
                found.setdefault(parts.instance, []).append(report)
                epochs.setdefault(parts.instance, set()).add(parts.epoch)
                numbers[parts.instance] = max(numbers.get(parts.instance, 0), parts.number)
    traces = {
        name: Traces(
            instance=name,
            epochs=frozenset(epochs[name]),
            reports=tuple(sorted(reports, key=lambda report: (report.time, report.order_id))),
            last_number=numbers[name],
        )
        for name, reports in found.items()
    }
    return Survey(market, rules, traces)


def choose(traces: Mapping[str, Traces], *, asked: str | None, own: str) -> Traces:
    """Whose ledger it shall be: the one asked for, else this home's, else the only one there is.

    Raises:
        NothingOfOurs: there is none (10). SeveralInstances: somebody must choose (78).
    """
    if asked is not None:
        if asked not in traces:
            raise NothingOfOurs(f" of instance {asked}")
        return traces[asked]
    if own in traces:
        return traces[own]
    if not traces:
        raise NothingOfOurs("")
    if len(traces) > 1:
        listed = ", ".join(
            f"{name} ({each.filled} filled orders, last {each.span[1]:%Y-%m-%d})" for name, each in traces.items()
        )
        raise SeveralInstances(listed, hint=f"choose one: thunes reconcile --rebuild --instance {min(traces)}")
    return next(iter(traces.values()))
