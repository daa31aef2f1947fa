"""The history of a control (kill switch, breaker, freeze), for people and for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thunes_cli.cli.figures import moment
from thunes_cli.cli.result import Table
from thunes_cli.clock import to_text
from thunes_cli.ledger.controls import Transition


def transition_data(row: Transition) -> dict[str, Any]:
    """A row of a control's history; ``facts`` are the numbers that decided, or who exactly the operator was."""
    return {
        "at": to_text(row.at),
        "wall_at": to_text(row.at_wall),
        "name": row.name,
        "from": row.from_state,
        "to": row.to_state,
        "reason": row.reason,
        "actor": row.actor,
        "facts": row.facts,
    }


def transition_table(rows: Sequence[Transition]) -> Table:
    """The history for people."""
    cells = tuple((moment(row.at), row.from_state, row.to_state, row.actor, row.reason) for row in rows)
    return Table(("at", "from", "to", "by", "reason"), cells)
