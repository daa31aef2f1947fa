"""Every nasty thing an exchange, or what stands in front of it, can do to a request."""

from __future__ import annotations

import socket
import traceback

import pytest
from exchange_cases import API_KEY, API_SECRET, FULL, RECV_WINDOW_MS, SELL
from loopback_exchange import (
    LoopbackExchange,
    Reply,
    answer,
    before_body,
    drip,
    error,
    hang,
    html,
    raw,
    reset,
    truncated,
)

from thunes_cli.clock import Clock
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.endpoints import Endpoints
from thunes_cli.config.secrets import Secret
from thunes_cli.exchange.binance import BinanceExchange, connect
from thunes_cli.exchange.failures import (
    AuthFailed,
    ExchangeDown,
    ExchangeFailure,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
)
from thunes_cli.model import ClientOrderId

BROKEN = [
    pytest.param(html(503), id="html-503"),
    pytest.param(answer([1, 2], 500), id="list-500"),
    pytest.param(answer([1, 2]), id="list-200"),
    pytest.param(answer({}), id="empty-object"),
    pytest.param(answer({"orderId": "no", "serverTime": []}), id="wrong-types"),
    pytest.param(answer(b""), id="empty-body"),
    pytest.param(answer(b"\x00\xff\x13garbage"), id="garbage-body"),
    pytest.param(raw(b"\x16\x03\x01\x00garbage\r\n\r\n"), id="not-http"),
    pytest.param(raw(b"HTTP/1.1 200"), id="half-a-status-line"),
    pytest.param(raw(b""), id="closed-without-a-word"),
    pytest.param(truncated, id="truncated"),
    pytest.param(reset, id="reset"),
    pytest.param(before_body(raw(b"")), id="closed-before-the-body"),
    pytest.param(hang, id="hang"),
    pytest.param(drip, id="body-dripping-for-ever"),
    pytest.param(error(-1007, "Timeout waiting for response from backend server.", 400), id="-1007"),
    pytest.param(error(-1000, status=500), id="-1000"),
    pytest.param(answer(b"", 302, Location="/api/v3/ping"), id="redirect-302"),
    pytest.param(answer(b"", 307, Location="/api/v3/order"), id="redirect-307"),
    pytest.param(answer(b"not gzip", Content_Encoding="gzip"), id="broken-gzip"),
]


@pytest.mark.parametrize("reply", BROKEN)
def test_a_broken_answer_to_a_read_means_down(
    reply: Reply, exchange: BinanceExchange, server: LoopbackExchange
) -> None:
    """No shape of failure gets out as anything but ExchangeDown, and nothing is sent twice."""
    server.then("/api/v3/time", reply)

    with pytest.raises(ExchangeDown) as caught:
        exchange.server_time()

    assert not isinstance(caught.value, NotSent)
    assert len(server.requests) == 1
    assert_tells_no_secret(caught.value)


def test_a_time_out_is_told_as_it_was_set(exchange: BinanceExchange, server: LoopbackExchange) -> None:
    """The operator reads how long was waited, not what a library would have waited by itself."""
    server.then("/api/v3/time", hang)

    with pytest.raises(ExchangeDown, match=r"no answer within 0\.4 s"):
        exchange.server_time()


@pytest.mark.parametrize("reply", BROKEN)
def test_a_broken_answer_to_an_order_means_unknown(
    reply: Reply, exchange: BinanceExchange, server: LoopbackExchange
) -> None:
    """Whatever breaks after the first byte, the order may have been executed; it is not sent again."""
    server.then("/api/v3/order", reply)

    with pytest.raises(OutcomeUnknown) as caught:
        exchange.place(SELL, timestamp_ms=1)

    assert len(server.requests) == 1
    assert_tells_no_secret(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer(FULL | {"clientOrderId": "someone-else"}), id="other-client-id"),
        pytest.param(answer(FULL | {"side": "BUY"}), id="other-side"),
        pytest.param(answer(FULL | {"symbol": "ETHUSDT"}), id="other-symbol"),
        pytest.param(answer(FULL | {"executedQty": "NaN"}), id="nan"),
        pytest.param(answer(FULL | {"executedQty": "1e5"}), id="exponent"),
        pytest.param(answer(FULL | {"transactTime": 10**20}), id="time-beyond-time"),
        pytest.param(answer(FULL | {"fills": None}), id="fills-null"),
        pytest.param(answer({k: v for k, v in FULL.items() if k != "executedQty"}), id="ack-only"),
        pytest.param(html(403), id="firewall"),
        pytest.param(html(429), id="429-html"),
        pytest.param(html(401), id="401-html"),
        pytest.param(error(-2010, "Duplicate order sent."), id="duplicate"),
    ],
)
def test_an_answer_that_is_not_about_our_order_means_unknown(
    reply: Reply, exchange: BinanceExchange, server: LoopbackExchange
) -> None:
    """An answer that does not fit proves nothing about the order."""
    server.then("/api/v3/order", reply)

    with pytest.raises(OutcomeUnknown):
        exchange.place(SELL, timestamp_ms=1)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        pytest.param(error(-2010, "Account has insufficient balance for requested action."), Rejected, id="balance"),
        pytest.param(error(-1013, "Filter failure: NOTIONAL"), Rejected, id="filter"),
        pytest.param(error(-1015, "Too many new orders.", 429, Retry_After="3"), RateLimited, id="order-count"),
        pytest.param(error(-2015, "Invalid API-key, IP, or permissions for action.", 401), AuthFailed, id="key"),
    ],
)
def test_a_known_code_proves_that_an_order_was_not_executed(
    reply: Reply, kind: type[ExchangeFailure], exchange: BinanceExchange, server: LoopbackExchange
) -> None:
    """The exchange's own refusal is certain."""
    server.then("/api/v3/order", reply)

    with pytest.raises(kind):
        exchange.place(SELL, timestamp_ms=1)


