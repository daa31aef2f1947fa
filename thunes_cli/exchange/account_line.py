"""What happens in the account, as it happens: ``userDataStream.subscribe.signature`` on the WebSocket API.

A subscription ends with its connection, and nothing is repeated: whoever listens compares with the exchange after each
new connection. Shapes: Binance's spot API documentation (2026-07), user data stream.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from thunes_cli.clock import Clock, to_ms
from thunes_cli.config.credentials import Credentials
from thunes_cli.errors import ConfigError
from thunes_cli.exchange import replies
from thunes_cli.exchange.line import Heard, Session
from thunes_cli.exchange.signing import signed
from thunes_cli.exchange.socket import SocketLost
from thunes_cli.model import OrderReport

_log = logging.getLogger(__name__)

_SUBSCRIBE = "userDataStream.subscribe.signature"
_OK = 200
_NO_ID = -1
_QUIET = frozenset({"outboundAccountPosition", "listStatus", "externalLockUpdate"})
_LIMITED = frozenset({418, 429})

Event = Mapping[str, Any]


def execution(event: Event) -> OrderReport:
    """An ``executionReport``; its ``trades`` hold the one execution that it tells of, if it tells all of it.

    Of a canceled order ``C`` is the id it was placed with, ``c`` the cancel's. Without a fee asset the trade is left
    out: the exchange's list of trades says what it was.

    Raises:
        MalformedReply: it is not what the documentation promises.
    """
    try:
        original = event.get("C")
        canceled = event["x"] in {"CANCELED", "REPLACED"} and isinstance(original, str) and original != ""
        report = replies.order(
            {
                "symbol": event["s"],
                "orderId": event["i"],
                "clientOrderId": original if canceled else event["c"],
                "side": event["S"],
                "status": event["X"],
                "origQty": event["q"],
                "origQuoteOrderQty": event.get("Q", "0"),
                "executedQty": event["z"],
                "cummulativeQuoteQty": event["Z"],
                "time": event["O"],
            }
        )
        if event["x"] != "TRADE" or event["t"] == _NO_ID or event.get("N") is None:
            return report
        trade = {
            "symbol": event["s"],
            "id": event["t"],
            "orderId": event["i"],
            "isBuyer": event["S"] == "BUY",
            "price": event["L"],
            "qty": event["l"],
            "quoteQty": event["Y"],
            "commission": event["n"],
            "commissionAsset": event["N"],
            "time": event["T"],
            "isMaker": event.get("m") is True,
        }
    except (LookupError, TypeError) as error:
        raise replies.MalformedReply(f"executionReport: there is no {error}") from None
    return replace(report, trades=tuple(replies.trades([trade])))


class AccountLine:
    """The account's events. ``take`` gets each on the reader's thread and must be quick."""

    name = "account stream"

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        clock: Clock,
        *,
        recv_window_ms: int,
        take: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self._url = url
        self._credentials = credentials
        self._clock = clock
        self._recv_window_ms = recv_window_ms
        self._take = take
        self._renew: Callable[[str], None] = lambda _: None

    def connect_to(self, take: Callable[[Event], None], *, renew: Callable[[str], None]) -> None:
        """Who takes the events, and who makes a new connection when it is asked for."""
        self._take, self._renew = take, renew

    def use(self, credentials: Credentials) -> None:
        """Subscribe anew with another key; what the old subscription still tells is heard until then."""
        self._credentials = credentials
        self._renew("another API key")

    def url(self) -> str:
        """The WebSocket API's address."""
        return self._url

    def begin(self, send: Callable[[str], None]) -> Session:
        """Ask for the account's events."""
        request_id = uuid.uuid4().hex
        try:
            params = signed(
                {"timestamp": to_ms(self._clock.now()), "recvWindow": self._recv_window_ms}, self._credentials
            )
        except ConfigError as error:
            raise SocketLost(error.message) from None
        send(json.dumps({"id": request_id, "method": _SUBSCRIBE, "params": params}, ensure_ascii=False))
        return _Subscription(request_id, self._take, name=self.name)


class _Subscription:
    """One connection, from the request to its end."""

    def __init__(self, request_id: str, take: Callable[[Event], None], *, name: str) -> None:
        self._request_id = request_id
        self._take = take
        self._name = name

    def tend(self) -> None:
        """There is nothing to say."""

    def hear(self, message: bytes) -> Heard:
        """An answer, an event, or something else.

        Raises:
            SocketLost: the exchange refused the subscription, or has ended it.
        """
        try:
            told = json.loads(message)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            _log.warning("%s: message passed over: not an object", self._name)
            return Heard.NOTHING
        if told.get("id") == self._request_id:
            return self._answer(told)
        event = told.get("event", told)
        kind = event.get("e") if isinstance(event, dict) else None
        if kind == "serverShutdown":
            return Heard.LEAVING
        if kind == "eventStreamTerminated":
            raise SocketLost("the exchange ended the subscription")
        if not isinstance(kind, str):
            _log.warning("%s: message passed over: neither an event nor our answer", self._name)
            return Heard.NOTHING
        if kind not in _QUIET:
            self._take(event)
        return Heard.NEWS

    def _answer(self, told: Mapping[str, Any]) -> Heard:
        status = told.get("status")
        if status == _OK:
            return Heard.NEWS
        error = told.get("error")
        error = error if isinstance(error, dict) else {}
        wait_s = 60.0 if status in _LIMITED else 0.0
        raise SocketLost(f"subscription refused: {error.get('msg')} ({error.get('code')})", wait_s=wait_s)
