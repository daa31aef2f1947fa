"""The matching engine: takes orders, fills them from the book or by the walk of the price, and keeps the account.

Every change is computed aside, stored in one transaction, and only then true in memory: an order that was answered
has been stored, and one that could not be stored has not happened.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from thunes_cli.exchange.filters import OrderDraft, check_order, excess_precision
from thunes_cli.sim.accounts import EMPTY, Holding, InsufficientBalance, Wallet
from thunes_cli.sim.book import Book, Level
from thunes_cli.sim.commits import Committed
from thunes_cli.sim.demands import Demand, Outcome, meet
from thunes_cli.sim.facts import market_facts
from thunes_cli.sim.liquidity import Liquidity
from thunes_cli.sim.market import Listing, Market
from thunes_cli.sim.matching import opposite
from thunes_cli.sim.new_orders import demand_funds, draft_of, draft_of_reduced, generated_id, new_order
from thunes_cli.sim.orders import STOP_TYPES, Amendment, OrderRequest, SimOrder, SimTrade
from thunes_cli.sim.refusals import refuse_amendment, refuse_cancel, refuse_order
from thunes_cli.sim.rejection import ApiError, cancel_rejected, order_rejected
from thunes_cli.sim.resting import Event, Happening, Watch
from thunes_cli.sim.settlement import Execution, Fees, bnb_price, paid_asset, settle
from thunes_cli.sim.store import Changes, Store

_NO_FUNDS = "Account has insufficient balance for requested action."
_Key = tuple[str, int]


class Engine:
    """One account on all symbols. Single-threaded."""

    def __init__(self, market: Market, store: Store, fees: Fees) -> None:
        self.market = market
        self.store = store
        self.fees = fees
        self.balances: dict[str, Holding] = store.balances()
        self.open: dict[_Key, SimOrder] = {}
        for order in store.orders("status IN ('NEW', 'PARTIALLY_FILLED')", tail="ORDER BY time, order_id"):
            self.open[order.symbol, order.order_id] = order
        self._order_ids, self._trade_ids = store.last_ids()
        self._liquidity = Liquidity(market, store)
        self._watch = Watch(market.shape)
        self._walked: dict[str, int] = {}
        # Told of every change after it was stored and became true.
        self.listeners: list[Callable[[Committed], None]] = []

    def book(self, listing: Listing, now: int) -> Book:
        """What the book still holds."""
        return self._liquidity.book(listing, now)

    # --- before the engine sees an order ---------------------------------------------------------------------------

    def check_precision(self, request: OrderRequest) -> None:
        """Refuse amounts with too many decimals.

        Raises:
            ApiError: −1111.
        """
        too_precise = excess_precision(self.market.listing(request.symbol).rules, draft_of(request))
        if too_precise is not None:
            raise ApiError(-1111, f"Parameter '{too_precise}' has too much precision.")

    def check_filters(self, request: OrderRequest, now: int) -> None:
        """Apply the symbol's, the exchange's and the account's filters.

        Raises:
            ApiError: −1013.
        """
        self._demand_filters(self.market.listing(request.symbol), draft_of(request), now)

    def _demand_filters(
        self, listing: Listing, draft: OrderDraft, now: int, *, amended: SimOrder | None = None
    ) -> None:
        opened = [each for each in self.open.values() if each is not amended]
        facts = market_facts(listing, self.book(listing, now), opened, self.balances, now)
        failure = check_order(listing.rules, draft, facts)
        if failure is not None:
            raise ApiError(-1013, failure.message)

    # --- placing -------------------------------------------------------------------------------------------------

    def place(self, request: OrderRequest, now: int, *, thin: bool = False) -> tuple[SimOrder, tuple[SimTrade, ...]]:
        """Accept and, as far as the book allows, execute an order that passed the checks.

        Args:
            thin: the book runs dry before an order that cannot rest is half filled.

        Raises:
            ApiError: −2010, the matching engine refuses; nothing has changed.
        """
        listing = self.market.listing(request.symbol)
        refuse_order(listing, request, self.open.values(), now)
        number = self._order_ids.get(request.symbol, 0) + 1
        wallet = Wallet(self.balances)
        try:
            if request.type in STOP_TYPES:
                order = new_order(listing, request, number, now)
                wallet.lock(paid_asset(listing.spec, order), order.reserved)
                self._commit([order], [], wallet)
                return order, ()
            demand = Demand.of_request(request)
            outcome = self._meet(listing, demand, now, thin=thin)
            demand_funds(wallet, listing, request)
            order = new_order(listing, request, number, now, match=outcome.match)
            order, trades = self._take(wallet, listing, order, outcome, now)
        except InsufficientBalance:
            raise order_rejected(_NO_FUNDS) from None
        self._commit([order], trades, wallet)
        self._liquidity.take(trades, now)
        return order, tuple(trades)

    def _meet(self, listing: Listing, demand: Demand, now: int, *, thin: bool = False) -> Outcome:
        reference = listing.reference(now)
        permitted = None
        if reference is not None and listing.price_range is not None:
            permitted = listing.price_range.around(reference)
        levels = opposite(self.book(listing, now), demand.side)
        return meet(demand, levels, step=listing.spec.step, permitted=permitted, thin=thin)

    def _take(
        self, wallet: Wallet, listing: Listing, order: SimOrder, outcome: Outcome, now: int
    ) -> tuple[SimOrder, list[SimTrade]]:
        """Execute what the book gave, then let the rest expire, or rest with its funds locked."""
        trades: list[SimTrade] = []
        for take in outcome.match.takes:
            order, trade = self._settle(wallet, listing, order, take, now, number=len(trades) + 1, is_maker=False)
            trades.append(trade)
        if outcome.expiry is not None:
            order = replace(order, status="EXPIRED", expiry_reason=outcome.expiry)
        elif order.open:
            wallet.lock(paid_asset(listing.spec, order), order.reserved)
        return order, trades

    def _settle(
        self,
        wallet: Wallet,
        listing: Listing,
        order: SimOrder,
        take: Level,
        moment: int,
        *,
        number: int = 1,
        is_maker: bool,
    ) -> tuple[SimOrder, SimTrade]:
        trade_id = self._trade_ids.get(order.symbol, 0) + number
        price = bnb_price(self.market, listing, take.price, moment) if self.fees.in_bnb else None
        done = Execution(take, trade_id=trade_id, time=moment, is_maker=is_maker, bnb_price=price)
        return settle(wallet, listing.spec, order, done, self.fees)

    # --- changing what is open -----------------------------------------------------------------------------------

    def cancel(self, order: SimOrder, cancel_id: str | None, now: int) -> SimOrder:
        """Take an order off the book. It carries the cancel's client id from then on.

        Raises:
            ApiError: −2011, it is not open any more, or its symbol is closed.
        """
        if (order.symbol, order.order_id) not in self.open:
            raise cancel_rejected()
        listing = self.market.listing(order.symbol)
        refuse_cancel(listing, now)
        wallet = Wallet(self.balances)
        wallet.unlock(paid_asset(listing.spec, order), order.reserved)
        named = cancel_id or generated_id(f"cancel:{order.symbol}", order.order_id)
        canceled = replace(order, status="CANCELED", client_order_id=named, update_time=now)
        self._commit([canceled], [], wallet)
        return canceled

    def amend(self, order: SimOrder, quantity: Decimal, client_id: str | None, now: int) -> tuple[SimOrder, Amendment]:
        """Reduce an open order's quantity; it keeps its place.

        Raises:
            ApiError: −2038, the matching engine refuses; −1111 or −1013, the new quantity does not pass.
        """
        listing = self.market.listing(order.symbol)
        earlier = self.store.amendments(order.symbol, order.order_id)
        refuse_amendment(listing, order, quantity, earlier=len(earlier))
        self._demand_filters(listing, draft_of_reduced(order, quantity), now, amended=order)
        number = self.store.count("amendments") + 1
        named = client_id or generated_id(f"amend:{order.symbol}:{order.order_id}", number)
        after = replace(order, orig_qty=quantity, client_order_id=named, update_time=now)
        wallet = Wallet(self.balances)
        wallet.unlock(paid_asset(listing.spec, order), order.reserved - after.reserved)
        ids = (order.symbol, order.order_id, number)
        amendment = Amendment(*ids, order.client_order_id, named, order.orig_qty, quantity, now)
        self._commit([after], [], wallet, [amendment])
        return after, amendment

    def credit(self, asset: str, amount: Decimal) -> None:
        """Add to (or, negative, take from) what is free of an asset, from outside the market.

        Raises:
            InsufficientBalance: less than that is free.
        """
        wallet = Wallet(self.balances)
        if amount >= 0:
            wallet.credit(asset, amount)
        else:
            wallet.debit(asset, -amount)
        self._commit([], [], wallet)

    def wipe(self, grant: Mapping[str, Holding]) -> None:
        """Forget every order and trade and go back to the balances of the beginning; ids begin anew."""
        self.store.wipe(grant)
        self.balances = dict(grant)
        for known in (self.open, self._order_ids, self._trade_ids, self._walked):
            known.clear()
        self._liquidity.forget()
        self._watch.forget_all()

    # --- what the market does to what is open --------------------------------------------------------------------

    def advance(self, now: int) -> list[Committed]:
        """Carry out what the walk of the price has meant for open orders since the last call, instant by instant."""
        coming: list[tuple[int, str, int, Event]] = []
        for order in self.open.values():
            self._look(coming, order, self._walked.get(order.symbol, 0), now)
        for symbol in {order.symbol for order in self.open.values()}:
            self._walked[symbol] = now
        done = []
        while coming:
            moment, symbol, number, event = heapq.heappop(coming)
            done.append(self._happen(self.open[symbol, number], event))
            after = self.open.get((symbol, number))
            if after is not None:
                self._look(coming, after, moment, now)
        return done

    def _look(self, coming: list[tuple[int, str, int, Event]], order: SimOrder, since: int, now: int) -> None:
        event = self._watch.next_event(self.market.listing(order.symbol), order, since, now)
        if event is not None:
            heapq.heappush(coming, (event.moment, order.symbol, order.order_id, event))

    def _happen(self, order: SimOrder, event: Event) -> Committed:
        listing = self.market.listing(order.symbol)
        wallet = Wallet(self.balances)
        if event.happening is Happening.TRACK:
            return self._commit([replace(order, trailing_time=event.moment)], [], wallet)
        if event.happening is Happening.TRIGGER:
            return self._begin(listing, order, event.moment)
        assert event.quantity is not None
        take = Level(order.price, event.quantity)
        filled, trade = self._settle(wallet, listing, order, take, event.moment, is_maker=True)
        return self._commit([filled], [trade], wallet)

    def _begin(self, listing: Listing, order: SimOrder, moment: int) -> Committed:
        """The price an order waited for has come: it meets the book like a new one, with the funds it had locked."""
        self._watch.forget(order)
        wallet = Wallet(self.balances)
        wallet.unlock(paid_asset(listing.spec, order), order.reserved)
        order = replace(order, working_time=moment, update_time=moment)
        try:
            outcome = self._meet(listing, Demand.of_order(order), moment)
            after, trades = self._take(wallet, listing, order, outcome, moment)
        except InsufficientBalance:  # a BUY at market whose price has run away from what was locked
            wallet = Wallet(self.balances)
            wallet.unlock(paid_asset(listing.spec, order), order.reserved)
            after, trades = replace(order, status="EXPIRED", expiry_reason="REJECTED"), []
        committed = self._commit([after], trades, wallet)
        self._liquidity.take(trades, moment)
        return committed

    # --- memory --------------------------------------------------------------------------------------------------

    def _commit(
        self, orders: list[SimOrder], trades: list[SimTrade], wallet: Wallet, amendments: Iterable[Amendment] = ()
    ) -> Committed:
        committed = Committed(
            tuple((self.open.get((order.symbol, order.order_id)), order) for order in orders),
            tuple(trades),
            {asset: (self.balances.get(asset, EMPTY), held) for asset, held in wallet.changed.items()},
        )
        self.store.apply(Changes(orders, trades, wallet.changed, list(amendments)))
        self.balances.update(wallet.changed)
        for order in orders:
            key = (order.symbol, order.order_id)
            self._order_ids[order.symbol] = max(self._order_ids.get(order.symbol, 0), order.order_id)
            if order.open:
                self.open[key] = order
            else:
                self.open.pop(key, None)
                self._watch.forget(order)
        for trade in trades:
            self._trade_ids[trade.symbol] = max(self._trade_ids.get(trade.symbol, 0), trade.trade_id)
        for listener in self.listeners:
            listener(committed)
        return committed
