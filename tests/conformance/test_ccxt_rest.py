"""The exchange as ccxt's unified API sees it (synchronous), unmodified but for base URLs.

Market data: load_markets (precision and limits out of the filters), fetch_time, fetch_status, fetch_ohlcv, fetch_ticker
and fetch_tickers, fetch_bids_asks, fetch_last_prices, fetch_order_book, fetch_trades: every number equal to raw REST.
Account: fetch_balance, fetch_trading_fees of all symbols and of one.
Orders: market by cost and by amount, limit, post-only, stop and take-profit, test order, fetch_order by either id,
open, closed and all orders, trades, cancel, cancel all, cancel of several.
Errors: ccxt's own classes (InsufficientFunds, InvalidOrder, OrderNotFound, BadSymbol, BadRequest, AuthenticationError,
InvalidNonce, OrderImmediatelyFillable). Time: a clock that is wrong, and the difference measured.
ccxt is told to read spot markets only and not to load the wallet's currencies: options every user of it has.
Not covered: order lists and editing orders (the exchange lists no symbol that allows either).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from connecting import connect_ccxt, price_at
from serving import Serving

D = Decimal
PAIR = "BTC/USDT"
SYMBOL = "BTCUSDT"


@pytest.fixture(scope="module")
def client(still: Serving) -> Iterator[Any]:
    connected = connect_ccxt(still)
    connected.load_markets()
    yield connected
    connected.close()


def test_markets(client: Any, still: Serving) -> None:
    """ccxt derives grids, limits, fees and status from ``exchangeInfo`` alone."""
    raw = still.get("/api/v3/exchangeInfo", symbol=SYMBOL)["symbols"][0]
    filters = {each["filterType"]: each for each in raw["filters"]}
    market = client.market(PAIR)

    assert set(client.symbols) == {"BTC/USDT", "ETH/USDT", "BNB/USDT"}
    assert (market["id"], market["base"], market["quote"], market["type"]) == (SYMBOL, "BTC", "USDT", "spot")
    assert (market["active"], market["spot"], market["margin"]) == (True, True, False)
    assert market["precision"]["price"] == filters["PRICE_FILTER"]["tickSize"]
    assert market["precision"]["amount"] == filters["LOT_SIZE"]["stepSize"]
    assert market["limits"]["amount"] == {"min": filters["LOT_SIZE"]["minQty"], "max": filters["LOT_SIZE"]["maxQty"]}
    assert market["limits"]["cost"] == {
        "min": filters["NOTIONAL"]["minNotional"],
        "max": filters["NOTIONAL"]["maxNotional"],
    }
    assert market["limits"]["market"]["max"] == filters["MARKET_LOT_SIZE"]["maxQty"]
    assert client.amount_to_precision(PAIR, "0.123456789") == "0.12345"
    assert client.price_to_precision(PAIR, "60000.129") == "60000.13"


def test_time_and_status(client: Any, still: Serving) -> None:
    """The server's time and the wallet's word on maintenance."""
    assert client.fetch_time() == still.now()
    assert client.fetch_status()["status"] == "ok"


def test_candles(client: Any, still: Serving) -> None:
    """Open, high, low, close and volume of each candle, and a page from a given time on."""
    raw = still.get("/api/v3/klines", symbol=SYMBOL, interval="1h", limit=50)
    candles = client.fetch_ohlcv(PAIR, "1h", limit=50)

    assert candles == [[each[0], *each[1:6]] for each in raw]
    assert client.fetch_ohlcv(PAIR, "1h", since=raw[10][0], limit=5) == candles[10:15]


def test_tickers(client: Any, still: Serving) -> None:
    """The day's figures of one symbol and of several, best prices, last prices."""
    raw = still.get("/api/v3/ticker/24hr", symbol=SYMBOL)
    names = {
        "bid": "bidPrice",
        "ask": "askPrice",
        "bidVolume": "bidQty",
        "askVolume": "askQty",
        "last": "lastPrice",
        "open": "openPrice",
        "high": "highPrice",
        "low": "lowPrice",
        "vwap": "weightedAvgPrice",
        "change": "priceChange",
        "percentage": "priceChangePercent",
        "baseVolume": "volume",
        "quoteVolume": "quoteVolume",
    }
    ticker = client.fetch_ticker(PAIR)
    both = client.fetch_tickers([PAIR, "ETH/USDT"])

    assert {name: D(ticker[name]) for name in names} == {name: D(raw[theirs]) for name, theirs in names.items()}
    assert ticker["timestamp"] == raw["closeTime"]
    assert both[PAIR] == ticker
    assert set(both) == {PAIR, "ETH/USDT"}
    assert set(client.fetch_tickers()) == set(client.symbols)
    best = still.get("/api/v3/ticker/bookTicker", symbol=SYMBOL)
    shown = client.fetch_bids_asks([PAIR])[PAIR]
    assert (shown["bid"], shown["askVolume"]) == (best["bidPrice"], best["askQty"])
    assert client.fetch_last_prices([PAIR])[PAIR]["price"] == still.get("/api/v3/ticker/price", symbol=SYMBOL)["price"]


