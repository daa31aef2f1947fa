"""How the kill switch stands: the switch, the day's result, and what of it still counts. Only sqlite3 is needed."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from thunes_cli.clock import utc_midnight
from thunes_cli.ledger import controls, fills
from thunes_cli.model import ZERO


class Standing(NamedTuple):
    """``daily_pnl`` is the UTC day's whole result, ``counted_result`` what counts of it since the last re-arm.

    Both are in quote, net of fees; ``rearms_today`` counts deactivations since midnight.
    """

    switch: controls.KillSwitch
    daily_pnl: Decimal
    counted_result: Decimal
    rearms_today: int

    @property
    def counted_loss(self) -> Decimal:
        """The loss that is held against the limit; 0 while there is none."""
        return max(-self.counted_result, ZERO)


def read_standing(connection: sqlite3.Connection, now: datetime) -> Standing:
    """The switch and the day's result, as they are at market time ``now``."""
    midnight = utc_midnight(now)
    switch = controls.read_kill_switch(connection)
    return Standing(
        switch=switch,
        daily_pnl=fills.realized_since(connection, midnight),
        counted_result=fills.realized_since(connection, midnight, after_fill=switch.rearmed_after_fill),
        rearms_today=controls.count_rearms(connection, since=midnight),
    )
