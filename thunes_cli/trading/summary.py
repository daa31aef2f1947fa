"""The day in numbers: from the ledger alone, for the daily summary and for ``pnl``."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from thunes_cli.clock import to_text, utc_midnight
from thunes_cli.ledger import controls, fills, positions
from thunes_cli.ledger.known import read_prices
from thunes_cli.model import ZERO, Position, PositionStatus, plain
from thunes_cli.trading.accounting import unrealized


@dataclass(frozen=True, slots=True)
class DaySummary:
    """One UTC day up to ``now``; money in quote, ``win_rate_pct`` of the trades closed, None without any."""

    since: datetime
    now: datetime
    realized: Decimal
    unrealized: Decimal
    fees: Decimal
    trades: int
    wins: int
    win_rate_pct: Decimal | None
    open_positions: tuple[Position, ...]
    kill_switch: bool

    def text(self) -> str:
        """For the operator."""
        rate = "-" if self.win_rate_pct is None else f"{self.win_rate_pct:.0f} %"
        result = f"realised {_money(self.realized)} (fees {_money(self.fees)}), unrealised {_money(self.unrealized)}"
        lines = [
            f"Day {self.since:%Y-%m-%d}: {result}",
            f"Trades closed {self.trades}, won {self.wins} ({rate}); open positions {len(self.open_positions)}",
        ]
        lines += [
            f"  {position.symbol} {plain(position.quantity)} @ {plain(position.entry_price)},"
            f" {(self.now - position.entry_time) // timedelta(hours=1)} h old, stop {plain(position.stop_price)}"
            for position in self.open_positions
        ]
        lines.append(f"Kill switch {'ACTIVE' if self.kill_switch else 'off'}. Next: thunes status")
        return "\n".join(lines)

    def facts(self) -> dict[str, str | int]:
        """For the trail."""
        return {
            "since": to_text(self.since),
            "realized": plain(self.realized),
            "unrealized": plain(self.unrealized),
            "fees": plain(self.fees),
            "trades": self.trades,
            "wins": self.wins,
            "open_positions": len(self.open_positions),
        }


def summarize_day(connection: sqlite3.Connection, now: datetime) -> DaySummary:
    """The UTC day that holds ``now`` (market time)."""
    midnight = utc_midnight(now)
    everything = positions.all_positions(connection)
    closed = [
        position
        for position in everything
        if position.status is PositionStatus.CLOSED and position.exit_time and position.exit_time >= midnight
    ]
    still_open = tuple(position for position in everything if position.status is PositionStatus.OPEN)
    prices = read_prices(connection)
    wins = sum(position.realized > 0 for position in closed)
    return DaySummary(
        since=midnight,
        now=now,
        realized=fills.realized_since(connection, midnight),
        unrealized=sum(
            (unrealized(position, prices[position.symbol][0]) for position in still_open if position.symbol in prices),
            ZERO,
        ),
        fees=fills.fees_since(connection, midnight),
        trades=len(closed),
        wins=wins,
        win_rate_pct=Decimal(100 * wins) / len(closed) if closed else None,
        open_positions=still_open,
        kill_switch=controls.read_kill_switch(connection).active,
    )


def _money(amount: Decimal) -> str:
    return format(amount.quantize(Decimal("0.01")), "f")
