"""Accepting everything a comparison left, in one transaction: the operator has looked, and that is how it is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.ledger import controls
from thunes_cli.ledger import reconcile as rows
from thunes_cli.ledger.external import accept_external
from thunes_cli.ledger.identity import read_identity
from thunes_cli.model import plain
from thunes_cli.risk.freezing import unfreeze_symbol
from thunes_cli.trading.adopting import accept_difference, release, require_position
from thunes_cli.trading.findings import FOREIGN, Finding, Kind
from thunes_cli.trading.operator_word import Judgement
from thunes_cli.trading.reconcile_apply import Applied
from thunes_cli.trading.reconcile_assets import selling_price
from thunes_cli.trading.reconcile_look import Look
from thunes_cli.trading.reconcile_record import ACTOR


def accept_everything(
    change: Change, look: Look, who: Judgement, *, price: Decimal | None, max_daily_loss: Decimal
) -> list[Applied]:
    """Settle every finding that only a person can settle; what our own orders prove is left to booking.

    Raises:
        MismatchError: that must be booked first (4). LedgerMoved: somebody was quicker (13).
    """
    applied: list[Applied] = []
    for finding in look.comparison.findings:
        if finding.safe:
            continue
        if finding.kind is Kind.LOCAL_MORE and finding.symbol is not None:
            applied += _release(change, look, finding, who, price=price, max_daily_loss=max_daily_loss)
        elif finding.asset is not None:
            accepted = accept_difference(change, look, finding.asset, who)
            what = f"{finding.asset}: not ours are {plain(accepted.after)}, were {plain(accepted.before)}"
            applied.append(Applied(finding.kind, what, asset=finding.asset))
        elif finding.kind in FOREIGN:
            applied += _know(change, finding, who)
        elif finding.kind is Kind.MISSING_ORDER:
            applied += _live_with(change, finding, who)
    if any(finding.kind is Kind.OTHER_COPY for finding in look.comparison.findings):
        _thaw(change)
    return applied


def _release(
    change: Change, look: Look, finding: Finding, who: Judgement, *, price: Decimal | None, max_daily_loss: Decimal
) -> Iterator[Applied]:
    assert finding.symbol is not None
    strange = [order for order in look.comparison.foreign if order.accepted_at is None]
    stated = price if price is not None else selling_price(strange, finding.symbol)
    if stated is None:
        return
    position = require_position(look, finding.symbol)
    rules = look.rules.get(finding.symbol)
    after = release(
        change,
        look,
        position,
        price=stated,
        quantity=None,
        rules=rules,
        max_daily_loss=max_daily_loss,
        who=who,
    )
    what = f"position {after.id} is {after.status}, {plain(after.quantity)} {after.base}; released at {plain(stated)}"
    yield Applied(Kind.LOCAL_MORE, what, asset=after.base, symbol=after.symbol)


def _know(change: Change, finding: Finding, who: Judgement) -> Iterator[Applied]:
    epoch = read_identity(change.connection).exchange_epoch
    for ref in finding.orders:
        if ref.order_id is None:
            continue
        if accept_external(change.connection, ref.symbol, ref.order_id, exchange_epoch=epoch, at=change.at):
            _record(change, finding, who)
            what = f"order {ref.client_order_id or ref.order_id} of {ref.symbol} is known to be somebody else's"
            yield Applied(finding.kind, what, symbol=ref.symbol, client_order_id=ref.client_order_id)


def _live_with(change: Change, finding: Finding, who: Judgement) -> Iterator[Applied]:
    epoch = read_identity(change.connection).exchange_epoch
    if rows.accept_finding(change.connection, finding.key, exchange_epoch=epoch, reason=who.reason, at=change.at):
        _record(change, finding, who)
        yield Applied(finding.kind, f"lived with: {finding.message}", symbol=finding.symbol)


def _record(change: Change, finding: Finding, who: Judgement) -> None:
    change.record(
        Event.FINDING_ACCEPTED,
        kind=finding.kind,
        symbol=finding.symbol,
        message=finding.message,
        client_order_id=finding.orders[0].client_order_id if finding.orders else None,
        reason=who.reason,
        actor=who.actor,
        **who.facts,
    )


def _thaw(change: Change) -> None:
    """The operator knows of the other copy; should it go on trading, its next order stops everything again."""
    for symbol, freeze in controls.frozen_symbols(change.connection).items():
        if freeze.actor == ACTOR and freeze.reason.startswith(Kind.OTHER_COPY):
            unfreeze_symbol(change, symbol, reason="the other copy's orders were accepted", actor=ACTOR)
