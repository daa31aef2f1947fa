"""Spans and moments as an operator types them: ``90m``, ``72h``, ``7d``, ``1h30m``, ``today``, ``2026-05-01``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from thunes_cli.clock import EPOCH, from_text, utc_midnight
from thunes_cli.errors import UsageFault

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN = re.compile(r"(?:\d+[smhdw])+", re.ASCII)
_PART = re.compile(r"(\d+)([smhdw])", re.ASCII)
_LONGEST = timedelta(days=36525)
ALL = "all"
TODAY = "today"


def parse_duration(text: str, *, option: str) -> timedelta:
    """A span such as ``90m``, ``72h``, ``7d`` or ``1h30m``.

    Args:
        text: as typed.
        option: the option's name, for the message.

    Raises:
        UsageFault: not a span, or one beyond a century (2).
    """
    typed = text.strip().lower()
    if _SPAN.fullmatch(typed):
        seconds = sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(typed))
        if seconds <= _LONGEST.total_seconds():
            return timedelta(seconds=seconds)
        raise UsageFault(f"{option} {text}: longer than a century", hint=_example(option))
    why = "the unit is missing" if typed.isdigit() else "not a span of time"
    raise UsageFault(f"{option} {text!r}: {why}", hint=f"{_example(option)} (s, m, h, d or w)")


def _example(option: str) -> str:
    return f"for example: {option} 90m, {option} 72h, {option} 7d"


@dataclass(frozen=True, slots=True)
class Since:
    """The moment an answer begins at, as it was typed; it is fixed once market time is known."""

    text: str
    option: str
    back: timedelta | None = None
    moment: datetime | None = None

    @property
    def is_all(self) -> bool:
        """Whether it is the beginning of everything."""
        return self.moment == EPOCH

    def begins(self, now: datetime) -> datetime:
        """The moment, seen from market time ``now``.

        Raises:
            UsageFault: it is yet to come (2).
        """
        if self.back is not None:
            return now - min(self.back, now - EPOCH)
        moment = self.moment if self.moment is not None else utc_midnight(now)
        if moment > now:
            why = f"{self.option} {self.text!r} is yet to come: it is {now:%Y-%m-%d %H:%M:%S}Z"
            raise UsageFault(why, hint=_choices(self.option))
        return moment


def parse_since(text: str, *, option: str) -> Since:
    """``today`` (since midnight UTC), ``all``, a span back from now, a date, or an RFC 3339 time.

    Raises:
        UsageFault: none of these, or a time without an offset (2).
    """
    typed = text.strip()
    if typed.lower() == TODAY:
        return Since(text, option)
    if typed.lower() == ALL:
        return Since(text, option, moment=EPOCH)
    if _SPAN.fullmatch(typed.lower()):
        return Since(text, option, back=parse_duration(typed, option=option))
    return Since(text, option, moment=_moment(typed, option=option))


def _moment(typed: str, *, option: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(typed), time.min, tzinfo=UTC)
    except ValueError:
        pass
    try:
        return from_text(typed)
    except (ValueError, OverflowError) as error:
        if "UTC offset" in str(error):
            raise UsageFault(f"{option} {typed!r} has no UTC offset", hint=f"add a Z: {option} {typed}Z") from None
        raise UsageFault(f"{option} {typed!r}: neither a span nor a moment", hint=_choices(option)) from None


def _choices(option: str) -> str:
    return f"{option} today, all, 24h, 7d, 2026-05-01 or 2026-05-01T12:00:00Z"
