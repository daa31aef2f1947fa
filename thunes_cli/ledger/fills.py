"""Fills in the ledger, keyed by (exchange epoch, symbol, trade id): the same trade is never booked twice.

Besides trades there are rows for coins that the operator's word moved between us and the rest of the account; see
:class:`thunes_cli.model.FillSource`.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from thunes_cli.clock import from_text, to_text
from thunes_cli.model import Fill, FillSource, Order, Side, Trade, plain


class FeeValue(NamedTuple):
    """A fee valued in the quote asset. ``how``: exact (quote or base), market, last_known or unknown (then zero)."""

    quote: Decimal
    how: str


def _fill(row: sqlite3.Row) -> Fill:
    return Fill(
        id=row["id"],
        exchange_epoch=row["exchange_epoch"],
        symbol=row["symbol"],
        trade_id=row["trade_id"],
        order_id=row["order_id"],
        position_id=row["position_id"],
        side=Side(row["side"]),
        price=Decimal(row["price"]),
        quantity=Decimal(row["quantity"]),
        quote_quantity=Decimal(row["quote_quantity"]),
        fee=Decimal(row["fee"]),
        fee_asset=row["fee_asset"],
        fee_quote=Decimal(row["fee_quote"]),
        fee_valued=row["fee_valued"],
        realized=Decimal(row["realized"]),
        traded_at=from_text(row["traded_at"]),
        source=FillSource(row["source"]),
        after_trade=row["after_trade"],
    )


def insert_fill(
    connection: sqlite3.Connection, trade: Trade, *, order: Order, position_id: int, fee: FeeValue, at: datetime
) -> bool:
    """Book a trade of ours; False when it is booked already. ``realized`` is set by the fold that follows."""
    cursor = connection.execute(
        "INSERT INTO fills (exchange_epoch, symbol, trade_id, order_id, position_id, side, price, quantity,"
        " quote_quantity, fee, fee_asset, fee_quote, fee_valued, realized, traded_at, booked_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '0', ?, ?)"
        " ON CONFLICT (exchange_epoch, symbol, trade_id) DO NOTHING",
        (
            order.exchange_epoch,
            trade.symbol,
            trade.trade_id,
            order.id,
            position_id,
            trade.side,
            plain(trade.price),
            plain(trade.quantity),
            plain(trade.quote_quantity),
            plain(trade.commission),
            trade.commission_asset,
            plain(fee.quote),
            fee.how,
            to_text(trade.time),
            to_text(at),
        ),
    )
    return cursor.rowcount == 1


def insert_word(
    connection: sqlite3.Connection,
    order: Order,
    *,
    position_id: int,
    source: FillSource,
    quantity: Decimal,
    price: Decimal,
    quote_quantity: Decimal,
    at: datetime,
) -> int:
    """Book coins that moved by the operator's word, after every fill the position has so far; returns its trade id.

    No money moved and no fee was paid. ``realized`` is set by the fold that follows.
    """
    row = connection.execute(
        "INSERT INTO fills (exchange_epoch, symbol, trade_id, order_id, position_id, side, price, quantity,"
        " quote_quantity, fee, fee_asset, fee_quote, fee_valued, realized, traded_at, booked_at, source, after_trade)"
        " SELECT :epoch, :symbol, min(-1, coalesce(min(trade_id), 0) - 1), :order, :position, :side, :price, :quantity,"
        " :quote_quantity, '0', :quote, '0', 'exact', '0', :at, :at, :source,"
        " (SELECT coalesce(max(trade_id), 0) FROM fills WHERE position_id = :position AND source = 'exchange')"
        " FROM fills WHERE exchange_epoch = :epoch AND symbol = :symbol RETURNING trade_id",
        {
            "epoch": order.exchange_epoch,
            "symbol": order.symbol,
            "order": order.id,
            "position": position_id,
            "side": order.side,
            "price": plain(price),
            "quantity": plain(quantity),
            "quote_quantity": plain(quote_quantity),
            "quote": order.quote,
            "at": to_text(at),
            "source": source,
        },
    ).fetchone()
    return int(row["trade_id"])


def fills_of_position(connection: sqlite3.Connection, position_id: int) -> list[Fill]:
    """A position's fills in the order of their trade ids."""
    rows = connection.execute("SELECT * FROM fills WHERE position_id = ? ORDER BY trade_id", (position_id,)).fetchall()
    return [_fill(row) for row in rows]


def fills_of_order(connection: sqlite3.Connection, order_id: int) -> list[Fill]:
    """An order's fills in the order of their trade ids."""
    rows = connection.execute("SELECT * FROM fills WHERE order_id = ? ORDER BY trade_id", (order_id,)).fetchall()
    return [_fill(row) for row in rows]


def known_trade_ids(connection: sqlite3.Connection, order_id: int) -> frozenset[int]:
    """Trades of an order that are booked."""
    rows = connection.execute("SELECT trade_id FROM fills WHERE order_id = ?", (order_id,)).fetchall()
    return frozenset(row["trade_id"] for row in rows)


