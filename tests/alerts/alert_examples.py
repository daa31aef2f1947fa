"""One example of every kind of alert, raised by the functions that raise it: what docs/alerts.md shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from bot_home import NOON, BotHome
from test_outbox_delivery import down

from thunes_cli.alerts import telling
from thunes_cli.alerts.outbox import Courier
from thunes_cli.audit.journal import Change
from thunes_cli.clock import to_text
from thunes_cli.config.secrets import redact_by_look
from thunes_cli.daemon import telling as daemon_telling
from thunes_cli.daemon.disk import DiskWatch
from thunes_cli.daemon.jobs import Job, JobBook
from thunes_cli.errors import Unavailable
from thunes_cli.exchange import telling as exchange_telling
from thunes_cli.exchange.failures import AuthFailed
from thunes_cli.exchange.key_guard import KeyGuard
from thunes_cli.ledger import daemon as daemon_rows
from thunes_cli.ledger import outbox, positions
from thunes_cli.ledger.alert_delivery import try_again_now
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import Severity as Loudness
from thunes_cli.ledger.alerts import raise_alert
from thunes_cli.ledger.bans import Ban
from thunes_cli.ledger.breakers import BreakerLimits
from thunes_cli.ledger.restoring import Unsent
from thunes_cli.model import OrderState, Side, Trade
from thunes_cli.process import boot_id
from thunes_cli.risk import kill_switch
from thunes_cli.trading import booking_alerts, reconcile_record
from thunes_cli.trading.doubts import tell_doubts
from thunes_cli.trading.exit_delay import delay_exit
from thunes_cli.trading.findings import Finding, Severity
from thunes_cli.trading.findings import Kind as Found
from thunes_cli.trading.gate import Gate
from thunes_cli.trading.summary import summarize_day
from thunes_cli.trading.summary_text import summary_text

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Stage:
    """A home, and the pytest tool that lets a disk seem full."""

    bot: BotHome
    patch: pytest.MonkeyPatch

    def change(self, act: Callable[[Change], Any]) -> None:
        """Do it in a transaction."""
        with self.bot.journal.change() as change:
            act(change)

    def later(self, span: timedelta) -> None:
        """Let market time go on."""
        self.bot.at(self.bot.market + span)


def _kill_switch(stage: Stage) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT", "BTCUSDT"):
        stage.bot.lose(symbol, amount="100")
    stage.change(lambda change: kill_switch.trip_if_due(change, max_daily_loss=Decimal(20)))
    stage.change(
        lambda change: kill_switch.deactivate(change, reason="the feed was wrong, it is mended", actor="alice")
    )


def _near(stage: Stage) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT", "BTCUSDT"):
        stage.bot.lose(symbol, amount="100")
    stage.change(lambda change: kill_switch.trip_if_due(change, max_daily_loss=Decimal(25)))


def _breaker(stage: Stage) -> None:
    limits = BreakerLimits()
    stage.bot.buy()
    stage.change(lambda change: exchange_telling.tell_open(change, "rest", cause="HTTP 503", failures=5, limits=limits))
    stage.later(timedelta(seconds=61))
    stage.change(lambda change: exchange_telling.tell_closed(change, "rest", why="a probe was answered"))


def _ban(stage: Stage) -> None:
    def ban(change: Change) -> None:
        row = Ban(change.at_wall, 0.0, boot_id(), 429, 1, change.at_wall)
        exchange_telling.tell_ban(change, row, wait_s=60)

    stage.change(ban)
    stage.later(timedelta(seconds=60))
    stage.change(exchange_telling.tell_ban_over)


def _feed(stage: Stage) -> None:
    stage.change(
        lambda change: telling.tell_stream_lost(
            change, why="5 connections in a row failed", since=change.at - timedelta(seconds=31)
        )
    )
    stage.later(timedelta(minutes=4))
    stage.change(telling.tell_stream_back)


def _key_rejected(stage: Stage) -> None:
    guard = KeyGuard(stage.bot.journal)
    guard.rejected(AuthFailed("Invalid API-key, IP, or permissions for action. (-2015)"), ordering=True)
    stage.later(timedelta(minutes=5))
    guard.accepted(ordering=True)


def _key_trouble(stage: Stage) -> None:
    stage.change(
        lambda change: telling.tell_key_trouble(change, "may_withdraw", what="it may withdraw coins", critical=True)
    )
    stage.later(HOUR)
    stage.change(lambda change: telling.tell_key_well(change, "may_withdraw"))


def _key_due(stage: Stage) -> None:
    stage.change(lambda change: telling.tell_key_due(change, created_at=NOON - 87 * DAY, due_at=NOON + 3 * DAY))
    stage.later(DAY)
    stage.change(lambda change: telling.tell_key_rotated(change, due_at=NOON + 91 * DAY))


def _stop_loss(stage: Stage) -> None:
    number = stage.bot.buy(amount="100")
    stage.bot.want_exit(number)
    stage.change(
        lambda change: booking_alerts.tell_stop(
            change, positions.read_position(change.connection, number), Decimal("38790.5")
        )
    )
    stage.bot.sell(number, price="38788")


def _exit_blocked(stage: Stage) -> None:
    number = stage.bot.buy(amount="100")
    stage.bot.want_exit(number)
    stage.later(timedelta(seconds=70))
    stage.change(lambda change: delay_exit(change, number, failed=3, why="Market is closed. (-1013)"))
    stage.later(timedelta(minutes=9))
    stage.bot.sell(number, price="38600")


def _exits_only(stage: Stage) -> None:
    gate = cast("Gate", None)  # what it says needs nothing of it
    reasons = ["DEFAULT_QUOTE_AMOUNT: must be greater than 0"]
    stage.change(lambda change: Gate._tell_exits_only(gate, change, reasons))


def _order_unresolved(stage: Stage) -> None:
    order = stage.bot.send(stage.bot.intend(), seconds_ago=40)
    stage.bot.doubt(order)
    tell_doubts(stage.bot.journal)
    stage.later(timedelta(seconds=20))
    stage.bot.fill(order, price="40000")
    tell_doubts(stage.bot.journal)


def _late_order(stage: Stage) -> None:
    order = stage.bot.send(stage.bot.intend())
    stage.bot.end(order, OrderState.REJECTED)
    stage.bot.fill(order, price="40000")


def _trade_id_reused(stage: Stage) -> None:
    number = stage.bot.buy()
    order = stage.bot.send(stage.bot.intend(Side.SELL, amount="0.0002", position_id=number))
    amounts = {"price": Decimal(40000), "quantity": Decimal("0.0002"), "quote_quantity": Decimal(8)}
    trade = Trade(order.symbol, 1, 2, Side.SELL, **amounts, commission=Decimal(0), commission_asset="USDT", time=NOON)
    stage.change(lambda change: booking_alerts.tell_reused_trade_id(change, order, trade))


def _found(kind: Found, severity: Severity, message: str) -> Callable[[Stage], None]:
    def tell(stage: Stage) -> None:
        finding = Finding("key", kind, severity, message)
        stage.change(lambda change: reconcile_record.tell_findings(change, [finding]))

    return tell


def _trail(stage: Stage) -> None:
    stage.change(
        lambda change: outbox.save_problem(change.connection, "No space left on device", at_wall=to_text(NOON))
    )
    daemon_telling.tell_trail(stage.bot.journal)


def _disk(kind: Kind, free_mib: int) -> Callable[[Stage], None]:
    def tell(stage: Stage) -> None:
        watch = DiskWatch(stage.bot.journal, min_free_mib=100)
        stage.change(lambda change: watch._raise(change, kind, free_mib))
        stage.later(timedelta(minutes=30))
        stage.change(lambda change: watch._tell(change, kind, on=False, free_mib=2048))

    return tell


def _backup(stage: Stage) -> None:
    stage.change(
        lambda change: telling.tell_backup_failed(change, why="No space left on device", last_good=NOON - 25 * HOUR)
    )
    stage.later(HOUR)
    stage.change(lambda change: telling.tell_backup_made(change, "20260310T130000Z"))
    unsent = (Unsent(Kind.KILL_SWITCH, Loudness.CRITICAL, 1), Unsent(Kind.JOB_FAILED, Loudness.WARNING, 2))
    stage.change(lambda change: telling.tell_restored(change, "20260310T130000Z", unsent=unsent, replaced=()))


def _job_failed(stage: Stage) -> None:
    book, well = JobBook(stage.bot.journal), False

    def step() -> None:
        if not well:
            raise Unavailable("no symbol could be checked: exchange_unavailable")

    book.run(Job("signal_check", step))
    stage.later(timedelta(minutes=10))
    well = True
    book.run(Job("signal_check", step))


def _daemon(stage: Stage) -> None:
    stage.bot.buy()
    stage.bot.daemon_runs()
    stage.later(HOUR)

    def crashed(change: Change) -> None:
        row = daemon_rows.read_daemon(change.connection)
        assert row is not None
        daemon_telling.tell_crash(
            change,
            row._replace(process=row.process._replace(pid=4711), heartbeat_wall=change.at_wall - timedelta(minutes=3)),
        )

    stage.change(crashed)
    stage.change(lambda change: daemon_telling.tell_stop(change, why="asked", since=change.at - 26 * HOUR, clean=True))


def _daily_summary(stage: Stage) -> None:
    bot = stage.bot
    bot.daemon_runs()
    bot.lose("ETHUSDT", amount="12")
    bot.lose("BNBUSDT", sold="41500", amount="12")
    bot.buy(amount="12")
    bot.reconciled(clean=True)
    stage.later(11 * HOUR)
    bot.price("BTCUSDT", "40321.5", age=timedelta(seconds=4))
    bot.feed("websocket", age=timedelta(seconds=4))

    def sum_up(change: Change) -> None:
        summary = summarize_day(
            change.connection, since=change.at - DAY, until=change.at, now=change.at, wall=change.at_wall
        )
        raise_alert(
            change.connection,
            Kind.DAILY_SUMMARY,
            summary_text(summary),
            severity=Loudness.INFO,
            at=change.at,
            at_wall=change.at_wall,
        )

    stage.change(sum_up)


class _Dead:
    name = "telegram"
    send = staticmethod(lambda message: (_ for _ in ()).throw(down(message)))


def _alerts_undelivered(stage: Stage) -> None:
    stage.change(
        lambda change: raise_alert(
            change.connection, "test", "x", severity=Loudness.CRITICAL, at=change.at, at_wall=change.at_wall
        )
    )
    courier = Courier(stage.bot.journal, _Dead(), redact=redact_by_look)
    for _ in range(5):
        courier.deliver()
        with stage.bot.journal.ledger.write() as connection:
            try_again_now(connection)


EXAMPLES: dict[Kind, Callable[[Stage], None]] = {
    Kind.KILL_SWITCH: _kill_switch,
    Kind.DAILY_LOSS_NEAR: _near,
    Kind.BREAKER: _breaker,
    Kind.BAN: _ban,
    Kind.FEED: _feed,
    Kind.KEY_REJECTED: _key_rejected,
    Kind.KEY_TROUBLE: _key_trouble,
    Kind.KEY_DUE: _key_due,
    Kind.STOP_LOSS: _stop_loss,
    Kind.EXIT_BLOCKED: _exit_blocked,
    Kind.EXITS_ONLY: _exits_only,
    Kind.ORDER_UNRESOLVED: _order_unresolved,
    Kind.LATE_ORDER: _late_order,
    Kind.TRADE_ID_REUSED: _trade_id_reused,
    Kind.RECONCILE: _found(Found.EXCHANGE_MORE, Severity.MEDIUM, "the exchange has 250 USDT more than the ledger"),
    Kind.EXTERNAL_ORDER: _found(
        Found.EXTERNAL_ORDER, Severity.HIGH, "web_1 bought 0.005 BTC at 2026-03-10 11:58:03Z, which is not ours"
    ),
    Kind.OTHER_COPY: _found(
        Found.OTHER_COPY, Severity.CRITICAL, "thabcdefzzz-B-77 is of this home, but of an epoch it never had"
    ),
    Kind.TRAIL: _trail,
    Kind.DISK_LOW: _disk(Kind.DISK_LOW, 64),
    Kind.DISK_FULL: _disk(Kind.DISK_FULL, 0),
    Kind.BACKUP: _backup,
    Kind.JOB_FAILED: _job_failed,
    Kind.DAEMON: _daemon,
    Kind.DAILY_SUMMARY: _daily_summary,
    Kind.ALERTS_UNDELIVERED: _alerts_undelivered,
}
