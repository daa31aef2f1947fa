"""Writing down what a comparison found: for ``status``, for the trail, for the operator, and for the rules.

A finding alerts when it is new, and once. A symbol of which it is not known what we hold takes no entries until that
is settled; a second copy of this home and a wiped exchange stop all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change, Journal
from thunes_cli.clock import to_text
from thunes_cli.ledger import alert_kinds, alerts, controls
from thunes_cli.ledger import reconcile as rows
from thunes_cli.ledger.cursors import Cursor, read_cursors, save_cursor
from thunes_cli.ledger.external import forget_external, save_external
from thunes_cli.ledger.identity import leave_epoch, parse_client_order_id, read_identity, read_next_order
from thunes_cli.ledger.known import TRADABLE, save_known
from thunes_cli.model import plain
from thunes_cli.risk.freezing import freeze_symbol, unfreeze_symbol
from thunes_cli.trading.findings import Finding, Kind, OrderRef, Severity, TradeRef
from thunes_cli.trading.reconcile_inputs import Listed
from thunes_cli.trading.reconcile_look import Look

ACTOR = "reconcile"
_SHOWN = 8
_KEPT, _KEPT_INFO = 200, 20  # findings a run keeps: a testnet account may differ in five hundred assets
_STOPS_ALL = frozenset({Kind.OTHER_COPY, Kind.EXCHANGE_RESET})
_STOPS_ONE = frozenset({Kind.MISSING_ORDER, Kind.UNRECORDED_FILL})
_ALERTS = {  # what is not the ledger's own business alerts as a kind of its own
    Kind.EXTERNAL_ORDER: alert_kinds.Kind.EXTERNAL_ORDER,
    Kind.OTHER_INSTANCE: alert_kinds.Kind.EXTERNAL_ORDER,
    Kind.OTHER_COPY: alert_kinds.Kind.OTHER_COPY,
}
_HEADS = {
    alert_kinds.Kind.EXTERNAL_ORDER: "Somebody else uses the account",
    alert_kinds.Kind.OTHER_COPY: "A second copy of this home trades, entries are stopped",
}


def finding_data(finding: Finding) -> dict[str, Any]:
    """A finding as JSON: the contract's keys, and a message."""

    def text(value: Any) -> str | None:
        return None if value is None else plain(value)

    return {
        "kind": str(finding.kind),
        "severity": str(finding.severity),
        "asset": finding.asset,
        "symbol": finding.symbol,
        "exchange_qty": text(finding.exchange_qty),
        "local_qty": text(finding.local_qty),
        "difference": text(finding.difference),
        "evidence": {
            "orders": [_order_data(ref) for ref in finding.orders],
            "trades": [_trade_data(ref) for ref in finding.trades],
        },
        "action": finding.action,
        "safe": finding.safe,
        "message": finding.message,
    }


def _order_data(ref: OrderRef) -> dict[str, Any]:
    return {
        "symbol": ref.symbol,
        "exchange_order_id": ref.order_id,
        "client_order_id": ref.client_order_id,
        "side": str(ref.side),
        "executed_qty": plain(ref.executed_qty),
        "at": to_text(ref.at),
    }


def _trade_data(ref: TradeRef) -> dict[str, Any]:
    return {
        "symbol": ref.symbol,
        "trade_id": ref.trade_id,
        "side": str(ref.side),
        "price": plain(ref.price),
        "quantity": plain(ref.quantity),
        "at": to_text(ref.at),
    }


