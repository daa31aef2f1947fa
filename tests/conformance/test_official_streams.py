"""The exchange as Binance's own SDK hears it over WebSockets (``binance-sdk-spot``), unmodified but for base URLs.

Market streams: kline, trade, aggTrade, bookTicker, miniTicker, all mini tickers, ticker, avgPrice, partial and changed
depth, all on one connection, each parsed into its strict model without an unknown or missing field; list, unsubscribe.
WebSocket API: ping, time, exchangeInfo, depth, trades, klines, average, tickers, account, order limits, commission,
filters, and an order placed, tested, queried, listed, canceled and refused; answers fit their models and equal REST.
User data: ``userDataStream.subscribe.signature``: an order's reports and the balances after it, typed by the SDK,
and ``userDataStream.unsubscribe``. Times in µs. The SDK complains of a misfit in its log: no test may make it do so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from binance_common.configuration import ConfigurationWebSocketAPI, ConfigurationWebSocketStreams
from binance_common.constants import TimeUnit
from binance_sdk_spot.spot import Spot
from connecting import price_at
from sdk_models import missing_fields, plain, unknown_fields
from serving import Serving

D = Decimal
SYMBOL = "BTCUSDT"
PATIENCE = 20
# Only on orders that have something to say there.
NOT_ALWAYS = frozenset({"sors", "count", "multiplierExponent", "priceExponent", "qtyExponent"})


@pytest.fixture(autouse=True)
def contented(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The SDK has not complained of a message."""
    yield
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []


@asynccontextmanager
async def streaming(serving: Serving) -> AsyncIterator[Any]:
    """A connection to the market streams."""
    settings = ConfigurationWebSocketStreams(stream_url=serving.announced["stream_url"])
    client = Spot(config_ws_streams=settings).websocket_streams
    connection = await client.create_connection()
    try:
        yield connection
    finally:
        await connection.close_connection(close_session=True)


@asynccontextmanager
async def asking(serving: Serving, **more: Any) -> AsyncIterator[Any]:
    """A connection to the WebSocket API."""
    settings = ConfigurationWebSocketAPI(
        api_key=serving.key, api_secret=serving.secret, stream_url=serving.announced["ws_api_url"], **more
    )
    client = Spot(config_ws_api=settings).websocket_api
    connection = await client.create_connection()
    try:
        yield connection
    finally:
        await connection.close_connection(close_session=True)


def run(scene: Callable[[], Awaitable[None]]) -> None:
    """Play a scene, and not for ever."""
    asyncio.run(asyncio.wait_for(scene(), PATIENCE))


def fits(model: Any) -> Any:
    """A model all of whose fields are declared and none amiss."""
    assert list(unknown_fields(model)) == []
    assert {each.rpartition(".")[2] for each in missing_fields(model)} <= NOT_ALWAYS
    return model


def test_every_market_stream(brisk: Serving) -> None:
    """Each stream's events fit the SDK's model of them."""

    async def scene() -> None:
        heard: dict[str, asyncio.Future[Any]] = {}
        async with streaming(brisk) as connection:
            streams = {
                "kline": await connection.kline(symbol=SYMBOL, interval="1s"),
                "trade": await connection.trade(symbol=SYMBOL),
                "aggTrade": await connection.agg_trade(symbol=SYMBOL),
                "bookTicker": await connection.book_ticker(symbol=SYMBOL),
                "miniTicker": await connection.mini_ticker(symbol=SYMBOL),
                "all mini tickers": await connection.all_mini_ticker(),
                "ticker": await connection.ticker(symbol=SYMBOL),
                "avgPrice": await connection.avg_price(symbol=SYMBOL),
                "levels": await connection.partial_book_depth(symbol=SYMBOL, levels=5, update_speed="100ms"),
                "changes": await connection.diff_book_depth(symbol=SYMBOL, update_speed="100ms"),
            }
            for name, stream in streams.items():
                heard[name] = asyncio.get_running_loop().create_future()
                stream.on("message", lambda event, told=heard[name]: told.done() or told.set_result(event))
            events = dict(zip(heard, await asyncio.gather(*heard.values()), strict=True))
            await streams["trade"].unsubscribe()

        for name, event in events.items():
            for each in event if isinstance(event, list) else [event]:
                assert list(unknown_fields(each)) == [], name
                assert list(missing_fields(each)) == [], name
        assert (events["kline"].s, events["kline"].k.i) == (SYMBOL, "1s")
        assert D(events["bookTicker"].b) < D(events["bookTicker"].a)

    run(scene)


