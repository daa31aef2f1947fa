"""The exchange as python-binance's synchronous client sees it, unmodified but for base URLs.

Market data: ping, time, exchangeInfo, symbol info, klines (also paged by ``get_historical_klines``), avgPrice, three
tickers of one symbol and of all, depth, recent, aggregate and historical trades: each equal to raw REST.
Account: balances, commission, order counts, API permissions, system status, trade fees.
Orders: test order, market BUY by quote, market SELL, LIMIT, LIMIT_MAKER, the four stop types, IOC, cancel, cancel-all,
query by either id, open and all orders, trades; the id python-binance makes up when none is given.
Errors: BinanceAPIException with code, message and HTTP status for each kind of refusal; 404 of endpoints that are gone.
Keys and time: wrong secret, malformed and unknown key, a clock that is wrong, and the clock set right.
Not covered: order lists (the exchange lists no symbol with ``ocoAllowed``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from binance.client import Client
from binance.exceptions import BinanceAPIException
from connecting import connect_python_binance, price_at
from serving import Serving

D = Decimal
SYMBOL = "BTCUSDT"


@pytest.fixture(scope="module")
def client(still: Serving) -> Iterator[Any]:
    connected = connect_python_binance(still)
    yield connected
    connected.session.close()


@pytest.mark.parametrize(
    ("ask", "path", "params"),
    [
        pytest.param(lambda c: c.ping(), "ping", {}, id="ping"),
        pytest.param(lambda c: c.get_server_time(), "time", {}, id="time"),
        pytest.param(lambda c: c.get_exchange_info(), "exchangeInfo", {}, id="exchangeInfo"),
        pytest.param(
            lambda c: c.get_klines(symbol=SYMBOL, interval="15m", limit=7),
            "klines",
            {"symbol": SYMBOL, "interval": "15m", "limit": 7},
            id="klines",
        ),
        pytest.param(
            lambda c: c.get_ui_klines(symbol=SYMBOL, interval="1d", limit=3),
            "uiKlines",
            {"symbol": SYMBOL, "interval": "1d", "limit": 3},
            id="uiKlines",
        ),
        pytest.param(lambda c: c.get_avg_price(symbol=SYMBOL), "avgPrice", {"symbol": SYMBOL}, id="avgPrice"),
        pytest.param(lambda c: c.get_all_tickers(), "ticker/price", {}, id="prices"),
        pytest.param(
            lambda c: c.get_symbol_ticker(symbol=SYMBOL), "ticker/price", {"symbol": SYMBOL}, id="price of one"
        ),
        pytest.param(lambda c: c.get_orderbook_tickers(), "ticker/bookTicker", {}, id="book tickers"),
        pytest.param(
            lambda c: c.get_orderbook_ticker(symbol=SYMBOL), "ticker/bookTicker", {"symbol": SYMBOL}, id="book of one"
        ),
        pytest.param(lambda c: c.get_ticker(), "ticker/24hr", {}, id="24 hours"),
        pytest.param(lambda c: c.get_ticker(symbol=SYMBOL), "ticker/24hr", {"symbol": SYMBOL}, id="24 hours of one"),
        pytest.param(
            lambda c: c.get_order_book(symbol=SYMBOL, limit=5), "depth", {"symbol": SYMBOL, "limit": 5}, id="depth"
        ),
        pytest.param(
            lambda c: c.get_recent_trades(symbol=SYMBOL, limit=9), "trades", {"symbol": SYMBOL, "limit": 9}, id="trades"
        ),
        pytest.param(
            lambda c: c.get_historical_trades(symbol=SYMBOL, limit=9),
            "historicalTrades",
            {"symbol": SYMBOL, "limit": 9},
            id="historicalTrades",
        ),
        pytest.param(
            lambda c: c.get_aggregate_trades(symbol=SYMBOL, limit=9),
            "aggTrades",
            {"symbol": SYMBOL, "limit": 9},
            id="aggTrades",
        ),
    ],
)
def test_market_data_is_what_rest_says(
    client: Any, still: Serving, ask: Callable[[Any], Any], path: str, params: dict[str, Any]
) -> None:
    """What python-binance returns is the exchange's JSON, digit by digit."""
    assert ask(client) == still.get(f"/api/v3/{path}", **params)


def test_symbol_info(client: Any) -> None:
    """One symbol's rules as python-binance picks them out of all."""
    info = client.get_symbol_info("ETHUSDT")

    assert (info["baseAsset"], info["quoteAsset"], info["status"]) == ("ETH", "USDT", "TRADING")
    assert {each["filterType"] for each in info["filters"]} >= {"PRICE_FILTER", "LOT_SIZE", "NOTIONAL"}
    assert client.get_symbol_info("NOPEUSDT") is None


