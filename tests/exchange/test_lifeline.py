"""Keeping a connection alive, against a server that misbehaves in every way; time-outs shortened."""

from __future__ import annotations

import json
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import pytest
from stream_server import StreamServer, combined, kline, wait_for
from websockets.sync.server import ServerConnection

from thunes_cli.exchange import lifeline
from thunes_cli.exchange.kline_line import KlineLine, Update
from thunes_cli.exchange.lifeline import Lifeline
from thunes_cli.exchange.line import Change, Patience, Session
from thunes_cli.exchange.socket import Socket, SocketLost

# Nothing here may be lost because the machine was busy for seconds: only what a test is about is waited for shortly.
QUICK = Patience(
    stale_s=20, max_reconnects=5, first_s=20, ping_s=0.3, pong_s=20, settle_s=0.3, retry_s=0.5, connect_s=20
)


class Room:
    """A lifeline with what came of it."""

    def __init__(self, server: StreamServer, patience: Patience, symbols: tuple[str, ...]) -> None:
        self.changes: list[Change] = []
        self.updates: list[Update] = []
        self.line = KlineLine(server.url, "1m", symbols, take=self.updates.append)
        self.life = Lifeline(self.line, patience, on_change=lambda change, _why: self.changes.append(change))


@contextmanager
def listening(
    conversation: Callable[[ServerConnection, int], None],
    patience: Patience = QUICK,
    *,
    symbols: tuple[str, ...] = ("BTCUSDT",),
    refusing: int | None = None,
) -> Iterator[tuple[Room, StreamServer]]:
    with StreamServer(conversation, refusing=refusing) as server:
        room = Room(server, patience, symbols)
        room.life.start()
        try:
            yield room, server
        finally:
            room.life.stop()
            assert room.life.finished(20)


def talk(connection: ServerConnection, server_ends: threading.Event, *, for_s: float = 60.0) -> None:
    """Send candles as the exchange does, quicker."""
    ends = time.monotonic() + for_s
    while time.monotonic() < ends and not server_ends.wait(0.05):
        connection.send(combined(kline()))


@pytest.fixture
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait longer than a tenth of a second."""
    monkeypatch.setattr(lifeline, "_MOST_BACKOFF_S", 0.1)


@pytest.mark.usefixtures("quick_backoff")
def test_a_dropped_connection_is_made_again():
    """A reset TCP connection: the next one is made, once, and prices flow again."""
    ended = threading.Event()

    def conversation(connection: ServerConnection, number: int) -> None:
        if number:
            talk(connection, ended)
            return
        connection.send(combined(kline()))
        time.sleep(0.5)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.socket.shutdown(socket.SHUT_RDWR)

    with listening(conversation) as (room, server):
        wait_for(lambda: Change.AGAIN in room.changes)
        assert room.changes == [Change.UP, Change.LOST, Change.AGAIN]
        assert room.life.state.reconnects == 1
        assert len(server.opened_mono) == 2
        ended.set()


def test_attempts_are_1_2_4_seconds_apart_and_then_it_falls_back(caplog):
    """Nobody there: the waits double, the log counts the attempts, and after the last one it has fallen back."""
    caplog.set_level(logging.INFO)
    patience = Patience(
        stale_s=9.0, max_reconnects=2, first_s=5.0, ping_s=3, pong_s=3, settle_s=1, retry_s=0.3, connect_s=2
    )
    with listening(lambda *_: None, patience, refusing=503) as (room, server):
        wait_for(lambda: room.life.state.fallen_back)
        wait_for(lambda: len(server.attempts_mono) >= 5)
    waits = [after - before for before, after in pairwise(server.attempts_mono)]
    assert waits[0] >= 1
    assert waits[1] >= 2
    assert min(waits[2:]) < 2  # the background tries by its own measure
    assert room.changes == [Change.FELL_BACK]
    said = [record.getMessage() for record in caplog.records]
    assert "market stream: Attempting reconnection (attempt 1/2)" in said
    assert "market stream: Attempting reconnection (attempt 2/2)" in said
    assert "HTTP 503" in str(room.life.state.problem)


@pytest.mark.usefixtures("quick_backoff")
def test_it_comes_back_by_itself():
    """After falling back it goes on trying, and says that it is restored."""
    ended = threading.Event()
    with listening(lambda connection, _: talk(connection, ended), refusing=503) as (room, server):
        wait_for(lambda: room.life.state.fallen_back)
        server.refusing = None
        wait_for(lambda: Change.RESTORED in room.changes or Change.UP in room.changes)
        assert not room.life.state.fallen_back
        ended.set()


@pytest.mark.usefixtures("quick_backoff")
def test_a_silent_server_is_left_although_it_answers_pings():
    """Pings and pongs go on, news do not: that is no healthy stream."""
    ended = threading.Event()

    def conversation(connection: ServerConnection, number: int) -> None:
        if number:
            talk(connection, ended)
        else:
            connection.send(combined(kline()))
            for _ in connection:
                pass

    with listening(conversation, replace(QUICK, stale_s=1.0)) as (room, _):
        wait_for(lambda: Change.AGAIN in room.changes)
        assert room.changes[:3] == [Change.UP, Change.LOST, Change.AGAIN]
        ended.set()


@pytest.mark.usefixtures("quick_backoff")
def test_a_server_that_never_sends_news_is_no_connection():
    """It connects and says nothing: after so many of those it has fallen back, instead of waiting for ever."""
    patience = Patience(
        stale_s=9.0, max_reconnects=2, first_s=0.3, ping_s=3, pong_s=3, settle_s=1, retry_s=0.3, connect_s=2
    )
    ended = threading.Event()
    with listening(lambda _connection, _number: ended.wait(20), patience) as (room, _):
        wait_for(lambda: room.life.state.fallen_back)
        assert room.changes == [Change.FELL_BACK]
        ended.set()


@pytest.mark.usefixtures("quick_backoff")
def test_a_half_open_connection_is_found_by_its_unanswered_ping():
    """Nothing moves any more on the TCP connection: noticed by the ping long before news are overdue."""
    patience = Patience(
        stale_s=60.0, max_reconnects=5, first_s=5, ping_s=0.3, pong_s=0.4, settle_s=0.1, retry_s=1, connect_s=2
    )
    ended, frozen = threading.Event(), threading.Event()

    def conversation(connection: ServerConnection, number: int) -> None:
        connection.send(combined(kline()))
        if number:
            talk(connection, ended)
            return
        with connection.recv_flow_control:  # its reader reads no more
            frozen.set()
            ended.wait(20)

    with listening(conversation, patience) as (room, _):
        began = time.monotonic()
        wait_for(lambda: Change.AGAIN in room.changes)
        assert frozen.is_set()
        assert time.monotonic() - began < 40  # of the sixty without news
        ended.set()


def test_pings_of_the_server_prove_that_it_lives():
    """Where nothing happens for hours, the server's own pings are enough; ours are answered anyhow."""
    patience = replace(QUICK, stale_s=1.0).whose_silence_means_nothing()
    ended = threading.Event()

    def conversation(connection: ServerConnection, _: int) -> None:
        connection.send(combined(kline()))
        while not ended.wait(0.1):
            connection.ping()

    with listening(conversation, patience) as (room, server):
        wait_for(lambda: room.life.state.up_mono)
        ended.wait(1.5)
        assert room.changes == [Change.UP]
        assert len(server.opened_mono) == 1
        ended.set()


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


