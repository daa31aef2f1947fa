"""Keys, times, orders and replies that the tests of the exchange client share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from thunes_cli.clock import to_ms
from thunes_cli.model import ClientOrderId, MarketOrder, Side

API_KEY = "canary-key-0123456789"
API_SECRET = "canary-secret-9876543210"
RECV_WINDOW_MS = 4321
START = datetime(2026, 7, 21, 12, 0, tzinfo=UTC)
MARKET_MS = to_ms(START + timedelta(days=100))
SELL = MarketOrder("BTCUSDT", Side.SELL, ClientOrderId("thabcdefabc-S-7"), quantity=Decimal("1E-8"))
BUY = MarketOrder("BTCUSDT", Side.BUY, ClientOrderId("thabcdefabc-B-8"), quote_quantity=Decimal("12.50"))
ORDER = {
    "symbol": "BTCUSDT",
    "orderId": 41,
    "orderListId": -1,
    "clientOrderId": "thabcdefabc-S-7",
    "price": "0.00000000",
    "origQty": "0.00300000",
    "executedQty": "0.00300000",
    "cummulativeQuoteQty": "90.30000000",
    "origQuoteOrderQty": "0.00000000",
    "status": "FILLED",
    "type": "MARKET",
    "side": "SELL",
    "somethingNew": {"a": [1]},
}
FULL = ORDER | {
    "transactTime": MARKET_MS,
    "fills": [
        {"price": "30000.00", "qty": "0.001", "commission": "0.03", "commissionAsset": "USDT", "tradeId": 5},
        {"price": "30150.00", "qty": "0.002", "commission": "0.06", "commissionAsset": "USDT", "tradeId": 6},
    ],
}
TRADE = {
    "symbol": "BTCUSDT",
    "id": 6,
    "orderId": 41,
    "price": "30150.00",
    "qty": "0.002",
    "quoteQty": "60.3",
    "commission": "0.06",
    "commissionAsset": "BNB",
    "time": MARKET_MS,
    "isBuyer": True,
    "isMaker": False,
}


class Time:
    """Network time under the test's control: wall and monotonic move together unless told otherwise."""

    def __init__(self) -> None:
        self.wall = START
        self.mono = 1000.0

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += timedelta(seconds=seconds)
        self.mono += seconds
