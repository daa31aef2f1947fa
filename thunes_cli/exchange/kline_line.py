"""Candles as the exchange streams them: one combined connection for all symbols.

Shapes: Binance's spot API documentation (2026-07), web socket streams. What is not a candle of ours is counted and
passed over, never a reason to end the connection: new events appear without notice.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import quote

from thunes_cli.clock import from_ms
from thunes_cli.exchange import replies
from thunes_cli.exchange.line import Heard, Session
from thunes_cli.model import Candle

_log = logging.getLogger(__name__)

MOST_STREAMS = 1024  # of a connection
_IN_ADDRESS = 100  # streams named in the address; a longer one is refused by many a proxy
_IN_MESSAGE = 200
_REPEAT_LOG_S = 60.0
_SLACK_MS = 1000  # a closed candle is told after its end, by one clock or another


class Update(NamedTuple):
    """What a message says of a symbol: its last price, at a market time; the candle when it has closed."""

    symbol: str
    price: Decimal
    at: datetime
    closed: Candle | None


def parse_update(event: Any, *, timeframe: str) -> Update | None:
    """A kline event; None when it is one of another interval.

    Raises:
        MalformedReply: it is not what the documentation promises.
    """
    try:
        kline, symbol, at = event["k"], event["s"], event["E"]
        if kline["i"] != timeframe or not isinstance(symbol, str):
            return None
        price = replies.price({"price": kline["c"]})
        moment = from_ms(at)
        if kline["x"] is not True:
            return Update(symbol, price, moment, None)
        fields = [kline[name] for name in ("t", "o", "h", "l", "c", "v", "T")]
        if kline["T"] > at + _SLACK_MS:
            raise replies.MalformedReply("a candle is closed before its end")
    except (LookupError, TypeError, OverflowError, ArithmeticError) as error:
        raise replies.MalformedReply(f"a kline event: {type(error).__name__} {error}") from None
    return Update(symbol, price, moment, replies.candles([fields])[0])


class KlineLine:
    """Candles of one interval. ``take`` gets every update, on the reader's thread; it must be quick."""

    name = "market stream"

    def __init__(
        self, base_url: str, timeframe: str, symbols: Iterable[str], *, take: Callable[[Update], None]
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeframe = timeframe
        self._take = take
        self._lock = threading.Lock()
        self._wanted: dict[str, None] = {}
        self._garbage = 0
        self._logged_mono = 0.0
        self.follow(symbols)

    def follow(self, symbols: Iterable[str]) -> None:
        """Listen to these symbols as well from now on."""
        with self._lock:
            for symbol in symbols:
                if len(self._wanted) >= MOST_STREAMS and symbol not in self._wanted:
                    _log.error("more than %d streams: %s is asked for over REST", MOST_STREAMS, symbol)
                    return
                self._wanted[symbol] = None

    @property
    def streams(self) -> list[str]:
        """The names of the streams, as the exchange writes them."""
        with self._lock:
            return [f"{symbol.lower()}@kline_{self._timeframe}" for symbol in self._wanted]

    @property
    def garbage(self) -> int:
        """How many messages made no sense to us."""
        return self._garbage

    def url(self) -> str:
        """The combined stream's address with the first streams in it."""
        names = "/".join(quote(name, safe="@") for name in self.streams[:_IN_ADDRESS])
        return f"{self._base_url}/stream?streams={names}"

    def begin(self, send: Callable[[str], None]) -> Session:
        """A new connection, which the address has subscribed to the first streams."""
        return _Conversation(self, send, subscribed=self.streams[:_IN_ADDRESS])

    def hear(self, event: Any) -> Heard:
        """Take in an event of a stream."""
        kind = event.get("e")
        if kind == "serverShutdown":
            return Heard.LEAVING
        if kind != "kline":
            self.wonder(f"event {kind!r}")
            return Heard.NOTHING
        update = parse_update(event, timeframe=self._timeframe)
        if update is None or update.symbol not in self._wanted:
            return Heard.NOTHING
        self._take(update)
        return Heard.NEWS

    def wonder(self, what: str) -> None:
        """Count what nobody understands, and say so once a minute."""
        self._garbage += 1
        now = time.monotonic()
        if self._garbage == 1 or now - self._logged_mono >= _REPEAT_LOG_S:
            self._logged_mono = now
            _log.warning("%s: message passed over: why=%s so_far=%d", self.name, what[:200], self._garbage)


class _Conversation:
    """One connection of the line."""

    def __init__(self, line: KlineLine, send: Callable[[str], None], *, subscribed: Sequence[str]) -> None:
        self._line = line
        self._send = send
        self._subscribed = set(subscribed)
        self._number = 0

    def hear(self, message: bytes) -> Heard:
        """A message of the exchange, or something else."""
        try:
            told = json.loads(message)
            event = told["data"] if "stream" in told else told
            if isinstance(event, dict) and "e" in event:
                return self._line.hear(event)
            self._answer(told)
        except (ValueError, TypeError, LookupError, RecursionError) as error:  # MalformedReply is a ValueError
            self._line.wonder(str(error))
        return Heard.NOTHING

    def _answer(self, told: Any) -> None:
        """The answer to a control message: ``{"result":null,"id":1}`` when it was obeyed."""
        if "error" in told or "code" in told:
            _log.error("market stream: subscription refused: %s", json.dumps(told)[:200])
        elif "result" not in told:
            self._line.wonder("neither an event nor an answer")

    def tend(self) -> None:
        """Subscribe to what is not yet subscribed to; a message each time, for five in a second are too many."""
        missing = [name for name in self._line.streams if name not in self._subscribed][:_IN_MESSAGE]
        if missing:
            self._number += 1
            self._subscribed.update(missing)
            self._send(json.dumps({"method": "SUBSCRIBE", "params": missing, "id": self._number}))
