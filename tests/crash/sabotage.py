"""Watching a run from inside, step by step, so that it can be killed between any two; the code under test is as it is.

Events are named ``<step>.<before|after>`` (``torn``: half of it happened):

``intent``, ``sent``, ``unknown``, ``booked``, ``not_placed``, ``rejected``, ``wanted``, ``absence``, ``head``,
``ledger`` (anything else): the COMMIT of a transaction, by what it wrote. ``trail``: the write to the trail's file.
``sync``: its fdatasync. ``draft``: a private file's draft on the disk (``before``: its bytes are written, not synced),
``name``: the draft becoming the file. ``request``: an order's bytes leaving (``torn``: the head alone). ``reply``: its
answer.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from urllib3.util import connection

from thunes_cli.exchange.binance_client import RestClient
from thunes_cli.risk import exits
from thunes_cli.trading import resolution

_ORDER = b"POST /api/v3/order HTTP"
_STATES = {
    "SENT": "sent",
    "UNKNOWN": "unknown",
    "NOT_PLACED": "not_placed",
    "REJECTED": "rejected",
    "ACKED": "booked",
    "FILLED": "booked",
    "EXPIRED": "booked",
    "CANCELED": "booked",
}
_CHANGES = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\b")


class Events:
    """Writes down what happens and kills when it is time; ``trace`` survives the process."""

    def __init__(self, trace: int, telling: int, killing: Any) -> None:
        self._trace = trace
        self._telling = telling
        self._killing = killing
        self._lock = threading.Lock()
        self._seen = 0
        self._named = 0

    def happen(self, name: str) -> None:
        """One step's border."""
        with self._lock:
            os.write(self._trace, name.encode() + b"\n")
            self._seen += 1
            if self._seen == self._killing.at:
                os.kill(os.getpid(), signal.SIGKILL)
            if name == self._killing.on:
                self._named += 1
                if self._named == self._killing.nth and self._killing.stop:
                    os.kill(os.getpid(), signal.SIGSTOP)
                elif self._named == self._killing.nth:
                    os.write(self._telling, b"k")


def sabotage(events: Events, *, lose: str, source: str, quick_proofs: bool) -> None:
    """Put the watch on this process.

    Args:
        events: who is told.
        lose: ``replies``: the answer to every order is lost on the way back; ``requests``: no order arrives.
        source: the address requests come from (the exchange counts weight by address).
        quick_proofs: proofs of absence and waits between exits take hundredths of a second instead of seconds.
    """
    _watch_ledger(events)
    _watch_trail(events)
    _watch_private_files(events)
    _watch_wire(events, lose)
    if source:
        _speak_from(source)
    if quick_proofs:
        resolution.ABSENCE_DISTANCE = timedelta(milliseconds=20)
        exits.FIRST_BACK_OFF = timedelta(milliseconds=20)


# -- the ledger ----------------------------------------------------------------------------------------------------


class _Watched(sqlite3.Connection):
    """A connection that tells of its COMMITs, named by what the transaction wrote."""

    happen: Callable[[str], None]
    _step: str | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "COMMIT" and self._step is not None:
            step, self._step = self._step, None
            self.happen(f"{step}.before")
            cursor = super().execute(sql, parameters)
            self.happen(f"{step}.after")
            return cursor
        if sql.startswith(("BEGIN", "ROLLBACK")):
            self._step = None
        elif _CHANGES.match(sql):
            self._step = _rank(self._step, _step_of(sql, parameters))
        return super().execute(sql, parameters)


_RANKS = ("ledger", "head", "absence", "wanted", "rejected", "not_placed", "unknown", "sent", "intent", "booked")


def _rank(one: str | None, other: str) -> str:
    return other if one is None or _RANKS.index(other) > _RANKS.index(one) else one


_STEPS = {
    "INSERT INTO orders": "intent",
    "INSERT INTO fills": "booked",
    "UPDATE orders SET absences": "absence",
    "UPDATE positions SET exit_wanted =": "wanted",
    "UPDATE audit_head SET durable_seq": "head",
}


def _step_of(sql: str, parameters: Any) -> str:
    if sql.startswith("UPDATE orders SET state"):
        return _STATES[str(parameters["to"])]
    return next((step for start, step in _STEPS.items() if sql.startswith(start)), "ledger")


def _watch_ledger(events: Events) -> None:
    _Watched.happen = staticmethod(events.happen)  # type: ignore[assignment,method-assign]
    real = sqlite3.connect

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        return real(*arguments, factory=_Watched, **options)

    sqlite3.connect = connect  # type: ignore[assignment]


# -- the trail -----------------------------------------------------------------------------------------------------


def _watch_trail(events: Events) -> None:
    write, sync = os.pwrite, os.fdatasync

    def watched_write(descriptor: int, data: Any, offset: int) -> int:
        if not str(Path(f"/proc/self/fd/{descriptor}").readlink()).endswith(".jsonl"):
            return write(descriptor, data, offset)
        events.happen("trail.before")
        half = write(descriptor, data[: len(data) // 2], offset)
        events.happen("trail.torn")
        written = half + write(descriptor, data[half:], offset + half)
        events.happen("trail.after")
        return written

    def watched_sync(descriptor: int) -> None:
        events.happen("sync.before")
        sync(descriptor)
        events.happen("sync.after")

    os.pwrite, os.fdatasync = watched_write, watched_sync


# -- private files -------------------------------------------------------------------------------------------------


def _watch_private_files(events: Events) -> None:
    sync, replace = os.fsync, os.replace

    def watched_sync(descriptor: int) -> None:
        draft = ".draft-" in str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if draft:
            events.happen("draft.before")
        sync(descriptor)
        if draft:
            events.happen("draft.after")

    def watched_replace(source: Any, target: Any) -> None:
        draft = ".draft-" in str(source)
        if draft:
            events.happen("name.before")
        replace(source, target)
        if draft:
            events.happen("name.after")

    os.fsync, os.replace = watched_sync, watched_replace


# -- the wire ------------------------------------------------------------------------------------------------------


def _watch_wire(events: Events, lose: str) -> None:
    send, begin = http.client.HTTPConnection.send, http.client.HTTPResponse.begin
    handle = RestClient._handle_response
    local = threading.local()

    def watched_send(self: Any, data: Any) -> None:
        if isinstance(data, bytes) and data.startswith(_ORDER):
            local.order = True
            events.happen("request.before")
            if lose == "requests":
                raise ConnectionResetError("lost by the test")
            send(self, data)
            events.happen("request.torn")
            return
        send(self, data)
        if getattr(local, "order", False):
            events.happen("request.after")

    def watched_begin(self: Any) -> None:
        order, local.order = getattr(local, "order", False), False
        begin(self)
        if order:
            events.happen("reply.before")
            if lose == "replies":
                raise ConnectionResetError("lost by the test")
            local.reply = True

    def watched_handle(self: Any, response: Any) -> Any:
        answer = handle(self, response)
        if getattr(local, "reply", False):
            local.reply = False
            events.happen("reply.after")
        return answer

    http.client.HTTPConnection.send = watched_send  # type: ignore[method-assign]
    http.client.HTTPResponse.begin = watched_begin  # type: ignore[method-assign]
    RestClient._handle_response = watched_handle  # type: ignore[method-assign]


def _speak_from(source: str) -> None:
    real = connection.create_connection

    def create(address: Any, timeout: Any = None, source_address: Any = None, socket_options: Any = None) -> Any:
        del source_address
        return real(address, timeout, source_address=(source, 0), socket_options=socket_options)

    connection.create_connection = create
