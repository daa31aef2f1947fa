"""Exact amounts: money as ``Decimal`` with at most eight decimals, candle prices as whole hundred-millionths.

Candles come by the ten thousand and are compared and interpolated, never spent, so they are kept as integers; money
is ``Decimal``. Both hold the same eight decimals, hence the conversion between them never rounds.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal

SCALE = 10**8
UNIT = Decimal("0.00000001")
ZERO = Decimal(0)

# Wider than any product of two wire values, whatever context the caller's thread has set.
EXACT = Context(prec=96, rounding=ROUND_DOWN)


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """The product, cut off (never rounded up) after eight decimals: what is paid for ``right`` at price ``left``."""
    return EXACT.multiply(left, right).quantize(UNIT, rounding=ROUND_DOWN, context=EXACT)


def divide(left: Decimal, right: Decimal) -> Decimal:
    """The quotient, cut off far beyond eight decimals; never above the true value for positive operands."""
    return EXACT.divide(left, right)


def floor(value: Decimal, step: Decimal) -> Decimal:
    """The greatest multiple of ``step`` not above a ``value`` that is not negative."""
    return EXACT.multiply(EXACT.divide_int(value, step), step) if step else value


def ceil(value: Decimal, step: Decimal) -> Decimal:
    """The least multiple of ``step`` not below a ``value`` that is not negative."""
    floored = floor(value, step)
    return floored if floored == value else EXACT.add(floored, step)


def wire(value: Decimal) -> str:
    """An amount as the exchange writes it: always eight decimals, no exponent."""
    return f"{value:.8f}"


def from_scaled(value: int) -> Decimal:
    """Hundred-millionths as an exact decimal."""
    return EXACT.scaleb(Decimal(value), -8)


def to_scaled(value: Decimal) -> int:
    """A decimal as hundred-millionths; a ninth decimal is rounded half-even."""
    return int(EXACT.scaleb(value, 8).to_integral_value(rounding=ROUND_HALF_EVEN))


def scaled_wire(value: int) -> str:
    """Hundred-millionths (not negative) as the exchange writes them."""
    whole, rest = divmod(value, SCALE)
    return f"{whole}.{rest:08d}"
