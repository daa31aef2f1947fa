"""``thunes audit checkpoint``: verify the trail up to its end and sign it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import fact_lines
from thunes_cli.cli.result import Result
from thunes_cli.cli.writing import home_journal

if TYPE_CHECKING:
    from thunes_cli.audit.notary import Notary
    from thunes_cli.ledger.segments import CheckpointRow


@command(
    examples=(
        "thunes audit checkpoint",
        "thunes audit checkpoint --json | jq -r .data.checkpoint.note",
        "thunes audit checkpoint --public-key > audit_key.pub",
    ),
    exits=(
        (0, "signed, or nothing was new"),
        (5, "the trail is not what was written; nothing was signed"),
        10,
        13,
        78,
    ),
)
def audit_checkpoint(
    call: Call,
    *,
    public_key: Annotated[
        bool, typer.Option("--public-key", help="Only show the public keys, to be kept off the host.")
    ] = False,
) -> Result:
    """Verify the trail up to its end, sign it, and show the note.

    The daemon does so each thousand records, hourly and at its end. Keep the note off this host: it is the anchor that
    `thunes audit validate --anchor` compares with, the only thing that shows a roll-back to an older copy.
    """
    from thunes_cli.audit.notary import Notary
    from thunes_cli.ledger.segments import read_checkpoint

    with home_journal(call) as journal:
        notary = Notary(journal, credentials=call.credentials)
        if public_key:
            return _keys(notary)
        made = notary.checkpoint()
        with journal.read() as connection:
            newest = read_checkpoint(connection)
    return Result(
        data={"checkpoint": None if newest is None else checkpoint_data(newest)},
        text=_text(newest, changed=made is not None),
        changed=made is not None,
    )


def checkpoint_data(row: CheckpointRow) -> dict[str, Any]:
    """A checkpoint for scripts."""
    return {"segment": row.segment, "seq": row.seq, "length": row.length, "sha256": row.sha256, "note": row.note}


def _text(row: CheckpointRow | None, *, changed: bool) -> tuple[str, ...]:
    if row is None:
        return ("the trail holds nothing yet",)
    facts = [
        ("covers", f"segment {row.segment} up to record {row.seq}, {row.length} bytes"),
        ("SHA-256", row.sha256),
    ]
    return ("signed" if changed else "nothing is new since", fact_lines(facts), "", row.note.rstrip("\n"))


def _keys(notary: Notary) -> Result:
    from thunes_cli.audit.public_keys import read_public_keys
    from thunes_cli.audit.segments import public_key_path

    current = str(notary.key.public)
    keys = [str(key) for key in read_public_keys(public_key_path(notary.journal.trail.path))]
    return Result(data={"public_key": current, "public_keys": keys}, text=tuple(keys))
