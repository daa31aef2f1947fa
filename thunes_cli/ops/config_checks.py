"""Settings against the exchange's rules: would what is bought ever be sold again? Pure.

The daemon's gate asks the same of the same functions (:func:`smallest_sellable_amount`) before it trades.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from thunes_cli.config.faults import place
from thunes_cli.config.settings import DEFAULT_ORIGIN, Settings
from thunes_cli.exchange.filters import MarketFacts, SymbolRules, shape_market_buy, smallest_sellable_amount
from thunes_cli.model import plain
from thunes_cli.ops.check import Check, CheckStatus

_OK, _WARN, _FAIL, _SKIP = CheckStatus.OK, CheckStatus.WARN, CheckStatus.FAIL, CheckStatus.SKIP


def symbol_checks(settings: Settings, rules: Mapping[str, SymbolRules]) -> Iterable[Check]:
    """Is each symbol known, and traded now?"""
    for symbol in settings.symbols:
        known = rules.get(symbol)
        if known is None:
            hint = f"correct SYMBOLS{_at(settings, 'SYMBOLS', 'DEFAULT_SYMBOL')}"
            yield Check(f"symbol {symbol}", _FAIL, "unknown to the exchange", "TRADING", hint)
        elif known.tradable:
            yield Check(f"symbol {symbol}", _OK, known.status, "TRADING")
        else:
            value = known.status if known.status != "TRADING" else "no spot market orders"
            yield Check(f"symbol {symbol}", _FAIL, value, "TRADING", "no entries until the exchange trades it again")


def amount_checks(
    settings: Settings, rules: Mapping[str, SymbolRules], prices: Mapping[str, Decimal]
) -> Iterable[Check]:
    """Could the amount of an entry be bought, and sold after a stop?"""
    amount = settings.default_quote_amount
    for symbol in settings.symbols:
        name, known, price = f"amount {symbol}", rules.get(symbol), prices.get(symbol)
        if known is None or price is None:
            yield Check(name, _SKIP, "unknown symbol" if known is None else "no price")
            continue
        smallest = smallest_sellable_amount(known, stop_loss_pct=settings.stop_loss_pct, price=price)
        value, expected = f"{plain(amount)} {known.quote}", f"at least {plain(smallest)} {known.quote}"
        problem, hint = _amount_problem(settings, known, price=price, smallest=smallest)
        yield Check(name, _FAIL if problem else _OK, f"{value} {problem}".rstrip(), expected, hint)


def funds_checks(settings: Settings, rules: Mapping[str, SymbolRules], free: Mapping[str, Decimal]) -> Iterable[Check]:
    """Is there enough of each quote asset for one entry? A warning only: what is held may come back."""
    for quote in dict.fromkeys(rules[symbol].quote for symbol in settings.symbols if symbol in rules):
        have = free.get(quote, Decimal(0))
        status = _OK if have >= settings.default_quote_amount else _WARN
        expected = f"at least {plain(settings.default_quote_amount)} {quote}"
        hint = "" if status is _OK else f"entries are refused until there is more {quote}"
        yield Check(f"funds {quote}", status, f"{plain(have)} {quote} free", expected, hint)


def _amount_problem(settings: Settings, rules: SymbolRules, *, price: Decimal, smallest: Decimal) -> tuple[str, str]:
    """What would become of the amount, and what to set instead; both empty when it is good."""
    amount = settings.default_quote_amount
    if amount < smallest:
        hint = f"set DEFAULT_QUOTE_AMOUNT={plain(smallest)} or more, and MAX_LOSS_PER_TRADE at least as high"
        problem = f"could not be sold after a stop of {plain(settings.stop_loss_pct)} %"
        return problem, hint + _at(settings, "DEFAULT_QUOTE_AMOUNT", "STOP_LOSS_PCT")
    shaped = shape_market_buy(rules, amount, MarketFacts(last_price=price, average_price=price))
    if shaped.failure is not None:
        return "would be refused", f"{shaped.failure.message} ({shaped.failure.detail})"
    return "", ""


def _origin(settings: Settings, *names: str) -> str:
    """Where the first of the settings that somebody gave was given."""
    return next((found for name in names if (found := settings.origin(name)) != DEFAULT_ORIGIN), "")


def _at(settings: Settings, *names: str) -> str:
    origin = _origin(settings, *names)
    return f" ({place(origin)})" if origin else ""
