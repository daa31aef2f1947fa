"""Orders of the account that this home did not make, as far as comparisons have seen them."""

from __future__ import annotations

import enum
import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from thunes_cli.clock import from_text, to_text
from thunes_cli.model import Side, plain

_ENDED = frozenset({"FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED"})


class Stranger(enum.StrEnum):
    """Who made it: somebody else, another THUNES home, or a second copy of this one."""

    EXTERNAL = "external_order"
    OTHER_INSTANCE = "other_instance"
    OTHER_COPY = "other_copy"


@dataclass(frozen=True, slots=True)
class ExternalOrder:
    """``requested`` is quote for a market BUY by amount, else base; ``effects`` is what its trades changed, by asset.

    ``accepted_at``: the operator knows of it, in the state it has here.
    """

    symbol: str
    order_id: int
    client_order_id: str
    kind: Stranger
    side: Side
    status: str
    requested: Decimal
    executed_qty: Decimal
    executed_quote: Decimal
    trades: tuple[int, ...]
    effects: dict[str, Decimal]
    placed_at: datetime
    accepted_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more can come of it."""
        return self.status in _ENDED


def _external(row: sqlite3.Row) -> ExternalOrder:
    return ExternalOrder(
        symbol=row["symbol"],
        order_id=row["order_id"],
        client_order_id=row["client_order_id"],
        kind=Stranger(row["kind"]),
        side=Side(row["side"]),
        status=row["status"],
        requested=Decimal(row["requested"]),
        executed_qty=Decimal(row["executed_qty"]),
        executed_quote=Decimal(row["executed_quote"]),
        trades=tuple(json.loads(row["trades"])),
        effects={asset: Decimal(amount) for asset, amount in json.loads(row["effects"]).items()},
        placed_at=from_text(row["placed_at"]),
        accepted_at=from_text(row["accepted_at"]) if row["accepted_at"] else None,
    )


def read_external(
    connection: sqlite3.Connection, *, exchange_epoch: int, since: datetime | None = None
) -> list[ExternalOrder]:
    """Every order of that epoch that is not ours, oldest first; placed since a market time."""
    rows = connection.execute(
        "SELECT * FROM external_orders WHERE exchange_epoch = ? AND placed_at >= ?"
        " ORDER BY placed_at, symbol, order_id",
        (exchange_epoch, to_text(since) if since else ""),
    ).fetchall()
    return [_external(row) for row in rows]


def save_external(connection: sqlite3.Connection, order: ExternalOrder, *, exchange_epoch: int, at: datetime) -> None:
    """Write down an order that is not ours, as it is now."""
    values = {
        "exchange_epoch": exchange_epoch,
        "symbol": order.symbol,
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "kind": order.kind,
        "side": order.side,
        "status": order.status,
        "requested": plain(order.requested),
        "executed_qty": plain(order.executed_qty),
        "executed_quote": plain(order.executed_quote),
        "trades": json.dumps(order.trades),
        "effects": json.dumps({asset: plain(amount) for asset, amount in sorted(order.effects.items())}),
        "placed_at": to_text(order.placed_at),
        "seen_at": to_text(at),
        "accepted_at": to_text(order.accepted_at) if order.accepted_at else None,
    }
    changing = ("kind", "status", "executed_qty", "executed_quote", "trades", "effects", "accepted_at")
    connection.execute(
        f"INSERT INTO external_orders ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608 - names
        " ON CONFLICT (exchange_epoch, symbol, order_id) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in changing),
        tuple(values.values()),
    )


def accept_external(
    connection: sqlite3.Connection, symbol: str, order_id: int, *, exchange_epoch: int, at: datetime
) -> bool:
    """The operator knows of it; False when that is written down already, or nothing is known of the order."""
    cursor = connection.execute(
        "UPDATE external_orders SET accepted_at = ? WHERE exchange_epoch = ? AND symbol = ? AND order_id = ?"
        " AND accepted_at IS NULL",
        (to_text(at), exchange_epoch, symbol, order_id),
    )
    return cursor.rowcount == 1


def forget_external(connection: sqlite3.Connection, symbol: str, order_id: int, *, exchange_epoch: int) -> None:
    """An order that was taken for somebody else's has turned out to be ours."""
    connection.execute(
        "DELETE FROM external_orders WHERE exchange_epoch = ? AND symbol = ? AND order_id = ?",
        (exchange_epoch, symbol, order_id),
    )
