"""The rules of the symbols we trade, kept until refreshed; and what can be known of a price without asking again."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from decimal import Decimal

from thunes_cli.exchange.failures import ExchangeFailure
from thunes_cli.exchange.filters import MarketFacts, SymbolRules, shape_market_sell
from thunes_cli.exchange.protocol import Exchange

_log = logging.getLogger(__name__)

_OLD_S = 3600.0  # filters change, seldom; exchangeInfo is among the dearest of requests


class SymbolBook:
    """exchangeInfo's entries by symbol. A symbol the exchange does not list (any more) is absent."""

    def __init__(self, exchange: Exchange, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._exchange = exchange
        self._monotonic = monotonic
        self._rules: dict[str, SymbolRules] = {}
        self._good_until: dict[str, float] = {}

    def refresh(self, symbols: Iterable[str]) -> dict[str, SymbolRules]:
        """Ask the exchange anew; symbols it does not know are forgotten."""
        wanted = sorted(set(symbols))
        found = self._exchange.symbol_rules(wanted)
        for symbol in wanted:
            self._rules.pop(symbol, None)
            self._good_until.pop(symbol, None)
        self._rules.update(found)
        good_until = self._monotonic() + _OLD_S
        self._good_until.update({symbol: good_until for symbol, rules in found.items() if rules.tradable})
        return found

    def known(self, symbol: str) -> SymbolRules | None:
        """What was heard last; None when nothing was."""
        return self._rules.get(symbol)

    def doubt(self, symbol: str) -> None:
        """What was heard last may be true no longer."""
        self._good_until.pop(symbol, None)

    def rules(self, symbol: str) -> SymbolRules | None:
        """What is true now. It is asked for when it is old, in doubt, or was "not tradable": so a halt is seen to end.

        Raises:
            ExchangeFailure: nothing was ever heard, and it cannot be asked for now.
        """
        if self._monotonic() < self._good_until.get(symbol, -math.inf):
            return self._rules[symbol]
        try:
            self.refresh([symbol])
        except ExchangeFailure as error:
            if symbol not in self._rules:
                raise
            _log.warning("the symbol's rules are those of earlier: symbol=%s why=%s", symbol, error)
        return self._rules.get(symbol)


def unsellable(rules: SymbolRules | None, quantity: Decimal, price: Decimal) -> bool:
    """Whether a remainder is too small for any SELL at this price; unknown rules prove nothing."""
    if rules is None or price <= 0:
        return False
    facts = MarketFacts(last_price=price, average_price=price)
    return shape_market_sell(rules, quantity, facts).failure is not None
