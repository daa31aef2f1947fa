"""The exchange as Binance's own SDK sees it over REST (``binance-sdk-spot``), unmodified but for base URLs.

The SDK declares every answer as a strict model and says in its log when one does not fit: no test may make it say so.
Shapes: each answer is parsed into its model, equals raw REST to the last digit, has no field the model does not
know, and lacks none but those that Binance shows only in cases that are named here.
Market data: ping, time, exchangeInfo in its four forms, klines, uiKlines, avgPrice, depth, trades, aggTrades,
historicalTrades, all tickers, reference price, execution rules. Account: account, commission, order rate limits,
filters. Orders: test order, every type, cancel by either id, cancel restrictions, cancel-all, queries, trades.
Errors: the SDK's classes by HTTP status with the exchange's code. Times in µs.
The SDK sends parameters of POST in the query, where the other clients use the body; it never sets its clock.
Not covered: order lists, SOR, amending (the exchange lists no symbol that allows them).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from binance_common.errors import BadRequestError, NotFoundError, UnauthorizedError
from connecting import connect_official, price_at
from sdk_models import missing_fields, plain, unknown_fields
from serving import Serving

D = Decimal
SYMBOL = "BTCUSDT"
# What Binance shows of an order only if it has something to say.
NOT_ALWAYS = {
    "expiryReason",
    "icebergQty",
    "pegOffsetType",
    "pegOffsetValue",
    "pegPriceType",
    "peggedPrice",
    "preventedMatchId",
    "preventedQuantity",
    "stopPrice",
    "strategyId",
    "strategyType",
    "trailingDelta",
    "trailingTime",
    "usedSor",
    "workingFloor",
    # Not of every exchange, limit or filter: smart order routing, the WebSocket API's counts, binary encoding.
    "sors",
    "count",
    "rateLimits",
    "multiplierExponent",
    "priceExponent",
    "qtyExponent",
}


@pytest.fixture(scope="module")
def client(still: Serving) -> Any:
    return connect_official(still)


@pytest.fixture(autouse=True)
def contented(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The SDK has not complained of an answer."""
    yield
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []


def fits(answer: Any) -> Any:
    """The model the SDK made of an answer, all of whose fields are declared and none amiss."""
    model = answer.data()
    assert list(unknown_fields(model)) == []
    assert {each.rpartition(".")[2] for each in missing_fields(model)} <= NOT_ALWAYS
    return model


