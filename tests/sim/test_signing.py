"""Signatures over the raw text, and the rules of time."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlencode

import pytest

from thunes_cli.sim.keys import ApiKey
from thunes_cli.sim.market_clock import MarketClock
from thunes_cli.sim.params import Params
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.signing import check_timestamp, signed_payload, verify

# The example of the exchange's own REST documentation.
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
ASCII = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
ASCII_SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
UNICODE = (
    "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1"
    "&price=0.1&recvWindow=5000&timestamp=1499827319559"
)
UNICODE_SIGNATURE = "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"
# Query and body with no separator between them: an older example of the same documentation.
MIXED_SIGNATURE = "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"
KEY = ApiKey("k" * 64, SECRET, {}, 0)


@pytest.mark.parametrize(
    ("query", "body", "signature"),
    [
        (ASCII, "", ASCII_SIGNATURE),
        ("", ASCII, ASCII_SIGNATURE),
        (UNICODE, "", UNICODE_SIGNATURE),
        (
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
            "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
            MIXED_SIGNATURE,
        ),
    ],
    ids=["query", "body", "percent-encoded", "mixed"],
)
def test_the_documentation_s_examples(query: str, body: str, signature: str) -> None:
    """The published payloads verify with the published signatures, in either case, wherever the signature stands."""
    for carried_query, carried_body in (
        (f"{query}&signature={signature}", body) if query else (query, f"{body}&signature={signature}"),
        (f"signature={signature}&{query}", body) if query else (query, f"signature={signature}&{body}"),
    ):
        payload = signed_payload(carried_query, carried_body)

        assert payload == query + body
        assert verify(KEY, payload, signature)
        assert verify(KEY, payload, signature.upper())


def test_the_unencoded_form_is_another_text() -> None:
    """Signing first and percent-encoding afterwards does not verify."""
    unencoded = ASCII.replace("LTCBTC", "１２３４５６")

    assert not verify(KEY, unencoded, UNICODE_SIGNATURE)
    assert not verify(KEY, ASCII + "0", ASCII_SIGNATURE)
    assert not verify(KEY, ASCII, "é" * 64)


NOW = 1_700_000_000_000


def clock(*, speed: str = "1", step: bool = False, wall: int = NOW) -> MarketClock:
    """Market time NOW; the market began an hour before."""
    return MarketClock(
        NOW,
        start=NOW - 3_600_000,
        end=None,
        speed=Decimal(speed),
        step=step,
        keep=lambda _: None,
        wall_ns=lambda: wall * 1_000_000,
    )


def outcome(of: MarketClock, timestamp: float | str, window: str | None = None) -> int:
    """0 when accepted, else the error code."""
    params = {"timestamp": str(timestamp)} | ({} if window is None else {"recvWindow": window})
    try:
        check_timestamp(Params.parse(urlencode(params)), of)
    except ApiError as error:
        return error.code
    return 0


@pytest.mark.parametrize(
    ("offset", "window", "code"),
    [
        (0, None, 0),
        (999, None, 0),
        (1000, None, -1021),
        (-5000, None, 0),
        (-5001, None, -1021),
        (-60000, "60000", 0),
        (-60001, "60000", -1021),
        (-6000, "6000.346", 0),
        (-6000, "5999.999", -1021),
        (0, "60001", -1131),
        (0, "5000.1234", -1100),
        (0, "-1", -1100),
        (0, "abc", -1100),
    ],
)
def test_documented_rule_at_speed_one(offset: int, window: str | None, code: int) -> None:
    """Less than a second ahead, no older than recvWindow (5 s unless sent, 60 s at most, three decimals)."""
    assert outcome(clock(), NOW + offset, window) == code


@pytest.mark.parametrize("timestamp", [1_483_228_799_999, NOW + 11_000])
def test_absurd_timestamps_are_malformed(timestamp: int) -> None:
    """Before 2017 or more than ten seconds ahead is no timestamp at all."""
    assert outcome(clock(), timestamp) == -1102


def test_microseconds() -> None:
    """A timestamp in µs is the same instant."""
    assert outcome(clock(), NOW * 1000) == 0
    assert outcome(clock(), (NOW - 5001) * 1000) == -1021


@pytest.mark.parametrize(
    ("timestamp", "code"),
    [
        (NOW - 3_600_000, 0),
        (NOW - 3_600_001, -1021),
        (NOW + 600_000, 0),
        (NOW + 600_001, -1021),
        (NOW + 10**9, 0),
        (NOW + 10**9 - 5000, 0),
        (NOW + 10**9 + 5001, -1021),
    ],
    ids=["start", "before the start", "a second ahead", "beyond", "wall", "wall within window", "wall beyond"],
)
def test_rule_of_a_sped_up_market(timestamp: int, code: int) -> None:
    """Any market time since the start, a wall second ahead at most; or wall time within recvWindow."""
    assert outcome(clock(speed="600", wall=NOW + 10**9), timestamp) == code


def test_rule_of_a_stepped_market() -> None:
    """The same, though its time stands still."""
    standing = clock(step=True, wall=NOW + 10**9)

    assert [outcome(standing, NOW + each) for each in (-3_600_000, 1000, 1001, 10**9)] == [0, 0, -1021, 0]
