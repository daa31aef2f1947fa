"""The exchange as python-binance's asynchronous side sees it, unmodified but for base URLs.

AsyncClient: ``create`` (ping and time), market data, account, an order and its refusal.
BinanceSocketManager: raw sockets (kline, trade, depth, best prices, mini ticker) and a multiplex of every kind of
market stream; closed candles and trades equal REST's to the last digit.
User data: ``user_socket`` (``userDataStream.subscribe.signature`` on the WebSocket API): the events of a market order,
of a limit order and of its cancel agree with REST.
WebSocket API: time, prices, book, order place, status, cancel, open orders, account, and an error as its exception.
ThreadedWebsocketManager: a stream by callback.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from binance import AsyncClient, BinanceSocketManager, ThreadedWebsocketManager
from binance.exceptions import BinanceAPIException
from binance.ws.reconnecting_websocket import ReconnectingWebsocket
from binance.ws.websocket_api import WebsocketAPI
from connecting import price_at
from serving import Serving

D = Decimal
SYMBOL = "BTCUSDT"
PATIENCE = 15


@pytest.fixture(autouse=True)
def quick_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that is closed waits this long for one more message; an answer may take longer on a busy machine."""
    monkeypatch.setattr(ReconnectingWebsocket, "TIMEOUT", 0.2)
    monkeypatch.setattr(WebsocketAPI, "TIMEOUT", 2)


@asynccontextmanager
async def connected(serving: Serving) -> AsyncIterator[tuple[Any, Any]]:
    """An asynchronous client and a socket manager of it."""

    class LoopbackClient(AsyncClient):
        API_URL = f"{serving.url}/api"
        MARGIN_API_URL = f"{serving.url}/sapi"
        WS_API_URL = serving.announced["ws_api_url"]

    class LoopbackSockets(BinanceSocketManager):
        STREAM_URL = f"{serving.announced['stream_url']}/"

    client = await LoopbackClient.create(serving.key, serving.secret)
    try:
        yield client, LoopbackSockets(client, max_queue_size=10_000)
    finally:
        await client.close_connection()


def run(serving: Serving, play: Callable[[Any, Any], Awaitable[None]]) -> None:
    """Play a scene with a client and a socket manager, and not for ever."""

    async def scene() -> None:
        async with connected(serving) as (client, sockets):
            await asyncio.wait_for(play(client, sockets), PATIENCE)

    asyncio.run(scene())


async def until(socket: Any, done: Callable[[list[Any]], bool]) -> list[Any]:
    """Messages of a socket until there are enough."""
    heard: list[Any] = []
    while not done(heard):
        heard.append(await socket.recv())
    return heard


def test_rest(still: Serving) -> None:
    """The asynchronous client reads and trades as the other one does."""

    async def play(client: Any, _: Any) -> None:
        assert await client.get_exchange_info() == still.get("/api/v3/exchangeInfo")
        assert await client.get_klines(symbol=SYMBOL, interval="1h", limit=3) == still.get(
            "/api/v3/klines", symbol=SYMBOL, interval="1h", limit=3
        )
        bought = await client.order_market_buy(symbol=SYMBOL, quoteOrderQty="50")
        assert (await client.get_order(symbol=SYMBOL, orderId=bought["orderId"]))["status"] == "FILLED"
        account = still.signed("GET", "/api/v3/account").body
        assert await client.get_account() == account
        with pytest.raises(BinanceAPIException) as caught:
            await client.order_market_buy(symbol=SYMBOL, quoteOrderQty="1")
        assert (caught.value.code, caught.value.status_code) == (-1013, 400)

    run(still, play)


def rest_candle(serving: Serving, candle: dict[str, Any]) -> list[Any]:
    found = serving.get("/api/v3/klines", symbol=SYMBOL, interval=candle["i"], startTime=candle["t"], limit=1)
    return found[0]


def test_closed_candles_are_rest_candles(brisk: Serving) -> None:
    """A kline with ``x`` true is what REST says of that candle, and the next one follows without a gap."""

    async def play(_: Any, sockets: Any) -> None:
        async with sockets.kline_socket(SYMBOL, interval="1m") as socket:
            heard = await until(socket, lambda heard: sum(each["k"]["x"] for each in heard) == 3)
        closed = [each["k"] for each in heard if each["k"]["x"]]

        assert [each["t"] - closed[0]["t"] for each in closed] == [0, 60_000, 120_000]
        for each in closed:
            assert rest_candle(brisk, each) == [
                each["t"], each["o"], each["h"], each["l"], each["c"], each["v"],
                each["T"], each["q"], each["n"], each["V"], each["Q"], each["B"],
            ]  # fmt: skip

    run(brisk, play)


