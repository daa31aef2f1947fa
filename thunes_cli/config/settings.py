"""Every setting: default, limits, meaning; ``docs/settings.md`` and ``.env.example`` are made of it.

A field's name in capitals is the setting's name. The classes are the chapters of the reference, their docstrings
the headings. Reading files and the environment is :mod:`thunes_cli.config.load`; building ``Settings`` reads nothing.
"""

from __future__ import annotations

import re
from datetime import UTC, time
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import PrivateAttr

from thunes_cli.config.chapter import Chapter, setting, unit_of
from thunes_cli.config.fields import (
    AbsolutePath,
    AbsolutePaths,
    Amount,
    ChatId,
    HttpBase,
    Listed,
    Lower,
    Seconds,
    SecretPem,
    SecretText,
    SecretUrl,
    StrategyName,
    StreamBase,
    Symbol,
    Symbols,
    Timeframe,
    Upper,
    UtcTime,
    WebUrl,
    WsApiUrl,
)
from thunes_cli.config.secrets import Secret
from thunes_cli.model import Environment

LONGEST_AVERAGE = 900  # a request answers at most 1000 candles, and a strategy needs some to warm up
DEFAULT_ORIGIN = "default"
_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASS|KEY|URL|HOOK|AUTH", re.IGNORECASE)  # of a setting we do not know
_STRATEGY_SETTINGS = ("SMA_FAST", "SMA_SLOW", "RSI_PERIOD", "RSI_OVERSOLD", "RSI_OVERBOUGHT")


def _default_symbols(validated: dict[str, Any]) -> tuple[str, ...]:
    return (validated.get("default_symbol", "BTCUSDT"),)


class ExchangeSettings(Chapter):
    """Exchange and keys"""

    environment: Annotated[Environment, Lower] = setting(
        Environment.SIM, "Which exchange: the embedded simulator, Binance's testnet, or real money. Fixed per home."
    )
    binance_testnet_api_key: SecretText | None = setting(None, "API key of the testnet.", unit="secret")
    binance_testnet_api_secret: SecretText | None = setting(None, "Its HMAC secret.", unit="secret")
    binance_testnet_private_key_file: AbsolutePath | None = setting(
        None, "Instead of the secret: the Ed25519 private key (PEM), readable by its owner only.", unit="path"
    )
    binance_testnet_private_key: SecretPem | None = setting(
        None, "Instead of its file: the private key itself (PEM), for a store of secrets.", unit="secret"
    )
    binance_testnet_old_api_key: SecretText | None = setting(
        None, "Kept by `keys rotate` until `--confirm-old-deleted`; signs nothing.", unit="secret"
    )
    binance_api_key: SecretText | None = setting(
        None, "API key of the live exchange (on `sim`: of a simulator served elsewhere).", unit="secret"
    )
    binance_api_secret: SecretText | None = setting(None, "Its HMAC secret.", unit="secret")
    binance_private_key_file: AbsolutePath | None = setting(
        None, "Instead of the secret: the Ed25519 private key (PEM), readable by its owner only.", unit="path"
    )
    binance_private_key: SecretPem | None = setting(
        None, "Instead of its file: the private key itself (PEM), for a store of secrets.", unit="secret"
    )
    binance_old_api_key: SecretText | None = setting(
        None, "Kept by `keys rotate` until `--confirm-old-deleted`; signs nothing.", unit="secret"
    )
    binance_rest_url: HttpBase | None = setting(
        None, "Instead of the environment's own REST address; `/api/v3` is added.", unit="address"
    )
    binance_stream_url: StreamBase | None = setting(
        None, "The same for market streams; `/ws` and `/stream` are added.", unit="address"
    )
    binance_ws_api_url: WsApiUrl | None = setting(
        None, "The same for the WebSocket API; ends with `/ws-api/v3`.", unit="address"
    )
    binance_sapi_url: HttpBase | None = setting(
        None, "The same for the key-permission interface, which the testnet lacks; `/sapi/v1` is added.", unit="address"
    )
    request_timeout_seconds: Seconds = setting(
        10.0, "A request without an answer counts as failed after this.", unit="seconds", gt=0, le=60
    )
    recv_window_ms: int = setting(
        5000, "How late a signed request may reach the exchange.", unit="milliseconds", ge=1, le=60_000
    )
    not_placed_margin_seconds: Seconds = setting(
        5.0, "Waited beyond the receive window before an order may count as never placed.", unit="seconds", gt=0
    )
    accept_key_that_may_withdraw: bool = setting(False, "Trade even with a key that may withdraw money.")  # noqa: FBT003 - a default, not a flag


