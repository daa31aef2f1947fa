"""Between settings and the simulator: its options made of ours, its problems told as ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from thunes_cli.config.tilde import expanded
from thunes_cli.errors import ExitCode, ThunesError

if TYPE_CHECKING:
    from thunes_cli.config.settings import Settings


class SimulatorFailed(ThunesError):
    """{0}"""

    def __init__(self, message: str, *, code: str, exit_code: int, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.exit_code = ExitCode(exit_code)


@contextlib.contextmanager
def simulator_problems() -> Iterator[None]:
    """Turn the simulator's error into one of ours, with its message, hint, code and exit code."""
    from thunes_cli.sim.failure import SimError

    try:
        yield
    except SimError as error:
        raise SimulatorFailed(error.message, code=error.code, exit_code=error.exit_code, hint=error.hint) from error


def market_options(settings: Settings) -> dict[str, Any]:
    """What the ``SIM_*`` settings say of the market, by the names of :class:`thunes_cli.sim.options.SimOptions`."""
    from thunes_cli.sim.options import DEFAULT_SYMBOLS

    return {
        "candles": tuple(expanded(text) for text in settings.sim_candles),
        "seed": settings.sim_seed,
        "spread_bps": settings.sim_spread_bps,
        "depth_quote": settings.sim_depth_quote,
        "maker_fee": settings.sim_maker_fee,
        "taker_fee": settings.sim_taker_fee,
        "symbols": tuple(dict.fromkeys((*DEFAULT_SYMBOLS, *settings.symbols))),
    }
