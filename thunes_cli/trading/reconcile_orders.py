"""Comparing order by order and trade by trade: whose is what the exchange lists, and what does either side lack?"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from thunes_cli.ledger.external import ExternalOrder, Stranger
from thunes_cli.ledger.identity import ClientIdParts, parse_client_order_id
from thunes_cli.model import ZERO, Environment, Fill, FillSource, Order, OrderReport, OrderState, Trade
from thunes_cli.trading.accounting import add_effects, asset_effects, trade_effects
from thunes_cli.trading.order_fit import is_ours, order_in_doubt
from thunes_cli.trading.reconcile_inputs import Books, Listed, Market, Terms, Window

ARCHIVED_AFTER = timedelta(days=90)  # the exchange forgets orders without a fill


class Whose(enum.Enum):
    """Who made an order that the exchange lists. LOST is ours, and the ledger does not know it (any more)."""

    OURS = "ours"
    LOST = "lost"
    EXTERNAL = Stranger.EXTERNAL
    OTHER_INSTANCE = Stranger.OTHER_INSTANCE
    OTHER_COPY = Stranger.OTHER_COPY
    BEFORE_US = "before us"


@dataclass(slots=True)
class Matched:
    """An order of ours with what each side has of it; ``order`` is None when the ledger lacks it, ``report`` when the
    exchange does. ``missing`` are trades that are not booked, ``gone`` fills that the exchange does not list,
    ``drifted`` fills with the trade that says another fee.
    """

    order: Order | None
    report: OrderReport | None
    missing: list[Trade] = field(default_factory=list)
    gone: list[Fill] = field(default_factory=list)
    drifted: list[tuple[Fill, Trade]] = field(default_factory=list)

    @property
    def symbol(self) -> str:
        """Its symbol."""
        return (self.order or self.report).symbol  # type: ignore[union-attr]  # one of the two is there


@dataclass(slots=True)
class Sorted:
    """Everything listed, by whose it is. ``unlisted``: orders of ours that should be listed and are not.

    ``effects``: what trades changed that the exchange lists and the ledger has not (or otherwise), by asset.
    ``cut``: by symbol, the last trade that the balances contain. ``withdrawn``: written down as not ours, and ours.
    """

    ours: list[Matched] = field(default_factory=list)
    unlisted: list[Matched] = field(default_factory=list)
    foreign: list[ExternalOrder] = field(default_factory=list)
    withdrawn: list[ExternalOrder] = field(default_factory=list)
    effects: dict[str, Decimal] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)


def sort_out(market: Market, books: Books, terms: Terms) -> Sorted:
    """Attribute every listed order and trade, and look for what the lists lack."""
    return _Sorting(market, books, terms).run()


def owner_of(report: OrderReport, books: Books, known: Mapping[str, Order], *, slack: timedelta) -> Whose:
    """Who made an order, judged by its client id: client ids of ours say instance, epoch and number."""
    order = known.get(report.client_order_id)
    if order is not None and is_ours(order, report, slack=slack):
        return Whose.OURS
    if report.client_order_id in books.other_ids or report.time < books.baseline_at:
        return Whose.BEFORE_US
    parts = parse_client_order_id(report.client_order_id)
    if parts is None:
        return Whose.EXTERNAL
    if parts.instance != books.instance:
        return Whose.OTHER_INSTANCE
    copied = order is not None or _made_elsewhere(parts, report, books)
    return Whose.OTHER_COPY if copied else Whose.LOST


def _made_elsewhere(parts: ClientIdParts, report: OrderReport, books: Books) -> bool:
    """Whether an order of our instance that the ledger lacks was made by another copy of this home."""
    if parts.epoch == books.epoch:
        return parts.number >= books.next_order
    if parts.epoch not in books.epochs:
        return True
    # An epoch of before a restore: orders of that time were lost with the old ledger, younger ones come from a copy.
    return books.entries_from is not None and report.time > books.entries_from


class _Sorting:
    def __init__(self, market: Market, books: Books, terms: Terms) -> None:
        self.market = market
        self.books = books
        self.terms = terms
        self.known: dict[str, Order] = {order.client_order_id: order for order in books.orders}
        self.by_number = {
            (order.symbol, order.exchange_order_id): order
            for order in books.orders
            if order.exchange_order_id is not None
        }
        self.by_id = {order.id: order for order in books.orders}
        self.fills = {(f.symbol, f.trade_id): f for f in books.fills if f.source is FillSource.EXCHANGE}
        self.recorded = {(order.symbol, order.order_id): order for order in books.external}
        self.result = Sorted()

    def run(self) -> Sorted:
        for listed in self.market.listed.values():
            self._symbol(listed)
        fresh = {(order.symbol, order.order_id) for order in self.result.foreign}
        ours = self.by_number.keys() | {(m.symbol, m.report.order_id) for m in self.result.ours if m.report}
        for key, order in self.recorded.items():
            if key in ours:
                self.result.withdrawn.append(order)
            elif key not in fresh:
                self.result.foreign.append(order)
        return self.result

    def _symbol(self, listed: Listed) -> None:
        symbol = listed.window.symbol
        reports = {report.order_id: report for report in listed.orders}
        whose = self._owners(reports)
        trades: dict[int, list[Trade]] = {}
        for trade in listed.trades:
            trades.setdefault(trade.order_id, []).append(trade)
        self._note_cut(listed)
        for number in sorted(reports.keys() | trades.keys()):
            report, owner = reports.get(number), whose.get(number)
            order = self._order_of(symbol, number, report, owner)
            if report is None:
                order = order or self._in_doubt(trades[number], listed)
                owner = Whose.OURS if order is not None else self._unknown_owner(trades[number])
            if owner in {Whose.OURS, Whose.LOST}:
                self._ours(report, order, trades.get(number, []), listed.window)
            elif owner is not Whose.BEFORE_US:
                self._foreign(listed.window, number, report, owner, trades.get(number, []))
        self._look_for_unlisted(listed, {number for number, owner in whose.items() if owner is Whose.OURS})

    def _owners(self, reports: Mapping[int, OrderReport]) -> dict[int, Whose]:
        """Whose each order is. Of two that carry one client id only one can have been sent by us: the older."""
        whose = {}
        claimed: set[str] = set()
        for number, report in sorted(reports.items()):
            numbered = self.by_number.get((report.symbol, number))
            if numbered is not None and is_ours(numbered, report, slack=self.terms.slack):
                owner = Whose.OURS
            else:
                owner = owner_of(report, self.books, self.known, slack=self.terms.slack)
            if owner in {Whose.OURS, Whose.LOST}:
                owner = Whose.OTHER_COPY if report.client_order_id in claimed else owner
                claimed.add(report.client_order_id)
            whose[number] = owner
        return whose

    def _unknown_owner(self, trades: list[Trade]) -> Whose:
        """Of trades whose order the exchange does not list."""
        return Whose.BEFORE_US if trades[-1].time < self.books.baseline_at else Whose.EXTERNAL

    def _order_of(self, symbol: str, number: int, report: OrderReport | None, owner: Whose | None) -> Order | None:
        if owner is Whose.LOST:
            return None
        order = self.by_number.get((symbol, number))
        return order or (self.known.get(report.client_order_id) if report else None)

    def _in_doubt(self, trades: list[Trade], listed: Listed) -> Order | None:
        """The order of ours that waits for such trades, unless it is listed, or has got others."""
        named = {report.client_order_id for report in listed.orders}
        named |= {matched.order.client_order_id for matched in self.result.ours if matched.order}
        waiting = [order for order in self.books.orders if order.client_order_id not in named]
        return order_in_doubt(waiting, trades, slack=self.terms.slack)

    # -- ours --------------------------------------------------------------------------------------------------

    def _ours(self, report: OrderReport | None, order: Order | None, trades: list[Trade], window: Window) -> None:
        matched = Matched(order, report)
        for trade in trades:
            fill = self.fills.get((trade.symbol, trade.trade_id))
            if fill is None or (order is not None and fill.order_id != order.id):
                matched.missing.append(trade)
            elif (fill.fee, fill.fee_asset) != (trade.commission, trade.commission_asset):
                matched.drifted.append((fill, trade))
                add_effects(self.result.effects, {fill.fee_asset: fill.fee})
                add_effects(self.result.effects, {trade.commission_asset: -trade.commission})
        add_effects(self.result.effects, trade_effects(matched.missing, base=window.base, quote=window.quote))
        self.result.ours.append(matched)

    def _note_cut(self, listed: Listed) -> None:
        symbol = listed.window.symbol
        last = max((trade.trade_id for trade in listed.trades), default=-1)
        settled = (f.trade_id for f in self.fills.values() if f.symbol == symbol and self._settled(f.order_id))
        self.result.cut[symbol] = max(last, max(settled, default=-1))

    def _settled(self, order_id: int) -> bool:
        """Whether an order had ended, and was written down as such, before the exchange was asked."""
        order = self.by_id.get(order_id)
        return order is not None and not order.state.live and order.updated_at < self.market.began

    def _look_for_unlisted(self, listed: Listed, found: set[int]) -> None:
        window = listed.window
        trades = {trade.trade_id for trade in listed.trades}
        gone: dict[int, list[Fill]] = {}
        for fill in self.fills.values():
            inside = fill.symbol == window.symbol and fill.trade_id >= window.first_trade
            if inside and fill.trade_id not in trades and self._settled(fill.order_id):
                gone.setdefault(fill.order_id, []).append(fill)
        for matched in self.result.ours:
            if matched.order is not None and matched.symbol == window.symbol:
                matched.gone += gone.pop(matched.order.id, [])
        for order in self._expected(window):
            if order.exchange_order_id not in found:
                self.result.unlisted.append(Matched(order, None, gone=gone.pop(order.id, [])))
        for order_id, rows in gone.items():
            self.result.unlisted.append(Matched(self.by_id[order_id], None, gone=rows))

    def _expected(self, window: Window) -> Iterator[Order]:
        """Orders of ours that the exchange's list must hold, or about which nobody knows."""
        for order in self.books.orders:
            if order.symbol != window.symbol or order.id in self.books.in_flight or order.state.unplaced:
                continue
            if order.state.live:
                if order.state is not OrderState.INTENT and order.client_order_id not in self._listed_ids(window):
                    yield order
            elif order.exchange_order_id is not None and order.exchange_order_id >= window.first_order:
                archived = order.executed_qty == 0 and self.market.began - order.created_at > ARCHIVED_AFTER
                if self._settled(order.id) and not archived:
                    yield order

    def _listed_ids(self, window: Window) -> set[str]:
        return {m.order.client_order_id for m in self.result.ours if m.order and m.symbol == window.symbol}

    # -- not ours ----------------------------------------------------------------------------------------------

    def _foreign(
        self, window: Window, number: int, report: OrderReport | None, owner: Whose | None, trades: list[Trade]
    ) -> None:
        assert owner is not None
        assert isinstance(owner.value, Stranger)
        before = self.recorded.get((window.symbol, number))
        # The name it was seen with first: a cancelled order carries its cancel's.
        name, seen = (before.client_order_id, set(before.trades)) if before else ("", set())
        fresh = [trade for trade in trades if trade.trade_id not in seen and trade.time >= self.books.baseline_at]
        effects = dict(before.effects) if before else {}
        add_effects(effects, trade_effects(fresh, base=window.base, quote=window.quote))
        status = report.status if report else "UNKNOWN"
        unchanged = before is not None and not fresh and (report is None or before.status == report.status)
        executed = report.executed_qty if report else sum((trade.quantity for trade in trades), ZERO)
        value = sum((trade.quote_quantity for trade in trades), ZERO)
        if report and report.executed_quote >= 0:  # of very old orders the exchange says less than nothing: unknown
            value = report.executed_quote
        self.result.foreign.append(
            ExternalOrder(
                symbol=window.symbol,
                order_id=number,
                client_order_id=name or (report.client_order_id if report else ""),
                kind=before.kind if before else owner.value,
                side=report.side if report else trades[0].side,
                status=status if report or before is None else before.status,
                requested=report.requested if report else executed,
                executed_qty=executed,
                executed_quote=value,
                trades=(*(before.trades if before else ()), *(trade.trade_id for trade in fresh)),
                effects=effects,
                placed_at=report.time if report else trades[0].time,
                accepted_at=before.accepted_at if before and unchanged else None,
            )
        )


def expected_effects(books: Books, sorted_: Sorted) -> dict[str, Decimal]:
    """What all trades of ours that the balances contain have changed, booked or not, by asset."""
    contained = [
        fill
        for fill in books.fills
        if fill.source is not FillSource.EXCHANGE or fill.trade_id <= sorted_.cut.get(fill.symbol, fill.trade_id)
    ]
    effects = asset_effects(contained, assets=books.assets)
    add_effects(effects, sorted_.effects)
    return effects


def looks_wiped(books: Books, sorted_: Sorted) -> bool:
    """Whether every order that filled for us up to some day is unknown to the exchange now; never so on live.

    What we ordered after the wipe, before anybody noticed it, is there.
    """
    if books.environment is Environment.LIVE:
        return False
    gone = [m.order.created_at for m in sorted_.unlisted if m.order is not None and m.order.executed_qty > 0]
    there = [m.order.created_at for m in sorted_.ours if m.order and m.report and m.order.executed_qty > 0]
    return bool(gone) and all(made > max(gone) for made in there)
