"""Matching: what an order takes from a book. Pure functions on exact decimals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from thunes_cli.model import Side
from thunes_cli.sim.amounts import ZERO, divide, floor, multiply
from thunes_cli.sim.book import Book, Level


@dataclass(frozen=True, slots=True)
class Match:
    """What an order took, level by level, and whether the book ran dry before the order had enough."""

    takes: tuple[Level, ...]
    dry: bool

    @property
    def quantity(self) -> Decimal:
        """Base taken."""
        return sum((each.quantity for each in self.takes), ZERO)

    @property
    def quote(self) -> Decimal:
        """Quote paid or received, each level on its own cut off after eight decimals, as its trade will be."""
        return sum((multiply(each.price, each.quantity) for each in self.takes), ZERO)


def opposite(book: Book, side: Side) -> tuple[Level, ...]:
    """The levels an order of a side takes from, best first."""
    return book.asks if side is Side.BUY else book.bids


def within(levels: Sequence[Level], side: Side, limit: Decimal) -> tuple[Level, ...]:
    """Those levels that are no worse than a limit price."""
    if side is Side.BUY:
        return tuple(each for each in levels if each.price <= limit)
    return tuple(each for each in levels if each.price >= limit)


def take_quantity(levels: Sequence[Level], quantity: Decimal) -> Match:
    """Take a base quantity, best price first."""
    takes: list[Level] = []
    left = quantity
    for level in levels:
        if left <= 0:
            break
        taken = min(left, level.quantity)
        takes.append(Level(level.price, taken))
        left -= taken
    return Match(tuple(takes), dry=left > 0)


def take_quote(levels: Sequence[Level], quote: Decimal, *, step: Decimal) -> Match:
    """Take what a quote amount pays for (or must be sold to receive it), never more, on the grid of ``step``."""
    takes: list[Level] = []
    left = quote
    for level in levels:
        affordable = floor(divide(left, level.price), step)
        taken = min(affordable, level.quantity)
        if taken > 0:
            takes.append(Level(level.price, taken))
            left -= multiply(level.price, taken)
        if affordable <= level.quantity:
            return Match(tuple(takes), dry=False)
    return Match(tuple(takes), dry=True)


def commission(received: Decimal, rate: Decimal) -> Decimal:
    """The fee kept from what an order receives, cut off after eight decimals."""
    return multiply(received, rate)
