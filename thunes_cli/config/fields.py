"""The kinds of values a setting may have: how the text of an operator becomes a value, and what is refused.

Every message here completes the sentence "NAME: ...".
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator

from thunes_cli.config.secrets import MASK, Secret
from thunes_cli.config.tilde import expanded
from thunes_cli.model import TIMEFRAMES, plain

_ASCII_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_FORBIDDEN_IN_SYMBOL = re.compile(r"[\s/,:;\"'\\]")
_PEM = re.compile(r"-----BEGIN (?:RSA )?PRIVATE KEY-----\s[A-Za-z0-9+/=\s]+-----END (?:RSA )?PRIVATE KEY-----")
_PRINTABLE = re.compile(r"[!-~]+")
_ADDED_PATHS = ("/api", "/api/v1", "/api/v3", "/ws", "/stream", "/sapi", "/sapi/v1")
_WS_API_PATH = "/ws-api/v3"
_LARGEST_AMOUNT = 10**12
_MOST_DECIMALS = 8
_LONGEST_SPAN = 31_536_000  # a year of seconds


def _secret(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not _PRINTABLE.fullmatch(value):
        raise ValueError("must be one word of ASCII characters (was it pasted with something else?)")
    return Secret(value)


def _pem(value: Any) -> Secret:
    """A private key as stores keep it: PEM, its lines parted by line ends or by a backslash and an n."""
    if isinstance(value, Secret):
        return value
    text = str(value).replace("\\n", "\n").strip()
    if not _PEM.fullmatch(text):
        raise ValueError("must be a private key in PEM, from -----BEGIN to -----END PRIVATE KEY-----")
    return Secret(text + "\n")


def upper_ascii(text: str) -> str:
    """Upper case for ASCII letters alone: other letters of a symbol's name are the exchange's business."""
    return text.translate(_ASCII_UPPER)


def _symbol(text: str) -> str:
    symbol = upper_ascii(text.strip())
    if not symbol or _FORBIDDEN_IN_SYMBOL.search(symbol):
        raise ValueError("must be a symbol as the exchange writes it, such as BTCUSDT")
    return symbol


def _listed(value: Any) -> Any:
    """The non-empty items of a comma list, each once, in order."""
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(item.strip() for item in value.split(",") if item.strip()))


def _symbols(value: Any) -> tuple[str, ...]:
    items = _listed(value)
    if not isinstance(items, tuple | list) or not items:
        raise ValueError("must name at least one symbol, such as BTCUSDT,ETHUSDT")
    return tuple(dict.fromkeys(_symbol(item) for item in items))


def _timeframe(text: str) -> str:
    if text not in TIMEFRAMES:
        raise ValueError(f"must be one of {', '.join(TIMEFRAMES)}")
    return text


def _utc_time(value: Any) -> time:
    if isinstance(value, time):
        return value.replace(tzinfo=UTC)
    match = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", str(value))
    if match is None:
        raise ValueError("must be a time of day, HH:MM, such as 23:00")
    return time(int(match[1]), int(match[2]), tzinfo=UTC)


def _address(text: str, schemes: tuple[str, str]) -> str:
    text = text.rstrip("/")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if host is None or parts.scheme not in schemes or parts.query or parts.fragment or parts.username:
        raise ValueError(f"must be an address such as {schemes[1]}://host:port")
    if parts.scheme == schemes[0] and not is_loopback(host):
        raise ValueError(f"must begin with {schemes[1]}:// (unencrypted only to this machine itself)")
    return text


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _base(text: str, schemes: tuple[str, str]) -> str:
    address = _address(text, schemes)
    path = urlsplit(address).path
    if path.endswith((*_ADDED_PATHS, _WS_API_PATH)):
        raise ValueError(f"must be given without {path}: that is added")
    return address


def _http(text: str) -> str:
    return _base(text, ("http", "https"))


def _ws(text: str) -> str:
    return _base(text, ("ws", "wss"))


def _ws_api(text: str) -> str:
    address = _address(text, ("ws", "wss"))
    if not urlsplit(address).path.endswith(_WS_API_PATH):
        raise ValueError(f"must end with {_WS_API_PATH}")
    return address


def _web(text: str) -> str:
    return _address(text, ("http", "https"))


def _web_secret(value: Any) -> Secret:
    secret = _secret(value)
    _web(secret.reveal())
    return secret


def _absolute_path(value: Any) -> Path:
    path = expanded(value)
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


def _word(text: str) -> str:
    if not re.fullmatch(r"[\w.-]+", text):
        raise ValueError("must be one word, the name of a strategy")
    return text


def _chat(text: str) -> str:
    if not re.fullmatch(r"-?[0-9]+|@\w+", text):
        raise ValueError("must be a chat's number, or @ and a channel's name")
    return text


def _amount(value: Decimal) -> Decimal:
    if value > _LARGEST_AMOUNT:
        raise ValueError(f"must be at most {_LARGEST_AMOUNT}")
    if value != round(value, _MOST_DECIMALS):
        raise ValueError(f"must have at most {_MOST_DECIMALS} decimals, as the exchange counts")
    return value


def _span(value: float) -> float:
    if value > _LONGEST_SPAN:
        raise ValueError(f"must be at most {_LONGEST_SPAN}")
    return value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def as_text(value: object) -> str:
    """A value as it would be written in a ``.env`` file; a secret masked, nothing for what is not set."""
    if isinstance(value, tuple):
        return ",".join(as_text(item) for item in value)
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if isinstance(value, float):
        return plain(Decimal(str(value)))
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


_masked = PlainSerializer(lambda _: MASK, when_used="unless-none")

SecretText = Annotated[Secret, PlainValidator(_secret), _masked]
SecretPem = Annotated[Secret, PlainValidator(_pem), _masked]
SecretUrl = Annotated[Secret, PlainValidator(_web_secret), _masked]
Symbol = Annotated[str, AfterValidator(_symbol)]
Symbols = Annotated[tuple[str, ...], BeforeValidator(_symbols)]
Listed = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Timeframe = Annotated[str, AfterValidator(_timeframe)]
UtcTime = Annotated[time, BeforeValidator(_utc_time)]
HttpBase = Annotated[str, AfterValidator(_http)]
StreamBase = Annotated[str, AfterValidator(_ws)]
WsApiUrl = Annotated[str, AfterValidator(_ws_api)]
WebUrl = Annotated[str, AfterValidator(_web)]
AbsolutePath = Annotated[Path, BeforeValidator(_absolute_path)]
AbsolutePaths = Annotated[tuple[AbsolutePath, ...], BeforeValidator(_listed)]
StrategyName = Annotated[str, AfterValidator(_word)]
ChatId = Annotated[str, AfterValidator(_chat)]
Amount = Annotated[Decimal, AfterValidator(_amount)]
Upper = BeforeValidator(_upper)
Lower = BeforeValidator(_lower)
Seconds = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_span)]
"""Spans of time are floats: they are waited for, never added up as money is."""