def test_order_book(client: Any, still: Serving) -> None:
    """Levels of both sides, best first, not crossed."""
    raw = still.get("/api/v3/depth", symbol=SYMBOL, limit=10)
    book = client.fetch_order_book(PAIR, limit=10)

    for side in ("bids", "asks"):
        assert [[D(str(number)) for number in level] for level in book[side]] == [
            [D(text) for text in level] for level in raw[side]
        ]
    assert book["bids"][0][0] < book["asks"][0][0]
    assert book["nonce"] == raw["lastUpdateId"]


@pytest.mark.parametrize("method", ["publicGetTrades", "publicGetAggTrades", "publicGetHistoricalTrades"])
def test_trades(client: Any, still: Serving, method: str) -> None:
    """The market's trades, whichever of three endpoints ccxt is told to ask."""
    path = method.removeprefix("publicGet")
    raw = still.get(f"/api/v3/{path[0].lower()}{path[1:]}", symbol=SYMBOL, limit=20)
    trades = client.fetch_trades(PAIR, limit=20, params={"fetchTradesMethod": method})

    assert [(each["price"], each["amount"], each["timestamp"]) for each in trades] == [
        (each.get("p", each.get("price")), each.get("q", each.get("qty")), each.get("T", each.get("time")))
        for each in raw
    ]
    assert {each["side"] for each in trades} <= {"buy", "sell"}


def test_trades_since(client: Any) -> None:
    """A page of trades from a given instant on begins with the first one of it."""
    trades = client.fetch_trades(PAIR, limit=20)

    assert client.fetch_trades(PAIR, since=trades[5]["timestamp"], limit=3)[0]["id"] == trades[5]["id"]


def test_balance(client: Any, still: Serving) -> None:
    """Free, used and total of each asset, to the last digit."""
    balance = client.fetch_balance()
    held = still.balances()

    assert {asset: (D(balance[asset]["free"]), D(balance[asset]["used"])) for asset in held} == held
    assert all(D(balance[asset]["total"]) == sum(held[asset]) for asset in held)


def test_fees(client: Any) -> None:
    """What trading costs, of every symbol and of one."""
    fees = client.fetch_trading_fees()

    assert set(fees) == set(client.symbols)
    assert {(D(each["maker"]), D(each["taker"])) for each in fees.values()} == {(D("0.001"), D("0.001"))}
    assert client.fetch_trading_fee(PAIR)["symbol"] == PAIR


