"""Proving that what the ledger says of positions is what its fills say."""

from __future__ import annotations

import sqlite3

from thunes_cli.ledger import fills, positions
from thunes_cli.model import Position
from thunes_cli.trading.accounting import apply_fold, fold


def differing_positions(connection: sqlite3.Connection) -> list[tuple[Position, Position]]:
    """Positions whose stored numbers are not the fold of their fills and dust moves: (stored, folded)."""
    differing = []
    for stored in positions.all_positions(connection):
        rows = fills.fills_of_position(connection, stored.id)
        moves = positions.dust_moves_of_position(connection, stored.id)
        folded = apply_fold(stored, fold(rows, moves, base=stored.base))
        if folded != stored:
            differing.append((stored, folded))
    return differing
