"""What the account must hold if the ledger is right, and what it shows of an order that no list knows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from decimal import Decimal

from thunes_cli.ledger import fills, orders
from thunes_cli.ledger.baseline import baseline_taken, read_not_ours
from thunes_cli.ledger.identity import read_identity
from thunes_cli.ledger.reconcile import known_findings
from thunes_cli.model import ZERO, Account, Order, Side, plain
from thunes_cli.trading.accounting import add_effects, asset_effects


def expected_totals(connection: sqlite3.Connection) -> dict[str, Decimal] | None:
    """Baseline, flows and the effects of every fill of this exchange epoch, by asset; None before the first contact."""
    epoch = read_identity(connection).exchange_epoch
    if baseline_taken(connection, exchange_epoch=epoch) is None:
        return None
    totals = read_not_ours(connection, exchange_epoch=epoch)
    booked = fills.all_fills(connection, exchange_epoch=epoch)
    add_effects(totals, asset_effects(booked, assets=orders.symbols_ordered(connection)))
    return totals


def differences(connection: sqlite3.Connection, account: Account) -> Mapping[str, Decimal]:
    """By asset what the account holds beyond the ledger's word, less than nothing when it lacks some; nothing at all
    before the first contact. What a comparison has found already, to the digit, is left out.
    """
    expected = expected_totals(connection)
    if expected is None:
        return {}
    epoch = read_identity(connection).exchange_epoch
    known = {key.partition(":")[2] for key in known_findings(connection, exchange_epoch=epoch)}
    found = {}
    for asset in account.balances.keys() | expected.keys():
        held = account.balances[asset].total if asset in account.balances else ZERO
        difference = held - expected.get(asset, ZERO)
        if difference and f"{asset}:{plain(difference)}" not in known:
            found[asset] = difference
    return found


def trace_of(order: Order, differing: Mapping[str, Decimal]) -> Decimal | None:
    """How much of an order's base asset came or went in its direction with no word of it; None for nothing."""
    difference = differing.get(order.base, ZERO)
    points_its_way = difference > 0 if order.side is Side.BUY else difference < 0
    return difference if points_its_way else None
