"""From an assembled home to one that may trade: clock, records, gate. Runs on the trading thread.

It waits for an exchange that cannot be reached, as long as it takes, and says so; the main thread goes on beating.
"""

from __future__ import annotations

import logging
import sqlite3
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from thunes_cli import __version__
from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Anchor
from thunes_cli.daemon.assembly import ExchangeLink, HomeSettings, TradingRoom, assemble, problems_at_start
from thunes_cli.daemon.crashes import newest_record, record_crash
from thunes_cli.daemon.key_change import record_key
from thunes_cli.daemon.records import record_configuration, redactor_of
from thunes_cli.daemon.signals import StopRequest
from thunes_cli.daemon.telling import died, tell_crash, tell_ready
from thunes_cli.exchange.clock_sync import exchange_rate_of_clock
from thunes_cli.exchange.failures import ExchangeDown, ExchangeFailure
from thunes_cli.ledger import daemon as daemon_rows
from thunes_cli.ledger.identity import save_anchor
from thunes_cli.model import Mode, plain
from thunes_cli.process import this_process
from thunes_cli.trading.gate import GateReport, Stopped

_log = logging.getLogger(__name__)

_RETRY_S = 2.0
_REPEAT_LOG_S = 60.0


def read_clock(room: TradingRoom, link: ExchangeLink) -> None:
    """Set market time by the exchange's clock, at its speed.

    Raises:
        ExchangeFailure: it cannot be read.
    """
    speed = link.speed if link.speed is not None else exchange_rate_of_clock(link.endpoints.rest_url)
    if speed is None:
        room.exchange.server_time()  # one that cannot be reached says why
        raise ExchangeDown(f"{link.endpoints.rest_url} does not say how fast its clock runs")
    room.exchange.resync_clock(speed=speed)


def stand_still(journal: Journal) -> None:
    """The exchange ends with us: its market time is kept, and status commands show it as standing still."""
    with journal.ledger.write() as connection:
        save_anchor(connection, Anchor(journal.clock.wall(), journal.clock.now(), Decimal(0)))


class Start:
    """The start of one daemon. ``status`` is a line for whoever waits; ``since`` the market time it began.

    ``before`` is what the daemon before this one said of itself, ``stacks`` what a signal that ended it left.
    """

    def __init__(
        self, journal: Journal, configured: HomeSettings, link: ExchangeLink, *, command: str, stop: StopRequest
    ) -> None:
        self._journal = journal
        self._configured = configured
        self._link = link
        self._command = command
        self._stop = stop
        self._room: TradingRoom | None = None
        self._error: BaseException | None = None
        self._done = False
        self.status = "starting"
        self.since: datetime | None = None
        self.before: daemon_rows.DaemonRow | None = None
        self.stacks = ""

    def run(self) -> None:
        """Do it all; how it ended is told by :meth:`outcome`."""
        try:
            self._room = self._prepare()
        except Stopped:
            _log.info("start given up: asked to stop")
        except BaseException as error:  # noqa: BLE001 - raised again by the main thread
            self._error = error
        self._done = True

    def outcome(self) -> TradingRoom | None:
        """The room when it may trade, None while it may not yet; raises what made the start impossible."""
        if not self._done:
            return None
        if self._error is not None:
            raise self._error
        return self._room

    def _prepare(self) -> TradingRoom:
        room = assemble(self._journal, self._configured, self._link, wait=self._stop.wait)
        trouble = self._try_clock(room)
        self._record_start()
        self._wait_for_clock(room, trouble)
        self.status = "at the start-up gate"
        report = room.gate.open(
            problems=problems_at_start(self._configured, room.plan),
            reconcile=lambda: room.reconciler.routine(by="start"),
        )
        room.engine.mode = report.mode
        room.engine.mode_reason = "; ".join(report.reasons)
        self._record_ready(room, report)
        return room

    def _try_clock(self, room: TradingRoom) -> ExchangeFailure | None:
        try:
            read_clock(room, self._link)
        except ExchangeFailure as error:
            return error
        return None

    def _wait_for_clock(self, room: TradingRoom, trouble: ExchangeFailure | None) -> None:
        told_mono: float | None = None
        while trouble is not None:
            self.status = f"waiting for the exchange: {trouble}"
            now = self._journal.clock.monotonic()
            if told_mono is None or now - told_mono >= _REPEAT_LOG_S:
                _log.warning("waiting for the exchange: why=%s", trouble)
                told_mono = now
            if self._stop.wait(_RETRY_S):
                raise Stopped
            trouble = self._try_clock(room)

    def _record_start(self) -> None:
        """Once the clock was asked for: a simulator's market time may be far from where the ledger supposed it."""
        settings = self._configured.settings
        with self._journal.change() as change:
            self.since = change.at
            me = this_process()
            interrupted = daemon_rows.end_interrupted(change.connection, at=change.at)
            daemon_rows.forget_runs(change.connection)
            daemon_rows.save_daemon(change.connection, me, command=self._command, since=change.at, wall=change.at_wall)
            change.record(
                Event.DAEMON_STARTED,
                pid=me.pid,
                command=self._command,
                version=__version__,
                environment=settings.environment.value,
                market_speed=self._journal.clock.speed,
            )
            record_configuration(change, settings)
            if self.before is not None and died(self.before):
                tell_crash(change, self.before, record=self._record_of_crash(change.connection, self.before))
        _log.info(
            "daemon started: pid=%d command=%s environment=%s version=%s home=%s",
            *(me.pid, self._command, settings.environment, __version__, self._configured.home),
        )
        if interrupted:
            _log.warning("jobs interrupted: count=%d, because the process before this one died", interrupted)
        if self._journal.clock.speed not in {Decimal(1), Decimal(0)}:
            _log.info("market time: speed=%s", plain(self._journal.clock.speed))

    def _record_of_crash(self, connection: sqlite3.Connection, before: daemon_rows.DaemonRow) -> Path | None:
        """Made by the process that died, or else here."""
        home = self._configured.home
        made = newest_record(home, since=before.heartbeat_wall)
        if made is not None:
            return made
        ended = f"pid {before.process.pid} ended without a word: killed, out of memory, or a loss of power\n"
        return record_crash(
            home,
            connection,
            what=self.stacks or ended,
            wall=self._journal.clock.wall(),
            redact=redactor_of(self._configured.settings),
        )

    def _record_ready(self, room: TradingRoom, report: GateReport) -> None:
        reasons = "; ".join(report.reasons)
        with self._journal.change() as change:
            daemon_rows.save_mode(change.connection, report.mode, reason=reasons or None)
            change.record(
                Event.DAEMON_READY, mode=report.mode.value, reasons=reasons, unresolved_orders=report.unresolved
            )
            tell_ready(change, room.plan, report)
            record_key(change, room.key.key, by="start")
        level = logging.INFO if report.mode is Mode.TRADING else logging.ERROR
        _log.log(level, "daemon ready: mode=%s unresolved=%d why=%s", report.mode, report.unresolved, reasons or "-")
