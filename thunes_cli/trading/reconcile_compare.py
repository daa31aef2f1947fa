"""The comparison itself: two sides in, findings out. Pure.

First order by order and trade by trade, then by asset: what the account holds must be the baseline, plus what came and
went without us, plus what all our trades changed, those included that the ledger still lacks. Hence a lost fill is
found as that fill, and never a second time as a difference of balances.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from thunes_cli.ledger.external import ExternalOrder, Stranger
from thunes_cli.model import ZERO, Order, plain
from thunes_cli.trading.findings import Finding, Kind, OrderRef, Severity, TradeRef
from thunes_cli.trading.reconcile_assets import Asset, compare_assets
from thunes_cli.trading.reconcile_inputs import Books, Market, Terms
from thunes_cli.trading.reconcile_orders import Matched, Sorted, expected_effects, looks_wiped, sort_out

_APPLY = "reconcile --apply"
_WHO = {
    Stranger.EXTERNAL: "somebody used the account outside THUNES",
    Stranger.OTHER_INSTANCE: "another THUNES home trades this account",
    Stranger.OTHER_COPY: "a second copy of this home is trading: stop it",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it. ``assets`` holds every asset compared; ``matched`` what can be booked, ``foreign`` what to keep,
    ``withdrawn`` what was kept as not ours and is.

    ``wiped``: the exchange has forgotten us; then it is the only finding.
    """

    findings: tuple[Finding, ...]
    checked: dict[str, int]
    assets: Mapping[str, Asset]
    matched: tuple[Matched, ...]
    foreign: tuple[ExternalOrder, ...]
    withdrawn: tuple[ExternalOrder, ...] = ()
    wiped: bool = False

    @property
    def clean(self) -> bool:
        """Whether ledger and exchange agree."""
        return not any(finding.counts for finding in self.findings)


def compare(market: Market, books: Books, terms: Terms) -> Comparison:
    """Compare both sides; the same input gives the same findings, worst first."""
    found = sort_out(market, books, terms)
    strange = tuple(order for order in found.foreign if order.accepted_at is None)
    effects = expected_effects(books, found)
    assets = compare_assets(market, books, terms, effects=effects, strange=strange, doubts=_doubts(found, books))
    differing = [asset for asset in assets.values() if asset.finding is not None]
    wiped = looks_wiped(books, found) and any(asset.main for asset in differing)
    if wiped:
        findings = [_reset(found)]
    else:
        findings = [*_of_orders(found, books, before=market.began - terms.slack), *findings_of_strangers(strange)]
        findings += [asset.finding for asset in differing if asset.finding is not None]
    findings = [finding for finding in findings if finding.key not in books.accepted]
    findings.sort(key=lambda finding: (-finding.severity.rank, finding.key))
    listed = market.listed.values()
    checked = {
        "assets": len(assets),
        "orders": sum(len(each.orders) for each in listed),
        "trades": sum(len(each.trades) for each in listed),
    }
    return Comparison(
        findings=tuple(findings),
        checked=checked,
        assets=assets,
        matched=tuple(found.ours),
        foreign=tuple(found.foreign),
        withdrawn=tuple(found.withdrawn),
        wiped=wiped,
    )


def _doubts(found: Sorted, books: Books) -> list[Order]:
    """Orders sent, of which neither list tells yet what they did: the balances may."""
    told = {matched.order.id for matched in found.ours if matched.order is not None and matched.missing}
    return [order for order in books.orders if order.state.live and order.sent_timestamp_ms and order.id not in told]


def _of_orders(found: Sorted, books: Books, *, before: datetime) -> Iterator[Finding]:
    """``before``: a list may lack what happened later, and nothing is missing yet."""
    for matched in found.ours:
        order, report = matched.order, matched.report
        if order is not None and order.id in books.in_flight:
            continue
        if order is not None and order.state.live:
            yield _unresolved(matched)
        elif matched.missing or (report is not None and _executed_more(matched)):
            yield _unrecorded(matched)
        if matched.drifted:
            yield _drifted(matched)
        if matched.gone and order is not None and order.updated_at < before:
            yield _missing(matched)
    for matched in found.unlisted:
        assert matched.order is not None
        if matched.order.state.live:
            yield _unresolved(matched)
        elif matched.order.updated_at < before:
            yield _missing(matched)


def _executed_more(matched: Matched) -> bool:
    """The exchange says that more was executed than the ledger has, whatever trades it lists."""
    assert matched.report is not None
    booked = matched.order.executed_qty if matched.order is not None else ZERO
    return matched.report.executed_qty > booked


def _name(matched: Matched) -> str:
    return matched.order.client_order_id if matched.order is not None else str(matched.report.client_order_id)  # type: ignore[union-attr]  # one of the two is there


