"""A small order book around the last price: pure functions of the price, the symbol's grids and the book's settings."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from thunes_cli.sim.amounts import EXACT, ZERO, ceil, divide, floor
from thunes_cli.sim.symbols import SymbolSpec

# What a market order took is offered again this many ms of market time later.
REFILL_MS = 1_000
_BASIS_POINTS = Decimal(10_000)
_LEVELS = 20


class Level(NamedTuple):
    """One price level: how much base is offered or wanted at a price."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class BookShape:
    """Distance between best bid and ask in basis points, and quote value on each side."""

    spread_bps: Decimal
    depth_quote: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """Levels of both sides, best first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    def without(self, eaten_asks: Mapping[Decimal, Decimal], eaten_bids: Mapping[Decimal, Decimal]) -> Book:
        """What is left after quantities were taken at some prices."""
        return Book(_less(self.bids, eaten_bids), _less(self.asks, eaten_asks))


@functools.lru_cache(maxsize=64)
def make_book(price: Decimal, spec: SymbolSpec, shape: BookShape) -> Book:
    """The full book at a last price: the depth spread evenly over levels a basis point or a tick apart."""
    half = EXACT.multiply(price, shape.spread_bps / _BASIS_POINTS / 2)
    ask = max(ceil(EXACT.add(price, half), spec.tick), spec.tick)
    bid = min(floor(max(EXACT.subtract(price, half), ZERO), spec.tick), ask - spec.tick)
    distance = max(floor(price / _BASIS_POINTS, spec.tick), spec.tick)
    each = divide(shape.depth_quote, Decimal(_LEVELS))
    return Book(
        tuple(_level(bid - distance * number, each, spec) for number in range(_LEVELS) if bid > distance * number),
        tuple(_level(ask + distance * number, each, spec) for number in range(_LEVELS)),
    )


@functools.lru_cache(maxsize=1024)
def highest_price_with_ask(limit: Decimal, spec: SymbolSpec, shape: BookShape) -> Decimal:
    """The greatest last price at which the best ask is at or below ``limit``: where a resting BUY would trade."""
    guess = floor(limit / (1 + shape.spread_bps / _BASIS_POINTS / 2), spec.tick) + spec.tick
    while guess > 0 and make_book(guess, spec, shape).asks[0].price > limit:
        guess -= spec.tick
    return guess


@functools.lru_cache(maxsize=1024)
def lowest_price_with_bid(limit: Decimal, spec: SymbolSpec, shape: BookShape) -> Decimal:
    """The least last price at which the best bid is at or above ``limit``: where a resting SELL would trade."""
    guess = max(floor(limit / (1 - shape.spread_bps / _BASIS_POINTS / 2), spec.tick) - spec.tick, spec.tick)
    while not (bids := make_book(guess, spec, shape).bids) or bids[0].price < limit:
        guess += spec.tick
    return guess


def _level(price: Decimal, quote: Decimal, spec: SymbolSpec) -> Level:
    return Level(price, max(floor(divide(quote, price), spec.step), spec.step))


def _less(levels: tuple[Level, ...], eaten: Mapping[Decimal, Decimal]) -> tuple[Level, ...]:
    if not eaten:
        return levels
    left = (Level(price, quantity - eaten.get(price, ZERO)) for price, quantity in levels)
    return tuple(level for level in left if level.quantity > 0)
