"""Putting one home's trading together: settings, addresses and a key become an engine that checks and resolves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from thunes_cli.audit.journal import Journal
from thunes_cli.config.credentials import EMBEDDED
from thunes_cli.daemon.key_change import KeyChange
from thunes_cli.errors import ConfigError, OtherEnvironment
from thunes_cli.exchange.account_line import AccountLine
from thunes_cli.exchange.guarded_binance import GuardedBinance, open_binance
from thunes_cli.ledger import orders, positions
from thunes_cli.ledger.breakers import BreakerLimits
from thunes_cli.ledger.connection import open_migrated
from thunes_cli.ledger.identity import read_identity
from thunes_cli.market.feed import RestFeed
from thunes_cli.market.stream_feed import StreamFeed
from thunes_cli.model import Environment
from thunes_cli.risk.rules import Limits
from thunes_cli.trading.account_events import AccountEvents
from thunes_cli.trading.engine import Engine
from thunes_cli.trading.execution import Execution
from thunes_cli.trading.exiting import Exits
from thunes_cli.trading.gate import Gate
from thunes_cli.trading.plan import TradingPlan
from thunes_cli.trading.reconcile import Reconciler
from thunes_cli.trading.resolution import Resolver
from thunes_cli.trading.symbols import SymbolBook

if TYPE_CHECKING:
    from thunes_cli.config.credentials import Credentials
    from thunes_cli.config.endpoints import Endpoints
    from thunes_cli.config.settings import Settings


@dataclass(frozen=True, slots=True)
class ExchangeLink:
    """Which exchange is talked to.

    ``speed``: how fast its clock runs; None: it is asked (simulators tell). ``renew``: makes sure that it is there,
    and answers its speed when it is another one than before (whoever served it may have ended). ``ends_with_us``:
    whether it is our child, so that its market stands still when we end.
    """

    endpoints: Endpoints
    credentials: Credentials
    speed: Decimal | None = Decimal(1)
    renew: Callable[[], Decimal | None] | None = None
    ends_with_us: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class HomeSettings:
    """The settings of a home, and what was wrong with them where safe values stand in (exits only then).

    ``reload`` reads them anew, as they are now: a running daemon looks for a rotated key.
    """

    home: Path
    settings: Settings
    problems: Sequence[ConfigError] = ()
    reload: Callable[[], Settings] | None = None


@dataclass(frozen=True, slots=True)
class TradingRoom:
    """Everything that trades in one home, wired."""

    journal: Journal
    exchange: GuardedBinance
    feed: StreamFeed
    engine: Engine
    resolver: Resolver
    gate: Gate
    plan: TradingPlan
    reconciler: Reconciler
    exits: Exits
    events: AccountEvents
    account: AccountLine
    key: KeyChange


def plan_of(settings: Settings) -> TradingPlan:
    """What is traded and how."""
    return TradingPlan(
        symbols=settings.symbols,
        timeframe=settings.default_timeframe,
        quote_amount=settings.default_quote_amount,
        strategy=settings.strategy,
        strategy_params=settings.strategy_params,
        stop_loss_pct=settings.stop_loss_pct,
        signal_interval=timedelta(seconds=settings.signal_interval_seconds),
        not_placed_margin=timedelta(seconds=settings.not_placed_margin_seconds),
        min_free_mib=settings.min_free_mib,
    )


def limits_of(settings: Settings) -> Limits:
    """What the operator allows."""
    return Limits(
        max_loss_per_trade=settings.max_loss_per_trade,
        max_daily_loss=settings.max_daily_loss,
        max_positions=settings.max_positions,
        cool_down=timedelta(minutes=settings.cool_down_minutes),
    )


def assemble(
    journal: Journal, configured: HomeSettings, link: ExchangeLink, *, wait: Callable[[float], bool]
) -> TradingRoom:
    """Wire a home; nothing is sent yet. The first call in a process takes half a second (python-binance).

    Args:
        journal: ledger, trail and clock of the home.
        configured: its settings.
        link: the exchange.
        wait: waits so many seconds of network time; True when the operator wants to stop.

    Raises:
        ConfigError: the private key file cannot be used.
    """
    settings, plan, limits = configured.settings, plan_of(configured.settings), limits_of(configured.settings)
    exchange = open_binance(
        link.endpoints,
        link.credentials,
        journal,
        limits=BreakerLimits(
            fail_max=settings.breaker_fail_max,
            window_s=settings.breaker_window_seconds,
            reset_s=settings.breaker_reset_seconds,
        ),
        recv_window_ms=settings.recv_window_ms,
        timeout_s=settings.request_timeout_seconds,
        wait=wait,
    )
    symbols = SymbolBook(exchange)
    max_daily_loss = limits.max_daily_loss
    execution = Execution(journal, exchange, symbols, max_daily_loss=max_daily_loss, resync=exchange.resync_clock)
    resolver = Resolver(journal, exchange, symbols, margin=plan.not_placed_margin, max_daily_loss=max_daily_loss)
    rest = RestFeed(exchange, journal.clock, timeframe=plan.timeframe)
    feed = StreamFeed(rest, journal.clock, timeframe=plan.timeframe)
    engine = Engine(journal, exchange, feed, symbols, execution, plan=plan, limits=limits, home=configured.home)
    account = AccountLine(
        link.endpoints.ws_api_url, link.credentials, journal.clock, recv_window_ms=settings.recv_window_ms
    )
    # The embedded exchange knows one key, and it is not the settings'.
    reload = configured.reload if link.credentials.source != EMBEDDED else None
    key = KeyChange(journal, exchange, link.credentials, reload=reload, on_change=account.use)
    gate = Gate(
        journal,
        exchange,
        symbols,
        resolver,
        plan=plan,
        wait=wait,
        key_permissions=exchange.key_permissions,
        accept_withdrawals=settings.accept_key_that_may_withdraw,
        key_renewed=key.renewed,
    )
    reconciler = Reconciler(journal, exchange, symbols, plan=plan, max_daily_loss=max_daily_loss)
    exits = Exits(journal, exchange, symbols, execution)
    events = AccountEvents(journal, exchange, symbols, max_daily_loss=max_daily_loss)
    return TradingRoom(journal, exchange, feed, engine, resolver, gate, plan, reconciler, exits, events, account, key)


def problems_at_start(configured: HomeSettings, plan: TradingPlan) -> list[ConfigError]:
    """What is wrong before the exchange is asked: the settings' problems, and a strategy that cannot be made."""
    from thunes_cli.market.strategies import load_strategy  # noqa: PLC0415 - third parties' code is loaded here

    problems = list(configured.problems)
    try:
        load_strategy(plan.strategy, plan.symbols[0], plan.strategy_params)
    except ConfigError as error:
        problems.append(error)
    return problems


def require_environment(stored: Environment, configured: Environment) -> None:
    """Refuse settings of another environment than the home's: its coins are not there.

    Raises:
        OtherEnvironment: they differ (78).
    """
    if stored is not configured:
        raise OtherEnvironment(stored, configured)


def environment_and_holdings(ledger: Path) -> tuple[Environment, bool]:
    """The environment a home is for, and whether it has anything to sell or to find out.

    A start asks, and nothing that it would have mended itself may keep it: an older ledger is migrated.
    Raises: as :func:`thunes_cli.ledger.connection.open_for_reading`.
    """
    connection = open_migrated(ledger)
    try:
        holds = bool(positions.open_positions(connection) or orders.unfinished(connection))
        return read_identity(connection).environment, holds
    finally:
        connection.close()