def test_trades_are_rest_trades(brisk: Serving) -> None:
    """Every trade that is told is found again under its id."""

    async def play(_: Any, sockets: Any) -> None:
        async with sockets.trade_socket(SYMBOL) as socket:
            heard = await until(socket, lambda heard: len(heard) == 20)

        assert [each["t"] for each in heard] == sorted({each["t"] for each in heard})
        for each in (heard[0], heard[-1]):
            found = brisk.get("/api/v3/historicalTrades", symbol=SYMBOL, fromId=each["t"], limit=1)[0]
            assert (found["id"], found["price"], found["qty"], found["time"], found["isBuyerMaker"]) == (
                each["t"],
                each["p"],
                each["q"],
                each["T"],
                each["m"],
            )

    run(brisk, play)


STREAMS = {
    "kline_1s": ("kline", "E s k"),
    "trade": ("trade", "E s t p q T m M"),
    "aggTrade": ("aggTrade", "E s a p q f l T m M"),
    "miniTicker": ("24hrMiniTicker", "E s c o h l v q"),
    "ticker": ("24hrTicker", "E s p P w x c Q b B a A o h l v q O C F L n"),
    "avgPrice": ("avgPrice", "E s i w T"),
    "depth@100ms": ("depthUpdate", "E s U u b a"),
    "bookTicker": (None, "u s b B a A"),
    "depth5@100ms": (None, "lastUpdateId bids asks"),
}


def test_every_kind_of_stream_on_one_connection(brisk: Serving) -> None:
    """A combined connection names the stream of each event; every event has the documented keys."""
    names = {f"{SYMBOL.lower()}@{kind}" for kind in STREAMS}

    async def play(_: Any, sockets: Any) -> None:
        async with sockets.multiplex_socket(sorted(names)) as socket:
            heard = await until(socket, lambda heard: {each["stream"] for each in heard} == names)

        for each in heard:
            event, keys = STREAMS[each["stream"].partition("@")[2]]
            assert set(each) == {"stream", "data"}
            assert each["data"].get("e") == event
            assert set(each["data"]) == set(keys.split()) | ({"e"} if event else set())

    run(brisk, play)


@pytest.mark.parametrize(
    ("listen", "key"),
    [
        pytest.param(lambda s: s.symbol_book_ticker_socket(SYMBOL), "b", id="best prices"),
        pytest.param(lambda s: s.symbol_miniticker_socket(SYMBOL), "c", id="mini ticker"),
        pytest.param(lambda s: s.symbol_ticker_socket(SYMBOL), "w", id="ticker"),
        pytest.param(lambda s: s.depth_socket(SYMBOL, depth="10", interval=100), "lastUpdateId", id="levels"),
        pytest.param(lambda s: s.depth_socket(SYMBOL, interval=100), "U", id="changes of levels"),
        pytest.param(lambda s: s.aggtrade_socket(SYMBOL), "a", id="aggregate trades"),
        pytest.param(lambda s: s.miniticker_socket(), "c", id="all mini tickers"),
    ],
)
def test_raw_sockets(brisk: Serving, listen: Callable[[Any], Any], key: str) -> None:
    """What the socket manager has a method for is streamed."""

    async def play(_: Any, sockets: Any) -> None:
        async with listen(sockets) as socket:
            heard = await socket.recv()
        event = heard[0] if isinstance(heard, list) else heard
        assert key in event

    run(brisk, play)


async def account_events(socket: Any, last: str) -> list[dict[str, Any]]:
    """Events up to the first of a kind."""
    return await until(socket, lambda heard: bool(heard) and heard[-1]["e"] == last)


def test_events_of_a_market_order(still: Serving) -> None:
    """NEW, its trades, the balances: the same order, trades and balances as REST's."""

    async def play(client: Any, sockets: Any) -> None:
        async with sockets.user_socket() as socket:
            placed = await client.order_market_buy(symbol=SYMBOL, quoteOrderQty="30000", newClientOrderId="pbs-market")
            *reports, balances = await account_events(socket, "outboundAccountPosition")

        assert {each["e"] for each in reports} == {"executionReport"}
        assert (reports[0]["x"], reports[0]["X"]) == ("NEW", "NEW")
        assert reports[-1]["X"] == "FILLED"
        assert {each["x"] for each in reports[1:]} == {"TRADE"}
        assert {(each["c"], each["i"], each["S"], each["o"]) for each in reports} == {
            ("pbs-market", placed["orderId"], "BUY", "MARKET")
        }
        assert [(each["t"], each["L"], each["l"], each["n"], each["N"]) for each in reports[1:]] == [
            (each["tradeId"], each["price"], each["qty"], each["commission"], each["commissionAsset"])
            for each in placed["fills"]
        ]
        assert (reports[-1]["z"], reports[-1]["Z"]) == (placed["executedQty"], placed["cummulativeQuoteQty"])
        assert reports[0]["N"] is None
        held = still.balances()
        assert {each["a"]: (D(each["f"]), D(each["l"])) for each in balances["B"]} == {
            asset: held[asset] for asset in ("BTC", "USDT")
        }

    run(still, play)


