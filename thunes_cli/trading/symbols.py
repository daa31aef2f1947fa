"""The rules of the symbols we trade, kept until refreshed; and what can be known of a price without asking again."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from thunes_cli.exchange.filters import MarketFacts, SymbolRules, shape_market_sell
from thunes_cli.exchange.protocol import Exchange


class SymbolBook:
    """exchangeInfo's entries by symbol. A symbol the exchange does not list (any more) is absent."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._rules: dict[str, SymbolRules] = {}

    def refresh(self, symbols: Iterable[str]) -> dict[str, SymbolRules]:
        """Ask the exchange anew; symbols it does not know are forgotten."""
        wanted = sorted(set(symbols))
        found = self._exchange.symbol_rules(wanted)
        for symbol in wanted:
            self._rules.pop(symbol, None)
        self._rules.update(found)
        return found

    def known(self, symbol: str) -> SymbolRules | None:
        """What was heard last; None when nothing was."""
        return self._rules.get(symbol)

    def rules(self, symbol: str) -> SymbolRules | None:
        """What was heard last, asking first when nothing was."""
        if symbol not in self._rules:
            self.refresh([symbol])
        return self._rules.get(symbol)


def unsellable(rules: SymbolRules | None, quantity: Decimal, price: Decimal) -> bool:
    """Whether a remainder is too small for any SELL at this price; unknown rules prove nothing."""
    if rules is None or price <= 0:
        return False
    facts = MarketFacts(last_price=price, average_price=price)
    return shape_market_sell(rules, quantity, facts).failure is not None
