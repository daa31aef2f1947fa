"""An exchange in memory that does what a test's script says; it stands in at the protocol's edge only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from thunes_cli.clock import Clock, from_ms
from thunes_cli.exchange.failures import ExchangeDown, OutcomeUnknown
from thunes_cli.exchange.filters import SymbolRules, parse_symbol
from thunes_cli.model import (
    ZERO,
    Account,
    Balance,
    Candle,
    ClientOrderId,
    MarketOrder,
    OrderReport,
    Side,
    Trade,
)

FEE = Decimal("0.001")
STEP = Decimal("0.00001")


def rules_of(symbol: str = "BTCUSDT", *, status: str = "TRADING", minimum: str = "5") -> SymbolRules:
    """A symbol as a modern exchangeInfo shows it."""
    return parse_symbol(
        {
            "symbol": symbol,
            "status": status,
            "baseAsset": symbol.removesuffix("USDT"),
            "baseAssetPrecision": 8,
            "quoteAsset": "USDT",
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"],
            "quoteOrderQtyMarketAllowed": True,
            "isSpotTradingAllowed": True,
            "filters": [
                {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
                {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "100", "stepSize": "0"},
                {
                    "filterType": "NOTIONAL",
                    "minNotional": minimum,
                    "applyMinToMarket": True,
                    "maxNotional": "9000000",
                    "applyMaxToMarket": False,
                    "avgPriceMins": 5,
                },
            ],
        }
    )


class ScriptedExchange:
    """Fills market orders at ``price``; fees of 0.1 % come from what is received.

    ``script`` holds what the next placements do, in order: ``ok`` (also when empty), ``unknown_before`` (not
    executed), ``unknown_after`` (executed), ``half`` (book runs dry: EXPIRED half filled), or an exception to raise.
    """

    recv_window_ms = 5000

    def __init__(self, clock: Clock, *, price: str = "20000") -> None:
        self.clock = clock
        self.price = Decimal(price)
        self.rules: dict[str, SymbolRules] = {"BTCUSDT": rules_of()}
        self.series: list[Candle] = []
        self.script: list[str | Exception] = []
        self.placed: list[MarketOrder] = []
        self.reports: dict[str, OrderReport] = {}
        self.hidden_queries = 0
        self.lists_lag = False
        self.down = False
        self.before_place: Callable[[], None] = lambda: None
        self.balances = {"USDT": Decimal(10000), "BTC": Decimal(3)}
        self._next_id = 1

    def _answer(self) -> None:
        if self.down:
            raise ExchangeDown("scripted")

    def ping(self) -> None:
        self._answer()

    def server_time(self) -> datetime:
        self._answer()
        return self.clock.now()

    def symbol_rules(self, symbols: Sequence[str]) -> dict[str, SymbolRules]:
        self._answer()
        return {symbol: self.rules[symbol] for symbol in symbols if symbol in self.rules}

    def candles(
        self,
        symbol: str,
        timeframe: str,
        *,
        limit: int = 500,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Candle]:
        del symbol, timeframe
        self._answer()
        found = [
            candle
            for candle in self.series
            if (start is None or candle.open_time >= start) and (end is None or candle.open_time <= end)
        ]
        return found[:limit] if start is not None else found[-limit:]

    def last_price(self, symbol: str) -> Decimal:
        del symbol
        self._answer()
        return self.price

    average_price = last_price

    def account(self) -> Account:
        self._answer()
        balances = {asset: Balance(asset, amount, ZERO) for asset, amount in self.balances.items()}
        return Account(uid="42", can_trade=True, balances=balances)

    def test_place(self, order: MarketOrder) -> None:
        del order

    def place(self, order: MarketOrder, *, timestamp_ms: int) -> OrderReport:
        self.before_place()
        self._answer()
        self.placed.append(order)
        step = self.script.pop(0) if self.script else "ok"
        if isinstance(step, Exception):
            raise step
        if step == "unknown_before":
            raise OutcomeUnknown("scripted time-out")
        report = self._execute(order, from_ms(timestamp_ms), share=Decimal("0.5") if step == "half" else Decimal(1))
        self.reports[order.client_order_id] = report
        if step == "unknown_after":
            raise OutcomeUnknown("scripted time-out")
        return report

    def _execute(self, order: MarketOrder, at: datetime, *, share: Decimal) -> OrderReport:
        wanted = order.quantity if order.quantity is not None else (order.quote_quantity or ZERO) / self.price
        quantity = (wanted * share).quantize(STEP, rounding="ROUND_DOWN")
        buying = order.side is Side.BUY
        base = order.symbol.removesuffix("USDT")
        received, asset = (quantity, base) if buying else (quantity * self.price, "USDT")
        trade = Trade(
            symbol=order.symbol,
            trade_id=self._take_id(),
            order_id=self._take_id(),
            side=order.side,
            price=self.price,
            quantity=quantity,
            quote_quantity=quantity * self.price,
            commission=received * FEE,
            commission_asset=asset,
            time=at,
        )
        sign = 1 if buying else -1
        self.balances[base] = self.balances.get(base, ZERO) + sign * quantity
        self.balances["USDT"] -= sign * quantity * self.price
        self.balances[asset] -= trade.commission
        return OrderReport(
            symbol=order.symbol,
            order_id=trade.order_id,
            client_order_id=order.client_order_id,
            side=order.side,
            status="FILLED" if share == 1 else "EXPIRED",
            orig_qty=order.quantity if order.quantity is not None else quantity,
            orig_quote_qty=order.quote_quantity or ZERO,
            executed_qty=quantity,
            executed_quote=quantity * self.price,
            time=at,
            trades=(trade,),
        )

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def order(self, symbol: str, client_order_id: ClientOrderId) -> OrderReport | None:
        del symbol
        self._answer()
        if self.hidden_queries:
            self.hidden_queries -= 1
            return None
        return self.reports.get(client_order_id)

    def orders(
        self, symbol: str, *, from_order_id: int | None = None, start: datetime | None = None
    ) -> list[OrderReport]:
        self._answer()
        return [
            report
            for report in ([] if self.lists_lag else self.reports.values())
            if report.symbol == symbol
            and report.order_id >= (from_order_id or 0)
            and (start is None or report.time >= start)
        ]

    def open_orders(self, symbol: str) -> list[OrderReport]:
        del symbol
        return []

    def trades(self, symbol: str, *, order_id: int | None = None, from_trade_id: int | None = None) -> list[Trade]:
        self._answer()
        return [
            trade
            for report in ([] if self.lists_lag else self.reports.values())
            for trade in report.trades
            if report.symbol == symbol
            and (order_id is None or trade.order_id == order_id)
            and trade.trade_id >= (from_trade_id or 0)
        ]


def candles_of(closes: Sequence[float | int | str], *, last_close: datetime, span: timedelta) -> list[Candle]:
    """Closed candles whose last one closes at ``last_close``."""
    first = last_close - span * len(closes)
    made = []
    for index, text in enumerate(closes):
        close = Decimal(str(text))
        opened = first + span * index
        made.append(Candle(opened, opened + span, close, close, close, close, Decimal(1)))
    return made