class TradingSettings(Chapter):
    """What is traded"""

    default_symbol: Symbol = setting("BTCUSDT", "The symbol traded when `SYMBOLS` is not set.")
    symbols: Symbols = setting(_default_symbols, "The symbols traded; not set: `DEFAULT_SYMBOL`.", unit="comma list")
    default_timeframe: Timeframe = setting("1h", "Length of the candles the strategy looks at: `1m` to `1w`.")
    default_quote_amount: Amount = setting(
        Decimal(12), "Spent on each entry; must still be sellable after a stop.", unit="quote asset", gt=0
    )
    strategy: StrategyName = setting(
        "rsi", "`rsi`, `sma`, or an installed entry point of `thunes.strategies`; its own settings begin with its name."
    )
    sma_fast: int = setting(20, "The quicker moving average.", unit="candles", ge=1, le=LONGEST_AVERAGE)
    sma_slow: int = setting(50, "The slower moving average.", unit="candles", ge=2, le=LONGEST_AVERAGE)
    rsi_period: int = setting(14, "Candles the relative strength index looks back on.", unit="candles", ge=2, le=300)
    rsi_oversold: Amount = setting(Decimal(30), "Below it the index calls for a BUY.", ge=0, le=100)
    rsi_overbought: Amount = setting(Decimal(70), "Above it the index calls for a SELL.", ge=0, le=100)
    signal_interval_seconds: Seconds = setting(
        600.0, "Between two signal checks, on a grid of market time.", unit="seconds", ge=1
    )
    feed: Annotated[Literal["auto", "rest"], Lower] = setting(
        "auto", "Where prices come from: streams with REST behind them, or REST alone."
    )
    stream_stale_seconds: Seconds = setting(60.0, "A stream silent for so long is replaced.", unit="seconds", gt=0)
    stream_max_reconnects: int = setting(5, "Failed reconnections before REST takes over.", ge=0)


class RiskSettings(Chapter):
    """Limits"""

    stop_loss_pct: Amount = setting(
        Decimal(3), "Sold when the price falls so far below the average entry.", unit="percent", gt=0, lt=100
    )
    max_loss_per_trade: Amount = setting(
        Decimal(15), "The most one entry may spend: what it could lose at worst.", unit="quote asset", ge=0
    )
    max_daily_loss: Amount = setting(
        Decimal(20), "Realised loss of a UTC day that activates the kill switch.", unit="quote asset", ge=0
    )
    max_positions: int = setting(3, "Positions open at once.", ge=0)
    cool_down_minutes: Seconds = setting(
        60.0, "No entry into a symbol for so long after a loss on it.", unit="minutes", ge=0
    )
    breaker_fail_max: int = setting(5, "Failures of the exchange that open the circuit breaker.", ge=1)
    breaker_window_seconds: Seconds = setting(60.0, "... when they happen within this.", unit="seconds", gt=0)
    breaker_reset_seconds: Seconds = setting(60.0, "Before an open breaker sends one probe.", unit="seconds", gt=0)
    min_free_mib: int = setting(100, "Entries stop when the disk has less free space.", unit="MiB", ge=0)


class UpkeepSettings(Chapter):
    """Reports and upkeep"""

    reconcile_interval_seconds: Seconds = setting(
        3600.0, "Between two comparisons with the exchange, market time.", unit="seconds", ge=1
    )
    daily_summary_utc: UtcTime = setting(time(23, 0, tzinfo=UTC), "When the day is summed up.", unit="HH:MM, UTC")
    telegram_bot_token: SecretText | None = setting(None, "Bot that sends the alerts.", unit="secret")
    telegram_chat_id: ChatId | None = setting(None, "Chat that receives them.")
    telegram_api_url: WebUrl = setting("https://api.telegram.org", "Address of Telegram's bot API.", unit="address")
    heartbeat_url: SecretUrl | None = setting(
        None, "Fetched while all is well; whoever serves it raises the alarm when it stops.", unit="secret address"
    )
    notifiers: Listed = setting(
        (),
        "Further channels for alerts: installed entry points of `thunes.notifiers`; their own settings begin with their"
        " name.",
        unit="comma list",
    )
    backup_dir: AbsolutePath | None = setting(None, "Where backups go; not set: `backups/` in the home.", unit="path")
    backup_age_recipients: Listed = setting(
        (), "age public keys that backups are encrypted to; not set: not encrypted.", unit="comma list"
    )
    backup_keep_daily: int = setting(7, "Daily backups kept.", unit="days", ge=1)
    backup_keep_weekly: int = setting(5, "Weekly backups kept.", unit="weeks", ge=0)
    backup_keep_monthly: int = setting(12, "Monthly backups kept.", unit="months", ge=0)
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Upper] = setting("INFO", "What is logged.")
    log_format: Annotated[Literal["text", "json"], Lower] = setting("text", "How.")


