"""The matching engine: takes orders, fills them from the book or by the walk of the price, and keeps the account.

Every change is computed aside, stored in one transaction, and only then true in memory: an order that was answered
has been stored, and one that could not be stored has not happened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from thunes_cli.exchange.filters import MarketFacts, OrderDraft, check_order, excess_precision
from thunes_cli.model import Side
from thunes_cli.sim.accounts import EMPTY, Holding, InsufficientBalance, Wallet
from thunes_cli.sim.amounts import EXACT, ZERO, floor, multiply, to_scaled
from thunes_cli.sim.book import REFILL_MS, Book, Level, highest_price_with_ask, lowest_price_with_bid
from thunes_cli.sim.commits import Committed
from thunes_cli.sim.market import Listing, Market
from thunes_cli.sim.matching import Match, opposite, take_quantity, take_quote, within
from thunes_cli.sim.orders import OrderRequest, SimOrder, SimTrade
from thunes_cli.sim.rejection import ApiError, cancel_rejected, order_rejected
from thunes_cli.sim.settlement import Execution, Fees, settle
from thunes_cli.sim.store import Changes, Store

_NO_FUNDS = "Account has insufficient balance for requested action."
_TOO_THIN = "Order book liquidity is less than `LOT_SIZE` filter minimum quantity."
_NO_BOOK = "Order book liquidity is less than symbol minimum quantity."


@dataclass(slots=True)
class _Eaten:
    """What market orders took from the book since it was last refilled, by price."""

    slot: int
    asks: dict[Decimal, Decimal] = field(default_factory=dict)
    bids: dict[Decimal, Decimal] = field(default_factory=dict)

    def add(self, trade: SimTrade) -> None:
        side = self.asks if trade.is_buyer else self.bids
        side[trade.price] = side.get(trade.price, ZERO) + trade.quantity


class Engine:
    """One account on all symbols. Single-threaded."""

    def __init__(self, market: Market, store: Store, fees: Fees) -> None:
        self.market = market
        self.store = store
        self.fees = fees
        self.balances: dict[str, Holding] = store.balances()
        self.open: dict[tuple[str, int], SimOrder] = {}
        for order in store.orders("status IN ('NEW', 'PARTIALLY_FILLED')", tail="ORDER BY time, order_id"):
            self.open[order.symbol, order.order_id] = order
        self._order_ids, self._trade_ids = store.last_ids()
        self._eaten: dict[str, _Eaten] = {}
        self._walked: dict[str, int] = {}
        # Told of every change after it was stored and became true.
        self.listeners: list[Callable[[Committed], None]] = []

    def book(self, listing: Listing, now: int) -> Book:
        """What the book still holds."""
        eaten = self._eaten_now(listing.spec.symbol, now)
        return self.market.full_book(listing, now).without(eaten.asks, eaten.bids)

    def check(self, request: OrderRequest, now: int) -> None:
        """Precision and filters: what the exchange checks before the matching engine sees the order.

        Raises:
            ApiError: −1111 or −1013.
        """
        listing = self.market.listing(request.symbol)
        draft = OrderDraft(
            side=request.side,
            type=request.type,
            quantity=request.quantity,
            quote_quantity=request.quote_quantity,
            price=request.price,
            stop_price=request.stop_price,
            iceberg_qty=request.iceberg_qty,
        )
        too_precise = excess_precision(listing.rules, draft)
        if too_precise is not None:
            raise ApiError(-1111, f"Parameter '{too_precise}' has too much precision.")
        failure = check_order(listing.rules, draft, self._facts(listing, now))
        if failure is not None:
            raise ApiError(-1013, failure.message)

    def place(self, request: OrderRequest, now: int) -> tuple[SimOrder, tuple[SimTrade, ...]]:
        """Accept and, as far as the book allows, execute an order that passed :meth:`check`.

        Raises:
            ApiError: −2010, the matching engine refuses; nothing has changed.
        """
        listing = self.market.listing(request.symbol)
        if listing.status(now) != "TRADING":
            raise order_rejected("Market is closed.")
        if any(
            each.client_order_id == request.client_order_id and each.symbol == request.symbol
            for each in self.open.values()
        ):
            raise order_rejected("Duplicate order sent.")
        match = self._match(listing, request, now)
        order = self._new_order(request, match, now)
        wallet = Wallet(self.balances)
        try:
            self._demand_funds(wallet, listing, request)
            order, trades = self._execute(wallet, listing, order, match)
            order = self._finish(wallet, listing, order, dry=match.dry)
        except InsufficientBalance:
            raise order_rejected(_NO_FUNDS) from None
        self._commit([order], list(trades), wallet)
        eaten = self._eaten_now(order.symbol, now)
        for trade in trades:
            eaten.add(trade)
        return order, trades

    def cancel(self, order: SimOrder, cancel_id: str | None, now: int) -> SimOrder:
        """Take an order off the book. It carries the cancel's client id from then on.

        Raises:
            ApiError: −2011, it is not open any more.
        """
        if (order.symbol, order.order_id) not in self.open:
            raise cancel_rejected()
        listing = self.market.listing(order.symbol)
        wallet = Wallet(self.balances)
        wallet.unlock(listing.spec.quote if order.side is Side.BUY else listing.spec.base, order.reserved)
        named = cancel_id or generated_id(f"cancel:{order.symbol}", order.order_id)
        canceled = replace(order, status="CANCELED", client_order_id=named, update_time=now)
        self._commit([canceled], [], wallet)
        return canceled

    def advance(self, now: int) -> list[tuple[SimOrder, SimTrade]]:
        """Fill the resting orders that the price has reached since the last call, each at the instant it did."""
        reached: list[tuple[int, SimOrder]] = []
        for symbol in {order.symbol for order in self.open.values()}:
            listing = self.market.listing(symbol)
            since, self._walked[symbol] = self._walked.get(symbol, 0), now
            if listing.halted_as is not None:
                continue
            for order in self.open.values():
                if order.symbol == symbol:
                    touched = self._touch(listing, order, max(since, order.update_time), now)
                    if touched is not None:
                        reached.append((touched, order))
        reached.sort(key=lambda pair: (pair[0], pair[1].symbol, pair[1].order_id))
        return [self._fill_resting(order, moment) for moment, order in reached]

    def credit(self, asset: str, amount: Decimal) -> None:
        """Add to (or, negative, take from) what is free of an asset, from outside the market."""
        wallet = Wallet(self.balances)
        if amount >= 0:
            wallet.credit(asset, amount)
        else:
            wallet.debit(asset, -amount)
        self._commit([], [], wallet)

    # --- placing -------------------------------------------------------------------------------------------------

    def _match(self, listing: Listing, request: OrderRequest, now: int) -> Match:
        levels = opposite(self.book(listing, now), request.side)
        if request.type == "MARKET":
            if request.quantity is not None:
                return take_quantity(levels, request.quantity)
            assert request.quote_quantity is not None
            match = take_quote(levels, request.quote_quantity, step=listing.spec.step)
            if not match.takes:
                raise order_rejected(_TOO_THIN if levels else _NO_BOOK)
            return match
        assert request.quantity is not None
        assert request.price is not None
        match = take_quantity(within(levels, request.side, request.price), request.quantity)
        if match.takes and request.type == "LIMIT_MAKER":
            raise order_rejected("Order would immediately match and take.")
        if match.dry and request.time_in_force == "FOK":
            return Match((), dry=True)
        return match

    def _new_order(self, request: OrderRequest, match: Match, now: int) -> SimOrder:
        symbol = request.symbol
        number = self._order_ids.get(symbol, 0) + 1
        quantity = request.quantity
        if quantity is None:
            assert request.quote_quantity is not None
            quantity = match.quantity
            if match.dry:  # what the rest of the amount would have bought at the last price that was on offer
                left = EXACT.subtract(request.quote_quantity, match.quote)
                step = self.market.listing(symbol).spec.step
                quantity += max(floor(EXACT.divide(left, match.takes[-1].price), step), step)
        return SimOrder(
            symbol=symbol,
            order_id=number,
            client_order_id=request.client_order_id or generated_id(symbol, number),
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force or "GTC",
            status="NEW",
            price=request.price or ZERO,
            orig_qty=quantity,
            orig_quote_qty=request.quote_quantity or ZERO,
            executed_qty=ZERO,
            executed_quote=ZERO,
            stop_price=request.stop_price or ZERO,
            iceberg_qty=request.iceberg_qty or ZERO,
            time=now,
            update_time=now,
            working_time=now,
            strategy_id=request.strategy_id,
            strategy_type=request.strategy_type,
        )

    @staticmethod
    def _demand_funds(wallet: Wallet, listing: Listing, request: OrderRequest) -> None:
        """The whole amount must be there before the first level is taken, whatever better prices would save."""
        spec = listing.spec
        if request.side is Side.SELL:
            asset, needed = spec.base, request.quantity
        elif request.quote_quantity is not None:
            asset, needed = spec.quote, request.quote_quantity
        elif request.price is not None and request.quantity is not None:
            asset, needed = spec.quote, multiply(request.price, request.quantity)
        else:
            asset, needed = spec.quote, None
        if needed is not None and wallet.holding(asset).free < needed:
            raise InsufficientBalance(asset)

    def _execute(
        self, wallet: Wallet, listing: Listing, order: SimOrder, match: Match
    ) -> tuple[SimOrder, tuple[SimTrade, ...]]:
        trades = []
        first = self._trade_ids.get(order.symbol, 0) + 1
        for number, take in enumerate(match.takes, first):
            done = Execution(take, trade_id=number, time=order.time, is_maker=False)
            order, trade = settle(wallet, listing.spec, order, done, self.fees)
            trades.append(trade)
        return order, tuple(trades)

    @staticmethod
    def _finish(wallet: Wallet, listing: Listing, order: SimOrder, *, dry: bool) -> SimOrder:
        """What becomes of the part the book could not give: it expires, or rests with its funds locked."""
        if not dry:
            return order
        if order.type == "MARKET":
            return replace(order, status="EXPIRED", expiry_reason="INSUFFICIENT_LIQUIDITY")
        if order.time_in_force == "IOC":
            return replace(order, status="EXPIRED", expiry_reason="UNFILLED_IOC_QUANTITY_EXPIRED")
        if order.time_in_force == "FOK":
            return replace(order, status="EXPIRED", expiry_reason="UNFILLED_FOK_ORDER_EXPIRED")
        wallet.lock(listing.spec.quote if order.side is Side.BUY else listing.spec.base, order.reserved)
        return order

    # --- resting -------------------------------------------------------------------------------------------------

    def _touch(self, listing: Listing, order: SimOrder, since: int, now: int) -> int | None:
        if order.side is Side.BUY:
            level = highest_price_with_ask(order.price, listing.spec, self.market.shape)
            return listing.tape.first_touch(since, now, to_scaled(level), falling=True)
        level = lowest_price_with_bid(order.price, listing.spec, self.market.shape)
        return listing.tape.first_touch(since, now, to_scaled(level), falling=False)

    def _fill_resting(self, order: SimOrder, moment: int) -> tuple[SimOrder, SimTrade]:
        spec = self.market.listing(order.symbol).spec
        wallet = Wallet(self.balances)
        number = self._trade_ids.get(order.symbol, 0) + 1
        done = Execution(Level(order.price, order.left), trade_id=number, time=moment, is_maker=True)
        filled, trade = settle(wallet, spec, order, done, self.fees)
        self._commit([filled], [trade], wallet)
        return filled, trade

    # --- books and memory ----------------------------------------------------------------------------------------

    def _commit(self, orders: list[SimOrder], trades: list[SimTrade], wallet: Wallet) -> None:
        committed = Committed(
            tuple((self.open.get((order.symbol, order.order_id)), order) for order in orders),
            tuple(trades),
            {asset: (self.balances.get(asset, EMPTY), held) for asset, held in wallet.changed.items()},
        )
        self.store.apply(Changes(orders, trades, wallet.changed))
        self.balances.update(wallet.changed)
        for order in orders:
            key = (order.symbol, order.order_id)
            self._order_ids[order.symbol] = max(self._order_ids.get(order.symbol, 0), order.order_id)
            if order.open:
                self.open[key] = order
            else:
                self.open.pop(key, None)
        for trade in trades:
            self._trade_ids[trade.symbol] = max(self._trade_ids.get(trade.symbol, 0), trade.trade_id)
        for listener in self.listeners:
            listener(committed)

    def _eaten_now(self, symbol: str, now: int) -> _Eaten:
        slot = now // REFILL_MS
        eaten = self._eaten.get(symbol)
        if eaten is None or eaten.slot != slot:
            fresh = _Eaten(slot)
            if eaten is None:  # after a restart the book must not be fuller than before it
                since = (symbol, slot * REFILL_MS)
                for trade in self.store.trades("symbol = ? AND time >= ? AND is_maker = 0", since):
                    fresh.add(trade)
            eaten = self._eaten[symbol] = fresh
        return eaten

    def _facts(self, listing: Listing, now: int) -> MarketFacts:
        spec = listing.spec
        book = self.book(listing, now)
        held = self.balances.get(spec.base, EMPTY)
        here = [each for each in self.open.values() if each.symbol == spec.symbol]
        return MarketFacts(
            last_price=listing.price(now),
            average_price=listing.average(now),
            best_bid=book.bids[0].price if book.bids else None,
            best_ask=book.asks[0].price if book.asks else None,
            open_orders=len(here),
            open_iceberg_orders=sum(1 for each in here if each.iceberg_qty),
            base_total=held.free + held.locked,
            open_buy_qty=sum((each.left for each in here if each.side is Side.BUY), ZERO),
            account_open_orders=len(self.open),
        )


def generated_id(prefix: str, number: int) -> str:
    """The client id the exchange gives an order that came without: the same for the same order, run after run."""
    return hashlib.sha256(f"{prefix}:{number}".encode()).hexdigest()[:22]
