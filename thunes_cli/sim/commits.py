"""What one step of the matching engine changed: the seam between the engine and whoever reports its changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thunes_cli.sim.accounts import Holding
from thunes_cli.sim.orders import SimOrder, SimTrade


@dataclass(frozen=True, slots=True)
class Committed:
    """A change that has been stored.

    ``orders``: each as it rested on the book before (None: it is new) and as it is now. ``trades``: their executions,
    in the order in which they happened. ``balances``: before and after, of every asset that was touched. A change
    without orders came from outside the market (a deposit or a withdrawal).
    """

    orders: tuple[tuple[SimOrder | None, SimOrder], ...]
    trades: tuple[SimTrade, ...]
    balances: Mapping[str, tuple[Holding, Holding]]