def test_garbage_is_counted_and_nothing_else(caplog):
    """Half a message, other shapes, unknown events, binary, deep nesting: passed over, and the connection stays."""
    ended = threading.Event()
    bad: list[str | bytes] = [
        '{"e":"kline","E":17',
        "[]",
        "null",
        "7",
        '"text"',
        '{"e":"somethingNew","E":1,"data":{"k":null}}',
        '{"stream":"x","data":null}',
        '{"stream":"btcusdt@kline_1m"}',
        '{"stream":"btcusdt@kline_1m","data":{"e":"kline"}}',
        combined(kline(price="NaN")),
        combined(kline(price="-1")),
        combined(kline(price="1e400")),
        combined(kline(c=None)),
        combined(kline(closed=True, t="x")),
        combined(kline(closed=True, h="1")),
        b"\xff\xfe{",
        "[" * 100_000,
    ]

    def conversation(connection: ServerConnection, _: int) -> None:
        connection.send(combined(kline()))
        for message in bad:
            connection.send(message)
        connection.send(combined(kline(price="77")))
        talk(connection, ended)

    with listening(conversation) as (room, server):
        wait_for(lambda: any(str(update.price) == "77" for update in room.updates))
        assert room.line.garbage >= len(bad) - 3
        assert len(server.opened_mono) == 1
        assert all(update.price > 0 for update in room.updates)
        ended.set()
    assert sum("passed over" in record.getMessage() for record in caplog.records) == 1


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


def test_ending_is_quick_whatever_the_peer_does():
    """A stop waits for no answer of a connection on which nothing moves."""
    ended = threading.Event()

    def conversation(connection: ServerConnection, _: int) -> None:
        connection.send(combined(kline()))
        with connection.recv_flow_control:
            ended.wait(20)

    with listening(conversation, Patience.of(60, max_reconnects=5)) as (room, _):
        wait_for(lambda: room.life.state.up_mono)
        began = time.monotonic()
        room.life.stop()
        assert room.life.finished(20)
        assert time.monotonic() - began < 15  # a second for a close frame nobody answers, on a busy machine
        ended.set()
