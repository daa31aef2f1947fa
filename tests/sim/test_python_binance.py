"""The exchange driven by python-binance, unmodified but for base URLs.

Covers: connection and server time, exchange info, klines, tickers, depth, average price, account, test order, market
orders both ways, a limit order's life, order and trade history, rate limits, API permissions, system status, and the
errors it raises.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from binance.client import Client
from binance.exceptions import BinanceAPIException
from serving import Serving


def connect(serving: Serving, *, secret: str | None = None) -> Any:
    """A client of this exchange whose clock has been set by it."""

    class LoopbackClient(Client):
        API_URL = f"{serving.url}/api"
        MARGIN_API_URL = f"{serving.url}/sapi"

    client = LoopbackClient(serving.key, serving.secret if secret is None else secret, ping=False)
    client.session.trust_env = False
    client.timestamp_offset = client.get_server_time()["serverTime"] - int(time.time() * 1000)
    return client


@pytest.fixture
def client(market: Serving) -> Iterator[Any]:
    connected = connect(market)
    yield connected
    connected.session.close()


def test_market_data(client: Any) -> None:
    """What python-binance reads of the public side."""
    assert client.ping() == {}
    assert client.get_symbol_info("ETHUSDT")["baseAsset"] == "ETH"
    assert len(client.get_klines(symbol="BTCUSDT", interval=Client.KLINE_INTERVAL_5MINUTE, limit=10)) == 10
    assert len(client.get_historical_klines("BTCUSDT", "1h", limit=700)) == 700
    assert len(client.get_all_tickers()) == 3
    assert Decimal(client.get_avg_price(symbol="BTCUSDT")["price"]) > 0
    assert len(client.get_order_book(symbol="BTCUSDT")["bids"]) == 20
    assert client.get_orderbook_ticker(symbol="BTCUSDT")["symbol"] == "BTCUSDT"


def test_orders(client: Any) -> None:
    """Test order, BUY, SELL, limit order, queries and cancel."""
    assert client.create_test_order(symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty="50") == {}
    bought = client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="50", newClientOrderId="pb-1")
    free = Decimal(client.get_asset_balance("BTC")["free"])
    sold = client.order_market_sell(symbol="BTCUSDT", quantity=str(free // Decimal("0.00001") * Decimal("0.00001")))
    rests = client.order_limit_buy(symbol="BTCUSDT", quantity="0.001", price="50000")

    assert (bought["status"], sold["status"], rests["status"]) == ("FILLED", "FILLED", "NEW")
    assert client.get_order(symbol="BTCUSDT", origClientOrderId="pb-1")["orderId"] == bought["orderId"]
    assert [each["orderId"] for each in client.get_open_orders(symbol="BTCUSDT")] == [rests["orderId"]]
    assert len(client.get_all_orders(symbol="BTCUSDT")) == 3
    assert len(client.get_my_trades(symbol="BTCUSDT", orderId=bought["orderId"])) == len(bought["fills"])
    assert client.cancel_order(symbol="BTCUSDT", orderId=rests["orderId"])["status"] == "CANCELED"
    assert client.get_current_order_count()[1]["count"] == 1


def test_account(client: Any) -> None:
    """Balances, commission, and the wallet API's paths."""
    assert client.get_account()["canTrade"] is True
    assert client.v3_get_account_commission(symbol="BTCUSDT")["symbol"] == "BTCUSDT"
    assert client.get_account_api_permissions()["enableWithdrawals"] is False
    assert client.get_system_status()["status"] == 0


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"symbol": "NOPE", "side": "BUY", "type": "MARKET", "quoteOrderQty": "50"}, -1121),
        ({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "1"}, -1013),
        ({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "99999"}, -2010),
        ({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": 0.00001}, -1100),
    ],
)
def test_errors(client: Any, params: dict[str, Any], code: int) -> None:
    """Codes and messages arrive as BinanceAPIException."""
    with pytest.raises(BinanceAPIException) as caught:
        client.create_order(**params)

    assert (caught.value.code, caught.value.status_code) == (code, 400)


def test_wrong_secret(market: Serving) -> None:
    """−1022 for a secret that is not the key's."""
    client = connect(market, secret="x" * 64)

    with pytest.raises(BinanceAPIException) as caught:
        client.get_account()

    client.session.close()
    assert caught.value.code == -1022
