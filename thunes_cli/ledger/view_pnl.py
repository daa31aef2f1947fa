"""What was earned and lost since a moment: fills by the time they traded, positions by the time they ended."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from thunes_cli.clock import from_text, to_text
from thunes_cli.ledger.fills import result_between
from thunes_cli.ledger.known import read_prices
from thunes_cli.ledger.positions import all_positions
from thunes_cli.model import Position, PositionStatus


@dataclass(frozen=True, slots=True)
class PnlRows:
    """``realized`` and ``fees`` are in quote; ``unvalued_fees`` counts fees no price was known for.

    ``closed`` ended since then, oldest first; ``held`` is open now, with the last prices recorded. ``began`` is when
    the first of those fills traded, None without any.
    """

    realized: Decimal
    fees: Decimal
    unvalued_fees: int
    closed: tuple[Position, ...]
    held: tuple[Position, ...]
    prices: dict[str, tuple[Decimal, datetime]]
    began: datetime | None


def read_pnl(connection: sqlite3.Connection, *, since: datetime) -> PnlRows:
    """The rows of a profit and loss statement; ``since`` is market time."""
    booked = result_between(connection, since)
    (first,) = connection.execute("SELECT min(traded_at) FROM fills WHERE traded_at >= ?", (to_text(since),)).fetchone()
    known = all_positions(connection)
    ended = [position for position in known if position.exit_time is not None and position.exit_time >= since]
    return PnlRows(
        realized=booked.realized,
        fees=booked.fees,
        unvalued_fees=booked.unvalued,
        closed=tuple(position for position in ended if position.was_traded_away),
        held=tuple(position for position in known if position.status is PositionStatus.OPEN),
        prices=read_prices(connection),
        began=None if first is None else from_text(first),
    )
