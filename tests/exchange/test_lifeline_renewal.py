"""Connections that are given up on purpose: told to, too old, distrusted, for another symbol; and waiting as told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import pytest
from lifeline_room import QUICK, Room, listening, talk
from stream_server import StreamServer, combined, kline, wait_for
from websockets.sync.server import ServerConnection

from thunes_cli.exchange.kline_line import KlineLine
from thunes_cli.exchange.line import Change, Patience, Session
from thunes_cli.exchange.socket import Socket, SocketLost


@pytest.mark.parametrize(
    "notice",
    [
        {"e": "serverShutdown", "E": 1},
        {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}},
    ],
    ids=["raw", "combined"],
)
def test_a_shutdown_notice_is_a_planned_reconnect(notice):
    """The next connection is made before the old one is left: nothing is lost, and nobody is told of a loss."""
    ended = threading.Event()
    times: dict[str, float] = {}

    def conversation(connection: ServerConnection, number: int) -> None:
        if number:
            talk(connection, ended)
            return
        connection.send(combined(kline()))
        connection.send(json.dumps(notice))
        try:
            talk(connection, ended)
        finally:
            times["left"] = time.monotonic()

    with listening(conversation) as (room, server):
        wait_for(lambda: room.life.state.reconnects == 1)
        wait_for(lambda: "left" in times)
        assert server.opened_mono[1] < times["left"]
        assert room.changes == [Change.UP]
        ended.set()


def test_a_connection_is_replaced_before_it_is_too_old():
    """The 24 h limit is met by us, not by the exchange."""
    patience = Patience(
        stale_s=9, max_reconnects=5, first_s=5, ping_s=3, pong_s=3, settle_s=0.1, retry_s=1, connect_s=2, life_s=0.5
    )
    ended = threading.Event()
    with listening(lambda connection, _: talk(connection, ended), patience) as (room, _):
        wait_for(lambda: room.life.state.reconnects >= 2)
        assert room.changes == [Change.UP]
        ended.set()


def test_an_orderly_end_is_followed_at_once():
    """The exchange closes with a frame (its 24 h limit): the next connection waits for nothing."""
    ended = threading.Event()

    def conversation(connection: ServerConnection, number: int) -> None:
        talk(connection, ended, for_s=0.6 if number == 0 else 60)
        connection.close(1001, "lifetime")

    with listening(conversation) as (room, server):
        wait_for(lambda: len(server.opened_mono) == 2)
        assert room.life._pause_s == 0
        ended.set()
        assert room.life.state.fallen_back is False


def test_symbols_beyond_the_address_are_subscribed_to_by_message():
    """An address names a hundred streams; the rest follow, in messages the exchange's limit allows."""
    asked: list[dict[str, object]] = []
    ended = threading.Event()
    symbols = tuple(f"S{number}USDT" for number in range(550))

    def conversation(connection: ServerConnection, _: int) -> None:
        connection.send(combined(kline("S1USDT")))
        while len(asked) < 3:
            asked.append(json.loads(connection.recv()))
            connection.send(json.dumps({"result": None, "id": asked[-1]["id"]}))
        talk(connection, ended)

    with listening(conversation, symbols=symbols) as (room, server):
        wait_for(lambda: len(asked) == 3)
        in_address = server.paths[0].removeprefix("/stream?streams=").split("/")
        by_message = [name for each in asked for name in each["params"]]  # type: ignore[union-attr]
        assert len(in_address) == 100
        assert sorted([*in_address, *by_message]) == sorted(f"{symbol.lower()}@kline_1m" for symbol in symbols)
        assert room.line.garbage == 0
        ended.set()


def test_another_symbol_is_followed_without_a_new_connection():
    """A position of a symbol that is not in SYMBOLS: its prices come too."""
    asked: list[dict[str, object]] = []
    ended = threading.Event()

    def conversation(connection: ServerConnection, _: int) -> None:
        connection.send(combined(kline()))
        asked.append(json.loads(connection.recv()))
        connection.send(combined(kline("ETHUSDT", price="9"), stream="ethusdt@kline_1m"))
        talk(connection, ended)

    with listening(conversation) as (room, _):
        wait_for(lambda: room.updates)
        room.line.follow(["ETHUSDT"])
        wait_for(lambda: any(update.symbol == "ETHUSDT" for update in room.updates))
        assert asked[0]["method"] == "SUBSCRIBE"
        assert asked[0]["params"] == ["ethusdt@kline_1m"]
        ended.set()