@pytest.mark.parametrize(
    ("ask", "path", "params"),
    [
        pytest.param(lambda c: c.time(), "time", {}, id="time"),
        pytest.param(
            lambda c: c.klines(SYMBOL, "1h", limit=5),
            "klines",
            {"symbol": SYMBOL, "interval": "1h", "limit": 5},
            id="klines",
        ),
        pytest.param(
            lambda c: c.ui_klines(SYMBOL, "1M", limit=2),
            "uiKlines",
            {"symbol": SYMBOL, "interval": "1M", "limit": 2},
            id="uiKlines",
        ),
        pytest.param(lambda c: c.avg_price(SYMBOL), "avgPrice", {"symbol": SYMBOL}, id="avgPrice"),
        pytest.param(lambda c: c.depth(SYMBOL, limit=7), "depth", {"symbol": SYMBOL, "limit": 7}, id="depth"),
        pytest.param(lambda c: c.get_trades(SYMBOL, limit=7), "trades", {"symbol": SYMBOL, "limit": 7}, id="trades"),
        pytest.param(
            lambda c: c.agg_trades(SYMBOL, limit=7), "aggTrades", {"symbol": SYMBOL, "limit": 7}, id="aggTrades"
        ),
        pytest.param(
            lambda c: c.historical_trades(SYMBOL, from_id=1_000_000_001, limit=7),
            "historicalTrades",
            {"symbol": SYMBOL, "fromId": 1_000_000_001, "limit": 7},
            id="historicalTrades",
        ),
        pytest.param(lambda c: c.ticker_price(), "ticker/price", {}, id="prices"),
        pytest.param(lambda c: c.ticker_price(symbol=SYMBOL), "ticker/price", {"symbol": SYMBOL}, id="price"),
        pytest.param(
            lambda c: c.ticker_price(symbols=[SYMBOL, "ETHUSDT"]),
            "ticker/price",
            {"symbols": f'["{SYMBOL}","ETHUSDT"]'},
            id="some prices",
        ),
        pytest.param(lambda c: c.ticker_book_ticker(), "ticker/bookTicker", {}, id="book tickers"),
        pytest.param(
            lambda c: c.ticker_book_ticker(symbol=SYMBOL), "ticker/bookTicker", {"symbol": SYMBOL}, id="book ticker"
        ),
        pytest.param(lambda c: c.ticker24hr(), "ticker/24hr", {}, id="days"),
        pytest.param(lambda c: c.ticker24hr(symbol=SYMBOL), "ticker/24hr", {"symbol": SYMBOL}, id="day"),
        pytest.param(
            lambda c: c.execution_rules(symbol=SYMBOL), "executionRules", {"symbol": SYMBOL}, id="execution rules"
        ),
        pytest.param(lambda c: c.exchange_info(), "exchangeInfo", {}, id="exchangeInfo"),
        pytest.param(
            lambda c: c.exchange_info(symbols=[SYMBOL, "BNBUSDT"]),
            "exchangeInfo",
            {"symbols": f'["{SYMBOL}","BNBUSDT"]'},
            id="exchangeInfo of two",
        ),
        pytest.param(
            lambda c: c.exchange_info(permissions=["SPOT"], show_permission_sets=False),
            "exchangeInfo",
            {"permissions": '["SPOT"]', "showPermissionSets": "false"},
            id="exchangeInfo by permission",
        ),
        pytest.param(
            lambda c: c.exchange_info(symbol_status="TRADING"),
            "exchangeInfo",
            {"symbolStatus": "TRADING"},
            id="exchangeInfo by status",
        ),
    ],
)
def test_market_data_fits_its_model(
    client: Any, still: Serving, ask: Callable[[Any], Any], path: str, params: dict[str, Any]
) -> None:
    """The model holds what REST says, digit by digit, and no field is unknown or amiss."""
    assert plain(fits(ask(client))) == still.get(f"/api/v3/{path}", **params)


@pytest.mark.parametrize(
    ("ask", "path", "params"),
    [
        pytest.param(lambda c: c.get_account(), "account", {}, id="account"),
        pytest.param(
            lambda c: c.get_account(omit_zero_balances=True),
            "account",
            {"omitZeroBalances": "true"},
            id="account, held",
        ),
        pytest.param(lambda c: c.account_commission(SYMBOL), "account/commission", {"symbol": SYMBOL}, id="commission"),
        pytest.param(lambda c: c.rate_limit_order(), "rateLimit/order", {}, id="order rate limits"),
        pytest.param(lambda c: c.my_filters(SYMBOL), "myFilters", {"symbol": SYMBOL}, id="filters"),
        pytest.param(lambda c: c.all_orders(SYMBOL), "allOrders", {"symbol": SYMBOL}, id="orders"),
        pytest.param(lambda c: c.my_trades(SYMBOL), "myTrades", {"symbol": SYMBOL}, id="trades"),
        pytest.param(lambda c: c.get_open_orders(), "openOrders", {}, id="open orders"),
    ],
)
def test_account_data_fits_its_model(
    client: Any, still: Serving, ask: Callable[[Any], Any], path: str, params: dict[str, Any]
) -> None:
    """So it is with what only the account's owner may ask."""
    client.new_order(SYMBOL, "BUY", "MARKET", quote_order_qty=50)

    assert plain(fits(ask(client))) == still.signed("GET", f"/api/v3/{path}", **params).body


