"""What goes out over the wire, byte by byte, and what comes back as values."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from exchange_cases import API_KEY, API_SECRET, BUY, FULL, MARKET_MS, ORDER, RECV_WINDOW_MS, SELL, START, TRADE
from loopback_exchange import LoopbackExchange, Request, answer, error

from thunes_cli.clock import Clock, from_ms
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.endpoints import Endpoints
from thunes_cli.config.secrets import Secret
from thunes_cli.errors import ConfigError
from thunes_cli.exchange.binance import BinanceExchange, connect
from thunes_cli.exchange.failures import Rejected
from thunes_cli.ledger.bans import RateLimits
from thunes_cli.model import Candle, ClientOrderId, MarketOrder, Side


def verify_hmac(request: Request) -> None:
    text, _, signature = request.signed_text.rpartition("&signature=")
    assert hmac.new(API_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest() == signature


def test_an_order_carries_exactly_what_was_journalled(exchange: BinanceExchange, server: LoopbackExchange) -> None:
    """Timestamp, recvWindow and client id are the caller's; the quantity has no exponent; the signature verifies."""
    server.then("/api/v3/order", answer(FULL))

    report = exchange.place(SELL, timestamp_ms=1753000000123)

    [request] = server.requests
    assert (request.method, request.target) == ("POST", "/api/v3/order")
    assert request.fields.pop("signature")
    assert {name: value for name, value in request.fields.items() if name != "signature"} == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "MARKET",
        "quantity": "0.00000001",
        "newClientOrderId": "thabcdefabc-S-7",
        "newOrderRespType": "FULL",
        "timestamp": "1753000000123",
        "recvWindow": str(RECV_WINDOW_MS),
    }
    verify_hmac(request)
    assert request.headers["X-Mbx-Apikey"] == API_KEY
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["User-Agent"].startswith("thunes/")
    assert (report.order_id, report.status, report.executed_qty) == (41, "FILLED", Decimal("0.003"))
    assert [(t.trade_id, t.quote_quantity, t.commission) for t in report.trades] == [
        (5, Decimal(30), Decimal("0.03")),
        (6, Decimal("60.3"), Decimal("0.06")),
    ]
    assert exchange.recv_window_ms == RECV_WINDOW_MS


def test_a_buy_names_the_quote_amount_only(exchange: BinanceExchange, server: LoopbackExchange) -> None:
    """A BUY is sent by quoteOrderQty, in plain notation."""
    server.then("/api/v3/order", answer(FULL | {"clientOrderId": BUY.client_order_id, "side": "BUY"}))

    exchange.place(BUY, timestamp_ms=MARKET_MS)

    fields = server.requests[0].fields
    assert fields["quoteOrderQty"] == "12.5"
    assert "quantity" not in fields


def test_an_order_without_one_amount_is_not_sent(exchange: BinanceExchange, server: LoopbackExchange) -> None:
    """Neither or both amounts is a bug of ours, found before a byte leaves."""
    for order in (
        MarketOrder("X", Side.SELL, ClientOrderId("a")),
        MarketOrder("X", Side.BUY, ClientOrderId("a"), Decimal(1), Decimal(1)),
    ):
        with pytest.raises(ValueError, match="either"):
            exchange.place(order, timestamp_ms=1)

    assert not server.requests


def test_fills_that_do_not_add_up_are_left_to_be_asked_for(exchange: BinanceExchange, server: LoopbackExchange) -> None:
    """When price × quantity cannot give the order's own total, no trade is guessed."""
    server.then("/api/v3/order", answer(FULL | {"cummulativeQuoteQty": "90.30000001"}))

    report = exchange.place(SELL, timestamp_ms=MARKET_MS)

    assert report.trades == ()
    assert report.executed_quote == Decimal("90.30000001")


def test_a_test_order_goes_to_the_test_path(exchange: BinanceExchange, server: LoopbackExchange) -> None:
    """Validation never reaches the engine's path."""
    server.then("/api/v3/order/test", answer({}))

    exchange.test_place(BUY)

    [request] = server.requests
    assert request.path == "/api/v3/order/test"
    verify_hmac(request)


