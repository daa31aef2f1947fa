"""A position whose first fill has not come: what tests fill in."""

from __future__ import annotations

from decimal import Decimal

from manual_time import NOON

from thunes_cli.model import ZERO, Position, PositionStatus

OPENED = Position(
    id=1,
    exchange_epoch=1,
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    strategy="sma",
    stop_loss_pct=Decimal(3),
    status=PositionStatus.OPEN,
    quantity=ZERO,
    cost=ZERO,
    bought_qty=ZERO,
    bought_quote=ZERO,
    sold_qty=ZERO,
    sold_quote=ZERO,
    realized=ZERO,
    fees=ZERO,
    entry_time=NOON,
    exit_time=None,
    exit_wanted=None,
    exit_wanted_since=None,
    exit_next_try_wall=None,
    exit_problem=None,
)
