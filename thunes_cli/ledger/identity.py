"""Who this home is: environment, account, instance and epoch, order numbers, and the anchor of market time."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from thunes_cli.clock import Anchor, from_text, to_text
from thunes_cli.model import ClientOrderId, Environment, Side

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # no 0/o, 1/l: read aloud at three in the morning
INSTANCE_LENGTH = 6
EPOCH_LENGTH = 3
_CLIENT_ID = re.compile(
    rf"th([{_ALPHABET}]{{{INSTANCE_LENGTH}}})([{_ALPHABET}]{{{EPOCH_LENGTH}}})-([BS])-([0-9]{{1,15}})"
)


def draw(length: int) -> str:
    """Random characters for an instance or an epoch."""
    import secrets  # noqa: PLC0415 - hashlib and OpenSSL: every status command imports this file, none draws

    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


class ClientIdParts(NamedTuple):
    """What a client order id of any THUNES home says about its origin."""

    instance: str
    epoch: str
    side: Side
    number: int


def parse_client_order_id(text: str) -> ClientIdParts | None:
    """The parts of a THUNES client order id, or None for anybody else's."""
    match = _CLIENT_ID.fullmatch(text)
    if match is None:
        return None
    instance, epoch, side, number = match.groups()
    return ClientIdParts(instance, epoch, Side.BUY if side == "B" else Side.SELL, int(number))


class Identity(NamedTuple):
    """The one row of ``identity``; ``uid`` is None until the first contact with the exchange."""

    environment: Environment
    instance: str
    epoch: str
    exchange_epoch: int
    uid: str | None
    created_wall: datetime
    entries_from: datetime | None
    anchor: Anchor


def read_identity(connection: sqlite3.Connection) -> Identity:
    """The home's identity."""
    row = connection.execute("SELECT * FROM identity").fetchone()
    return Identity(
        environment=Environment(row["environment"]),
        instance=row["instance"],
        epoch=row["epoch"],
        exchange_epoch=row["exchange_epoch"],
        uid=row["uid"],
        created_wall=from_text(row["created_wall"]),
        entries_from=from_text(row["entries_from"]) if row["entries_from"] else None,
        anchor=Anchor(from_text(row["anchor_wall"]), from_text(row["anchor_market"]), Decimal(row["anchor_speed"])),
    )


def read_epochs(connection: sqlite3.Connection) -> frozenset[str]:
    """Every epoch of this home's client ids, earlier ones included."""
    return frozenset(row["epoch"] for row in connection.execute("SELECT epoch FROM epochs"))


def read_next_order(connection: sqlite3.Connection) -> int:
    """The number the next client order id will carry."""
    return int(connection.execute("SELECT next_order FROM identity").fetchone()[0])


def begin_exchange_epoch(connection: sqlite3.Connection) -> int:
    """The exchange was wiped: what follows belongs to another life of it; returns its number."""
    row = connection.execute(
        "UPDATE identity SET exchange_epoch = exchange_epoch + 1 RETURNING exchange_epoch"
    ).fetchone()
    return int(row["exchange_epoch"])


def take_over_instance(connection: sqlite3.Connection, instance: str, *, epochs: Iterable[str], wall: datetime) -> str:
    """Become an instance whose ledger is lost: its epochs are known from now on, ours is a new one, returned."""
    fresh = draw(EPOCH_LENGTH)
    seen = set(epochs) | read_epochs(connection)
    while fresh in seen:
        fresh = draw(EPOCH_LENGTH)
    connection.executemany(
        "INSERT INTO epochs (epoch, drawn_wall, why) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [*((epoch, to_text(wall), "found") for epoch in sorted(epochs)), (fresh, to_text(wall), "rebuild")],
    )
    connection.execute("UPDATE identity SET instance = ?, epoch = ?", (instance, fresh))
    return fresh


def leave_epoch(connection: sqlite3.Connection, *, wall: datetime, why: str = "found") -> str:
    """Go on with client ids that nobody can have used: another copy of this home has used ours. Returns the new epoch.

    What was made before stays known by the old one. ``why``: ``found`` (such a copy was), or ``restore``.
    """
    seen = read_epochs(connection)
    fresh = draw(EPOCH_LENGTH)
    while fresh in seen:
        fresh = draw(EPOCH_LENGTH)
    connection.execute("INSERT INTO epochs (epoch, drawn_wall, why) VALUES (?, ?, ?)", (fresh, to_text(wall), why))
    connection.execute("UPDATE identity SET epoch = ?", (fresh,))
    return fresh


def skip_order_numbers(connection: sqlite3.Connection, *, past: int) -> None:
    """Never use a number up to and including ``past`` (again)."""
    connection.execute("UPDATE identity SET next_order = max(next_order, ?)", (past + 1,))


def take_client_order_id(connection: sqlite3.Connection, side: Side) -> ClientOrderId:
    """The next client order id; its number is never used again, even when the transaction's order is not sent."""
    row = connection.execute(
        "UPDATE identity SET next_order = next_order + 1 RETURNING instance, epoch, next_order - 1 AS n"
    ).fetchone()
    return ClientOrderId(f"th{row['instance']}{row['epoch']}-{side[0]}-{row['n']}")


def take_word_id(connection: sqlite3.Connection, word: str) -> ClientOrderId:
    """An id for coins that moved by the operator's word; it is no client order id and never goes to the exchange."""
    row = connection.execute("UPDATE identity SET next_order = next_order + 1 RETURNING next_order - 1 AS n").fetchone()
    return ClientOrderId(f"{word}-{row['n']}")


def save_anchor(connection: sqlite3.Connection, anchor: Anchor) -> None:
    """Remember the exchange's clock for every process."""
    connection.execute(
        "UPDATE identity SET anchor_wall = ?, anchor_market = ?, anchor_speed = ?",
        (to_text(anchor.wall), to_text(anchor.market), format(anchor.speed, "f")),
    )


def save_uid(connection: sqlite3.Connection, uid: str) -> None:
    """Tie the home to the account met first."""
    connection.execute("UPDATE identity SET uid = ? WHERE uid IS NULL", (uid,))


def save_entries_from(connection: sqlite3.Connection, moment: datetime) -> None:
    """Only candles closing after this market time may be entered."""
    connection.execute("UPDATE identity SET entries_from = ?", (to_text(moment),))