def write_down(journal: Journal, look: Look, *, by: str, traded: Sequence[str], asked: bool = False) -> list[Finding]:
    """Keep a comparison; returns the findings that are new.

    Args:
        journal: of the home.
        look: the comparison.
        by: who asked for it: ``operator``, ``job``, ``start``.
        traded: the symbols to stop when everything must stop.
        asked: by a person, who is not taken by surprise: nothing is frozen but everything, where that is called for.
    """
    with journal.change() as change:
        epoch = read_identity(change.connection).exchange_epoch
        before = rows.last_run(change.connection)
        fresh = _note_findings(change, look, epoch)
        if look.scope.symbol is None:
            _note_run(change, look, by=by)
        if not look.comparison.wiped:
            for order in look.comparison.foreign:
                save_external(change.connection, order, exchange_epoch=epoch, at=change.at)
            for order in look.comparison.withdrawn:
                forget_external(change.connection, order.symbol, order.order_id, exchange_epoch=epoch)
            _leave_epoch_of_a_copy(change, look)
            _move_cursors(change, look, epoch)
        tradable = {symbol: rules.tradable for symbol, rules in look.rules.items()}
        save_known(change.connection, TRADABLE, tradable, at=change.at)
        tell_findings(change, fresh)
        if before is not None and not before.clean and look.comparison.clean and look.scope.symbol is None:
            text = "Ledger and exchange agree again. Next: thunes status"
            change.alert(alert_kinds.Kind.RECONCILE, text, alerts.Severity.INFO)
        _freeze(change, look, traded, asked=asked)
        return fresh


def _leave_epoch_of_a_copy(change: Change, look: Look) -> None:
    """Ids that another copy has used, or may use next, are no ids for us: an exit would carry one a second time."""
    identity = read_identity(change.connection)
    next_order = read_next_order(change.connection)
    for order in look.comparison.foreign:
        parts = parse_client_order_id(order.client_order_id)
        if parts is None or (parts.instance, parts.epoch) != (identity.instance, identity.epoch):
            continue
        if parts.number < next_order:
            continue
        epoch = leave_epoch(change.connection, wall=change.at_wall)
        change.record(
            Event.EPOCH_DRAWN, epoch=epoch, before=identity.epoch, client_order_id=order.client_order_id, why="copy"
        )
        return


def _note_findings(change: Change, look: Look, epoch: int) -> list[Finding]:
    connection = change.connection
    present = {finding.key for finding in look.comparison.findings}
    fresh = [each for each in look.comparison.findings if note_finding(change, each, epoch) and each.counts]
    if look.scope.symbol is None:
        for key in rows.known_findings(connection, exchange_epoch=epoch).keys() - present:
            rows.end_finding(connection, key, exchange_epoch=epoch)
    return fresh


def note_finding(change: Change, finding: Finding, epoch: int) -> bool:
    """Keep a finding, and put it on the trail when it is new and counts; False when it was known."""
    new = rows.begin_finding(
        change.connection,
        finding.key,
        kind=finding.kind,
        severity=finding.severity,
        exchange_epoch=epoch,
        at=change.at,
    )
    if new and finding.counts:
        change.record(
            Event.RECONCILE_FINDING,
            kind=finding.kind,
            severity=finding.severity,
            asset=finding.asset,
            symbol=finding.symbol,
            difference=finding.difference,
            message=finding.message,
            client_order_id=finding.orders[0].client_order_id if finding.orders else None,
        )
    return new


def _note_run(change: Change, look: Look, *, by: str) -> None:
    comparison = look.comparison
    counted = [finding for finding in comparison.findings if finding.counts]
    quiet = [finding for finding in comparison.findings if not finding.counts]
    rows.insert_run(
        change.connection,
        at=change.at,
        clean=comparison.clean,
        checked=comparison.checked,
        findings=[finding_data(finding) for finding in [*counted[:_KEPT], *quiet[:_KEPT_INFO]]],
    )
    change.record(Event.RECONCILED, by=by, clean=comparison.clean, findings=len(counted), **comparison.checked)


def _move_cursors(change: Change, look: Look, epoch: int) -> None:
    cursors = read_cursors(change.connection, exchange_epoch=epoch)
    for listed in look.market.listed.values():
        save_cursor(change.connection, _moved(look, listed, cursors.get(listed.window.symbol)), exchange_epoch=epoch)


