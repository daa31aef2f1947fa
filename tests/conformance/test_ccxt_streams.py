"""The exchange as ccxt's WebSocket side sees it (``ccxt.pro``), unmodified but for base URLs.

Market streams: watch_ohlcv, watch_trades, watch_order_book (the snapshot of REST brought up to date by the stream's
changes), watch_ticker, watch_tickers and watch_bids_asks (several symbols), unwatching.
WebSocket API: fetch_ohlcv_ws, fetch_balance_ws, fetch_open_orders_ws,
fetch_my_trades_ws; create_order_ws, fetch_order_ws, cancel_order_ws, and a refusal by its class.
User data: watch_orders, watch_my_trades and watch_balance (``userDataStream.subscribe.signature``) of an order placed
over REST, equal to REST to the last digit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import ccxt
import ccxt.pro
import pytest
from connecting import ccxt_settings, price_at
from serving import Serving

D = Decimal
PAIR = "BTC/USDT"
SYMBOL = "BTCUSDT"
PATIENCE = 20


@asynccontextmanager
async def connected(serving: Serving) -> AsyncIterator[Any]:
    """A client that reads numbers as the strings they came as."""
    client = ccxt.pro.binance(ccxt_settings(serving))
    client.number = str
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


def run(serving: Serving, play: Callable[[Any], Awaitable[None]]) -> None:
    """Play a scene with a client, and not for ever."""

    async def scene() -> None:
        async with connected(serving) as client:
            await asyncio.wait_for(play(client), PATIENCE)

    asyncio.run(scene())


def test_candles(brisk: Serving) -> None:
    """A candle that is over is the one REST has."""

    async def play(client: Any) -> None:
        candles: dict[int, list[Any]] = {}
        while len(candles) < 3:
            for each in await client.watch_ohlcv(PAIR, "1m"):
                candles[each[0]] = each
        opened = sorted(candles)[1]
        raw = brisk.get("/api/v3/klines", symbol=SYMBOL, interval="1m", startTime=opened, limit=1)[0]
        assert [D(str(each)) for each in candles[opened]] == [D(each) for each in raw[:6]]

    run(brisk, play)


def test_trades(brisk: Serving) -> None:
    """Trades as they happen, found again over REST."""

    async def play(client: Any) -> None:
        trade = (await client.watch_trades(PAIR))[-1]
        raw = brisk.get("/api/v3/historicalTrades", symbol=SYMBOL, fromId=trade["id"], limit=1)[0]
        assert (trade["price"], trade["amount"], trade["timestamp"]) == (raw["price"], raw["qty"], raw["time"])

    run(brisk, play)


def test_order_book(brisk: Serving) -> None:
    """A snapshot of REST and the changes since, without a gap: a book in order, again and again."""

    async def play(client: Any) -> None:
        numbers = []
        for _ in range(5):
            book = await client.watch_order_book(PAIR)
            bids, asks = ([D(str(level[0])) for level in book[side]] for side in ("bids", "asks"))
            assert bids == sorted(bids, reverse=True)
            assert asks == sorted(asks)
            assert bids[0] < asks[0]
            numbers.append(book["nonce"])
        assert numbers == sorted(numbers)

    run(brisk, play)


def test_order_book_agrees_with_rest(still: Serving) -> None:
    """On a market that stands still what a trade takes from the book is told, and then both have the same book."""

    async def play(client: Any) -> None:
        watching = asyncio.ensure_future(client.watch_order_book("ETH/USDT"))
        while not watching.done():
            assert still.order(symbol="ETHUSDT", side="BUY", type="MARKET", quantity="0.01").status == 200
            await asyncio.sleep(0.1)
        book = await watching
        raw = still.get("/api/v3/depth", symbol="ETHUSDT")
        while book["nonce"] < raw["lastUpdateId"]:
            book = await client.watch_order_book("ETH/USDT")
        assert [[D(str(each)) for each in level] for level in book["bids"]] == [
            [D(each) for each in level] for level in raw["bids"]
        ]

    run(still, play)


def test_tickers(brisk: Serving) -> None:
    """The day of one symbol, of several, and the best prices of several."""

    async def play(client: Any) -> None:
        ticker = await client.watch_ticker(PAIR)
        assert D(ticker["low"]) <= D(ticker["last"]) <= D(ticker["high"])
        assert D(ticker["bid"]) < D(ticker["ask"])
        assert set(await client.watch_tickers([PAIR, "ETH/USDT"])) <= {PAIR, "ETH/USDT"}
        best = await client.watch_bids_asks([PAIR, "BNB/USDT"])
        assert all(D(each["bid"]) < D(each["ask"]) for each in best.values())

    run(brisk, play)


def test_unwatching(brisk: Serving) -> None:
    """A stream that was left can be listened to again."""

    async def play(client: Any) -> None:
        await client.watch_trades(PAIR)
        await client.un_watch_trades(PAIR)
        assert await client.watch_trades(PAIR)

    run(brisk, play)


def test_questions_over_the_websocket_api(still: Serving) -> None:
    """Answers equal REST's."""

    async def play(client: Any) -> None:
        candles = still.get("/api/v3/klines", symbol=SYMBOL, interval="1m", limit=4)
        told = await client.fetch_ohlcv_ws(PAIR, "1m", limit=4)
        assert [[D(str(each)) for each in candle] for candle in told] == [
            [D(each) for each in candle[:6]] for candle in candles
        ]
        account = (await client.fetch_balance_ws())["info"]  # ccxt 4.5 parses what futures answer, not this
        assert account["balances"] == still.signed("GET", "/api/v3/account").body["balances"]

    run(still, play)


