"""Is all well? What a home's rows mean, judged in one place; ``thunes status`` shows it.

Only the standard library is imported: a status command passes here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from thunes_cli.clock import from_ms, from_text, to_ms, to_text
from thunes_cli.counts import count
from thunes_cli.ledger.breakers import BreakerState
from thunes_cli.ledger.daemon import DaemonRow
from thunes_cli.ledger.known import FALLBACKS_WITHIN
from thunes_cli.ledger.orders import Sending
from thunes_cli.ledger.view_health import HealthRows
from thunes_cli.model import Mode, OrderState, plain
from thunes_cli.process import boot_id, is_alive
from thunes_cli.risk.exits import BLOCKED_AFTER
from thunes_cli.spans import span

# A SENT order of a living process is on its way, not unresolved: a request may take its time-out (10 s) and booking a
# moment. After that, or once its owner is dead, nobody knows what became of it.
IN_FLIGHT = timedelta(seconds=15)
SILENT_AFTER = timedelta(seconds=120)  # the main loop beats every few seconds; a restart by systemd comes at 60
FEED_DOWN = "down"
MOST_FALLBACKS = 5  # an hour; more is no hiccup any more


class Concern(NamedTuple):
    """One thing that needs the operator. ``command`` is the thunes command to type next; else ``advice`` says what."""

    code: str
    message: str
    command: str = ""
    advice: str = ""


class Health(NamedTuple):
    """The rows and what follows from them. ``now`` is market time, ``wall`` network time."""

    rows: HealthRows
    now: datetime
    wall: datetime
    running: bool
    unresolved: tuple[Sending, ...]
    concerns: tuple[Concern, ...]

    @property
    def feed_age_s(self) -> float | None:
        """Seconds of network time since the exchange last told us a price; None when it never did."""
        heard = self.rows.feed.get("heard_wall")
        if heard is not None:
            return max((self.wall - from_text(heard)).total_seconds(), 0.0)
        return None if self.rows.feed_at is None else max((self.now - self.rows.feed_at).total_seconds(), 0.0)

    @property
    def feed_mode(self) -> str:
        """``websocket``, ``rest`` or ``down``; nothing feeds a daemon that does not run."""
        return str(self.rows.feed.get("mode", FEED_DOWN)) if self.running else FEED_DOWN


def judge(rows: HealthRows, *, now: datetime, wall: datetime) -> Health:
    """What the rows say at this instant."""
    running = rows.daemon is not None and is_alive(rows.daemon.process)
    unresolved = tuple(sending for sending in rows.unfinished if _is_unresolved(sending, now=now))
    look = _Look(rows, now, wall, running=running, unresolved=unresolved)
    return Health(rows, now, wall, running=running, unresolved=unresolved, concerns=tuple(look.concerns()))


def _is_unresolved(sending: Sending, *, now: datetime) -> bool:
    if sending.order.state is OrderState.UNKNOWN:
        return True
    if sending.order.state is not OrderState.SENT:
        return False
    fresh = sending.sent_boot == boot_id() and sent_ago(sending, now=now) < IN_FLIGHT
    return not (fresh and sending.owner is not None and is_alive(sending.owner))


def sent_ago(sending: Sending, *, now: datetime) -> timedelta:
    """How long ago an order went out: on this boot's monotonic clock, else by its timestamp in market time."""
    if sending.sent_mono is not None and sending.sent_boot == boot_id():
        return timedelta(seconds=max(0.0, time.monotonic() - sending.sent_mono))
    return max(timedelta(0), now - from_ms(sending.order.sent_timestamp_ms or to_ms(now)))