def _moved(look: Look, listed: Listed, cursor: Cursor | None) -> Cursor:
    """As far as everything was listed and what is ours is booked: what waits is found again."""
    window = listed.window
    waiting = [
        matched
        for matched in look.comparison.matched
        if matched.symbol == window.symbol and (matched.missing or matched.order is None or matched.order.state.live)
    ]
    orders = [matched.report.order_id - 1 for matched in waiting if matched.report is not None]
    trades = [trade.trade_id - 1 for matched in waiting for trade in matched.missing]
    last_order = max((report.order_id for report in listed.orders), default=-1)
    last_trade = max((trade.trade_id for trade in listed.trades), default=-1)
    floor_order, floor_trade = (
        _floor(look, listed) if cursor is None else (cursor.floor_order_id, cursor.floor_trade_id)
    )
    return Cursor(
        symbol=window.symbol,
        base=window.base,
        quote=window.quote,
        order_id=min([max(last_order, window.first_order - 1, cursor.order_id if cursor else -1), *orders]),
        trade_id=min([max(last_trade, window.first_trade - 1, cursor.trade_id if cursor else -1), *trades]),
        floor_order_id=floor_order,
        floor_trade_id=floor_trade,
    )


def _floor(look: Look, listed: Listed) -> tuple[int, int]:
    """The last order and trade of before the baseline; never so high that one of ours lies below."""
    began, ours = look.books.baseline_at, {order.client_order_id for order in look.books.orders}
    numbers = {order.exchange_order_id for order in look.books.orders if order.symbol == listed.window.symbol}
    old_orders = [each.order_id for each in listed.orders if each.time < began]
    our_orders = [each.order_id for each in listed.orders if each.client_order_id in ours]
    old_trades = [each.trade_id for each in listed.trades if each.time < began]
    our_trades = [each.trade_id for each in listed.trades if each.order_id in numbers]
    return (
        min([max(old_orders, default=-1), *(number - 1 for number in our_orders)]),
        min([max(old_trades, default=-1), *(number - 1 for number in our_trades)]),
    )


def tell_findings(change: Change, fresh: Sequence[Finding]) -> None:
    """One alert for each thing to be done about it: a difference, a stranger's orders, a second copy."""
    told: dict[alert_kinds.Kind, list[Finding]] = {}
    for finding in fresh:
        told.setdefault(_ALERTS.get(finding.kind, alert_kinds.Kind.RECONCILE), []).append(finding)
    for kind, findings in told.items():
        worst = max(findings, key=lambda finding: finding.severity.rank).severity
        lines = [f"{_HEADS.get(kind, 'Ledger and exchange differ')} ({len(findings)} new):"]
        lines += [f"- {finding.kind}: {finding.message}" for finding in findings[:_SHOWN]]
        lines += [f"- and {len(findings) - _SHOWN} more"] if len(findings) > _SHOWN else []
        lines.append(f"Next: thunes {'reconcile' if kind is alert_kinds.Kind.RECONCILE else 'orders list --external'}")
        loud = worst in {Severity.HIGH, Severity.CRITICAL}
        change.alert(kind, "\n".join(lines), alerts.Severity.CRITICAL if loud else alerts.Severity.WARNING)


# -- freezing ----------------------------------------------------------------------------------------------------


def _freeze(change: Change, look: Look, everything: Sequence[str], *, asked: bool) -> None:
    findings = look.comparison.findings
    wanted = _to_freeze(findings, everything)
    frozen = controls.frozen_symbols(change.connection)
    alarms = [finding for finding in findings if finding.kind in _STOPS_ALL]
    for symbol, reason in sorted((_to_freeze(alarms, everything) if asked else wanted).items()):
        if freeze_symbol(change, symbol, reason=reason, actor=ACTOR):
            frozen.pop(symbol, None)
    if look.scope.symbol is not None:
        return
    for symbol, freeze in frozen.items():
        if freeze.actor == ACTOR and symbol not in wanted:
            unfreeze_symbol(change, symbol, reason="ledger and exchange agree about it again", actor=ACTOR)


def _to_freeze(findings: Iterable[Finding], everything: Sequence[str]) -> Mapping[str, str]:
    wanted: dict[str, str] = {}
    for finding in findings:  # worst first, so that the worst reason stands
        reason = f"{finding.kind}: {re.sub(r'; nothing is bought.*', '', finding.message)}"
        if finding.kind in _STOPS_ALL:
            symbols: Iterable[str] = everything
        elif finding.kind in _STOPS_ONE or (finding.kind is Kind.LOCAL_MORE and finding.symbol is not None):
            symbols = [finding.symbol] if finding.symbol else []
        else:
            continue
        for symbol in symbols:
            wanted.setdefault(symbol, reason)
    return wanted
