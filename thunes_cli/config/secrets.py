"""Secrets that do not show: one masking type, and a log filter that takes them out of what others write."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import logging
import re
import traceback
from collections.abc import Iterable
from typing import NoReturn, Self
from urllib.parse import quote, urlsplit

MASK = "********"
# What is secret by its look: a signature or key in a request's text, a bot's token in an address.
_SIGNED = re.compile(r"((?:signature|apiKey|X-MBX-APIKEY)['\"]?\s*[=:]\s*['\"]?)[\w%+/=-]+", re.IGNORECASE)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)|AGE-SECRET-KEY-[\w-]+", re.DOTALL
)
_BOT = re.compile(r"bot\d+:[\w-]+")
_SHORTEST_PART = 8  # of an address; "hooks" or "v1" is no secret
_SHORTEST_REDACTED = 4  # shorter ones would blank out half of every line


_known: tuple[str, ...] = ()  # spellings of every secret this process read, longest first


def redact_from_now_on(secrets: Iterable[Secret]) -> None:
    """Have these taken out of whatever this process writes, wherever they came from; earlier ones stay redacted."""
    global _known  # noqa: PLW0603 - one process, one log: a rotated key is read long after the log was opened
    values = {secret.reveal() for secret in secrets}
    found = {spelling for value in values if len(value) >= _SHORTEST_PART for spelling in spellings_of(value)}
    if not found <= set(_known):
        _known = tuple(sorted({*_known, *found}, key=len, reverse=True))


class Secret:
    """A secret value. Nothing but :meth:`reveal` shows it: not str, repr, format, JSON, pickle or a traceback."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The value itself, for the one place that sends or signs with it."""
        return self.__value

    def fingerprint(self) -> str:
        """First 12 hex digits of its SHA-256: names a key without telling it."""
        return hashlib.sha256(self.__value.encode()).hexdigest()[:12]

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __format__(self, specification: str) -> str:
        return format(MASK, specification)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        message = "a secret is not to be pickled"
        raise TypeError(message)


def spellings_of(value: str) -> set[str]:
    """The texts by which a secret may show: as it is, encoded, escaped; of an address also its telling parts.

    An address is secret for what is in its path or query, and errors of HTTP libraries quote just that.
    """
    parts = {value, *(line for line in value.splitlines() if len(line) >= _SHORTEST_PART and "-----" not in line)}
    with contextlib.suppress(ValueError):  # no address after all
        address = urlsplit(value if "://" in value else "")
        pieces = (*address.path.split("/"), *address.query.split("&"), address.query, address.netloc.rpartition("@")[0])
        parts |= {piece for piece in pieces if len(piece) >= _SHORTEST_PART}
    return {
        spelling
        for part in parts
        for spelling in (part, quote(part), quote(part, safe=""), json.dumps(part)[1:-1], repr(part)[1:-1])
    }


def redact_by_look(text: str) -> str:
    """``text`` without signatures, keys in request texts, private keys and bot tokens, and without what we know."""
    for spelling in _known:
        if spelling in text:
            text = text.replace(spelling, MASK)
    text = _PRIVATE_KEY.sub(MASK, text)
    return _BOT.sub(f"bot{MASK}", _SIGNED.sub(rf"\1{MASK}", text))


class RedactingFilter(logging.Filter):
    """Takes secrets out of log records: message, arguments, traceback and extra texts.

    Attach it to the handlers, not to a logger: only a handler's filter sees the records of every library. It never
    drops a record. URL-encoded and JSON-escaped spellings are found too.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        super().__init__()
        self._spellings: tuple[str, ...] = ()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: Secret) -> None:
        """Redact this one too from now on (a rotated key; the old one stays redacted)."""
        value = secret.reveal()
        if len(value) < _SHORTEST_REDACTED:
            return
        longest_first = sorted({*self._spellings, *spellings_of(value)}, key=len, reverse=True)
        self._spellings = tuple(longest_first)

    def redact(self, text: str) -> str:
        """The text without any of the secrets."""
        for spelling in self._spellings:
            text = text.replace(spelling, MASK)
        return redact_by_look(text)

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; always keep it."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit: logging itself would print them raw
            message = f"{record.msg} {record.args}"
        record.msg, record.args = self.redact(message), None
        if record.exc_info and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        record.exc_info = None  # formatters print exc_text; with the exception at hand some would format it anew
        for name, value in list(vars(record).items()):
            setattr(record, name, self._clean(value))
        return True

    def _clean(self, value: object) -> object:
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {self._clean(key): self._clean(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(item) for item in value]
        return value
