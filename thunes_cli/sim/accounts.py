"""The account's balances. Changes are collected aside and become true only when they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from thunes_cli.sim.amounts import EXACT, ZERO


class Holding(NamedTuple):
    """What the account holds of one asset; ``locked`` is reserved for open orders."""

    free: Decimal
    locked: Decimal


EMPTY = Holding(ZERO, ZERO)


class InsufficientBalance(Exception):
    """The account has not enough free of an asset."""


class Wallet:
    """A view on balances with changes of its own on top; the balances underneath are never touched."""

    def __init__(self, balances: Mapping[str, Holding]) -> None:
        self._balances = balances
        self.changed: dict[str, Holding] = {}

    def holding(self, asset: str) -> Holding:
        """Free and locked, changes included."""
        return self.changed.get(asset) or self._balances.get(asset, EMPTY)

    def credit(self, asset: str, amount: Decimal) -> None:
        """Add to what is free."""
        free, locked = self.holding(asset)
        self.changed[asset] = Holding(EXACT.add(free, amount), locked)

    def debit(self, asset: str, amount: Decimal) -> None:
        """Take from what is free.

        Raises:
            InsufficientBalance: not that much is free.
        """
        free, locked = self.holding(asset)
        if amount > free:
            raise InsufficientBalance(asset)
        self.changed[asset] = Holding(EXACT.subtract(free, amount), locked)

    def lock(self, asset: str, amount: Decimal) -> None:
        """Reserve for an open order.

        Raises:
            InsufficientBalance: not that much is free.
        """
        self.debit(asset, amount)
        free, locked = self.holding(asset)
        self.changed[asset] = Holding(free, EXACT.add(locked, amount))

    def unlock(self, asset: str, amount: Decimal) -> None:
        """Give back what an order had reserved."""
        free, locked = self.holding(asset)
        self.changed[asset] = Holding(EXACT.add(free, amount), EXACT.subtract(locked, amount))
