"""What a daemon writes down about itself: for status commands, and for whoever reads the trail later."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.clock import Clock, to_text
from thunes_cli.config.secrets import RedactingFilter, Secret
from thunes_cli.ledger.known import FALLBACKS_WITHIN, FEED, LIMITS, SYMBOLS, read_known, save_known
from thunes_cli.market.stream_feed import StreamFeed
from thunes_cli.model import plain

if TYPE_CHECKING:
    from thunes_cli.config.settings import Settings

FEED_DOWN = "down"

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


def record_feed(
    connection: sqlite3.Connection, feed: StreamFeed, clock: Clock, *, down: bool = False, fell_back: bool = False
) -> None:
    """Write down where prices come from, when the last news came, and when the stream was given up lately.

    Args:
        connection: in a transaction.
        feed: as it stands.
        clock: the home's.
        down: nothing could be found out, whatever the feed says.
        fell_back: the stream was given up just now.
    """
    wall, age_s, line = clock.wall(), feed.age_s, feed.line
    before = read_known(connection, FEED)
    since = to_text(wall - FALLBACKS_WITHIN)
    fallbacks = [moment for moment in (before[0].get("fallbacks") or [] if before else []) if moment >= since]
    heard = timedelta(seconds=age_s or 0.0)
    facts = {
        "mode": FEED_DOWN if down and not feed.delivers else feed.mode,
        "reconnects": line.reconnects if line is not None else 0,
        "heard_wall": None if age_s is None else to_text(wall - heard),
        "fallbacks": [*fallbacks, *([to_text(wall)] if fell_back else [])],
        "prices_dropped": feed.intake.dropped,
        "messages_passed_over": feed.garbage,
    }
    save_known(connection, FEED, facts, at=clock.now() - heard * float(clock.speed))