@pytest.mark.usefixtures("quick_backoff")
def test_a_distrusted_connection_is_made_anew():
    """Who sees that candles are missing says so, and the connection is replaced."""
    ended = threading.Event()
    with listening(lambda connection, _: talk(connection, ended)) as (room, server):
        wait_for(lambda: room.life.state.up_mono)
        room.life.distrust("candle overdue")
        wait_for(lambda: Change.AGAIN in room.changes)
        assert room.changes == [Change.UP, Change.LOST, Change.AGAIN]
        assert len(server.opened_mono) == 2
        ended.set()


def test_a_renewal_asked_for_during_another_one_is_not_lost():
    """While one connection takes the other's place the key changes: the one that takes it knows only the old key."""
    ended, asked_again = threading.Event(), threading.Event()

    def conversation(connection: ServerConnection, number: int) -> None:
        if number == 1:
            asked_again.wait(20)
        talk(connection, ended)

    with listening(conversation) as (room, server):
        wait_for(lambda: room.life.state.up_mono)
        room.life.renew("the connection is about to be too old")
        wait_for(lambda: len(server.opened_mono) == 2)
        room.life.renew("another API key")
        asked_again.set()
        wait_for(lambda: room.life.state.reconnects == 2)
        assert room.changes == [Change.UP]
        ended.set()


@pytest.mark.usefixtures("quick_backoff")
def test_a_mistake_of_ours_leaves_no_connection_behind(monkeypatch: pytest.MonkeyPatch):
    """What fails between the handshake and the first message closes what it has opened, and is tried again."""
    ended, left = threading.Event(), threading.Event()
    real, failures = KlineLine.begin, [ZeroDivisionError()]

    def begin(line: KlineLine, send: Callable[[str], None]) -> Session:
        if failures:
            raise failures.pop()
        return real(line, send)

    def conversation(connection: ServerConnection, number: int) -> None:
        if number:
            talk(connection, ended)
            return
        try:
            connection.recv(20)
        finally:
            left.set()

    monkeypatch.setattr(KlineLine, "begin", begin)
    with listening(conversation) as (room, server):
        wait_for(lambda: Change.UP in room.changes)
        assert left.wait(10)
        assert len(server.opened_mono) == 2
        ended.set()


@pytest.mark.parametrize(
    ("told", "waits_s"),
    [("2", 2.0), ("9" * 12, 3 * 86400.0), ("9" * 400, 60.0), ("soon", 60.0)],
    ids=["seconds", "for ever", "beyond all measure", "no number"],
)
def test_what_a_handshake_tells_us_to_wait_has_bounds(told: str, waits_s: float):
    """A broken header keeps nobody away for longer than the exchange's longest ban."""
    with _Banning(told) as banning, pytest.raises(SocketLost) as lost:
        Socket.open(banning.url, timeout_s=20)
    assert lost.value.wait_s == waits_s


def test_it_stays_away_as_long_as_it_is_told():
    """429 with Retry-After on the handshake: the next attempt is not earlier."""
    with _Banning("2") as banning:
        room = Room(banning, QUICK, ("BTCUSDT",))
        room.life.start()
        wait_for(lambda: len(banning.attempts_mono) >= 2)
        room.life.stop()
        assert room.life.finished(20)
    assert banning.attempts_mono[1] - banning.attempts_mono[0] >= 2.0


class _Banning(StreamServer):
    def __init__(self, told: str) -> None:
        super().__init__(lambda *_: None)
        self._told = told

    def _admit(self, connection: ServerConnection, _request: object) -> object:
        self.attempts_mono.append(time.monotonic())
        answer = connection.respond(429, "slow down\n")
        answer.headers["Retry-After"] = self._told
        return answer
