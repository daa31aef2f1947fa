"""One look at both sides: which symbols, from where on, and again as long as what is found may still pass.

What cannot be found out is an error, never a finding: a question that fails ends the look.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from thunes_cli.audit.journal import Journal
from thunes_cli.errors import NotFound, OtherAccount
from thunes_cli.exchange.filters import SymbolRules, market_step
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger.identity import read_identity
from thunes_cli.ledger.reconcile import known_findings
from thunes_cli.model import ClientOrderId, OrderReport
from thunes_cli.trading.findings import Kind
from thunes_cli.trading.reconcile_assets import Asset
from thunes_cli.trading.reconcile_books import Before, read_before, read_books, windows_for
from thunes_cli.trading.reconcile_choice import ALL_AT_ONCE, choose_symbols
from thunes_cli.trading.reconcile_compare import Comparison, compare
from thunes_cli.trading.reconcile_inputs import BNB, Books, Listed, Market, Terms, Window
from thunes_cli.trading.reconcile_reading import MarketReader, Progress, silently
from thunes_cli.trading.symbols import SymbolBook
from thunes_cli.trading.time_fit import answer_slack

_PAUSES_S = (0.5, 1.5)  # the exchange's lists and balances may lag behind each other
_ASKED_ONE_BY_ONE = 20
_SUSPECTS = 5


@dataclass(frozen=True, slots=True)
class Scope:
    """What to compare: orders and trades since a market time (None: all of our time), of one symbol or of all.

    ``sparing``: of many symbols only those on which something may have happened, and some in turn.
    """

    since: datetime | None
    symbol: str | None = None
    sparing: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """One comparison and what it rests on. ``rules`` is what exchangeInfo says of the symbols that it lists."""

    at: datetime
    scope: Scope
    comparison: Comparison
    market: Market
    books: Books
    rules: Mapping[str, SymbolRules]


class NotMetYet(NotFound):
    """this home has not met its exchange yet: there is no baseline to compare with"""

    code = "no_baseline"
    hint = "thunes run --once; or, when the ledger was lost: thunes reconcile --rebuild"


class Looker:
    """Looks at one home and its exchange. ``wait`` waits so many seconds of network time."""

    def __init__(
        self,
        journal: Journal,
        exchange: Exchange,
        symbols: SymbolBook,
        *,
        traded: Sequence[str],
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._journal = journal
        self._exchange = exchange
        self._symbols = symbols
        self._traded = traded
        self._wait = wait

    def look(self, scope: Scope, *, progress: Progress = silently) -> Look:
        """Compare; compare again when something is found that was not known and may pass by itself.

        A difference that no order explains makes it look at everything, and at symbols that somebody else may trade.

        Raises:
            ExchangeFailure: a question failed. NeverStill: the account is traded on all the time.
            NotMetYet: there is no baseline to compare with (10). OtherAccount: the key is another account's (78).
        """
        known = self._known_keys()
        look = self._once(scope, (), progress)
        suspects: tuple[str, ...] = ()
        for pause in _PAUSES_S:
            fresh = _fresh(look, known)
            if not fresh:
                break
            self._wait(pause)
            if _unexplained(look):
                suspects = suspects or self._suspects(look)
                scope = scope if scope.symbol else replace(scope, since=None, sparing=False)
            look = self._once(scope, suspects, progress)
            if _fresh(look, known) == fresh:
                break
        return look

    def read_anew(self, look: Look) -> Market:
        """The exchange's side from its first order on, whatever was read before: for an exchange that was wiped.

        Raises: as :meth:`look`.
        """
        windows = [
            Window(each.window.symbol, each.window.base, each.window.quote) for each in look.market.listed.values()
        ]
        with self._journal.read() as connection:
            before = read_before(connection)
        return self._read(windows, before, silently)

    def _known_keys(self) -> set[str]:
        with self._journal.read() as connection:
            return set(known_findings(connection, exchange_epoch=read_identity(connection).exchange_epoch))

    def _once(self, scope: Scope, suspects: Sequence[str], progress: Progress) -> Look:
        with self._journal.read() as connection:
            before = read_before(connection)
        identity = before.identity
        if before.baseline_at is None:
            raise NotMetYet
        names = [scope.symbol] if scope.symbol else sorted({*self._traded, *before.assets, *suspects})
        rules = self._symbols.refresh(names)
        assets = dict(before.assets) | {name: (each.base, each.quote) for name, each in rules.items()}
        chosen = {name: assets[name] for name in names if name in assets}
        account = self._exchange.account() if scope.sparing and len(chosen) > ALL_AT_ONCE else None
        with self._journal.read() as connection:
            if account is not None:
                chosen = {name: chosen[name] for name in choose_symbols(connection, before, chosen, account)}
            windows = windows_for(connection, before, chosen, since=scope.since)
        market = self._read(windows, before, progress)
        if identity.uid not in {None, market.uid}:
            raise OtherAccount(identity.uid, market.uid)
        with self._journal.read() as connection:
            books = read_books(connection, self._journal.clock)
        terms = self._terms(scope, books, rules, assets)
        comparison = compare(market, books, terms)
        found = self._ask_for_missing(comparison)
        if found:
            market = _with_orders(market, found)
            comparison = compare(market, books, terms)
        return Look(self._journal.clock.now(), scope, comparison, market, books, rules)

    def _read(self, windows: Sequence[Window], before: Before, progress: Progress) -> Market:
        wanted: dict[str, set[int]] = {}
        for order in before.external:
            if not order.ended:
                wanted.setdefault(order.symbol, set()).add(order.order_id)
        reader = MarketReader(self._exchange, self._journal.clock, progress=progress)
        return reader.read(windows, wanted=wanted, known=before.numbers)

    def _terms(
        self,
        scope: Scope,
        books: Books,
        rules: Mapping[str, SymbolRules],
        assets: Mapping[str, tuple[str, str]],
    ) -> Terms:
        ours = {*self._traded, *(order.symbol for order in books.orders), *(each.symbol for each in books.positions)}
        main = {asset for symbol in ours for asset in assets.get(symbol, ())}
        return Terms(
            slack=answer_slack(self._journal.clock),
            steps={each.base: market_step(each) for each in rules.values()},
            main=frozenset({*main, BNB}),
            only=frozenset({assets[scope.symbol][0]}) if scope.symbol is not None and scope.symbol in assets else None,
        )

    def _ask_for_missing(self, comparison: Comparison) -> list[OrderReport]:
        """A list may lag: before an order counts as missing, the exchange is asked for it by name."""
        kinds = {Kind.MISSING_ORDER, Kind.EXCHANGE_RESET}
        missing = [ref for finding in comparison.findings if finding.kind in kinds for ref in finding.orders]
        found = []
        for ref in sorted(missing, key=lambda ref: ref.at, reverse=True)[:_ASKED_ONE_BY_ONE]:
            report = self._exchange.order(ref.symbol, ClientOrderId(ref.client_order_id))
            if report is not None and report.order_id == ref.order_id:
                found.append(report)
        return found

    def _suspects(self, look: Look) -> tuple[str, ...]:
        """Symbols on which somebody else may have traded: an asset that changed, against a quote asset of ours."""
        assets = look.comparison.assets.values()
        quotes = sorted({quote for _, quote in look.books.assets.values()} | {r.quote for r in look.rules.values()})
        changed = [asset.name for asset in assets if asset.finding is not None and asset.name not in quotes]
        named = [f"{name}{quote}" for name in changed for quote in quotes]
        return tuple([symbol for symbol in named if symbol not in look.market.listed][:_SUSPECTS])


def _fresh(look: Look, known: set[str]) -> set[str]:
    """What is new and may pass by itself; whether an unfinished order does is for resolution to find out."""
    findings = look.comparison.findings
    return {each.key for each in findings if each.counts and each.kind is not Kind.UNRESOLVED_ORDER} - known


def _unexplained(look: Look) -> list[Asset]:
    return [
        asset
        for asset in look.comparison.assets.values()
        if asset.main and asset.finding is not None and asset.finding.counts and not asset.finding.orders
    ]


def _with_orders(market: Market, found: Sequence[OrderReport]) -> Market:
    listed = dict(market.listed)
    for report in found:
        each = listed[report.symbol]
        orders = sorted((*each.orders, report), key=lambda order: order.order_id)
        listed[report.symbol] = Listed(each.window, tuple(orders), each.trades)
    return replace(market, listed=listed)