def test_orders_over_the_websocket_api(still: Serving) -> None:
    """Placed, fetched, listed, canceled and refused without REST; REST knows of it all."""

    async def play(client: Any) -> None:
        placed = await client.create_order_ws(PAIR, "limit", "buy", "0.001", price_at(still, "0.9"))
        seen = await client.fetch_order_ws(placed["id"], PAIR)
        raw = still.signed("GET", "/api/v3/order", symbol=SYMBOL, orderId=placed["id"]).body
        assert (seen["status"], seen["clientOrderId"], D(seen["price"])) == (
            "open",
            raw["clientOrderId"],
            D(raw["price"]),
        )
        assert placed["id"] in {each["id"] for each in await client.fetch_open_orders_ws(PAIR)}
        assert (await client.cancel_order_ws(placed["id"], PAIR))["status"] == "canceled"
        bought = await client.create_order_ws(PAIR, "market", "buy", "0.001")
        mine = await client.fetch_my_trades_ws(PAIR)
        assert bought["id"] in {each["order"] for each in mine}
        with pytest.raises(ccxt.OrderNotFound):
            await client.fetch_order_ws("999999999", PAIR)
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order_ws("BNB/USDT", "market", "sell", "1")

    run(still, play)


def test_the_account_as_it_changes(still: Serving) -> None:
    """An order placed over REST is heard of as order, as trades and as balances."""

    async def play(client: Any) -> None:
        watching = asyncio.gather(client.watch_orders(PAIR), client.watch_my_trades(PAIR), client.watch_balance())
        while not watching.done():  # until ccxt has subscribed and listens
            placed = still.buy("100").body
            await asyncio.sleep(0.1)
        orders, trades, balance = await watching
        order, trade = orders[-1], trades[-1]

        assert (order["id"], order["clientOrderId"]) == (str(placed["orderId"]), placed["clientOrderId"])
        fill = placed["fills"][0]
        assert (trade["id"], trade["price"], trade["amount"], trade["takerOrMaker"]) == (
            str(fill["tradeId"]),
            fill["price"],
            fill["qty"],
            "taker",
        )
        assert (trade["fee"]["cost"], trade["fee"]["currency"]) == (fill["commission"], "BTC")
        held = still.balances()
        assert {asset: D(balance[asset]["free"]) for asset in ("BTC", "USDT")} == {
            asset: held[asset][0] for asset in ("BTC", "USDT")
        }

    run(still, play)
