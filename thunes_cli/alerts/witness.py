"""The checkpoint that goes out with an alert: what the trail is, told where nobody can change it any more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from thunes_cli.audit.journal import Journal


def anchor_of(journal: Journal, credentials: Path | None) -> Callable[[], str | None]:
    """What verifies and signs the trail up to its end, on the thread of whoever sends, and returns the note.

    ``credentials``: the directory of systemd's credentials, where the key may be.
    """

    def anchor() -> str | None:
        from thunes_cli.audit.notary import Notary  # noqa: PLC0415 - cryptography, and only when there is much to tell
        from thunes_cli.ledger.segments import read_checkpoint  # noqa: PLC0415 - as above

        Notary(journal, credentials=credentials).checkpoint()
        with journal.read() as connection:
            row = read_checkpoint(connection)
        return None if row is None else row.note

    return anchor