def all_fills(connection: sqlite3.Connection, *, exchange_epoch: int | None = None) -> list[Fill]:
    """Every fill, in booking order; of one exchange epoch, or of all."""
    rows = connection.execute(
        "SELECT * FROM fills WHERE :epoch IS NULL OR exchange_epoch = :epoch ORDER BY id", {"epoch": exchange_epoch}
    ).fetchall()
    return [_fill(row) for row in rows]


def save_realized(connection: sqlite3.Connection, fill_id: int, realized: Decimal) -> None:
    """Store what a fill realised (quote, net of its fee), as the fold computed it."""
    connection.execute("UPDATE fills SET realized = ? WHERE id = ?", (plain(realized), fill_id))


def find_fill(connection: sqlite3.Connection, symbol: str, trade_id: int, *, exchange_epoch: int) -> Fill | None:
    """The fill of that trade, of whichever order."""
    row = connection.execute(
        "SELECT * FROM fills WHERE exchange_epoch = ? AND symbol = ? AND trade_id = ?",
        (exchange_epoch, symbol, trade_id),
    ).fetchone()
    return None if row is None else _fill(row)


def fills_valued_roughly(connection: sqlite3.Connection, *, limit: int) -> list[Fill]:
    """Fills whose fee could not be valued at the price of the time, newest first."""
    rows = connection.execute(
        "SELECT * FROM fills WHERE fee_valued IN ('last_known', 'unknown') ORDER BY id DESC LIMIT ?", (limit,)
    ).fetchall()
    return [_fill(row) for row in rows]


def correct_fee_value(connection: sqlite3.Connection, fill: Fill, fee: FeeValue) -> bool:
    """Replace a rough value once; False when somebody was quicker."""
    cursor = connection.execute(
        "UPDATE fills SET fee_quote = ?, fee_valued = ? WHERE id = ? AND fee_valued IN ('last_known', 'unknown')",
        (plain(fee.quote), fee.how, fill.id),
    )
    return cursor.rowcount == 1


def correct_fee(connection: sqlite3.Connection, fill: Fill, trade: Trade, fee: FeeValue) -> bool:
    """Replace a fee by what the exchange says it took; False when it is so already."""
    cursor = connection.execute(
        "UPDATE fills SET fee = :fee, fee_asset = :asset, fee_quote = :value, fee_valued = :how"
        " WHERE id = :id AND (fee <> :fee OR fee_asset <> :asset)",
        {
            "fee": plain(trade.commission),
            "asset": trade.commission_asset,
            "value": plain(fee.quote),
            "how": fee.how,
            "id": fill.id,
        },
    )
    return cursor.rowcount == 1


def move_fills(connection: sqlite3.Connection, order_id: int, *, exchange_epoch: int) -> None:
    """An order's fills belong to another life of the exchange."""
    connection.execute("UPDATE fills SET exchange_epoch = ? WHERE order_id = ?", (exchange_epoch, order_id))


def last_fill_id(connection: sqlite3.Connection) -> int:
    """Row id of the fill booked last; 0 before the first."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM fills").fetchone()[0])


def realized_since(
    connection: sqlite3.Connection, moment: datetime, *, before: datetime | None = None, after_fill: int = 0
) -> Decimal:
    """Realised result in quote of the fills traded since a market time (and before another), booked after a row id."""
    rows = connection.execute(
        "SELECT realized FROM fills WHERE traded_at >= ? AND id > ? AND (? IS NULL OR traded_at < ?)",
        (to_text(moment), after_fill, *(2 * (to_text(before) if before is not None else None,))),
    ).fetchall()
    return sum((Decimal(row["realized"]) for row in rows), Decimal(0))


def any_booked_at(connection: sqlite3.Connection, moment: datetime, *, since: datetime, before: datetime) -> bool:
    """Whether a fill traded in a span of market time was booked at exactly this moment."""
    row = connection.execute(
        "SELECT 1 FROM fills WHERE traded_at >= ? AND traded_at < ? AND booked_at = ? LIMIT 1",
        (to_text(since), to_text(before), to_text(moment)),
    ).fetchone()
    return row is not None


class Booked(NamedTuple):
    """What fills brought, in quote: result net of fees, the fees, and how many of these nobody could value."""

    realized: Decimal
    fees: Decimal
    unvalued: int


def result_between(connection: sqlite3.Connection, since: datetime, until: datetime | None = None) -> Booked:
    """What the fills traded from a market time up to another one, or up to now, brought."""
    realized, fees, unvalued = Decimal(0), Decimal(0), 0
    for row in connection.execute(
        "SELECT realized, fee_quote, fee_valued FROM fills WHERE traded_at >= ?1 AND (?2 IS NULL OR traded_at < ?2)",
        (to_text(since), until and to_text(until)),
    ):
        realized += Decimal(row["realized"])
        fees += Decimal(row["fee_quote"])
        unvalued += row["fee_valued"] == "unknown"
    return Booked(realized, fees, unvalued)
