"""The exchange's patience: slower when it is nearly used up, and silence when the exchange ordered silence.

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
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change, Journal
from thunes_cli.clock import to_text
from thunes_cli.errors import ThunesError
from thunes_cli.exchange.failures import RateBanned, RateLimited
from thunes_cli.exchange.telling import tell_ban, tell_ban_over
from thunes_cli.ledger.bans import (
    CONTROL,
    MINUTE,
    Ban,
    RateLimits,
    RateUsage,
    forget_ban,
    read_ban,
    read_usage,
    save_ban,
    save_usage,
    window_end,
)
from thunes_cli.ledger.controls import note_transition
from thunes_cli.process import boot_id, this_process

LONGEST_GUESS_S = 600.0  # when the exchange names no time: 60 s, doubling up to this
RECORD_EVERY_S = 5.0
SLOW, STOP, LIGHT_STOP = 0.8, 0.9, 0.98  # shares of the minute's request weight; see pause_s
_LONGEST_STEP_S = 5.0
_CLOCKS_DIFFER_S = 0.5  # the exchange's minute may end a little after ours
_REPEAT_LOG_S = 15.0

_COUNT = re.compile(r"[0-9]{1,9}")
_LOG = logging.getLogger(__name__)


class RateGate:
    """One home's gate; any number of threads and processes."""

    def __init__(
        self, journal: Journal, *, boot: str | None = None, wait: Callable[[float], object] = time.sleep
    ) -> None:
        self._journal = journal
        self._wait = wait
        self._clock = journal.clock
        self._boot = boot_id() if boot is None else boot
        self._lock = threading.Lock()
        self._usage = RateUsage(self._clock.wall())
        self._recalled = False
        self._dirty = False
        self._recorded_mono = -math.inf
        self._told_slow_mono = -math.inf
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
                tell_ban_over(change)

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
                tell_ban(change, ban, wait_s=wait)

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
        """What is known of limits and counts."""
        return self._usage

    def slow_down(self, *, light: bool = False) -> float:
        """Wait before a read when the minute's weight is nearly used up; returns the seconds waited.

        Args:
            light: a read that costs next to nothing and that an exit may need: it waits only at the very end.
        """
        self._recall()
        pause = pause_s(self._usage, self._clock.wall(), light=light)
        if pause > 0:
            now = self._clock.monotonic()
            if now - self._told_slow_mono >= _REPEAT_LOG_S:
                self._told_slow_mono = now
                _LOG.warning(
                    "request weight nearly used up: used=%s limit=%s waiting_s=%.1f",
                    *(self._usage.used_weight_1m, self._usage.limit_1m, pause),
                )
            self._wait(pause)
        return pause

    def _recall(self) -> None:
        """A new process begins with what the last one knew."""
        if self._recalled:
            return
        self._recalled = True
        with self._journal.read() as connection:
            known = read_usage(connection)
        with self._lock:
            if known is not None and self._usage == RateUsage(self._usage.at_wall):
                self._usage = known

    def observe(self, headers: Mapping[str, str]) -> None:
        """Take in the headers of an answer; in memory only, so that it never delays or fails a call."""
        weight = _count(headers, "X-MBX-USED-WEIGHT-1M", "X-MBX-USED-WEIGHT")
        orders_10s = _count(headers, "X-MBX-ORDER-COUNT-10S")
        orders_1d = _count(headers, "X-MBX-ORDER-COUNT-1D")
        wall = self._clock.wall()
        with self._lock:
            usage = self._usage
            if weight is not None:
                usage = usage._replace(used_weight_1m=weight, at_wall=wall)
            if orders_10s is not None or orders_1d is not None:
                usage = usage._replace(order_count_10s=orders_10s, order_count_1d=orders_1d, orders_at_wall=wall)
            self._dirty = self._dirty or usage != self._usage
            self._usage = usage

    def set_limits(self, limits: RateLimits) -> None:
        """What exchangeInfo allows; what it does not tell stays as it was."""
        with self._lock:
            old = self._usage
            self._usage = old._replace(
                limit_1m=limits.weight_1m or old.limit_1m,
                order_limit_10s=limits.orders_10s or old.order_limit_10s,
                order_limit_1d=limits.orders_1d or old.order_limit_1d,
            )
            self._dirty = self._dirty or self._usage != old

    def record(self) -> None:
        """Write the usage down for other processes: at once when a limit is near, else every few seconds.

        A full disk is no reason to fail.
        """
        now, wall = self._clock.monotonic(), self._clock.wall()
        with self._lock:
            usage = self._usage
            near = pause_s(usage, wall, light=False) > 0 or usage.orders_wait_until(wall) is not None
            if not self._dirty or (now - self._recorded_mono < RECORD_EVERY_S and not near):
                return
            self._dirty, self._recorded_mono = False, now
        try:
            with self._journal.ledger.write() as connection:
                save_usage(connection, usage)
        except (sqlite3.Error, ThunesError) as error:
            _LOG.warning("the used request weight could not be recorded: %s", error)


def pause_s(usage: RateUsage, wall: datetime, *, light: bool) -> float:
    """How long a read should wait now, so that the minute's weight is not exceeded. Pure.

    From 80 % on each read waits a little longer, from 90 % on until the minute is over. Light reads are let through up
    to 98 %: the price of a position that is to be sold costs 2 of 6,000.
    """
    used, limit = usage.weight_at(wall), usage.limit_1m
    if not used or not limit:
        return 0.0
    share = used / limit
    over = (window_end(wall, MINUTE) - wall).total_seconds() + _CLOCKS_DIFFER_S
    if share >= (LIGHT_STOP if light else STOP):
        return over
    if light or share < SLOW:
        return 0.0
    return min(over, _LONGEST_STEP_S * (share - SLOW) / (STOP - SLOW))


def _count(headers: Mapping[str, str], *names: str) -> int | None:
    for name in names:
        with contextlib.suppress(KeyError):
            text = headers[name].strip()
            if _COUNT.fullmatch(text):
                return int(text)
    return None
