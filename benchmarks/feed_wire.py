"""A stream of candles as the exchange sends it: each symbol every two seconds, and each candle once when it closes."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

BEGAN = datetime(2026, 3, 10, 12, tzinfo=UTC)
SPAN = timedelta(minutes=1)
UPDATE_S = 2.0
_CLOSES_WITHIN_S = 1.0
_MINUTE_MS = 60_000


def symbols_of(count: int) -> tuple[str, ...]:
    """Made-up symbols."""
    return tuple(f"C{number:03d}USDT" for number in range(count))


class Wire:
    """Serves the stream to one client. ``speed``: candles close so many times as often as every minute.

    ``sent`` is when each closed candle left, monotonic.
    """

    def __init__(self, count: int, *, speed: int) -> None:
        self._symbols = symbols_of(count)
        self._speed = speed
        self._ended = threading.Event()
        self.sent: dict[str, float] = {}
        self.messages = 0

    def __enter__(self) -> Self:
        self._server = serve(self._serve, "127.0.0.1", 0, compression=None, ping_interval=None)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()

    def _serve(self, connection: ServerConnection) -> None:
        threading.Thread(target=self._drain, args=(connection,), daemon=True).start()
        began, number, count = time.monotonic(), 0, len(self._symbols)
        minute_s = 60 / self._speed
        events = self._events(count, minute_s)
        try:
            while not self._ended.is_set():
                due, symbol, candle, closed = next(events)
                if self._ended.wait(max(began + due - time.monotonic(), 0)):
                    return
                text = self._text(symbol, candle, closed=closed)
                if closed:
                    opened = BEGAN + candle * SPAN
                    self.sent[f"{symbol} {opened.isoformat()}"] = time.monotonic()
                connection.send(text)
                self.messages += 1
                number += 1
        except ConnectionClosed:
            return

    def _drain(self, connection: ServerConnection) -> None:
        try:
            for _ in connection:
                pass
        except ConnectionClosed:
            return

    def _events(self, count: int, minute_s: float):  # noqa: ANN202 - a generator of due, symbol, candle, closed
        """Updates evenly over two seconds; all candles close within a second after the minute."""
        import heapq  # noqa: PLC0415

        heap: list[tuple[float, int, bool]] = []
        for place in range(count):
            heapq.heappush(heap, (UPDATE_S * place / count, place, False))
            heapq.heappush(heap, (minute_s + _CLOSES_WITHIN_S * place / count, place, True))
        closes = [0] * count
        while True:
            due, place, closed = heapq.heappop(heap)
            yield due, self._symbols[place], closes[place], closed
            if closed:
                closes[place] += 1
                heapq.heappush(heap, (due + minute_s, place, True))
            else:
                heapq.heappush(heap, (due + UPDATE_S, place, False))

    def _text(self, symbol: str, candle: int, *, closed: bool) -> str:
        opened = int(BEGAN.timestamp()) * 1000 + candle * _MINUTE_MS
        price = f"{100 + candle % 7}.50000000"
        kline = {
            "t": opened,
            "T": opened + _MINUTE_MS - 1,
            "s": symbol,
            "i": "1m",
            "f": 100,
            "L": 200,
            "o": price,
            "c": price,
            "h": price,
            "l": price,
            "v": "12.50000000",
            "n": 101,
            "x": closed,
            "q": "1250.00000000",
            "V": "6.00000000",
            "Q": "600.00000000",
            "B": "0",
        }
        event = {"e": "kline", "E": opened + (_MINUTE_MS if closed else 30_000), "s": symbol, "k": kline}
        return json.dumps({"stream": f"{symbol.lower()}@kline_1m", "data": event}, separators=(",", ":"))
