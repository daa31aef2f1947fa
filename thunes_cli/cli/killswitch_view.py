"""How the kill switch stands, for people and for scripts: what every ``killswitch`` command answers."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from thunes_cli.cli.figures import fact_lines, moment, money, result
from thunes_cli.clock import to_text
from thunes_cli.counts import count
from thunes_cli.ledger import known
from thunes_cli.ledger.positions import traded_quote
from thunes_cli.ledger.view_kill_switch import Standing, read_standing
from thunes_cli.model import plain
from thunes_cli.spans import span


class SwitchView(NamedTuple):
    """``limit`` is what the last daemon had in force, None before any ran; ``now`` is market time."""

    standing: Standing
    quote: str
    limit: Decimal | None
    now: datetime

    @property
    def utilization_pct(self) -> float | None:
        """How much of the limit the counted loss is."""
        if not self.limit:
            return None
        return round(float(self.standing.counted_loss / self.limit * 100), 2)

    @property
    def used_up(self) -> bool:
        """Whether the daily-loss rule refuses entries, switch or no switch."""
        return self.limit is not None and self.standing.counted_loss >= self.limit


def read_view(connection: sqlite3.Connection, now: datetime) -> SwitchView:
    """The switch, the day's result and the recorded limit, at market time ``now``."""
    limits = known.read_known(connection, known.LIMITS)
    limit = limits[0].get("max_daily_loss") if limits is not None else None
    return SwitchView(
        standing=read_standing(connection, now),
        quote=traded_quote(connection),
        limit=Decimal(limit) if limit is not None else None,
        now=now,
    )


def view_data(view: SwitchView) -> dict[str, Any]:
    """The keys of the contract."""
    switch = view.standing.switch
    return {
        "active": switch.active,
        "reason": switch.reason,
        "since": to_text(switch.since) if switch.since else None,
        "actor": switch.actor,
        "daily_pnl": plain(view.standing.daily_pnl),
        "daily_loss_limit": None if view.limit is None else plain(-view.limit),
        "daily_loss_utilization_pct": view.utilization_pct,
        "counted_loss": plain(view.standing.counted_loss),
        "rearms_today": view.standing.rearms_today,
    }


def view_text(view: SwitchView) -> str:
    """The same for people."""
    standing = view.standing
    switch = standing.switch
    facts = [("kill switch", "not active: entries may be made")]
    if switch.active:
        since = f" for {span(view.now - switch.since)}, since {moment(switch.since)}" if switch.since else ""
        facts = [("kill switch", f"ACTIVE{since}"), ("because", switch.reason or "-"), ("by", switch.actor or "-")]
    return fact_lines(
        [
            *facts,
            ("PnL today", f"{result(standing.daily_pnl, quote=view.quote)} realised"),
            ("counted loss", _counted(view)),
            ("re-armed", _rearmed(view)),
        ]
    )


def _counted(view: SwitchView) -> str:
    loss = money(view.standing.counted_loss)
    if view.limit is None:
        return f"{loss}; the limit is not known before a daemon has run"
    return f"{loss} of {plain(view.limit)} ({view.utilization_pct:g} %)"


def _rearmed(view: SwitchView) -> str:
    times = view.standing.rearms_today
    return f"{count(times, 'time')} today; only what was lost since then counts" if times else "not today"


def today_text(view: SwitchView) -> str:
    """What an operator should know before letting entries go on."""
    standing = view.standing
    because = [("because", standing.switch.reason or "-")] if standing.switch.active else []
    return fact_lines(
        [
            *because,
            ("PnL today", f"{result(standing.daily_pnl, quote=view.quote)} realised"),
            ("counted loss", _counted(view)),
            ("re-armed", f"{count(standing.rearms_today, 'time')} today"),
        ]
    )
