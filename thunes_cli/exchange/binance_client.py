"""python-binance, bent to our rules: the only file that imports it, itself imported only when a call is to be made.

What is changed, and why (all of it seen in 1.0.37): its fixed recvWindow overwrites the caller's, its timestamp is
taken after ours was journalled, it signs values before they are encoded, it keeps the last response in one attribute
for all threads, its HTTP redirects could send an order twice, and its error for a list body is an AttributeError.
"""

from __future__ import annotations

import asyncio
import http.client
import importlib.util
import logging
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests
import urllib3
from Crypto.PublicKey import ECC, RSA
from requests.adapters import HTTPAdapter

from thunes_cli import __version__
from thunes_cli.config.secrets import Secret
from thunes_cli.errors import ConfigError
from thunes_cli.exchange.classify import Answer


def _import_client() -> Any:
    """python-binance's ``Client`` without the package's ``__init__``.

    That one would import the asynchronous client, aiohttp and the order books too: a third of a second and 10 MiB.
    """
    spec = importlib.util.find_spec("binance") if "binance" not in sys.modules else None
    if spec is not None:
        sys.modules["binance"] = importlib.util.module_from_spec(spec)
    try:
        with warnings.catch_warnings():
            # It names a class of websockets that is deprecated; its streams are not used here.
            warnings.simplefilter("ignore", DeprecationWarning)
            from binance.client import Client  # noqa: PLC0415 - only now
    finally:
        if spec is not None:
            del sys.modules["binance"]  # whoever imports the package gets the whole of it
    return Client


CONNECT_TIMEOUT_S = 3.05  # a little over TCP's retransmission of a lost SYN
IDLE_CLOSE_S = 15.0  # a connection idle for longer may have been dropped without a word
LARGEST_BODY = 32 * 1024 * 1024
_CHUNK = 65536
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

TRANSPORT_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
)


class BodyTooSlow(OSError):
    """The body was not complete in time."""


class BodyTooLarge(OSError):
    """The body is longer than anything the exchange sends."""


