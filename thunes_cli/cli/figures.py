"""Numbers and times for people: rounded for the eye. What scripts read is exact and made elsewhere."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from thunes_cli.model import plain

_QUOTE_PLACES = {"BTC": 8, "ETH": 8, "BNB": 8}  # a satoshi matters; of a dollar, a hundredth of a cent
_PRICE_DIGITS = Context(prec=8, rounding=ROUND_HALF_EVEN)
_EIGHT = Decimal("0.00000001")
_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)
NOTHING = "-"


def rounded(value: Decimal) -> Decimal:
    """An average to the exchange's eight places: quotients have no end of their own."""
    return value.quantize(_EIGHT, context=_WIDE)


def money(value: Decimal | None, *, quote: str = "", sign: bool = False) -> str:
    """An amount of the quote asset: four places, eight where the asset is a coin; ``sign`` shows a plus."""
    if value is None:
        return NOTHING
    amount = value.quantize(Decimal(1).scaleb(-_QUOTE_PLACES.get(quote, 4)), context=_WIDE)
    if amount == 0:
        amount = abs(amount)  # a loss of less than shown is no "-0.0000"
    return format(amount, "+f" if sign and amount else "f")


def result(value: Decimal, *, quote: str) -> str:
    """What was earned or lost, with its sign and its asset where that is known."""
    return f"{money(value, quote=quote, sign=True)} {quote}".rstrip()


def price(value: Decimal | None) -> str:
    """A price to eight digits."""
    return NOTHING if value is None else plain(_PRICE_DIGITS.plus(value))


def moment(when: datetime) -> str:
    """A UTC time to the second."""
    return f"{when:%Y-%m-%d %H:%M:%S}Z"


def short_moment(when: datetime) -> str:
    """The same without its year, for a table that must fit into 80 columns."""
    return f"{when:%m-%d %H:%M:%S}Z"


def fact_lines(facts: list[tuple[str, str]]) -> str:
    """Aligned ``label  value`` lines."""
    width = max(len(label) for label, _ in facts)
    return "\n".join(f"{label.ljust(width)}  {value}" for label, value in facts)
