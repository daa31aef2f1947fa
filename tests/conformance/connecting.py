"""Three foreign clients of an embedded exchange, as their users would set them up; nothing but base URLs is changed."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import ccxt
from binance.client import Client
from binance_common.configuration import ConfigurationRestAPI
from binance_sdk_spot.spot import Spot
from serving import Serving

# Documented options of ccxt: spot markets only, and none of the wallet's lists, which a spot account does not need.
CCXT_OPTIONS: dict[str, Any] = {"fetchMarkets": {"types": ["spot"]}, "fetchMargins": False, "fetchCurrencies": False}


def connect_python_binance(serving: Serving, *, key: str | None = None, secret: str | None = None, **more: Any) -> Any:
    """python-binance's synchronous client, its clock set by the exchange's."""

    class LoopbackClient(Client):
        API_URL = f"{serving.url}/api"
        MARGIN_API_URL = f"{serving.url}/sapi"

    secret = None if "private_key" in more else (secret or serving.secret)
    client = LoopbackClient(key or serving.key, secret, ping=False, **more)
    client.session.trust_env = False
    client.timestamp_offset = client.get_server_time()["serverTime"] - int(time.time() * 1000)
    return client


def ccxt_settings(serving: Serving, *, key: str | None = None, secret: str | None = None) -> dict[str, Any]:
    """What a user of ccxt passes to its constructor; its own rate limiter is off, the exchange's is on."""
    spot = f"{serving.url}/api/v3"
    streams = serving.announced["stream_url"]
    return {
        "apiKey": key or serving.key,
        "secret": secret or serving.secret,
        "enableRateLimit": False,
        "urls": {
            "api": {
                "public": spot,
                "private": spot,
                "sapi": f"{serving.url}/sapi/v1",
                "ws": {"spot": f"{streams}/ws", "ws-api": {"spot": serving.announced["ws_api_url"]}},
            }
        },
        "options": dict(CCXT_OPTIONS),
    }


def connect_ccxt(serving: Serving, *, key: str | None = None, secret: str | None = None) -> Any:
    """ccxt's synchronous client. It reads numbers as the strings they came as, so that digits can be compared."""
    client = ccxt.binance(ccxt_settings(serving, key=key, secret=secret))
    client.number = str
    return client


def connect_official(serving: Serving, *, key: str | None = None, secret: str | None = None, **more: Any) -> Any:
    """The REST side of Binance's SDK, without its own retries: each test sees the first answer."""
    if "private_key" not in more:
        more["api_secret"] = secret or serving.secret
    settings = ConfigurationRestAPI(
        api_key=key or serving.key, base_path=serving.url, timeout=20_000, retries=0, **more
    )
    return Spot(config_rest_api=settings).rest_api


def price_at(serving: Serving, factor: str, *, symbol: str = "BTCUSDT") -> str:
    """The last price times a factor, on a tick of 0.01."""
    last = Decimal(serving.get("/api/v3/ticker/price", symbol=symbol)["price"])
    return format((last * Decimal(factor)).quantize(Decimal("0.01")), "f")
