"""Of many symbols, those that a comparison has to read: where something may have happened, and some others in turn.

The lists of one symbol cost 40 of the minute's 6,000 of request weight, so three hundred symbols take more than two
minutes: too long for every hour, and for a start with positions that nobody looks at meanwhile. But whatever is traded
moves balances, and those are one question however many symbols there are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence

from thunes_cli.ledger.order_numbers import last_exchange_ids
from thunes_cli.ledger.orders import unfinished
from thunes_cli.ledger.positions import open_positions
from thunes_cli.ledger.reconcile import known_findings, runs_made
from thunes_cli.model import Account
from thunes_cli.trading.expected import differences
from thunes_cli.trading.reconcile_books import Before

ALL_AT_ONCE = 20  # so many cost 800 of weight and a few seconds
IN_TURN = 10


def choose_symbols(
    connection: sqlite3.Connection, before: Before, symbols: Mapping[str, tuple[str, str]], account: Account
) -> list[str]:
    """The symbols to read, of these with their base and quote; all of them when they are few.

    Those in turn are other ones after each comparison, so that in the end each is read: what bought and sold again
    leaves no trace in balances.
    """
    if len(symbols) <= ALL_AT_ONCE:
        return list(symbols)
    stirred = _stirred(connection, before) | _named(connection, before)
    moved = differences(connection, account).keys()
    busy = [name for name, (base, _) in symbols.items() if name in stirred or base in moved or base in stirred]
    quiet = sorted(symbols.keys() - set(busy))
    return [*busy, *_turn(quiet, runs_made(connection))]


def _stirred(connection: sqlite3.Connection, before: Before) -> set[str]:
    """Symbols that hold something, wait for something, or were ordered since they were read."""
    ours = last_exchange_ids(connection, exchange_epoch=before.identity.exchange_epoch)
    read = {symbol: cursor.order_id for symbol, cursor in before.cursors.items()}
    unread = {symbol for symbol, number in ours.items() if number > read.get(symbol, -1)}
    held = {position.symbol for position in open_positions(connection)}
    waiting = {sending.order.symbol for sending in unfinished(connection)}
    return unread | held | waiting | {order.symbol for order in before.external if not order.ended}


def _named(connection: sqlite3.Connection, before: Before) -> set[str]:
    """Symbols and assets of which the last comparison said something: it is over only when it is looked for again."""
    known = known_findings(connection, exchange_epoch=before.identity.exchange_epoch)
    return {part for key in known for part in key.split(":")[1:2]}


def _turn(quiet: Sequence[str], runs: int) -> Collection[str]:
    if not quiet:
        return ()
    first = runs * IN_TURN % len(quiet)
    return dict.fromkeys([*quiet, *quiet][first : first + IN_TURN])