def test_events_of_a_limit_order_and_its_cancel(still: Serving) -> None:
    """NEW locks, CANCELED frees; the cancel's own id takes the place of the order's."""
    price = price_at(still, "0.9")

    async def play(client: Any, sockets: Any) -> None:
        async with sockets.user_socket() as socket:
            placed = await client.order_limit_buy(
                symbol=SYMBOL, quantity="0.001", price=price, newClientOrderId="pbs-limit"
            )
            opened = await account_events(socket, "outboundAccountPosition")
            gone = await client.cancel_order(symbol=SYMBOL, orderId=placed["orderId"])
            closed = await account_events(socket, "outboundAccountPosition")

        assert [(each["x"], each["X"], each["c"], each["C"], each["w"]) for each in (opened[0], closed[0])] == [
            ("NEW", "NEW", "pbs-limit", "", True),
            ("CANCELED", "CANCELED", gone["clientOrderId"], "pbs-limit", False),
        ]
        assert (D(opened[0]["p"]), D(opened[0]["q"])) == (D(price), D("0.001"))
        locked = [next(D(each["l"]) for each in last["B"] if each["a"] == "USDT") for last in (opened[-1], closed[-1])]
        assert locked[0] - locked[1] == D(price) * D("0.001")

    run(still, play)


def test_websocket_api(still: Serving) -> None:
    """Requests over the WebSocket API answer as REST does, orders included, and are refused as there."""

    async def play(client: Any, _: Any) -> None:
        one = {"symbol": SYMBOL}
        assert await client.ws_ping() == {}
        assert (await client.ws_get_time())["serverTime"] == still.now()
        assert await client.ws_get_symbol_ticker(**one) == still.get("/api/v3/ticker/price", **one)
        assert await client.ws_get_orderbook_ticker(**one) == still.get("/api/v3/ticker/bookTicker", **one)
        assert await client.ws_get_order_book(**one, limit=5) == still.get("/api/v3/depth", **one, limit=5)
        assert await client.ws_get_recent_trades(**one, limit=5) == still.get("/api/v3/trades", **one, limit=5)
        assert await client.ws_get_klines(**one, interval="1m", limit=3) == still.get(
            "/api/v3/klines", **one, interval="1m", limit=3
        )
        assert await client.ws_get_exchange_info(**one) == still.get("/api/v3/exchangeInfo", **one)
        placed = await client.ws_order_limit_buy(**one, quantity="0.001", price=price_at(still, "0.9"))
        seen = await client.ws_get_order(**one, orderId=placed["orderId"])
        assert seen == still.signed("GET", "/api/v3/order", **one, orderId=placed["orderId"]).body
        assert placed["orderId"] in {each["orderId"] for each in await client.ws_get_open_orders(**one)}
        gone = await client.ws_cancel_order(**one, orderId=placed["orderId"])
        assert (gone["status"], gone["origClientOrderId"]) == ("CANCELED", placed["clientOrderId"])
        assert await client.ws_create_test_order(**one, side="BUY", type="MARKET", quoteOrderQty="50") == {}
        account = await client.ws_get_account()
        assert account["balances"] == still.signed("GET", "/api/v3/account").body["balances"]
        with pytest.raises(BinanceAPIException) as caught:
            await client.ws_get_order(**one, orderId=10**9)
        assert (caught.value.code, caught.value.status_code) == (-2013, 400)

    run(still, play)


def test_threads(brisk: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """The threaded manager calls back with candles."""
    monkeypatch.setattr(AsyncClient, "API_URL", f"{brisk.url}/api")
    monkeypatch.setattr(BinanceSocketManager, "STREAM_URL", f"{brisk.announced['stream_url']}/")
    candles: queue.Queue[Any] = queue.Queue()
    manager = ThreadedWebsocketManager(brisk.key, brisk.secret)
    manager.start()
    try:
        manager.start_kline_socket(callback=candles.put, symbol=SYMBOL, interval="1m")
        assert candles.get(timeout=PATIENCE)["e"] == "kline"
    finally:
        manager.stop()
        manager.join(PATIENCE)
    assert not manager.is_alive()