def test_ping(client: Any) -> None:
    """Nothing but a weight."""
    answer = client.ping()

    assert answer.data() == {}
    assert [(each.rateLimitType, each.interval, each.intervalNum) for each in answer.rate_limits] == [
        ("REQUEST_WEIGHT", "MINUTE", 1)
    ]


def test_day_in_short(client: Any, still: Serving) -> None:
    """A day's ticker of type MINI: equal to REST, and nothing in it that the model does not know."""
    answer = client.ticker24hr(symbol=SYMBOL, type="MINI").data()

    assert list(unknown_fields(answer)) == []
    assert plain(answer) == still.get("/api/v3/ticker/24hr", symbol=SYMBOL, type="MINI")


def test_no_reference_price(client: Any) -> None:
    """A symbol that never had a reference price says so by its code."""
    with pytest.raises(BadRequestError) as caught:
        client.reference_price(SYMBOL)

    assert caught.value.status_code == -2043


@pytest.mark.parametrize("form", ["ACK", "RESULT", "FULL"])
def test_forms_of_a_new_order(client: Any, form: str) -> None:
    """The three forms of the reply, and the headers that count orders."""
    answer = client.new_order(SYMBOL, "BUY", "MARKET", quantity=D("0.001"), new_order_resp_type=form)
    order = answer.data()

    assert list(unknown_fields(order)) == []
    assert (order.status, order.fills is not None) == {
        "ACK": (None, False),
        "RESULT": ("FILLED", False),
        "FULL": ("FILLED", True),
    }[form]
    assert {(each.rateLimitType, each.interval, each.intervalNum) for each in answer.rate_limits} == {
        ("REQUEST_WEIGHT", "MINUTE", 1),
        ("ORDERS", "SECOND", 10),
        ("ORDERS", "DAY", 1),
    }


def test_successful_orders_cost_no_weight(client: Any, still: Serving) -> None:
    """An order that is accepted or canceled weighs nothing, one that fails weighs 1; a query weighs 4."""

    def used(answer: Any) -> int:
        return next(int(each.count) for each in answer.rate_limits if each.rateLimitType == "REQUEST_WEIGHT")

    price = price_at(still, "0.9")
    before = used(client.ping())
    placed = client.new_order(SYMBOL, "BUY", "LIMIT", time_in_force="GTC", quantity=D("0.001"), price=price)
    seen = client.get_order(SYMBOL, order_id=placed.data().order_id)
    gone = client.delete_order(SYMBOL, order_id=placed.data().order_id)
    with pytest.raises(BadRequestError):
        client.delete_order(SYMBOL, order_id=placed.data().order_id)

    if used(placed) >= before:  # else a new minute has begun in between
        assert [used(each) - before for each in (placed, seen, gone, client.ping())] == [0, 4, 4, 6]


@pytest.mark.parametrize(
    ("kind", "side", "more"),
    [
        ("LIMIT", "BUY", {"price": "0.9", "time_in_force": "GTC"}),
        ("LIMIT_MAKER", "SELL", {"price": "1.1"}),
        ("STOP_LOSS", "SELL", {"stop_price": "0.9"}),
        ("STOP_LOSS", "BUY", {"stop_price": "1.1"}),
        ("STOP_LOSS_LIMIT", "SELL", {"stop_price": "0.9", "price": "0.89", "time_in_force": "GTC"}),
        ("TAKE_PROFIT", "BUY", {"stop_price": "0.9"}),
        ("TAKE_PROFIT_LIMIT", "SELL", {"stop_price": "1.1", "price": "1.09", "time_in_force": "GTC"}),
    ],
)
def test_every_resting_type(client: Any, still: Serving, kind: str, side: str, more: dict[str, str]) -> None:
    """Placed, queried and canceled, each reply fits its model and shows the prices that were sent."""
    values = {name: price_at(still, text) if "price" in name else text for name, text in more.items()}
    placed = client.new_order(
        SYMBOL,
        side,
        kind,
        quantity=D("0.001"),
        new_order_resp_type="FULL",
        strategy_id=7,
        strategy_type=1_000_001,
        **values,
    ).data()
    seen = fits(client.get_order(SYMBOL, order_id=placed.order_id))
    listed = [each for each in fits(client.get_open_orders(SYMBOL)) if each.order_id == placed.order_id]
    gone = fits(client.delete_order(SYMBOL, order_id=placed.order_id, new_client_order_id=f"cancel-{placed.order_id}"))

    assert plain(listed[0]) == plain(seen)
    assert (seen.type, seen.side, seen.status, seen.strategy_id, seen.strategy_type) == (
        kind,
        side,
        "NEW",
        7,
        1_000_001,
    )
    assert D(seen.stop_price) == D(values.get("stop_price", "0"))
    assert D(seen.price) == D(values.get("price", "0"))
    assert seen.is_working is ("stop_price" not in values)
    assert (seen.working_time > 0) is seen.is_working
    assert (gone.status, gone.client_order_id) == ("CANCELED", f"cancel-{placed.order_id}")
    assert gone.orig_client_order_id == placed.client_order_id