def test_every_signed_read_is_stamped_with_market_time_and_signed(
    exchange: BinanceExchange, server: LoopbackExchange
) -> None:
    """The timestamp of a signed read is the exchange's time as we reckon it, in a query whose signature verifies."""
    order = ORDER | {"time": MARKET_MS}
    server.always |= {
        "/api/v3/account": answer(
            {
                "uid": 77,
                "canTrade": True,
                "balances": [
                    {"asset": "BTC", "free": "1", "locked": "0"},
                    {"asset": "X", "free": "0.0", "locked": "0"},
                ],
            }
        ),
        "/api/v3/order": answer(order),
        "/api/v3/allOrders": answer([order | {"orderId": 42}, order]),
        "/api/v3/openOrders": answer([]),
        "/api/v3/myTrades": answer([TRADE]),
    }

    account = exchange.account()
    found = exchange.order("BTCUSDT", ClientOrderId("thabcdefabc-S-7"))
    orders = exchange.orders("BTCUSDT", start=START)
    exchange.orders("BTCUSDT", from_order_id=9)
    assert exchange.open_orders("BTCUSDT") == []
    [trade] = exchange.trades("BTCUSDT", order_id=41)
    exchange.trades("BTCUSDT", from_trade_id=6)

    for request in server.requests:
        assert request.method == "GET"
        assert request.body == b""
        assert request.fields["timestamp"] == str(MARKET_MS)
        assert request.fields["recvWindow"] == str(RECV_WINDOW_MS)
        verify_hmac(request)
    assert account.uid == "77"
    assert list(account.balances) == ["BTC"]
    assert found is not None
    assert found.time == from_ms(MARKET_MS)
    assert [report.order_id for report in orders] == [41, 42]
    assert (trade.side, trade.quote_quantity, trade.commission_asset) == (Side.BUY, Decimal("60.3"), "BNB")
    first, second = server.sent("/api/v3/allOrders")
    assert int(first.fields["endTime"]) - int(first.fields["startTime"]) == 86_400_000
    assert second.fields["orderId"] == "9"
    assert "startTime" not in second.fields
    assert [request.fields.get("fromId") for request in server.sent("/api/v3/myTrades")] == [None, "6"]


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_private_keys_sign_reads_and_orders(
    kind: str, tmp_path: Path, endpoints: Endpoints, clock: Clock, server: LoopbackExchange
) -> None:
    """Ed25519 and RSA signatures verify over exactly the encoded text that was sent, whatever the file's length."""
    key: Any = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else rsa.generate_private_key(65537, 2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = tmp_path / "key.pem"
    file.write_bytes(key.private_bytes(*form) + b"\n\n")  # longer than python-binance takes an Ed25519 key to be
    exchange = connect(
        endpoints, Credentials(Secret(API_KEY), None, file, "test"), clock=clock, recv_window_ms=5000, timeout_s=1
    )
    server.always |= {"/api/v3/order": answer(FULL), "/api/v3/openOrders": answer([])}

    exchange.open_orders("BTC/€ +1")
    exchange.place(SELL, timestamp_ms=MARKET_MS)

    for request in server.requests:
        text, _, encoded = request.signed_text.rpartition("&signature=")
        signature = base64.b64decode(unquote(encoded), validate=True)
        if kind == "ed25519":
            key.public_key().verify(signature, text.encode())
        else:
            key.public_key().verify(signature, text.encode(), padding.PKCS1v15(), hashes.SHA256())
    assert server.requests[0].fields["symbol"] == "BTC/€ +1"


def test_a_key_file_that_cannot_sign_is_a_clear_error(tmp_path: Path, endpoints: Endpoints, clock: Clock) -> None:
    """A file that holds no private key is named; its content is not."""
    file = tmp_path / "key.pem"
    for content in (b"hunter2", b"\xff\xfe", None):
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ConfigError, match=r"key\.pem") as caught:
            connect(
                endpoints, Credentials(Secret("k"), None, file, "test"), clock=clock, recv_window_ms=5000, timeout_s=1
            )
        assert "hunter2" not in str(caught.value)


def test_public_reads_become_values(exchange: BinanceExchange, server: LoopbackExchange) -> None:
    """Time, prices and candles are parsed; unknown fields do no harm; public requests are not signed."""
    kline = [MARKET_MS, "1.0", "3.0", "0.5", "2.0", "10", MARKET_MS + 59_999, "20", 5, "1", "2", "0"]
    server.always |= {
        "/api/v3/ping": answer({}),
        "/api/v3/time": answer({"serverTime": MARKET_MS, "new": 1}),
        "/api/v3/ticker/price": answer({"symbol": "BTCUSDT", "price": "30000.10"}),
        "/api/v3/avgPrice": answer({"mins": 5, "price": "29999.9", "closeTime": 1}),
        "/api/v3/klines": answer([kline]),
    }

    exchange.ping()
    assert exchange.server_time() == from_ms(MARKET_MS)
    assert exchange.last_price("BTCUSDT") == Decimal("30000.10")
    assert exchange.average_price("BTCUSDT") == Decimal("29999.9")
    opened = from_ms(MARKET_MS)
    assert exchange.candles("BTCUSDT", "1m", limit=7, start=opened) == [
        Candle(opened, opened + timedelta(minutes=1), Decimal(1), Decimal(3), Decimal("0.5"), Decimal(2), Decimal(10))
    ]
    assert not any("signature" in request.target for request in server.requests)
    assert server.requests[-1].fields == {
        "symbol": "BTCUSDT",
        "interval": "1m",
        "limit": "7",
        "startTime": str(MARKET_MS),
    }


