"""Spans of time in words."""

from __future__ import annotations

from datetime import timedelta

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def span(length: timedelta) -> str:
    """The two largest units: ``42 s``, ``3 min 12 s``, ``2 h 05 min``, ``3 d``; nothing is negative."""
    seconds = max(0, int(length.total_seconds()))
    minutes, hours, days = seconds // _MINUTE, seconds // _HOUR, seconds // _DAY
    if not minutes:
        return f"{seconds} s"
    if not hours:
        return _pair(minutes, "min", seconds % _MINUTE, "s")
    if not days:
        return _pair(hours, "h", minutes % 60, "min")
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"


def _pair(large: int, unit: str, small: int, part: str) -> str:
    return f"{large} {unit} {small:02d} {part}" if small else f"{large} {unit}"


def short_span(length: timedelta) -> str:
    """For a column: ``42 s``, ``12 min``, ``2.1 h``, ``3.4 d``; cut, not rounded up."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    unit, name = (_HOUR, "h") if seconds < _DAY else (_DAY, "d")
    return f"{seconds // unit}.{seconds % unit * 10 // unit} {name}"
