"""Reading the exchange's side of a comparison: balances that fit the lists of orders and trades.

Orders are executed while we read. So the balances are asked for before and after the lists: when they are the same,
all of it is of one moment. When not, they are asked for between two readings of the newest trades, and again as long
as the second one shows a trade that the first did not.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from decimal import Decimal

from thunes_cli.clock import Clock
from thunes_cli.errors import Unavailable
from thunes_cli.exchange.classify import UNKNOWN_SYMBOL
from thunes_cli.exchange.failures import Rejected
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.model import Account, OrderReport, Trade
from thunes_cli.trading.evidence import PAGE
from thunes_cli.trading.reconcile_inputs import Listed, Market, Window

Progress = Callable[[int], None]
_ROUNDS = 10


class NeverStill(Unavailable):
    """the account is traded on faster than it can be read: {0} readings, and each showed new trades"""

    code = "account_busy"
    hint = "try again in a minute"


def silently(_: int) -> None:
    """Nobody watches."""


class MarketReader:
    """Asks one exchange. ``progress`` gets the number of rows of each answer."""

    def __init__(self, exchange: Exchange, clock: Clock, *, progress: Progress = silently) -> None:
        self._exchange = exchange
        self._clock = clock
        self._progress = progress

    def read(
        self, windows: Sequence[Window], *, wanted: Mapping[str, set[int]], known: Container[tuple[str, int]]
    ) -> Market:
        """Both lists of each symbol, and balances that contain exactly the listed trades.

        Args:
            windows: which symbols, and from which ids on. A symbol that the exchange does not know is left out.
            wanted: by symbol, ids of older orders that are to be looked at too.
            known: orders (symbol, id) whose trades need no order to be attributed.

        Raises:
            ExchangeFailure: a question failed; nothing is concluded.
            NeverStill: somebody trades all the time.
        """
        began = self._clock.now()
        before = self._account()
        trades: dict[str, list[Trade]] = {}
        for window in windows:
            found = self._all_trades(window)
            if found is not None:
                trades[window.symbol] = found
        listed = [window for window in windows if window.symbol in trades]
        orders = {window.symbol: self._all_orders(window) for window in listed}
        for _ in range(_ROUNDS):
            account = self._account()
            if _totals(account) == _totals(before):
                break
            before = account
            fresh = {window.symbol: self._newer(window, trades[window.symbol]) for window in listed}
            if not any(fresh.values()):
                break
            for symbol, more in fresh.items():
                trades[symbol] += more
                orders[symbol] += self._orders(symbol, _next_order(orders[symbol], default=0)) if more else []
        else:
            raise NeverStill(_ROUNDS)
        for window in listed:
            symbol = window.symbol
            orders[symbol] += self._single(window, orders[symbol], trades[symbol], wanted.get(symbol, set()), known)
        return Market(
            began=began,
            uid=account.uid,
            totals=_totals(account),
            listed={w.symbol: Listed(w, _sorted(orders[w.symbol]), tuple(trades[w.symbol])) for w in listed},
        )

    def _account(self) -> Account:
        account = self._exchange.account()
        self._progress(len(account.balances))
        return account

    def _all_trades(self, window: Window) -> list[Trade] | None:
        """The window's trades; None for a symbol that is unknown to the exchange."""
        try:
            if window.newest_from is not None:
                page = self._exchange.trades(window.symbol)
                self._progress(len(page))
                if len(page) < PAGE or page[0].time < window.newest_from:
                    return page
            return self._trades(window.symbol, window.first_trade)
        except Rejected as error:
            if error.business_code in UNKNOWN_SYMBOL:
                return None
            raise

    def _all_orders(self, window: Window) -> list[OrderReport]:
        if window.newest_from is not None:
            page = self._exchange.orders(window.symbol)
            self._progress(len(page))
            if len(page) < PAGE or page[0].time < window.newest_from:
                return page
        return self._orders(window.symbol, window.first_order)

    def _trades(self, symbol: str, first: int) -> list[Trade]:
        found: list[Trade] = []
        while True:
            page = self._exchange.trades(symbol, from_trade_id=first)
            self._progress(len(page))
            found += page
            if len(page) < PAGE:
                return found
            first = page[-1].trade_id + 1

    def _newer(self, window: Window, trades: Sequence[Trade]) -> list[Trade]:
        first = trades[-1].trade_id + 1 if trades else window.first_trade
        return self._trades(window.symbol, first)

    def _orders(self, symbol: str, first: int) -> list[OrderReport]:
        found: list[OrderReport] = []
        while True:
            page = self._exchange.orders(symbol, from_order_id=first)
            self._progress(len(page))
            found += page
            if len(page) < PAGE:
                return found
            first = page[-1].order_id + 1

    def _single(
        self,
        window: Window,
        orders: Sequence[OrderReport],
        trades: Sequence[Trade],
        wanted: set[int],
        known: Container[tuple[str, int]],
    ) -> list[OrderReport]:
        """Orders older than the window that a trade names, or that are wanted."""
        have = {report.order_id for report in orders}
        named = {trade.order_id for trade in trades if (window.symbol, trade.order_id) not in known}
        found = []
        for number in sorted((named | wanted) - have):
            page = self._exchange.orders(window.symbol, from_order_id=number)
            self._progress(1)
            found += [report for report in page[:1] if report.order_id == number]
        return found


def _totals(account: Account) -> dict[str, Decimal]:
    return {asset: balance.total for asset, balance in account.balances.items()}


def _next_order(orders: Sequence[OrderReport], *, default: int) -> int:
    return orders[-1].order_id + 1 if orders else default


def _sorted(orders: Sequence[OrderReport]) -> tuple[OrderReport, ...]:
    return tuple(sorted({report.order_id: report for report in orders}.values(), key=lambda report: report.order_id))