def test_a_round_trip(client: Any, still: Serving) -> None:
    """Market BUY by cost, market SELL by amount: filled, paid and booked alike everywhere."""
    before = still.balances()
    bought = client.create_market_buy_order_with_cost(PAIR, "150", {"clientOrderId": "ccxt-buy"})
    sold = client.create_market_sell_order(PAIR, "0.001")
    after = still.balances()

    raw = still.signed("GET", "/api/v3/order", symbol=SYMBOL, origClientOrderId="ccxt-buy").body
    assert (bought["status"], bought["side"], bought["type"]) == ("closed", "buy", "market")
    assert (D(bought["filled"]), D(bought["cost"])) == (D(raw["executedQty"]), D(raw["cummulativeQuoteQty"]))
    fee = sum(D(each["cost"]) for each in bought["fees"])
    assert {each["currency"] for each in bought["fees"]} == {"BTC"}
    assert after["BTC"][0] - before["BTC"][0] == D(bought["filled"]) - fee - D("0.001")
    earned = D(sold["cost"]) - sum(D(each["cost"]) for each in sold["fees"])
    assert after["USDT"][0] - before["USDT"][0] == earned - D(bought["cost"])
    mine = client.fetch_my_trades(PAIR, params={"orderId": bought["id"]})
    assert sum(D(each["amount"]) for each in mine) == D(bought["filled"])
    assert {(each["side"], each["takerOrMaker"], each["order"]) for each in mine} == {("buy", "taker", bought["id"])}
    assert client.fetch_order(None, PAIR, {"clientOrderId": "ccxt-buy"})["id"] == bought["id"]
    assert {bought["id"], sold["id"]} <= {each["id"] for each in client.fetch_closed_orders(PAIR)}


def test_a_resting_order_lives_and_dies(client: Any, still: Serving) -> None:
    """A limit order is open, fetched, canceled; ccxt's broker id is its client id."""
    price = price_at(still, "0.9")
    placed = client.create_limit_buy_order(PAIR, "0.002", price)
    fetched = client.fetch_order(placed["id"], PAIR)

    assert (fetched["status"], fetched["type"], D(fetched["price"]), D(fetched["amount"])) == (
        "open",
        "limit",
        D(price),
        D("0.002"),
    )
    assert fetched["clientOrderId"] == placed["clientOrderId"]
    assert placed["id"] in {each["id"] for each in client.fetch_open_orders(PAIR)}
    canceled = client.cancel_order(placed["id"], PAIR)
    assert (canceled["id"], canceled["status"]) == (placed["id"], "canceled")
    assert client.fetch_order(placed["id"], PAIR)["status"] == "canceled"
    assert placed["id"] in {each["id"] for each in client.fetch_canceled_orders(PAIR)}


def test_cancel_all(client: Any, still: Serving) -> None:
    """All orders of a symbol at once."""
    price = price_at(still, "0.9", symbol="ETHUSDT")
    placed = [client.create_limit_buy_order("ETH/USDT", "0.01", price) for _ in range(2)]
    gone = client.cancel_all_orders("ETH/USDT")

    assert sorted(each["id"] for each in gone) == sorted(each["id"] for each in placed)
    assert client.fetch_open_orders("ETH/USDT") == []


def test_post_only(client: Any, still: Serving) -> None:
    """Post-only is LIMIT_MAKER; one that would take is refused by its own class."""
    placed = client.create_order(PAIR, "limit", "buy", "0.001", price_at(still, "0.95"), {"postOnly": True})
    kept = client.fetch_order(placed["id"], PAIR)
    client.cancel_order(placed["id"], PAIR)

    assert (kept["postOnly"], kept["info"]["type"]) == (True, "LIMIT_MAKER")
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        client.create_order(PAIR, "limit", "buy", "0.001", price_at(still, "1.05"), {"postOnly": True})


@pytest.mark.parametrize(
    ("side", "params", "kind"),
    [
        ("sell", {"stopLossPrice": "0.9"}, "STOP_LOSS_LIMIT"),
        ("sell", {"takeProfitPrice": "1.1"}, "TAKE_PROFIT_LIMIT"),
        ("buy", {"triggerPrice": "1.1"}, "STOP_LOSS_LIMIT"),
    ],
    ids=["stop loss", "take profit", "trigger"],
)
def test_stops(client: Any, still: Serving, side: str, params: dict[str, str], kind: str) -> None:
    """Orders with a trigger rest until the price is there."""
    trigger = price_at(still, next(iter(params.values())))
    placed = client.create_order(PAIR, "limit", side, "0.001", trigger, dict.fromkeys(params, trigger))
    kept = client.fetch_order(placed["id"], PAIR)
    client.cancel_order(placed["id"], PAIR)

    assert (kept["info"]["type"], kept["status"], D(kept["triggerPrice"])) == (kind, "open", D(trigger))


