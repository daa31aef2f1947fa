"""``thunes orders list --external``: orders of the account that this home did not make."""

from __future__ import annotations

from typing import Any

from thunes_cli.cli.call import Call
from thunes_cli.cli.durations import Since
from thunes_cli.cli.figures import moment, price, rounded, short_moment
from thunes_cli.cli.reading import Book, read_book, typed
from thunes_cli.cli.result import Result, Table
from thunes_cli.clock import to_text
from thunes_cli.ledger.external import ExternalOrder, read_external
from thunes_cli.ledger.reconcile import Run, last_run
from thunes_cli.model import plain


def external_result(call: Call, since: Since) -> Result:
    """What comparisons with the exchange have seen so far; it asks nobody."""
    found, run = read_book(call, lambda book: _read(book, since))
    compare = typed(call, "reconcile")
    if run is None:
        note = f"ledger and exchange were never compared: {compare}"
    else:
        note = f"as of the comparison at {moment(run.at)}; a new one: {compare}"
    return Result(
        data={"orders": [_data(order) for order in found]},
        text=(_table(found) if found else "no orders but ours were seen", note),
    )


def _read(book: Book, since: Since) -> tuple[list[ExternalOrder], Run | None]:
    epoch = book.identity.exchange_epoch
    found = read_external(book.connection, exchange_epoch=epoch, since=since.begins(book.now))
    return found, last_run(book.connection)


def _data(order: ExternalOrder) -> dict[str, Any]:
    average = rounded(order.executed_quote / order.executed_qty) if order.executed_qty else None
    return {
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.order_id,
        "symbol": order.symbol,
        "side": str(order.side),
        "state": order.status,
        "requested": plain(order.requested),
        "executed_qty": plain(order.executed_qty),
        "avg_price": None if average is None else plain(average),
        "fees": None,
        "signal_id": None,
        "attempt": None,
        "created_at": to_text(order.placed_at),
        "kind": str(order.kind),
        "effects": {asset: plain(amount) for asset, amount in sorted(order.effects.items())},
        "trades": list(order.trades),
        "accepted_at": to_text(order.accepted_at) if order.accepted_at else None,
    }


def _table(found: list[ExternalOrder]) -> Table:
    rows = tuple(
        (
            short_moment(order.placed_at),
            order.client_order_id or str(order.order_id),
            f"{order.side} {order.symbol}",
            plain(order.executed_qty),
            price(order.executed_quote / order.executed_qty if order.executed_qty else None),
            order.status,
            str(order.kind),
            "yes" if order.accepted_at else "no",
        )
        for order in found
    )
    return Table(("at", "order", "what", "executed", "price", "state", "whose", "known"), rows)