def test_silence_is_ordered_with_its_length(exchange: BinanceExchange, server: LoopbackExchange) -> None:
    """Retry-After is heard; without it the first guess is a minute."""
    server.then("/api/v3/ping", error(-1003, "Too much", 418, Retry_After="120"), html(403))

    with pytest.raises(RateLimited) as told:
        exchange.ping()
    with pytest.raises(RateLimited) as guessed:
        exchange.ping()

    assert (told.value.http_status, told.value.retry_after_s, told.value.told) == (418, 120, True)
    assert (guessed.value.http_status, guessed.value.retry_after_s, guessed.value.told) == (403, 60, False)


def unreachable(rest_url: str, credentials: Credentials, clock: Clock) -> BinanceExchange:
    return connect(
        Endpoints(rest_url, "", "", None), credentials, clock=clock, recv_window_ms=RECV_WINDOW_MS, timeout_s=0.4
    )


@pytest.mark.parametrize(
    ("host", "words"), [("127.0.0.1", "connection refused"), ("nowhere.invalid", "host name cannot be resolved")]
)
def test_no_connection_proves_that_nothing_was_sent(
    host: str, words: str, credentials: Credentials, clock: Clock
) -> None:
    """Refused and unresolvable: the order is known not to be placed, and the exchange to be down."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    exchange = unreachable(f"http://{host}:{port}", credentials, clock)

    with pytest.raises(NotSent, match=words) as order:
        exchange.place(SELL, timestamp_ms=1)
    with pytest.raises(NotSent, match=words):
        exchange.account()

    assert_tells_no_secret(order.value)


def test_a_connection_that_never_comes_about_was_not_used(
    credentials: Credentials, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full backlog swallows the SYN: connecting times out, so nothing was sent."""
    monkeypatch.setattr("thunes_cli.exchange.binance_client.CONNECT_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.settimeout(0)
                filler.connect_ex(address)
            with pytest.raises(NotSent, match=r"no connection within 0\.2 s"):
                unreachable(f"http://127.0.0.1:{address[1]}", credentials, clock).place(SELL, timestamp_ms=1)
        finally:
            for filler in fillers:
                filler.close()


def test_a_server_that_vanished_between_two_orders_got_nothing(
    exchange: BinanceExchange, server: LoopbackExchange
) -> None:
    """The connection kept from the last call is not trusted with an order."""
    server.then("/api/v3/order", answer(FULL))
    exchange.place(SELL, timestamp_ms=1)

    server.close()

    with pytest.raises(NotSent):
        exchange.place(SELL, timestamp_ms=2)


def test_a_key_that_cannot_be_sent_is_not_told(endpoints: Endpoints, clock: Clock) -> None:
    """requests quotes a bad header value in its error; ours does not."""
    credentials = Credentials(Secret(API_KEY + "\n"), Secret(API_SECRET), None, "test")
    exchange = connect(endpoints, credentials, clock=clock, recv_window_ms=5000, timeout_s=10)

    for call in (exchange.ping, exchange.account, lambda: exchange.place(SELL, timestamp_ms=1)):
        with pytest.raises(ExchangeFailure) as caught:
            call()
        assert_tells_no_secret(caught.value)


def test_lookups_that_fail_are_not_absences(exchange: BinanceExchange, server: LoopbackExchange) -> None:
    """Only -2013 says that there is no such order."""
    server.then("/api/v3/order", html(404), answer([]), error(-1007, status=504))

    for _ in range(3):
        with pytest.raises(ExchangeDown):
            exchange.order("BTCUSDT", ClientOrderId("x"))


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer([[1, "2"]]), id="short-row"),
        pytest.param(answer([[60_000, "1", "1", "1", "0", "1", 119_999]]), id="price-zero"),
        pytest.param(answer([[60_000, "1", "1", "1", "-1", "1", 119_999]]), id="price-negative"),
        pytest.param(answer([[60_000, "1", "1", "1", "nan", "1", 119_999]]), id="price-nan"),
        pytest.param(answer([[60_000, "1", "1", "1", "1", "1", 59_000]]), id="closes-before-it-opens"),
        pytest.param(answer([[60_000, "1", "1", "1", "1", "1", 119_999]] * 2), id="twice"),
    ],
)
def test_candles_that_make_no_sense_are_not_traded_on(
    reply: Reply, exchange: BinanceExchange, server: LoopbackExchange
) -> None:
    """A zero price would be a stop-loss, a duplicate a signal: neither gets through."""
    server.then("/api/v3/klines", reply)

    with pytest.raises(ExchangeDown, match="makes no sense"):
        exchange.candles("BTCUSDT", "1m")


def assert_tells_no_secret(failure: BaseException) -> None:
    shown = "".join(traceback.format_exception(failure)) + repr(failure) + str(failure)
    for word in (API_KEY, API_SECRET, "signature="):
        assert word not in shown