class StoreSettings(Chapter):
    """Stores of secrets"""

    aws_secret_id: str | None = setting(
        None, "Name or ARN of a secret in AWS Secrets Manager, a JSON object of settings (extra `aws`).", unit="name"
    )
    aws_region: str | None = setting(None, "Its region; not set: as the AWS configuration says.", unit="name")
    aws_secrets_url: HttpBase | None = setting(None, "Instead of AWS's own address.", unit="address")
    vault_addr: str | None = setting(None, "Address of HashiCorp Vault (extra `vault`).", unit="address")
    vault_secret_path: str | None = setting(
        None, "A secret of Vault's KV version 2: mount, then path, as in `secret/thunes/binance`.", unit="path in Vault"
    )
    vault_token: SecretText | None = setting(None, "The token that reads it.", unit="secret")
    vault_token_file: AbsolutePath | None = setting(
        None, "Or a file with the token, kept fresh by Vault's agent.", unit="path"
    )
    vault_namespace: str | None = setting(None, "Namespace, on Vault Enterprise.", unit="name")
    age_identity_file: AbsolutePath | None = setting(
        None, "The age identity that opens the home's `.env.age` (extra `age`).", unit="path"
    )
    age_recipients: Listed = setting(
        (), "age public keys `.env.age` is written for; not set: the identity's own.", unit="comma list"
    )


class SimulatorSettings(Chapter):
    """The embedded exchange"""

    sim_candles: AbsolutePaths = setting(
        (), "Recorded candles to replay, CSV; not set: a synthetic market.", unit="comma list of absolute paths"
    )
    sim_seed: int = setting(7, "The synthetic market is the same for the same seed.", ge=0)
    sim_spread_bps: Amount = setting(Decimal(2), "Between best bid and best ask.", unit="basis points", ge=0, le=1000)
    sim_depth_quote: Amount = setting(
        Decimal(200_000), "Value on each side of the order book.", unit="quote asset", gt=0
    )
    sim_maker_fee: Amount = setting(
        Decimal("0.001"), "Fee of a resting order.", unit="fraction, 0.001 is 0.1 %", ge=0, lt=Decimal("0.1")
    )
    sim_taker_fee: Amount = setting(
        Decimal("0.001"), "Fee of a market order.", unit="fraction, 0.001 is 0.1 %", ge=0, lt=Decimal("0.1")
    )


class Settings(SimulatorSettings, StoreSettings, UpkeepSettings, RiskSettings, TradingSettings, ExchangeSettings):
    """The settings in force, immutable, and where each came from."""

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _strategy_extras: dict[str, str] = PrivateAttr(default_factory=dict)
    _notifier_extras: dict[str, dict[str, Secret]] = PrivateAttr(default_factory=dict)

    @property
    def origins(self) -> MappingProxyType[str, str]:
        """Where each setting's value came from: ``environment``, ``<path>:<line>`` or ``default``."""
        return MappingProxyType({name: self.origin(name) for name in NAMES})

    def origin(self, name: str) -> str:
        """Where the value of one setting came from."""
        return self._origins.get(name, DEFAULT_ORIGIN)

    def value(self, name: str) -> Any:
        """The value of a setting by its name in capitals."""
        return getattr(self, name.lower())

    @property
    def strategy_params(self) -> dict[str, Any]:
        """What strategies read: ours, and those whose names begin with the strategy's own (``BREAKOUT_CANDLES``)."""
        return {name: self.value(name) for name in _STRATEGY_SETTINGS} | self._strategy_extras

    def notifier_params(self, name: str) -> dict[str, str]:
        """What a channel of somebody else's reads: the settings whose names begin with its own (``NTFY_URL``)."""
        return {key: value.reveal() for key, value in self._notifier_extras.get(name, {}).items()}

    @property
    def all_secrets(self) -> tuple[Secret, ...]:
        """Every secret that is set, those of further channels included: what must be taken out of texts."""
        ours = tuple(value for name in sorted(SECRETS) if isinstance(value := self.value(name), Secret))
        extras = [pair for found in self._notifier_extras.values() for pair in found.items()]
        return (*ours, *(value for name, value in extras if _SECRET_NAME.search(name)))

    def with_origins(
        self,
        origins: dict[str, str],
        *,
        strategy_extras: dict[str, str] | None = None,
        notifier_extras: dict[str, dict[str, Secret]] | None = None,
    ) -> Settings:
        """The same settings, knowing where they came from, and what somebody else's strategy and channels read."""
        copy = self.model_copy()
        copy._origins = dict(origins)  # noqa: SLF001 - our own private attribute, on a copy
        copy._strategy_extras = dict(strategy_extras or {})  # noqa: SLF001 - as above
        copy._notifier_extras = dict(notifier_extras or {})  # noqa: SLF001 - as above
        return copy


CHAPTERS = (ExchangeSettings, TradingSettings, RiskSettings, UpkeepSettings, StoreSettings, SimulatorSettings)
NAMES = tuple(field.upper() for chapter in CHAPTERS for field in chapter.model_fields)
PRIVATE_KEYS = frozenset({"BINANCE_PRIVATE_KEY", "BINANCE_TESTNET_PRIVATE_KEY"})  # of several lines
SECRETS = frozenset(
    name.upper()
    for chapter in CHAPTERS
    for name, field in chapter.model_fields.items()
    if unit_of(field).startswith("secret")
)