def test_cancel_restrictions(client: Any, still: Serving) -> None:
    """An order that is NEW is not canceled by somebody who wants it only if partially filled."""
    placed = client.new_order(
        SYMBOL, "BUY", "LIMIT", time_in_force="GTC", quantity=D("0.001"), price=price_at(still, "0.9")
    ).data()

    with pytest.raises(BadRequestError) as caught:
        client.delete_order(SYMBOL, order_id=placed.order_id, cancel_restrictions="ONLY_PARTIALLY_FILLED")
    gone = client.delete_order(SYMBOL, order_id=placed.order_id, cancel_restrictions="ONLY_NEW").data()

    assert (caught.value.status_code, gone.status) == (-2011, "CANCELED")


def test_cancel_all(client: Any, still: Serving) -> None:
    """Every open order of a symbol, each as a cancel of its own."""
    price = price_at(still, "0.9", symbol="ETHUSDT")
    placed = [
        client.new_order("ETHUSDT", "BUY", "LIMIT", time_in_force="GTC", quantity=D("0.01"), price=price).data()
        for _ in range(2)
    ]
    gone = fits(client.delete_open_orders("ETHUSDT"))

    assert [each.order_id for each in gone] == [each.order_id for each in placed]
    assert {each.status for each in gone} == {"CANCELED"}


def test_test_order(client: Any) -> None:
    """A test order tells rates if asked, else nothing; it is refused as a real one would be."""
    quiet = client.order_test(SYMBOL, "BUY", "MARKET", quote_order_qty=50).data()
    rates = fits(client.order_test(SYMBOL, "BUY", "MARKET", quote_order_qty=50, compute_commission_rates=True))

    assert plain(quiet) == {}
    assert rates.standard_commission_for_order.taker == "0.00100000"
    with pytest.raises(BadRequestError) as caught:
        client.order_test(SYMBOL, "BUY", "MARKET", quote_order_qty=1)
    assert (caught.value.status_code, caught.value.error_message) == (-1013, "Filter failure: NOTIONAL")