def test_history_is_paged_without_gap_or_overlap(client: Any, still: Serving) -> None:
    """``get_historical_klines`` asks again from where the last page ended."""
    now = still.now()
    paged = client.get_historical_klines(SYMBOL, "1m", start_str=now - 1500 * 60_000, end_str=now)

    assert [each[0] for each in paged] == list(range(paged[0][0], paged[-1][0] + 1, 60_000))
    assert len(paged) == 1501
    assert paged[-1000:] == still.get("/api/v3/klines", symbol=SYMBOL, interval="1m", limit=1000)


def test_a_round_trip(client: Any, still: Serving) -> None:
    """BUY by quote amount, SELL by quantity: fills, trades and balances tell the same story."""
    before = still.balances()
    bought = client.order_market_buy(symbol=SYMBOL, quoteOrderQty="250", newClientOrderId="pb-buy")
    sold = client.order_market_sell(symbol=SYMBOL, quantity="0.001")
    after = still.balances()

    trades = client.get_my_trades(symbol=SYMBOL, orderId=bought["orderId"])
    fee = sum(D(each["commission"]) for each in trades)
    assert [(each["price"], each["qty"], each["id"]) for each in trades] == [
        (each["price"], each["qty"], each["tradeId"]) for each in bought["fills"]
    ]
    assert client.get_order(symbol=SYMBOL, origClientOrderId="pb-buy")["orderId"] == bought["orderId"]
    assert client.get_order(symbol=SYMBOL, orderId=sold["orderId"])["clientOrderId"] == sold["clientOrderId"]
    assert after["BTC"][0] - before["BTC"][0] == D(bought["executedQty"]) - fee - D("0.001")
    income = D(sold["cummulativeQuoteQty"]) - sum(D(each["commission"]) for each in sold["fills"])
    assert after["USDT"][0] - before["USDT"][0] == income - D(bought["cummulativeQuoteQty"])
    assert client.get_asset_balance("BTC") == {"asset": "BTC", "free": f"{after['BTC'][0]:.8f}", "locked": "0.00000000"}


def test_a_resting_order_lives_and_dies(client: Any, still: Serving) -> None:
    """LIMIT rests, is listed, is canceled; its money is locked meanwhile."""
    price = price_at(still, "0.9")
    locked = still.balances()["USDT"][1]
    placed = client.order_limit_buy(symbol=SYMBOL, quantity="0.002", price=price)

    assert placed["status"] == "NEW"
    assert placed["clientOrderId"].startswith("x-HNA2TXFJ")
    assert still.balances()["USDT"][1] - locked == D(price) * D("0.002")
    assert placed["orderId"] in {each["orderId"] for each in client.get_open_orders(symbol=SYMBOL)}
    canceled = client.cancel_order(symbol=SYMBOL, orderId=placed["orderId"])
    assert (canceled["status"], canceled["origClientOrderId"]) == ("CANCELED", placed["clientOrderId"])
    assert placed["orderId"] not in {each["orderId"] for each in client.get_open_orders()}
    kept = next(each for each in client.get_all_orders(symbol=SYMBOL) if each["orderId"] == placed["orderId"])
    assert (kept["status"], kept["clientOrderId"]) == ("CANCELED", canceled["clientOrderId"])
    assert still.balances()["USDT"][1] == locked


def test_cancel_all(client: Any, still: Serving) -> None:
    """Every open order of one symbol goes, and of that symbol only."""
    here = [
        client.order_limit_buy(symbol="ETHUSDT", quantity="0.01", price=price_at(still, "0.9", symbol="ETHUSDT"))
        for _ in range(2)
    ]
    gone = client.cancel_all_open_orders(symbol="ETHUSDT")

    assert [each["orderId"] for each in gone] == [each["orderId"] for each in here]
    assert client.get_open_orders(symbol="ETHUSDT") == []