class _Look:
    """Goes through everything that can be wrong, the most urgent first."""

    def __init__(
        self, rows: HealthRows, now: datetime, wall: datetime, *, running: bool, unresolved: tuple[Sending, ...]
    ) -> None:
        self.rows = rows
        self.now = now
        self.wall = wall
        self.running = running
        self.unresolved = unresolved

    def concerns(self) -> Iterator[Concern]:
        """Everything that needs the operator."""
        yield from self._daemon()
        yield from self._exits()
        yield from self._orders()
        yield from self._controls()
        yield from self._truth()

    def _held(self) -> str:
        held = len(self.rows.positions)
        if not held:
            return ""
        return f"; {held} open position{'s have' if held > 1 else ' has'} no stop-loss until it runs again"

    def _daemon(self) -> Iterator[Concern]:
        daemon = self.rows.daemon
        if not self.running:
            yield from self._not_running(daemon)
            return
        assert daemon is not None
        silence = self.wall - daemon.heartbeat_wall
        if silence > SILENT_AFTER:
            message = f"the daemon (pid {daemon.process.pid}) runs but gave no sign of life for {span(silence)}"
            yield Concern("daemon_silent", message, "stop")
        if daemon.mode is Mode.EXITS_ONLY:
            why = f": {daemon.mode_reason}" if daemon.mode_reason else ""
            yield Concern("exits_only", f"the daemon makes no entries, only exits{why}", "config check --online")

    def _not_running(self, daemon: DaemonRow | None) -> Iterator[Concern]:
        if daemon is not None and not daemon.stopped_cleanly:
            since = span(self.wall - daemon.heartbeat_wall)
            message = f"the daemon (pid {daemon.process.pid}) died; last sign of life {since} ago{self._held()}"
            yield Concern("daemon_died", message, "run")
        elif self.rows.positions:
            yield Concern("daemon_not_running", f"the daemon is not running{self._held()}", "run")

    def _exits(self) -> Iterator[Concern]:
        for hard in self.rows.hard_exits:
            if hard.attempts < BLOCKED_AFTER and not hard.alerted:
                continue
            position = hard.position
            assert position.exit_wanted_since is not None
            message = (
                f"{position.symbol} cannot be sold: {position.exit_problem};"
                f" {plain(position.quantity)} {position.base} held, exit wanted ({position.exit_wanted}) for"
                f" {span(self.now - position.exit_wanted_since)}, {count(hard.attempts, 'attempt')}"
            )
            yield Concern("exit_blocked", message, f"explain position:{position.id}")

    def _orders(self) -> Iterator[Concern]:
        for sending in self.unresolved:
            order = sending.order
            age = span(sent_ago(sending, now=self.now))
            why = f": {order.error}" if order.error else ""
            message = f"{order.side} {order.symbol} order {order.client_order_id} is unresolved for {age}{why}"
            yield Concern("order_unresolved", message, f"explain {order.client_order_id}")

    def _controls(self) -> Iterator[Concern]:
        rows = self.rows
        if rows.key_rejected:
            message = "the exchange rejects the API key: entries are stopped, and nothing can be sold"
            yield Concern("key_rejected", message, "config check --online")
        if rows.kill_switch.active:
            since = f" for {span(self.now - rows.kill_switch.since)}" if rows.kill_switch.since else ""
            message = f"the kill switch is active{since}: {rows.kill_switch.reason}; entries are stopped, exits go on"
            yield Concern("kill_switch_active", message, "pnl --losses")
        if rows.breaker.state is not BreakerState.CLOSED:
            yield Concern("circuit_breaker_open", self._breaker(), "config check --online")
        if rows.ban is not None:
            left = span(timedelta(seconds=rows.ban_left_s))
            message = f"the exchange told us to be silent (HTTP {rows.ban.status}) for another {left}"
            yield Concern("rate_limit_ban", message, advice="wait; nothing is sent until then")
        for freeze in rows.frozen:
            message = f"{freeze.symbol} takes no entries for {span(self.now - freeze.since)}: {freeze.reason}"
            yield Concern("symbol_frozen", message, "orders list --since 7d")

    def _breaker(self) -> str:
        breaker = self.rows.breaker
        cause = f": {breaker.cause}" if breaker.cause else ""
        if breaker.retry_in_s:
            return (
                f"the circuit breaker is open{cause}; it tries again in {span(timedelta(seconds=breaker.retry_in_s))}"
            )
        return f"the circuit breaker waits for its probe{cause}"

    def _truth(self) -> Iterator[Concern]:
        rows = self.rows
        if rows.reconciled is not None and not rows.reconciled.clean:
            message = f"ledger and exchange differed when they were compared {span(self.now - rows.reconciled.at)} ago"
            yield Concern("reconcile_not_clean", message, "reconcile")
        if rows.audit_head.problem is not None:
            waiting = f"{rows.audit_outbox} record{'' if rows.audit_outbox == 1 else 's'} waiting"
            message = f"the audit trail cannot be written: {rows.audit_head.problem}; {waiting}, entries are stopped"
            yield Concern("audit_unavailable", message, advice="look at that file and its disk: ls -l, df -h")
        if self.running:
            yield from self._feed()

    def _feed(self) -> Iterator[Concern]:
        feed = self.rows.feed
        if feed.get("mode") == FEED_DOWN:
            heard, at = feed.get("heard_wall"), self.rows.feed_at
            silence = self.wall - from_text(heard) if heard is not None else self.now - at if at is not None else None
            age = f" for {span(silence)}" if silence is not None else ""
            yield Concern("feed_down", f"no prices from the exchange{age}", "config check --online")
        since = to_text(self.wall - FALLBACKS_WITHIN)
        lately = [moment for moment in feed.get("fallbacks") or () if moment >= since]
        if len(lately) > MOST_FALLBACKS:
            message = f"the price stream was given up {count(len(lately), 'time')} within the hour; REST stood in"
            advice = "look at the network and at the exchange's announcements; FEED=rest does without streams"
            yield Concern("feed_unstable", message, advice=advice)
