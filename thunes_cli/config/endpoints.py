"""Where each environment's exchange is. A testnet key must never reach production: testnet has no sapi at all."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from thunes_cli.config.settings import Settings
from thunes_cli.model import Environment


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base URLs without the paths that the exchange's rooms add (``/api/v3``, ``/ws``, ``/stream``, ``/sapi/v1``).

    ``ws_api_url`` is complete. ``sapi_url`` is None where the exchange has no such interface.
    """

    rest_url: str
    stream_url: str
    ws_api_url: str
    sapi_url: str | None


# Binance's published base URLs (spot API documentation, snapshot 2026-07-21).
LIVE = Endpoints(
    rest_url="https://api.binance.com",
    stream_url="wss://stream.binance.com:9443",
    ws_api_url="wss://ws-api.binance.com:443/ws-api/v3",
    sapi_url="https://api.binance.com",
)
TESTNET = Endpoints(
    rest_url="https://testnet.binance.vision",
    stream_url="wss://stream.testnet.binance.vision",
    ws_api_url="wss://ws-api.testnet.binance.vision/ws-api/v3",
    sapi_url=None,
)


def endpoints(settings: Settings) -> Endpoints | None:
    """The exchange's addresses, each overridable by a setting; None for the embedded exchange.

    On the simulator ``BINANCE_REST_URL`` says that it is served elsewhere; addresses not given are then those that
    ``sim serve`` offers on the same host and port.
    """
    if settings.environment is Environment.SIM:
        if settings.binance_rest_url is None:
            return None
        base = _served_beside(settings.binance_rest_url)
    else:
        base = LIVE if settings.environment is Environment.LIVE else TESTNET
    return Endpoints(
        rest_url=settings.binance_rest_url or base.rest_url,
        stream_url=settings.binance_stream_url or base.stream_url,
        ws_api_url=settings.binance_ws_api_url or base.ws_api_url,
        sapi_url=settings.binance_sapi_url or base.sapi_url,
    )


def _served_beside(rest_url: str) -> Endpoints:
    parts = urlsplit(rest_url)
    socket = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"
    return Endpoints(rest_url, socket, f"{socket}/ws-api/v3", rest_url)