@pytest.mark.parametrize(
    ("ask", "kind", "code"),
    [
        pytest.param(lambda c: c.get_order("NOPE", order_id=1), BadRequestError, -1121, id="symbol"),
        pytest.param(lambda c: c.get_order(SYMBOL, order_id=10**9), BadRequestError, -2013, id="no such order"),
        pytest.param(lambda c: c.delete_order(SYMBOL, order_id=10**9), BadRequestError, -2011, id="nothing to cancel"),
        pytest.param(lambda c: c.get_order(SYMBOL), BadRequestError, -1102, id="neither id"),
        pytest.param(
            lambda c: c.new_order(SYMBOL, "BUY", "MARKET", quote_order_qty=2_000_000), BadRequestError, -2010, id="poor"
        ),
        pytest.param(
            lambda c: c.new_order(SYMBOL, "BUY", "MARKET", quantity=1e-5), BadRequestError, -1100, id="exponent"
        ),
        pytest.param(
            lambda c: c.new_order(SYMBOL, "BUY", "MARKET", quote_order_qty=50, strategy_type=5),
            BadRequestError,
            -1134,
            id="strategy",
        ),
        pytest.param(
            lambda c: c.new_order(SYMBOL, "BUY", "MARKET", quote_order_qty=50, new_client_order_id="a b"),
            BadRequestError,
            -1100,
            id="client id",
        ),
        pytest.param(lambda c: c.get_account(recv_window=D("60000.001")), BadRequestError, -1131, id="window too wide"),
        pytest.param(lambda c: c.exchange_info(symbols=[SYMBOL, SYMBOL]), BadRequestError, -1151, id="symbol twice"),
        pytest.param(lambda c: c.my_trades(SYMBOL, start_time=1, from_id=1), BadRequestError, -1128, id="combination"),
        pytest.param(
            lambda c: c.my_trades(SYMBOL, start_time=1, end_time=86_400_002), BadRequestError, -1127, id="a day at most"
        ),
    ],
)
def test_refusals(client: Any, ask: Callable[[Any], Any], kind: type[Exception], code: int) -> None:
    """Refusals arrive as the SDK's class for their HTTP status, with the exchange's code."""
    with pytest.raises(kind) as caught:
        ask(client)

    assert caught.value.status_code == code


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"secret": "x" * 64}, BadRequestError, -1022),
        ({"key": "short"}, UnauthorizedError, -2014),
        ({"key": "A" * 64}, UnauthorizedError, -2015),
    ],
    ids=["wrong secret", "malformed key", "unknown key"],
)
def test_wrong_credentials(still: Serving, changes: dict[str, str], kind: type[Exception], code: int) -> None:
    """What is wrong with a key."""
    with pytest.raises(kind) as caught:
        connect_official(still, **changes).get_account()

    assert caught.value.status_code == code


def test_what_is_not_offered_is_not_found(client: Any) -> None:
    """An endpoint the exchange does not have is a 404."""
    with pytest.raises(NotFoundError):
        client.order_list_oco(SYMBOL, "BUY", D("0.001"), "LIMIT_MAKER", "STOP_LOSS", above_stop_price=1, below_price=1)


def test_microseconds(still: Serving) -> None:
    """With µs asked for, every time of an answer has three digits more."""
    client, finer = connect_official(still), connect_official(still, time_unit="MICROSECOND")
    client.new_order(SYMBOL, "BUY", "MARKET", quote_order_qty=50)

    assert finer.time().data().server_time == client.time().data().server_time * 1000
    ours, theirs = client.klines(SYMBOL, "1m", limit=2).data()[0], finer.klines(SYMBOL, "1m", limit=2).data()[0]
    assert (theirs[0], theirs[6]) == (ours[0] * 1000, (ours[6] + 1) * 1000 - 1)
    assert theirs[1:6] == ours[1:6]
    order, finest = client.all_orders(SYMBOL).data()[-1], finer.all_orders(SYMBOL).data()[-1]
    assert [finest.time, finest.update_time, finest.working_time] == [
        each * 1000 for each in (order.time, order.update_time, order.working_time)
    ]
    assert finer.my_trades(SYMBOL).data()[-1].time == client.my_trades(SYMBOL).data()[-1].time * 1000
    placed = finer.new_order(SYMBOL, "BUY", "MARKET", quote_order_qty=50).data()
    assert placed.transact_time == placed.working_time == still.now() * 1000


def test_microsecond_timestamps_and_decimal_windows(real_time: Serving) -> None:
    """At the speed of the wall clock the SDK needs no setting of its clock; a window may have three decimals."""
    client = connect_official(real_time)

    assert client.get_account(recv_window=D("1500.125")).data().account_type == "SPOT"