@pytest.mark.parametrize(
    ("kind", "side", "more"),
    [
        ("LIMIT_MAKER", "BUY", {"price": "0.9"}),
        ("STOP_LOSS", "SELL", {"stopPrice": "0.9"}),
        ("STOP_LOSS_LIMIT", "SELL", {"stopPrice": "0.9", "price": "0.89", "timeInForce": "GTC"}),
        ("TAKE_PROFIT", "SELL", {"stopPrice": "1.1"}),
        ("TAKE_PROFIT_LIMIT", "SELL", {"stopPrice": "1.1", "price": "1.09", "timeInForce": "GTC"}),
    ],
)
def test_every_resting_type(client: Any, still: Serving, kind: str, side: str, more: dict[str, str]) -> None:
    """LIMIT_MAKER and the stop types are answered with ACK, rest with their prices, and can be canceled."""
    prices = {name: price_at(still, text) if name != "timeInForce" else text for name, text in more.items()}
    placed = client.create_order(symbol=SYMBOL, side=side, type=kind, quantity="0.001", **prices)
    shown = client.get_order(symbol=SYMBOL, orderId=placed["orderId"])
    canceled = client.cancel_order(symbol=SYMBOL, orderId=placed["orderId"])

    assert set(placed) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    assert (shown["type"], shown["status"], shown["side"]) == (kind, "NEW", side)
    assert D(shown["stopPrice"]) == D(prices.get("stopPrice", "0"))
    assert D(shown["price"]) == D(prices.get("price", "0"))
    assert shown["isWorking"] is (kind == "LIMIT_MAKER")
    assert canceled["status"] == "CANCELED"


def test_immediate_or_cancel(client: Any, still: Serving) -> None:
    """An IOC order away from the market expires with nothing done."""
    placed = client.create_order(
        symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="IOC", quantity="0.001", price=price_at(still, "0.9")
    )

    assert (placed["status"], placed["executedQty"], placed["fills"]) == ("EXPIRED", "0.00000000", [])


def test_test_orders_change_nothing(client: Any, still: Serving) -> None:
    """A test order is checked as a real one is, and no more; it can tell what it would cost."""
    before = still.balances()

    assert client.create_test_order(symbol=SYMBOL, side="BUY", type="MARKET", quoteOrderQty="50") == {}
    rates = client.create_test_order(
        symbol=SYMBOL, side="BUY", type="MARKET", quoteOrderQty="50", computeCommissionRates="true"
    )
    assert rates["standardCommissionForOrder"] == {"maker": "0.00100000", "taker": "0.00100000"}
    with pytest.raises(BinanceAPIException) as caught:
        client.create_test_order(symbol=SYMBOL, side="BUY", type="MARKET", quoteOrderQty="1")
    assert caught.value.code == -1013
    assert still.balances() == before


def test_account(client: Any, still: Serving) -> None:
    """Account, commission and order counts are the exchange's JSON; the wallet's paths answer."""
    assert (
        client.get_account(omitZeroBalances="true")
        == still.signed("GET", "/api/v3/account", omitZeroBalances="true").body
    )
    assert (
        client.v3_get_account_commission(symbol=SYMBOL)
        == still.signed("GET", "/api/v3/account/commission", symbol=SYMBOL).body
    )
    assert [each["interval"] for each in client.get_current_order_count()] == ["SECOND", "DAY"]
    permissions = client.get_account_api_permissions()
    assert (permissions["enableReading"], permissions["enableWithdrawals"]) == (True, False)
    assert client.get_system_status() == {"status": 0, "msg": "normal"}
    fees = client.get_trade_fee(symbol=SYMBOL)
    assert [(each["symbol"], D(each["makerCommission"]), D(each["takerCommission"])) for each in fees] == [
        (SYMBOL, D("0.001"), D("0.001"))
    ]
    assert {each["symbol"] for each in client.get_trade_fee()} == {"BTCUSDT", "ETHUSDT", "BNBUSDT"}


MARKET_BUY = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET"}
LIMIT_BUY = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        (MARKET_BUY | {"symbol": "NOPE", "quoteOrderQty": "50"}, -1121, "Invalid symbol."),
        (MARKET_BUY | {"side": "HOLD", "quoteOrderQty": "50"}, -1117, "Invalid side."),
        (MARKET_BUY | {"type": "SOON", "quoteOrderQty": "50"}, -1116, "Invalid orderType."),
        (LIMIT_BUY | {"timeInForce": "GTX", "quantity": "1", "price": "1"}, -1115, "Invalid timeInForce."),
        (MARKET_BUY | {"quantity": 0.00001}, -1100, "Illegal characters found in parameter 'quantity'"),
        (MARKET_BUY | {"quantity": "0.000011"}, -1013, "Filter failure: LOT_SIZE"),
        (MARKET_BUY | {"quantity": "0.123456789"}, -1111, "Parameter 'quantity' has too much precision."),
        (MARKET_BUY | {"quoteOrderQty": "1"}, -1013, "Filter failure: NOTIONAL"),
        (MARKET_BUY | {"quantity": "121"}, -1013, "Filter failure: MARKET_LOT_SIZE"),
        (LIMIT_BUY | {"quantity": "0.01", "price": "100"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (LIMIT_BUY | {"quantity": "0.01", "price": "60000.001"}, -1013, "Filter failure: PRICE_FILTER"),
        (MARKET_BUY | {"quoteOrderQty": "2000000"}, -2010, "Account has insufficient balance for requested action."),
        (LIMIT_BUY | {"quantity": "0.01"}, -1102, "Mandatory parameter 'price' was not sent"),
        (MARKET_BUY, -1102, "Param 'quantity' or 'quoteOrderQty' must be sent"),
        (MARKET_BUY | {"quantity": "1", "quoteOrderQty": "50"}, -1128, "Combination of optional parameters invalid."),
        (MARKET_BUY | {"quoteOrderQty": "50", "price": "1"}, -1106, "Parameter 'price' sent when not required."),
        (MARKET_BUY | {"quoteOrderQty": "50", "colour": "red"}, -1104, "Not all sent parameters were read"),
    ],
)
def test_refused_orders(client: Any, params: dict[str, Any], code: int, words: str) -> None:
    """Each refusal is a BinanceAPIException with the published code and words."""
    with pytest.raises(BinanceAPIException) as caught:
        client.create_order(**params)

    assert (caught.value.code, caught.value.status_code) == (code, 400)
    assert caught.value.message.startswith(words)