def symbol_entry(name: str) -> dict[str, object]:
    return {
        "symbol": name,
        "status": "A_NEW_STATUS",
        "baseAsset": "币",
        "quoteAsset": "USDT",
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "orderTypes": ["MARKET", "NEW_TYPE"],
        "quoteOrderQtyMarketAllowed": True,
        "isSpotTradingAllowed": True,
        "filters": [{"filterType": "A_NEW_FILTER", "x": 1}],
    }


def test_an_unknown_symbol_does_not_hide_the_others(
    endpoints: Endpoints, credentials: Credentials, clock: Clock, server: LoopbackExchange
) -> None:
    """-1121 for the list: each symbol is asked for alone, and only the unknown one is missing."""
    limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}]
    told: list[RateLimits] = []
    exchange = connect(endpoints, credentials, clock=clock, recv_window_ms=5000, timeout_s=10, on_limits=told.append)
    server.then(
        "/api/v3/exchangeInfo",
        error(-1121, "Invalid symbol."),
        answer({"symbols": [symbol_entry("币USDT")], "rateLimits": limits}),
        error(-1121, "Invalid symbol."),
    )

    rules = exchange.symbol_rules(["币USDT", "NOPE"])

    assert list(rules) == ["币USDT"]
    assert rules["币USDT"].base == "币"
    assert not rules["币USDT"].tradable
    assert [request.fields["symbols"] for request in server.requests] == ['["币USDT","NOPE"]', '["币USDT"]', '["NOPE"]']
    assert [limits.weight_1m for limits in told] == [6000]
    assert exchange.symbol_rules([]) == {}


def test_of_many_symbols_halves_are_asked_for(exchange: BinanceExchange, server: LoopbackExchange) -> None:
    """One delisted symbol costs a few questions, not one a symbol; a request's line does not grow without end."""
    listed = [symbol_entry(f"C{number}USDT") for number in range(4)]
    server.then(
        "/api/v3/exchangeInfo",
        error(-1121, "Invalid symbol."),
        answer({"symbols": listed[:2]}),
        error(-1121, "Invalid symbol."),
        answer({"symbols": listed[2:3]}),
        error(-1121, "Invalid symbol."),
    )

    rules = exchange.symbol_rules(["C0USDT", "C1USDT", "C2USDT", "GONE"])
    server.then("/api/v3/exchangeInfo", answer({"symbols": listed}), answer({"symbols": []}))
    exchange.symbol_rules([f"C{number}USDT" for number in range(300)])

    assert sorted(rules) == ["C0USDT", "C1USDT", "C2USDT"]
    assert [len(json.loads(request.fields["symbols"])) for request in server.requests] == [4, 2, 2, 1, 1, 150, 150]


def test_an_order_that_does_not_exist_is_none(exchange: BinanceExchange, server: LoopbackExchange) -> None:
    """-2013 is an answer, any other business code is not."""
    server.then("/api/v3/order", error(-2013, "Order does not exist."), error(-2026))

    assert exchange.order("BTCUSDT", ClientOrderId("x")) is None
    with pytest.raises(Rejected):
        exchange.order("BTCUSDT", ClientOrderId("x"))


def test_the_wallet_interface_is_asked_only_where_there_is_one(
    endpoints: Endpoints, credentials: Credentials, clock: Clock, server: LoopbackExchange, exchange: BinanceExchange
) -> None:
    """Without a sapi URL nothing is sent anywhere; with one the request goes to it, and nowhere else."""
    assert exchange.key_restrictions() is None
    assert not server.requests

    wallet = LoopbackExchange()
    try:
        wallet.then(
            "/sapi/v1/account/apiRestrictions",
            answer({"enableWithdrawals": False, "ipRestrict": True, "createTime": 5}),
        )
        with_sapi = Endpoints(endpoints.rest_url, "", "", wallet.url)
        permissions = connect(with_sapi, credentials, clock=clock, recv_window_ms=5000, timeout_s=10).key_restrictions()
        assert permissions is not None
        assert permissions.permissions == {"enableWithdrawals": False, "ipRestrict": True}
        assert permissions.created_at == from_ms(5)
        assert permissions.trading_until is None
        [request] = wallet.requests
        verify_hmac(request)
    finally:
        wallet.close()
    assert not server.requests
