"""Keeping a connection alive, against a server that misbehaves in every way; time-outs shortened."""

from __future__ import annotations

import logging
import socket
import struct
import threading
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from lifeline_room import QUICK, listening, talk
from stream_server import combined, kline, wait_for
from websockets.sync.server import ServerConnection

from thunes_cli.exchange.line import Change, Patience


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