@pytest.mark.parametrize(
    ("ask", "code", "status"),
    [
        pytest.param(lambda c: c.get_order(symbol=SYMBOL, orderId=10**9), -2013, 400, id="no such order"),
        pytest.param(lambda c: c.cancel_order(symbol=SYMBOL, orderId=10**9), -2011, 400, id="nothing to cancel"),
        pytest.param(lambda c: c.get_order(symbol=SYMBOL), -1102, 400, id="neither id"),
        pytest.param(lambda c: c.cancel_all_open_orders(symbol="BNBUSDT"), -2011, 400, id="nothing open"),
        pytest.param(lambda c: c.get_klines(symbol=SYMBOL, interval="7m"), -1120, 400, id="interval"),
        pytest.param(lambda c: c.get_symbol_ticker(symbol="btcusdt"), -1100, 400, id="lower case"),
        pytest.param(lambda c: c.stream_get_listen_key(), -1016, 410, id="listen key"),
    ],
)
def test_refused_questions(client: Any, ask: Callable[[Any], Any], code: int, status: int) -> None:
    """Questions are refused with codes, too; what Binance has retired is gone."""
    with pytest.raises(BinanceAPIException) as caught:
        ask(client)

    assert (caught.value.code, caught.value.status_code) == (code, status)


@pytest.mark.parametrize(
    ("key", "secret", "code", "status"),
    [
        (None, "x" * 64, -1022, 400),
        ("short", None, -2014, 401),
        ("A" * 64, None, -2015, 401),
    ],
    ids=["wrong secret", "malformed key", "unknown key"],
)
def test_wrong_credentials(still: Serving, key: str | None, secret: str | None, code: int, status: int) -> None:
    """What is wrong with a key is told by its code."""
    stranger = connect_python_binance(still, key=key, secret=secret)

    with pytest.raises(BinanceAPIException) as caught:
        stranger.get_account()

    stranger.session.close()
    assert (caught.value.code, caught.value.status_code) == (code, status)


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        (-20_000, "Timestamp for this request is outside of the recvWindow."),
        (3_000, "Timestamp for this request was 1000ms ahead of the server's time."),
    ],
)
def test_a_wrong_clock_is_refused_until_it_is_set(real_time: Serving, offset: int, words: str) -> None:
    """−1021 for a clock that is off; with the offset measured again the same client works."""
    client = connect_python_binance(real_time)
    client.timestamp_offset += offset

    with pytest.raises(BinanceAPIException) as caught:
        client.get_account()
    client.timestamp_offset -= offset
    account = client.get_account()

    client.session.close()
    assert (caught.value.code, caught.value.message) == (-1021, words)
    assert account["canTrade"] is True


def test_a_window_that_is_too_wide(real_time: Serving) -> None:
    """No recvWindow beyond a minute."""
    client = connect_python_binance(real_time)
    client.REQUEST_RECVWINDOW = 60_001

    with pytest.raises(BinanceAPIException) as caught:
        client.get_account()

    client.session.close()
    assert caught.value.code == -1131


def test_intervals(client: Any) -> None:
    """Every interval python-binance names is served."""
    names = sorted({value for name, value in vars(Client.__mro__[1]).items() if name.startswith("KLINE_INTERVAL_")})

    assert len(names) == 16
    assert all(client.get_klines(symbol=SYMBOL, interval=each, limit=2) for each in names)
