"""What the filters need to know of market and account at the moment of an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from thunes_cli.exchange.filters import MarketFacts
from thunes_cli.model import Side
from thunes_cli.sim.accounts import EMPTY, Holding
from thunes_cli.sim.amounts import ZERO
from thunes_cli.sim.book import Book
from thunes_cli.sim.market import Listing
from thunes_cli.sim.orders import SimOrder


def market_facts(
    listing: Listing, book: Book, opened: Sequence[SimOrder], balances: Mapping[str, Holding], now: int
) -> MarketFacts:
    """Prices of the symbol, and counts over the account's open orders."""
    spec = listing.spec
    held = balances.get(spec.base, EMPTY)
    here = [each for each in opened if each.symbol == spec.symbol]
    return MarketFacts(
        last_price=listing.price(now),
        average_price=listing.average(now),
        reference_price=listing.reference(now),
        best_bid=book.bids[0].price if book.bids else None,
        best_ask=book.asks[0].price if book.asks else None,
        open_orders=len(here),
        open_algo_orders=sum(1 for each in here if not each.working),
        open_iceberg_orders=sum(1 for each in here if each.iceberg_qty),
        base_total=held.free + held.locked,
        open_buy_qty=sum((each.left for each in here if each.side is Side.BUY), ZERO),
        account_open_orders=len(opened),
        account_open_algo_orders=sum(1 for each in opened if not each.working),
        account_open_iceberg_orders=sum(1 for each in opened if each.iceberg_qty),
    )
