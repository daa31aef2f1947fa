"""Which environment and market time an answer belongs to, read from the home's ledger; never fails, never writes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from thunes_cli.clock import to_text, utc_now
from thunes_cli.errors import ThunesError


class Stamp(NamedTuple):
    """``environment`` is empty while there is no readable ledger; then ``ts`` is wall time."""

    environment: str
    ts: str
    wall_ts: str


def read_stamp(home: Path | None) -> Stamp:
    """The stamp of an answer about ``home`` given now."""
    wall = utc_now()
    environment, market = "", wall
    if home is not None:
        import sqlite3

        from thunes_cli.ledger.connection import open_for_reading
        from thunes_cli.ledger.identity import read_identity

        try:
            connection = open_for_reading(home / "thunes.db")
            try:
                identity = read_identity(connection)
            finally:
                connection.close()
            environment, market = str(identity.environment), identity.anchor.market_at(wall)
        except (ThunesError, sqlite3.Error, OSError, ValueError, TypeError, IndexError):
            pass  # the answer itself says what is wrong with the ledger; its stamp falls back to wall time
    return Stamp(environment=environment, ts=to_text(market), wall_ts=to_text(wall))