def test_test_order(client: Any, still: Serving) -> None:
    """A test order is accepted and leaves nothing behind."""
    before = still.get("/sim/state")["order_count"]

    assert client.create_order(PAIR, "market", "buy", "0.001", None, {"test": True})["info"] == {}
    assert still.get("/sim/state")["order_count"] == before


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        pytest.param(
            lambda c: c.create_market_buy_order_with_cost(PAIR, "2000000"), ccxt.InsufficientFunds, id="too poor"
        ),
        pytest.param(lambda c: c.create_limit_sell_order("BNB/USDT", "1", "600"), ccxt.InsufficientFunds, id="nothing"),
        pytest.param(lambda c: c.create_limit_buy_order(PAIR, "0.1", "100"), ccxt.InvalidOrder, id="percent price"),
        pytest.param(
            lambda c: c.private_post_order({"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.000011"}),
            ccxt.InvalidOrder,
            id="lot size",
        ),
        pytest.param(
            lambda c: c.private_post_order(
                {
                    "symbol": SYMBOL,
                    "side": "BUY",
                    "type": "LIMIT",
                    "timeInForce": "GTC",
                    "quantity": "1",
                    "price": "60000.001",
                }
            ),
            ccxt.InvalidOrder,
            id="price filter",
        ),
        pytest.param(lambda c: c.create_market_buy_order_with_cost(PAIR, "1"), ccxt.BadRequest, id="notional"),
        pytest.param(lambda c: c.fetch_order("999999999", PAIR), ccxt.OrderNotFound, id="no such order"),
        pytest.param(lambda c: c.cancel_order("999999999", PAIR), ccxt.OrderNotFound, id="nothing to cancel"),
        pytest.param(lambda c: c.public_get_ticker_price({"symbol": "NOPE"}), ccxt.BadSymbol, id="no such symbol"),
        pytest.param(
            lambda c: c.public_get_klines({"symbol": SYMBOL, "interval": "7m"}), ccxt.BadRequest, id="no such interval"
        ),
        pytest.param(
            lambda c: c.private_post_order({"symbol": SYMBOL, "side": "HOLD", "type": "MARKET", "quantity": "1"}),
            ccxt.BadRequest,
            id="no such side",
        ),
        pytest.param(
            lambda c: c.private_post_order({"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "1e-5"}),
            ccxt.BadRequest,
            id="illegal characters",
        ),
        pytest.param(
            lambda c: c.private_post_order(
                {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.123456789"}
            ),
            ccxt.BadRequest,
            id="too precise",
        ),
        pytest.param(lambda c: c.private_get_account({"colour": "red"}), ccxt.BadRequest, id="unknown parameter"),
    ],
)
def test_refusals_by_class(client: Any, ask: Callable[[Any], Any], kind: type[Exception]) -> None:
    """Every refusal arrives as the class ccxt has for its code or its words."""
    with pytest.raises(kind) as caught:
        ask(client)

    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"secret": "x" * 64}, ccxt.AuthenticationError, "-1022"),
        ({"key": "short"}, ccxt.AuthenticationError, "-2014"),
        ({"key": "A" * 64}, ccxt.AuthenticationError, "-2015"),
    ],
    ids=["wrong secret", "malformed key", "unknown key"],
)
def test_wrong_credentials(still: Serving, changes: dict[str, str], kind: type[Exception], code: str) -> None:
    """AuthenticationError for what is wrong with a key."""
    stranger = connect_ccxt(still, **changes)

    with pytest.raises(kind, match=code):
        stranger.fetch_balance()

    stranger.close()


def test_a_wrong_clock(real_time: Serving) -> None:
    """InvalidNonce for a clock that is off, until ccxt has measured the difference."""
    client = connect_ccxt(real_time)
    right = client.milliseconds
    client.milliseconds = lambda: right() - 30_000

    with pytest.raises(ccxt.InvalidNonce):
        client.fetch_balance()
    client.options["adjustForTimeDifference"] = True
    client.load_time_difference()

    assert client.fetch_balance()["info"]["accountType"] == "SPOT"
    client.close()