def _refs(matched: Matched) -> tuple[OrderRef, ...]:
    either = matched.report or matched.order
    assert either is not None
    return (OrderRef.of(either),)


def _unrecorded(matched: Matched) -> Finding:
    name = _name(matched)
    total = sum((trade.quantity for trade in matched.missing), ZERO)
    if matched.order is None:
        lacks = "the ledger does not know the order"
    elif matched.order.state.unplaced:
        lacks = f"the ledger has it as {matched.order.state}"
    else:
        lacks = f"the ledger has {plain(matched.order.executed_qty)} of it"
    return Finding(
        key=f"unrecorded_fill:{matched.symbol}:{name}",
        kind=Kind.UNRECORDED_FILL,
        severity=Severity.HIGH,
        message=f"our order {name} executed {plain(total)} that is not booked; {lacks}",
        symbol=matched.symbol,
        orders=_refs(matched),
        trades=tuple(TradeRef.of(trade) for trade in matched.missing),
        action=_APPLY,
        safe=True,
    )


def _unresolved(matched: Matched) -> Finding:
    assert matched.order is not None
    report, order = matched.report, matched.order
    says = (
        "the exchange does not list it; resolution is asking"
        if report is None
        else f"the exchange says {report.status}, executed {plain(report.executed_qty)}"
    )
    return Finding(
        key=f"unresolved_order:{order.symbol}:{order.client_order_id}",
        kind=Kind.UNRESOLVED_ORDER,
        severity=Severity.MEDIUM,
        message=f"order {order.client_order_id} is {order.state} here; {says}",
        symbol=order.symbol,
        orders=_refs(matched),
        trades=tuple(TradeRef.of(trade) for trade in matched.missing),
        action=_APPLY,
        safe=report is not None,
    )


def _missing(matched: Matched) -> Finding:
    assert matched.order is not None
    name = matched.order.client_order_id
    lacks = f"{len(matched.gone)} booked trade(s) of it" if matched.report is not None else "it"
    return Finding(
        key=f"missing_order:{matched.symbol}:{name}",
        kind=Kind.MISSING_ORDER,
        severity=Severity.CRITICAL,
        message=f"order {name} is {matched.order.state} here, but the exchange does not list {lacks}",
        symbol=matched.symbol,
        orders=_refs(matched),
        trades=tuple(TradeRef.of(fill) for fill in matched.gone),
        action=f"explain {name}",
    )


def _drifted(matched: Matched) -> Finding:
    fill, trade = matched.drifted[0]
    return Finding(
        key=f"fee_drift:{matched.symbol}:{_name(matched)}",
        kind=Kind.FEE_DRIFT,
        severity=Severity.MEDIUM,
        message=(
            f"the exchange kept {plain(trade.commission)} {trade.commission_asset} for trade {trade.trade_id} of"
            f" {_name(matched)}; {plain(fill.fee)} {fill.fee_asset} is booked"
        ),
        asset=trade.commission_asset,
        symbol=matched.symbol,
        exchange_qty=trade.commission,
        local_qty=fill.fee if fill.fee_asset == trade.commission_asset else ZERO,
        orders=_refs(matched),
        trades=tuple(TradeRef.of(each) for _, each in matched.drifted),
        action=_APPLY,
        safe=True,
    )


def findings_of_strangers(strange: Iterable[ExternalOrder]) -> Iterator[Finding]:
    """What an order that is not ours means: a finding for each state it was seen in."""
    for order in strange:
        kind = Kind(order.kind)
        quiet = order.ended and order.executed_qty == 0
        severity = Severity.CRITICAL if kind is Kind.OTHER_COPY else Severity.MEDIUM if quiet else Severity.HIGH
        name = order.client_order_id or str(order.order_id)
        yield Finding(
            key=f"{kind}:{order.symbol}:{order.order_id}:{order.status}:{plain(order.executed_qty)}",
            kind=kind,
            severity=severity,
            message=(
                f"{_WHO[order.kind]}: {order.side} {order.symbol} order {name} is {order.status}, executed"
                f" {plain(order.executed_qty)} for {plain(order.executed_quote)}"
            ),
            symbol=order.symbol,
            orders=(OrderRef.of(order),),
            action="orders list --external",
        )


def _reset(found: Sorted) -> Finding:
    gone = [matched for matched in found.unlisted if matched.order is not None]
    orders = sorted((ref for matched in gone for ref in _refs(matched)), key=lambda ref: ref.at)
    return Finding(
        key=Kind.EXCHANGE_RESET,
        kind=Kind.EXCHANGE_RESET,
        severity=Severity.CRITICAL,
        message=(
            f"the exchange knows none of our orders up to {orders[-1].client_order_id} any more and the balances are"
            f" others: it was wiped; nothing is bought until that is accepted"
        ),
        orders=tuple(orders),
        action=_APPLY,
    )