class RestClient(_import_client()):  # type: ignore[misc]  # python-binance carries no types
    """One client for all threads: each has a session, hence connections, of its own, so that none waits for another."""

    def __init__(
        self,
        *,
        rest_url: str,
        sapi_url: str | None,
        credentials: Any,
        recv_window_ms: int,
        timeout_s: float,
        timestamp_ms: Callable[[], int],
        on_headers: Callable[[Mapping[str, str]], None],
    ) -> None:
        self._local = threading.local()
        self._credentials = credentials
        self._timestamp_ms = timestamp_ms
        self._on_headers = on_headers
        self.read_timeout_s = timeout_s
        self._direct = urlsplit(rest_url).hostname in _LOOPBACK
        super().__init__(private_key=credentials.private_key or credentials.private_key_file, ping=False)
        self.host = urlsplit(rest_url).netloc.rpartition("@")[2]
        self.API_URL = rest_url.rstrip("/") + "/api"
        self.MARGIN_API_URL = f"{sapi_url.rstrip('/')}/sapi" if sapi_url is not None else ""
        self.REQUEST_RECVWINDOW = recv_window_ms

    # -- sessions -----------------------------------------------------------------------------------------------

    @property
    def session(self) -> requests.Session:
        """This thread's session; connections that were idle for long are closed first."""
        session: requests.Session | None = getattr(self._local, "session", None)
        now = time.monotonic()
        if session is None:
            session = self._local.session = self._init_session()
        elif now - self._local.used > IDLE_CLOSE_S:
            session.close()
        self._local.used = now
        return session

    @session.setter
    def session(self, _: requests.Session) -> None:
        """The base class sets one for all threads; each gets its own instead."""

    @property
    def response(self) -> Any:
        """The last response of this thread."""
        return getattr(self._local, "response", None)

    @response.setter
    def response(self, value: Any) -> None:
        self._local.response = value

    def open_fresh_connection(self) -> None:
        """Let the next request of this thread open a connection.

        On a new connection "could not connect" proves that nothing was sent; a kept one may break in between.
        """
        self.session.close()

    def _init_session(self) -> requests.Session:
        session = requests.Session()
        session.headers.clear()
        session.headers.update(self._get_headers())
        session.trust_env = not self._direct  # with HTTP_PROXY set even 127.0.0.1 would go to the proxy
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=0))
        return session

    def _get_headers(self) -> dict[str, str]:
        return {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": f"thunes/{__version__}",
            "X-MBX-APIKEY": self._credentials.api_key.reveal(),
        }

    # -- requests -----------------------------------------------------------------------------------------------

    def _get_request_kwargs(
        self,
        method: str,
        signed: bool,  # noqa: FBT001 - the base class's signature
        force_params: bool = False,  # noqa: FBT001, FBT002, ARG002 - as above; futures only
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Sorted, encoded, then signed: exactly what is signed goes out (Binance, 2026-01-15)."""
        fields = {name: str(value) for name, value in kwargs.pop("data", {}).items() if value is not None}
        if signed:
            fields.setdefault("timestamp", str(self._timestamp_ms()))
            fields["recvWindow"] = str(self.REQUEST_RECVWINDOW)
        pairs = sorted(fields.items())
        text = urlencode(pairs)
        if signed:
            signature = self._sign(text)
            text = f"{text}&signature={quote(signature, safe='')}"
            # The base class joins the pairs of a private key's POST itself and expects the signature encoded.
            pairs.append(("signature", quote(signature, safe="") if self.PRIVATE_KEY else signature))
        kwargs.update(timeout=(CONNECT_TIMEOUT_S, self.read_timeout_s), allow_redirects=False, stream=True)
        if method == "get":
            kwargs["params"] = text or None
        else:
            kwargs["data"] = pairs
        self._local.deadline = time.monotonic() + CONNECT_TIMEOUT_S + self.read_timeout_s
        return kwargs

    def _sign(self, text: str) -> str:
        if self.PRIVATE_KEY is None:
            return str(self._hmac_signature(text))
        return str(self._rsa_signature(text) if self._is_rsa else self._ed25519_signature(text))

    @property
    def API_SECRET(self) -> str:  # noqa: N802 - the base class's name
        """The secret, revealed only while it signs."""
        return str(self._credentials.api_secret.reveal())

    @API_SECRET.setter
    def API_SECRET(self, _: object) -> None:  # noqa: N802 - the base class's name
        """The base class would keep the plain text."""

    def _init_private_key(self, private_key: Any, private_key_pass: str | None = None) -> Any:  # noqa: ARG002 - base
        """Ed25519 or RSA, by content: the base class goes by length and takes a commented Ed25519 file for RSA."""
        if private_key is None:
            return None
        try:
            text = private_key.reveal() if isinstance(private_key, Secret) else private_key.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the private key {private_key} cannot be read: {error}") from None
        private_key = "the private key" if isinstance(private_key, Secret) else private_key
        try:
            return ECC.import_key(text)
        except ValueError:
            pass
        try:
            key = RSA.import_key(text)
        except (ValueError, IndexError, TypeError):
            raise ConfigError(f"{private_key} holds no unencrypted Ed25519 or RSA private key") from None
        self._is_rsa = True
        return key

    def _handle_response(self, response: requests.Response) -> Answer:
        """The whole answer, whatever it is; what it means is decided by ``classify``."""
        try:
            self._on_headers(response.headers)
            return Answer(response.status_code, response.headers, self._body(response))
        except BaseException:
            response.close()
            raise

    def _body(self, response: requests.Response) -> bytes:
        body = bytearray()
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            body += chunk
            if len(body) > LARGEST_BODY:
                raise BodyTooLarge(f"more than {LARGEST_BODY} bytes")
            if time.monotonic() > self._local.deadline:
                raise BodyTooSlow(f"no complete answer within {self.read_timeout_s:g} s")
        return bytes(body)


def make_client(**arguments: Any) -> RestClient:
    """A :class:`RestClient`; built in a thread of its own, because python-binance leaves an event loop behind."""

    def build() -> RestClient:
        client = RestClient(**arguments)
        client.loop.close()
        asyncio.set_event_loop(None)
        return client

    # urllib3 logs request lines, and with them signatures, when the root logger is at DEBUG.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(build).result()


def never_sent(error: BaseException) -> bool:
    """Whether the connection was never made, so that not a byte of the request can have left."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        return True
    if not isinstance(error, requests.ConnectionError) or not error.args:
        return False
    reason = getattr(error.args[0], "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def describe(error: BaseException, client: RestClient) -> str:
    """One line for people, without the request (its query holds the signature)."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    match error, reason:
        case BodyTooSlow() | BodyTooLarge(), _:
            what = str(error)
        case requests.ConnectTimeout(), _:
            what = f"no connection within {CONNECT_TIMEOUT_S:g} s"
        case _, urllib3.exceptions.NameResolutionError():
            what = "the host name cannot be resolved"
        case _, urllib3.exceptions.NewConnectionError():
            cause = reason.__cause__
            what = cause.strerror.lower() if isinstance(cause, OSError) and cause.strerror else "no connection"
        case requests.exceptions.SSLError(), _:
            what = "TLS failed (certificate or protocol)"
        case requests.exceptions.ProxyError(), _:
            what = "the proxy failed"
        case requests.ReadTimeout() | urllib3.exceptions.ReadTimeoutError() | socket.timeout(), _:
            what = f"no answer within {client.read_timeout_s:g} s"
        case requests.exceptions.InvalidURL() | requests.exceptions.MissingSchema(), _:
            what = "not a valid address"
        case _:
            what = "the connection broke before the answer was complete"
    return f"{client.host}: {what}"
