"""What a daemon writes down about itself: for status commands, and for whoever reads the trail later."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.config.secrets import RedactingFilter, Secret
from thunes_cli.ledger.known import FEED, LIMITS, SYMBOLS, save_known
from thunes_cli.model import plain

if TYPE_CHECKING:
    from thunes_cli.config.settings import Settings

_LIMITS = (
    *("max_daily_loss", "max_loss_per_trade", "max_positions", "cool_down_minutes", "default_quote_amount"),
    *("stop_loss_pct", "signal_interval_seconds", "min_free_mib"),
    *("breaker_fail_max", "breaker_window_seconds", "breaker_reset_seconds"),
)


def redactor_of(settings: Settings) -> Callable[[str], str]:
    """Takes the settings' secrets out of a text."""
    return RedactingFilter(settings.all_secrets).redact


def record_configuration(change: Change, settings: Settings) -> None:
    """Put the settings in force on the trail (secrets as fingerprints) and the limits where status reads them."""
    from thunes_cli.config.fields import as_text  # noqa: PLC0415 - pydantic
    from thunes_cli.config.settings import NAMES  # noqa: PLC0415 - as above

    facts: dict[str, str | None] = {}
    for name in NAMES:
        value = settings.value(name)
        if value is None:
            continue
        if isinstance(value, Secret):
            facts[name] = f"sha256:{value.fingerprint()}"
        else:
            facts[name] = as_text(value)
    change.record(Event.CONFIGURATION_IN_FORCE, **facts)
    save_known(change.connection, LIMITS, {name: _jsonable(getattr(settings, name)) for name in _LIMITS}, at=change.at)
    traded = {
        "symbols": list(settings.symbols),
        "timeframe": settings.default_timeframe,
        "strategy": settings.strategy,
    }
    save_known(change.connection, SYMBOLS, traded, at=change.at)


def _jsonable(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else plain(value)


def record_feed(connection: sqlite3.Connection, mode: str, *, at: datetime) -> None:
    """Write down where prices come from and when the last one came (market time)."""
    save_known(connection, FEED, {"mode": mode, "reconnects": 0}, at=at)
