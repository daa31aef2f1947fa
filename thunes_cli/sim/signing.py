"""Signatures and their timing: HMAC-SHA256, Ed25519 or RSA over the text exactly as it was received."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
from decimal import Decimal
from typing import TYPE_CHECKING

from thunes_cli.sim.keys import HMAC, ApiKey
from thunes_cli.sim.market_clock import MarketClock
from thunes_cli.sim.params import Params
from thunes_cli.sim.rejection import ApiError, illegal, mandatory

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_RECV_WINDOW = Decimal(5000)
MOST_RECV_WINDOW = 60_000
_AHEAD_MS = 1_000
_WINDOW_DECIMALS = 3
# The exchange opened in 2017; an earlier timestamp is a mistake of units.
_EARLIEST = 1_483_228_800_000
_FAR_AHEAD_MS = 10_000


def signed_payload(query: str, body: str) -> str:
    """What must have been signed: query string and body without a separator, less the signature itself."""
    return _unsigned(query) + _unsigned(body)


def _unsigned(text: str) -> str:
    if "signature=" not in text:
        return text
    return "&".join(pair for pair in text.split("&") if not pair.startswith("signature="))


def verify(key: ApiKey, payload: str, signature: str) -> bool:
    """Whether a signature (decoded) is the key's for a payload.

    HMAC signatures are hex, read in either case; the others are base64, to the letter.
    """
    signed = payload.encode("utf-8", "surrogateescape")
    if key.kind == HMAC:
        expected = hmac.new(key.secret.encode(), signed, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.lower().encode("utf-8", "surrogateescape"))
    try:
        raw = base64.b64decode(signature.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return False
    return _verifier(key.secret)(raw, signed)


@functools.lru_cache(maxsize=64)
def _verifier(pem: str) -> Callable[[bytes, bytes], bool]:
    """What checks signatures of a public key; made once, for reading the key takes longer than checking."""
    # Heavy, and only an exchange that knows such a key needs them.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    key = load_pem_public_key(pem.encode())

    def check(signature: bytes, signed: bytes) -> bool:
        try:
            if isinstance(key, Ed25519PublicKey):
                key.verify(signature, signed)
                return True
            if isinstance(key, RSAPublicKey):
                key.verify(signature, signed, PKCS1v15(), hashes.SHA256())
                return True
        except InvalidSignature:
            pass
        return False

    return check


def check_timestamp(params: Params, clock: MarketClock, *, skew: int = 0) -> None:
    """Refuse a request that is too old or from the future.

    At speed 1 the published rule: no more than a second ahead, no older than recvWindow. On a market that is sped up
    or stepped an honest client cannot know the time that well: any market time since the start is good, up to a
    second of wall time ahead, and so is wall time within recvWindow. A client that set its clock by a market that
    stands still is as far ahead as its clock has run since.

    Args:
        skew: ms by which the server's own clock is ahead of the market's, by order of a fault.

    Raises:
        ApiError: −1102, −1100 or −1021.
    """
    timestamp = params.moment("timestamp")
    if timestamp is None:
        raise mandatory("timestamp")
    window = params.decimal("recvWindow")
    if window is None:
        window = DEFAULT_RECV_WINDOW
    elif -_exponent(window) > _WINDOW_DECIMALS:
        raise illegal("recvWindow", r"^([0-9]{1,5})(\.[0-9]{1,3})?$")
    if window > MOST_RECV_WINDOW:
        raise ApiError(-1131, "recvWindow must be less than 60000.")
    now = clock.now() + skew
    if clock.speed == 1 and not clock.step:
        _check_strictly(timestamp, window, now)
    else:
        _check_leniently(timestamp, window, clock, now, skew=skew)


def _check_strictly(timestamp: int, window: Decimal, now: int) -> None:
    if timestamp < _EARLIEST or timestamp > now + _FAR_AHEAD_MS:
        raise ApiError(-1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.")
    if timestamp >= now + _AHEAD_MS:
        raise _too_far_ahead()
    if now - timestamp > window:
        raise _outside_window()


def _check_leniently(timestamp: int, window: Decimal, clock: MarketClock, now: int, *, skew: int) -> None:
    if clock.start + skew <= timestamp <= now + _AHEAD_MS * max(Decimal(1), clock.speed) + clock.served_ms():
        return
    if abs(clock.wall_ms() + skew - timestamp) <= window:
        return
    raise _too_far_ahead() if timestamp > now else _outside_window()


def _too_far_ahead() -> ApiError:
    return ApiError(-1021, f"Timestamp for this request was {_AHEAD_MS}ms ahead of the server's time.")


def _outside_window() -> ApiError:
    return ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
