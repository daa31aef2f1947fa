"""Keys of every kind in the hands of each client: Ed25519, keys that may not trade, keys bound to an address.

Ed25519: python-binance (``private_key``), ccxt (the PEM as secret), Binance's SDK over REST and, with
``session.logon``, over the WebSocket API: many signed requests, for a base64 signature may hold ``+`` and ``/``.
A key that may only read, one that is bound to another address, and one that was revoked: each client's own error, and
what apiRestrictions tells of it.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import ccxt
import pytest
from binance.exceptions import BinanceAPIException
from binance_common.configuration import ConfigurationWebSocketAPI
from binance_common.errors import UnauthorizedError
from binance_sdk_spot.spot import Spot
from connecting import connect_ccxt, connect_official, connect_python_binance
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from serving import Serving

SYMBOL = "BTCUSDT"
# Of that many signatures some hold each character that has to be encoded.
MANY = 25
PATIENCE = 20


def made(serving: Serving, **asked: Any) -> dict[str, Any]:
    """A fresh key of the exchange."""
    reply = serving.send("POST", "/sim/key/add", body=json.dumps(asked))
    assert reply.status == 200, reply
    return dict(reply.body)


@pytest.fixture(scope="module")
def pair(still: Serving) -> tuple[str, str]:
    """An API key whose public half the exchange has been given, and the private half as PEM."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return str(made(still, public_key=public, label="conformance")["api_key"]), secret


def test_python_binance_signs_by_ed25519(still: Serving, pair: tuple[str, str]) -> None:
    """Reading and trading."""
    client = connect_python_binance(still, key=pair[0], private_key=pair[1])

    for number in range(MANY):
        assert client.get_open_orders(symbol=SYMBOL, recvWindow=5000 + number) == []
    assert client.order_market_buy(symbol=SYMBOL, quoteOrderQty="50")["status"] == "FILLED"
    client.session.close()


def test_ccxt_signs_by_ed25519(still: Serving, pair: tuple[str, str]) -> None:
    """Reading and trading."""
    client = connect_ccxt(still, key=pair[0], secret=pair[1])

    for _ in range(MANY):
        assert client.fetch_balance()["info"]["canTrade"] is True
    assert client.create_market_buy_order_with_cost("BTC/USDT", "50")["status"] == "closed"
    client.close()


def test_official_signs_by_ed25519(still: Serving, pair: tuple[str, str]) -> None:
    """Reading and trading."""
    client = connect_official(still, key=pair[0], private_key=pair[1])

    for _ in range(MANY):
        assert client.get_account().data().can_trade is True
    assert client.new_order(SYMBOL, "BUY", "MARKET", quote_order_qty=50).data().status == "FILLED"


def test_official_logs_on(still: Serving, pair: tuple[str, str]) -> None:
    """After ``session.logon`` nothing needs a signature any more, and the account's events need no parameters."""

    async def scene() -> None:
        settings = ConfigurationWebSocketAPI(
            api_key=pair[0], private_key=pair[1], stream_url=still.announced["ws_api_url"]
        )
        api = await Spot(config_ws_api=settings).websocket_api.create_connection()
        try:
            session = (await api.session_logon()).data().result
            assert session.api_key == pair[0]
            assert (await api.session_status()).data().result.api_key == pair[0]
            heard: asyncio.Queue[Any] = asyncio.Queue()
            subscribed = await api.user_data_stream_subscribe()
            subscribed.stream.on("message", lambda event: heard.put_nowait(event.actual_instance))
            placed = (await api.order_place(symbol=SYMBOL, side="BUY", type="MARKET", quote_order_qty=50)).data().result
            assert (await heard.get()).i == placed.order_id
            assert (await api.session_logout()).data().result.api_key is None
        finally:
            await api.close_connection(close_session=True)

    asyncio.run(asyncio.wait_for(scene(), PATIENCE))


def test_a_key_of_another_pair(still: Serving, pair: tuple[str, str]) -> None:
    """A signature by another private key is none."""
    other = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        connect_ccxt(still, key=pair[0], secret=other).fetch_balance()


@pytest.mark.parametrize(
    "asked",
    [{"deny": ["enableSpotAndMarginTrading"]}, {"ips": ["192.0.2.7"]}],
    ids=["may only read", "bound to another address"],
)
def test_restricted_keys(still: Serving, asked: dict[str, Any]) -> None:
    """−2015, as each client's own error."""
    key = made(still, **asked)
    secrets = {"key": key["api_key"], "secret": key["api_secret"]}
    binance, official = connect_python_binance(still, **secrets), connect_official(still, **secrets)

    with pytest.raises(BinanceAPIException) as caught:
        binance.order_market_buy(symbol=SYMBOL, quoteOrderQty="50")
    assert (caught.value.code, caught.value.status_code) == (-2015, 401)
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        connect_ccxt(still, **secrets).create_market_buy_order_with_cost("BTC/USDT", "50")
    with pytest.raises(UnauthorizedError) as refused:
        official.new_order(SYMBOL, "BUY", "MARKET", quote_order_qty=50)
    assert refused.value.status_code == -2015
    if "deny" in asked:
        assert official.get_account().data().account_type == "SPOT"
        assert binance.get_account_api_permissions()["enableSpotAndMarginTrading"] is False
    binance.session.close()


def test_a_revoked_key(still: Serving) -> None:
    """What worked a moment ago is −2015."""
    key = made(still)
    client = connect_official(still, key=key["api_key"], secret=key["api_secret"])
    assert client.get_account().data().account_type == "SPOT"

    assert still.send("POST", "/sim/key/revoke", body=json.dumps({"key": key["api_key"][:12]})).status == 200

    with pytest.raises(UnauthorizedError) as caught:
        client.get_account()
    assert caught.value.status_code == -2015
