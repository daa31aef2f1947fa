"""The unit of times in answers: milliseconds, or microseconds for a client that asks for them."""

from __future__ import annotations

from typing import Any, Final

from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.streams_message import MICROSECOND, MILLISECOND

_UNITS: Final = {"MILLISECOND": MILLISECOND, "MICROSECOND": MICROSECOND}
_INSTANTS: Final = frozenset(
    {
        *("serverTime", "time", "updateTime", "workingTime", "transactTime", "trailingTime"),
        *("openTime", "closeTime", "timestamp", "T"),
    }
)
# A candle is an array; these of its elements are its first and its last instant.
_CANDLE: Final = 12
_OPENED, _CLOSED = 0, 6


def parse_unit(text: str | None) -> int:
    """The factor from ms to the unit of that name, ms when none is named.

    Raises:
        ApiError: −1194, there is no such unit.
    """
    unit = MILLISECOND if text is None else _UNITS.get(text.upper())
    if unit is None:
        raise ApiError(-1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")
    return unit


def in_unit(answer: Any, unit: int) -> Any:
    """An answer with its times in a unit; what is no time, or not one yet (−1), stays as it is."""
    if unit == MILLISECOND:
        return answer
    if isinstance(answer, dict):
        return {
            name: value * unit if name in _INSTANTS and isinstance(value, int) and value > 0 else in_unit(value, unit)
            for name, value in answer.items()
        }
    if not isinstance(answer, list):
        return answer
    if len(answer) == _CANDLE and isinstance(answer[_OPENED], int):
        candle = list(answer)
        candle[_OPENED] *= unit
        candle[_CLOSED] = (candle[_CLOSED] + 1) * unit - 1
        return candle
    return [in_unit(each, unit) for each in answer]
