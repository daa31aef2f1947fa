"""``thunes keys history``: which API keys this home used, who changed them, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import moment
from thunes_cli.cli.reading import Book, read_book
from thunes_cli.cli.result import Result, Table
from thunes_cli.clock import to_text
from thunes_cli.ledger.api_keys import KeyRow, RotationRow, read_keys, read_rotations

if TYPE_CHECKING:
    from datetime import datetime


@command(
    examples=("thunes keys history", "thunes keys history --json | jq '.data.rotations[-1]'"),
    exits=(5, 10, 13, 78),
)
def keys_history(call: Call) -> Result:
    """Which API keys did this home use?

    By fingerprint: every change with who made it and why, oldest first. `outside` means that nobody rotated here, and
    another key was found at a start.
    """
    rotations, keys = read_book(call, _read)
    rows = tuple(_row(each) for each in rotations)
    return Result(
        data={"rotations": [_rotation(each) for each in rotations], "keys": [_key(each) for each in keys]},
        text=(
            Table(("id", "at", "old", "new", "state", "by", "why"), rows) if rows else "the key was never changed",
            *(f"key {each.fingerprint}: {_fate(each)}" for each in keys),
        ),
    )


def _row(each: RotationRow) -> tuple[str, ...]:
    why = each.reason if each.problem is None else f"{each.reason}: {each.problem}"
    at = moment(each.started_at)
    return (str(each.id), at, each.old_fingerprint or "", each.new_fingerprint, each.state, each.actor, why)


def _read(book: Book) -> tuple[list[RotationRow], list[KeyRow]]:
    return read_rotations(book.connection), read_keys(book.connection)


def _fate(key: KeyRow) -> str:
    if key.retired_at is None:
        return f"in use since {key.first_seen:%Y-%m-%d}"
    if key.dead_at is not None:
        answer = "" if key.dead_answer is None else f"; the exchange refused it: {key.dead_answer}"
        return f"replaced {key.retired_at:%Y-%m-%d}, deleted by {key.dead_by}'s word of {key.dead_at:%Y-%m-%d}{answer}"
    return f"replaced {key.retired_at:%Y-%m-%d}, not known to be deleted"


def _rotation(each: RotationRow) -> dict[str, Any]:
    return {
        "id": each.id,
        "old_fingerprint": each.old_fingerprint,
        "new_fingerprint": each.new_fingerprint,
        "source": each.source,
        "reason": each.reason,
        "actor": each.actor,
        "state": each.state,
        "started_at": to_text(each.started_at),
        "ended_at": _text(each.ended_at),
        "problem": each.problem,
        "daemon_problem": each.daemon_problem,
        "old_accepted": each.old_accepted,
        "old_bound": each.old_bound,
    }


def _key(each: KeyRow) -> dict[str, Any]:
    return {
        "fingerprint": each.fingerprint,
        "kind": each.kind,
        "source": each.source,
        "created_at": to_text(each.created_at),
        "first_seen": to_text(each.first_seen),
        "compromised_at": _text(each.compromised_at),
        "retired_at": _text(each.retired_at),
        "dead_at": _text(each.dead_at),
        "dead_by": each.dead_by,
        "dead_answer": each.dead_answer,
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)
