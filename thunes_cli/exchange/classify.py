"""What an answer of the exchange means: by its code before its HTTP status. Pure.

Source of the codes: Binance's spot API documentation, "Error codes" and "General API information" (2026-07).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from thunes_cli.exchange.failures import (
    AuthFailed,
    ExchangeDown,
    ExchangeFailure,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    TimestampRejected,
)

TOO_MANY_ORDERS = -1015
BAD_TIMESTAMP = -1021
WRONG_SIGNATURE = -1022
ORDER_REJECTED = -2010
NO_SUCH_ORDER = -2013
ILLEGAL_CHARACTERS = -1100
INVALID_SYMBOL = -1121
UNKNOWN_SYMBOL = frozenset({INVALID_SYMBOL, ILLEGAL_CHARACTERS})  # answers to a symbol that is not listed

AUTH_CODES = frozenset({-1002, -2008, -2014, -2015})
RATE_CODES = frozenset({-1003, TOO_MANY_ORDERS})
# The exchange's own trouble, whatever the HTTP status: -1007 has been seen as 4xx.
TROUBLE_CODES = frozenset({-1000, -1001, -1006, -1007, -1008})
# Codes of an order that was refused before, or by, the matching engine: nothing was executed.
ORDER_REJECTING_CODES = frozenset(
    {
        *AUTH_CODES,
        *RATE_CODES,
        *range(-1108, -1099),
        *(-1013, -1014, -1016, -1020, BAD_TIMESTAMP, WRONG_SIGNATURE),
        *(-1111, -1112, -1114, -1115, -1116, -1117, -1118, -1120, INVALID_SYMBOL, -1128, -1130, -1131, -1151, -1220),
        ORDER_REJECTED,
    }
)

FIRST_WAIT_S = 60.0
LONGEST_ORDER_WAIT_S = 600.0  # an exhausted daily order count must not stop reads until midnight
LONGEST_WAIT_S = 3 * 86400.0  # Binance's longest ban; anything longer is a broken header
_LONGEST_TEXT = 200
_INTERVAL = re.compile(r"per\s+(\d{1,4})\s*(SECOND|MINUTE|HOUR|DAY)", re.IGNORECASE)
_INTERVAL_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}


class Unreadable(ValueError):
    """The body is not JSON."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, body read to its end. Header names are looked up case-insensitively by ``headers``."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status says success."""
        return self.status // 100 == 2  # noqa: PLR2004 - the class of HTTP statuses

    @property
    def refused(self) -> bool:
        """Whether the status blames the request (4xx), authentication and the firewall's 403 aside."""
        return self.status // 100 == 4 and self.status not in {401, 403}  # noqa: PLR2004 - as above


@dataclass(frozen=True, slots=True)
class Problem:
    """The exchange's own error document."""

    code: int
    message: str


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def payload(answer: Answer) -> Any:
    """The body as JSON; numbers with a fraction become ``Decimal``.

    Raises:
        Unreadable: not UTF-8 JSON, or NaN/Infinity in it.
    """
    try:
        return json.loads(answer.body.decode("utf-8"), parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable(type(error).__name__) from None


def problem(answer: Answer) -> Problem | None:
    """The error document, or None when the body is none (HTML, a list, a result)."""
    try:
        document = payload(answer)
    except Unreadable:
        return None
    if not isinstance(document, dict):
        return None
    code = document.get("code")
    if isinstance(code, bool) or not isinstance(code, int) or code >= 0:
        return None
    return Problem(code, clean(document.get("msg")) or "no message")


def clean(text: object) -> str:
    """Foreign text on one line, printable and short; empty for anything but a text."""
    start = text[: 4 * _LONGEST_TEXT] if isinstance(text, str) else ""
    printable = "".join(character if character.isprintable() else " " for character in start)
    line = " ".join(printable.split())
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 1] + "…"


def read_failure(answer: Answer) -> ExchangeFailure | None:
    """What kept a read (or a test order) from succeeding; None for a readable success."""
    found = problem(answer)
    by_code = _by_code(answer, found) if found is not None else None
    return by_code or _by_status(answer, found)


def _by_code(answer: Answer, found: Problem) -> ExchangeFailure | None:
    if found.code in AUTH_CODES:
        return AuthFailed(f"{found.message} ({found.code})", business_code=found.code, http_status=answer.status)
    if found.code in RATE_CODES or answer.status in {429, 418}:
        return _rate_limited(answer, found)
    if found.code in TROUBLE_CODES:
        return ExchangeDown(f"HTTP {answer.status}, {found.message} ({found.code})")
    if found.code in ORDER_REJECTING_CODES or answer.refused:
        return _rejected(found)
    return None


def _rejected(found: Problem) -> Rejected:
    if found.code == BAD_TIMESTAMP:
        return TimestampRejected(found.message, found.code)
    if found.code == WRONG_SIGNATURE:
        hint = "the API secret does not belong to the key: thunes config check --online"
        return Rejected(found.message, found.code, hint=hint)
    return Rejected(found.message, found.code)


def _by_status(answer: Answer, found: Problem | None) -> ExchangeFailure | None:
    detail = f"{found.message} ({found.code})" if found is not None else "the body is not the exchange's"
    match answer.status:
        case 429 | 418 | 403:
            return _rate_limited(answer, found)
        case 401:
            return AuthFailed(f"HTTP 401, {detail}", http_status=answer.status)
    if answer.ok and found is None and _is_json(answer):
        return None
    return ExchangeDown(f"HTTP {answer.status}, {detail}")


def order_failure(answer: Answer) -> ExchangeFailure | None:
    """What became of an order that was not answered with success; None for a readable success.

    Only an error document with a known rejecting code proves that nothing was executed. Everything else, a duplicate
    client id included (the order of that id may be ours), is ``OutcomeUnknown``.
    """
    found = problem(answer)
    if found is None and answer.ok and _is_json(answer):
        return None
    meaning = read_failure(answer)
    if found is not None and not answer.ok and found.code in ORDER_REJECTING_CODES and not _is_duplicate(found):
        return meaning
    detail = f"{found.message} ({found.code})" if found is not None else "the body is not the exchange's"
    return OutcomeUnknown(f"HTTP {answer.status}, {detail}", underlying=meaning)


def _is_duplicate(found: Problem) -> bool:
    return found.code == ORDER_REJECTED and "duplicate" in found.message.lower()


def _is_json(answer: Answer) -> bool:
    try:
        payload(answer)
    except Unreadable:
        return False
    return True


def _rate_limited(answer: Answer, found: Problem | None) -> RateLimited:
    status = answer.status if answer.status >= 400 else 429  # noqa: PLR2004 - a code without an error status
    told = retry_after(answer.headers)
    if told is not None:
        return RateLimited(status, told, told=True)
    if found is not None and found.code == TOO_MANY_ORDERS:  # the message names the interval
        interval = _INTERVAL.search(found.message)
        if interval is not None:
            seconds = int(interval[1]) * _INTERVAL_SECONDS[interval[2].upper()]
            return RateLimited(status, min(float(max(seconds, 1)), LONGEST_ORDER_WAIT_S), told=True)
    return RateLimited(status, FIRST_WAIT_S)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of ``Retry-After``, between one second and three days; None when absent or not a number of seconds."""
    text = headers.get("Retry-After", "").strip()
    if not re.fullmatch(r"[0-9]{1,15}", text):
        return None
    return min(max(float(text), 1.0), LONGEST_WAIT_S)