def test_answers_of_the_websocket_api(still: Serving) -> None:
    """What is asked over the WebSocket API is what REST says, and fits its model."""
    one = {"symbol": SYMBOL}

    async def scene() -> None:
        async with asking(still) as api:
            assert plain(fits((await api.ping()).data()))["result"] == {}
            info = (await api.exchange_info(symbol=SYMBOL)).data()  # declared as REST's answer, without an envelope
            assert info.additional_properties["result"] == still.get("/api/v3/exchangeInfo", **one)
            public = [
                (await api.time(), "time", {}),
                (await api.depth(symbol=SYMBOL, limit=5), "depth", one | {"limit": 5}),
                (await api.trades_recent(symbol=SYMBOL, limit=4), "trades", one | {"limit": 4}),
                (await api.trades_aggregate(symbol=SYMBOL, limit=4), "aggTrades", one | {"limit": 4}),
                (
                    await api.klines(symbol=SYMBOL, interval="1h", limit=3),
                    "klines",
                    one | {"interval": "1h", "limit": 3},
                ),
                (await api.avg_price(symbol=SYMBOL), "avgPrice", one),
                (await api.ticker_price(symbol=SYMBOL), "ticker/price", one),
                (await api.ticker_book(symbol=SYMBOL), "ticker/bookTicker", one),
            ]
            for answer, path, params in public:
                assert plain(fits(answer.data()))["result"] == still.get(f"/api/v3/{path}", **params), path
            signed = [
                (await api.account_status(), "account", {}),
                (await api.account_commission(symbol=SYMBOL), "account/commission", one),
                (await api.account_rate_limits_orders(), "rateLimit/order", {}),
            ]
            for answer, path, params in signed:
                assert plain(fits(answer.data()))["result"] == still.signed("GET", f"/api/v3/{path}", **params).body, (
                    path
                )
            assert {each.rateLimitType for each in answer.rate_limits} == {"REQUEST_WEIGHT"}

    run(scene)


def test_an_order_over_the_websocket_api(still: Serving, caplog: pytest.LogCaptureFixture) -> None:
    """Placed, queried, listed, canceled; the reply to a new order also tells the order counts; refusals by code."""

    async def scene() -> None:
        async with asking(still) as api:
            await api.order_test(symbol=SYMBOL, side="BUY", type="MARKET", quote_order_qty=50)
            answer = await api.order_place(
                symbol=SYMBOL,
                side="BUY",
                type="LIMIT",
                time_in_force="GTC",
                price=price_at(still, "0.9"),
                quantity=0.001,
            )
            placed = answer.data().result
            assert list(unknown_fields(placed)) == []
            assert {(each.rateLimitType, each.interval) for each in answer.rate_limits} == {
                ("ORDERS", "SECOND"),
                ("ORDERS", "DAY"),
                ("REQUEST_WEIGHT", "MINUTE"),
            }
            seen = (await api.order_status(symbol=SYMBOL, order_id=placed.order_id)).data()
            raw = still.signed("GET", "/api/v3/order", symbol=SYMBOL, orderId=placed.order_id).body
            assert plain(seen)["result"] == raw
            listed = (await api.open_orders_status(symbol=SYMBOL)).data().result
            assert placed.order_id in {each.order_id for each in listed}
            gone = (await api.order_cancel(symbol=SYMBOL, order_id=placed.order_id)).data().result
            assert (gone.status, gone.orig_client_order_id) == ("CANCELED", placed.client_order_id)
            assert len((await api.all_orders(symbol=SYMBOL)).data().result) >= 1
            bought = (await api.order_place(symbol=SYMBOL, side="BUY", type="MARKET", quote_order_qty=50)).data().result
            trades = (await api.my_trades(symbol=SYMBOL, order_id=bought.order_id)).data()
            mine = still.signed("GET", "/api/v3/myTrades", symbol=SYMBOL, orderId=bought.order_id).body
            assert plain(fits(trades))["result"] == mine
            refused = (await api.order_status(symbol=SYMBOL, order_id=10**9)).data()
            assert refused["error"] == {"code": -2013, "msg": "Order does not exist."}

    run(scene)
    caplog.clear()  # the refusal, which the SDK logs


async def next_events(queue: asyncio.Queue[Any], last: str) -> list[Any]:
    """The account's events up to one of a kind."""
    events = [await queue.get()]
    while type(events[-1]).__name__ != last:
        events.append(await queue.get())
    return events


def test_the_account_as_it_changes(still: Serving) -> None:
    """Reports and balances of an order placed over REST, typed, and nothing any more after unsubscribing."""

    async def scene() -> None:
        async with asking(still) as api:
            subscribed = await api.user_data_stream_subscribe_signature()
            events: asyncio.Queue[Any] = asyncio.Queue()
            subscribed.stream.on("message", lambda event: events.put_nowait(event.actual_instance))
            placed = still.buy("100", newClientOrderId="sdk-heard").body
            *reports, balances = await next_events(events, "OutboundAccountPosition")
            await api.user_data_stream_unsubscribe(subscription_id=0)
            assert still.buy("50").status == 200

        assert [each.X for each in reports] == ["NEW", "FILLED"]
        report = reports[-1]
        assert (report.c, report.i, report.z, report.Z) == (
            "sdk-heard",
            placed["orderId"],
            placed["executedQty"],
            placed["cummulativeQuoteQty"],
        )
        assert {each.a for each in balances.B} == {"BTC", "USDT"}
        for each in (*reports, balances):
            assert list(unknown_fields(each)) == []
        assert all(type(each).__name__ == "EventStreamTerminated" for each in events._queue)

    run(scene)


def test_microseconds(still: Serving) -> None:
    """A connection that asks for µs gets them in answers and in events."""

    async def scene() -> None:
        async with asking(still, time_unit=TimeUnit.MICROSECOND) as api:
            assert (await api.time()).data().result.server_time == still.now() * 1000
            subscribed = await api.user_data_stream_subscribe_signature()
            events: asyncio.Queue[Any] = asyncio.Queue()
            subscribed.stream.on("message", lambda event: events.put_nowait(event.actual_instance))
            placed = still.buy("50").body
            reports = await next_events(events, "OutboundAccountPosition")
            assert placed["transactTime"] * 1000 == reports[0].O

    run(scene)
