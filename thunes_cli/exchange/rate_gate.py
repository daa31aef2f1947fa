"""The exchange's patience: how much of it is used, and silence when it ordered silence.

A ban (429, 418, 403) is a row in the ledger that every process and every restart honours. Since nothing is sent while
it lasts, a restart loop cannot lengthen it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import re
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change, Journal
from thunes_cli.clock import to_text
from thunes_cli.errors import ThunesError
from thunes_cli.exchange.failures import RateBanned, RateLimited
from thunes_cli.ledger.bans import CONTROL, Ban, RateUsage, forget_ban, read_ban, save_ban, save_usage
from thunes_cli.ledger.controls import note_transition
from thunes_cli.process import boot_id, this_process

LONGEST_GUESS_S = 600.0  # when the exchange names no time: 60 s, doubling up to this
RECORD_EVERY_S = 5.0

_COUNT = re.compile(r"[0-9]{1,9}")
_LOG = logging.getLogger(__name__)


class RateGate:
    """One home's gate; any number of threads and processes."""

    def __init__(self, journal: Journal, *, boot: str | None = None) -> None:
        self._journal = journal
        self._clock = journal.clock
        self._boot = boot_id() if boot is None else boot
        self._lock = threading.Lock()
        self._usage = RateUsage(None, None, None, None, self._clock.wall())
        self._dirty = False
        self._recorded_mono = -math.inf
        self._silent_until_mono = -math.inf  # holds even when the ledger could not be written

    # -- bans --------------------------------------------------------------------------------------------------

    def check(self) -> Ban | None:
        """Leave to send; the answer is a past ban that no good answer has followed yet, for :meth:`answered`.

        Raises:
            RateBanned: silence is ordered; ``retry_at`` (wall) says until when.
        """
        with self._journal.read() as connection:
            ban = read_ban(connection)
        wall, monotonic = self._clock.wall(), self._clock.monotonic()
        left = self._silent_until_mono - monotonic
        if ban is not None:
            left = max(left, ban.left_s(wall=wall, monotonic=monotonic, boot=self._boot))
        if left > 0:
            until = wall + timedelta(seconds=left)
            status = f" (HTTP {ban.status})" if ban is not None else ""
            raise RateBanned(f"the exchange ordered silence{status},", to_text(until), retry_at=until)
        return ban

    def answered(self, past: Ban | None) -> None:
        """A good answer came after ``past``: the next ban starts at 60 s again."""
        if past is None:
            return
        with self._journal.change() as change:
            if forget_ban(change.connection, past):
                self._note(change, before="banned", after="clear", reason="the exchange answers again")

    def limited(self, failure: RateLimited) -> None:
        """Order silence: what the exchange told, else 60 s doubling to 10 minutes with each ban in a row.

        Answers of calls that were under way when the ban began belong to the same ban.
        """
        wait = failure.retry_after_s
        self._silent_until_mono = max(self._silent_until_mono, self._clock.monotonic() + wait)
        with self._journal.change() as change:
            wall, monotonic = change.at_wall, self._clock.monotonic()
            old = read_ban(change.connection)
            left = old.left_s(wall=wall, monotonic=monotonic, boot=self._boot) if old is not None else 0.0
            under_way = old is not None and left > 0
            consecutive = 1 if old is None else old.consecutive + (not under_way)
            if not failure.told:
                wait = min(wait * 2 ** min(consecutive - 1, 10), LONGEST_GUESS_S)
            if under_way and left >= wait:
                return
            self._silent_until_mono = max(self._silent_until_mono, monotonic + wait)
            ban = Ban(
                until_wall=wall + timedelta(seconds=wait),
                until_mono=monotonic + wait,
                boot_id=self._boot,
                status=failure.http_status,
                consecutive=consecutive,
                since_wall=wall,
            )
            save_ban(change.connection, ban)
            if not under_way:
                self._note(change, before="clear", after="banned", reason=str(failure))
                change.record(
                    Event.RATE_LIMIT_BAN,
                    http_status=ban.status,
                    seconds=math.ceil(wait),
                    until_wall=ban.until_wall,
                    consecutive=consecutive,
                )

    def _note(self, change: Change, *, before: str, after: str, reason: str) -> None:
        note_transition(
            change.connection,
            CONTROL,
            "ban",
            before=before,
            after=after,
            reason=reason,
            actor=f"pid {this_process().pid}",
            at=change.at,
            at_wall=change.at_wall,
        )

    # -- usage -------------------------------------------------------------------------------------------------

    @property
    def usage(self) -> RateUsage:
        """What the headers said last, to this process."""
        return self._usage

    def observe(self, headers: Mapping[str, str]) -> None:
        """Take in the headers of an answer; in memory only, so that it never delays or fails a call."""
        weight = _count(headers, "X-MBX-USED-WEIGHT-1M", "X-MBX-USED-WEIGHT")
        orders_10s = _count(headers, "X-MBX-ORDER-COUNT-10S")
        orders_1d = _count(headers, "X-MBX-ORDER-COUNT-1D")
        if weight is None and orders_10s is None and orders_1d is None:
            return
        with self._lock:
            old = self._usage
            self._usage = replace(
                old,
                used_weight_1m=old.used_weight_1m if weight is None else weight,
                order_count_10s=old.order_count_10s if orders_10s is None else orders_10s,
                order_count_1d=old.order_count_1d if orders_1d is None else orders_1d,
                at_wall=self._clock.wall(),
            )
            self._dirty = True

    def set_weight_limit(self, limit: int) -> None:
        """What exchangeInfo allows in a minute."""
        with self._lock:
            self._dirty = self._dirty or self._usage.limit_1m != limit
            self._usage = replace(self._usage, limit_1m=limit)

    def record(self) -> None:
        """Write the usage down for status commands, at most every few seconds; a full disk is no reason to fail."""
        now = self._clock.monotonic()
        with self._lock:
            if not self._dirty or now - self._recorded_mono < RECORD_EVERY_S:
                return
            self._dirty, self._recorded_mono = False, now
            usage = self._usage
        try:
            with self._journal.ledger.write() as connection:
                save_usage(connection, usage)
        except (sqlite3.Error, ThunesError) as error:
            _LOG.warning("the used request weight could not be recorded: %s", error)


def _count(headers: Mapping[str, str], *names: str) -> int | None:
    for name in names:
        with contextlib.suppress(KeyError):
            text = headers[name].strip()
            if _COUNT.fullmatch(text):
                return int(text)
    return None
