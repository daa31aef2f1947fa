"""One check of one thing: what was found, what was expected, what to do about it."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class CheckStatus(enum.StrEnum):
    """``skip``: it could not, or need not, be found out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of a check. ``value`` and ``expected`` are for people, ``hint`` is what to type or change."""

    name: str
    status: CheckStatus
    value: str
    expected: str = ""
    hint: str = ""

    def as_data(self) -> dict[str, str]:
        """JSON-ready, with the keys of the contract."""
        return {
            "name": self.name,
            "status": str(self.status),
            "value": self.value,
            "expected": self.expected,
            "hint": self.hint,
        }


def judged(name: str, status: CheckStatus, value: str, *, expected: str, hint: str) -> Check:
    """A check whose hint is only for when it is not well."""
    return Check(name, status, value, expected, hint if status in {CheckStatus.WARN, CheckStatus.FAIL} else "")


def failed(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Those that failed; a warning is not a failure."""
    return tuple(check for check in checks if check.status is CheckStatus.FAIL)
