"""What each answer of the exchange means."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from thunes_cli.exchange import classify
from thunes_cli.exchange.classify import Answer, order_failure, read_failure, retry_after
from thunes_cli.exchange.failures import (
    AuthFailed,
    ExchangeDown,
    ExchangeFailure,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    TimestampRejected,
)

HTML = b"<html>blocked</html>"


def coded(code: object, status: int = 400, message: str = "because", **headers: str) -> Answer:
    body = json.dumps({"code": code, "msg": message}).encode()
    return Answer(status, CaseInsensitiveDict({k.replace("_", "-"): v for k, v in headers.items()}), body)


def plain(status: int, body: bytes = HTML, **headers: str) -> Answer:
    return Answer(status, CaseInsensitiveDict({k.replace("_", "-"): v for k, v in headers.items()}), body)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(plain(200, b"{}"), None, id="success"),
        pytest.param(plain(200, b"[]"), None, id="success-list"),
        pytest.param(plain(200, b'{"code": 200, "msg": "fine"}'), None, id="code-that-is-no-error"),
        pytest.param(plain(200, b""), ExchangeDown, id="empty-success"),
        pytest.param(plain(200, b"\xff\xfe garbage"), ExchangeDown, id="garbage"),
        pytest.param(plain(200, b'{"serverTime":'), ExchangeDown, id="truncated-json"),
        pytest.param(plain(200, b'{"price": NaN}'), ExchangeDown, id="nan"),
        pytest.param(plain(200, b"[" * 100_000), ExchangeDown, id="nested-too-deep"),
        pytest.param(plain(302), ExchangeDown, id="redirect"),
        pytest.param(plain(404), ExchangeDown, id="404-html"),
        pytest.param(plain(500), ExchangeDown, id="500-html"),
        pytest.param(plain(503, b'["list"]'), ExchangeDown, id="503-list"),
        pytest.param(plain(403), RateLimited, id="403-firewall"),
        pytest.param(plain(429), RateLimited, id="429"),
        pytest.param(plain(418), RateLimited, id="418"),
        pytest.param(plain(401), AuthFailed, id="401"),
        pytest.param(coded(-2015, 401), AuthFailed, id="-2015"),
        pytest.param(coded(-2014, 400), AuthFailed, id="-2014-as-400"),
        pytest.param(coded(-1002, 401), AuthFailed, id="-1002"),
        pytest.param(coded(-2015, 403), AuthFailed, id="-2015-as-403"),
        pytest.param(coded(-1003, 429), RateLimited, id="-1003"),
        pytest.param(coded(-1003, 400), RateLimited, id="-1003-as-400"),
        pytest.param(coded(-1015, 429), RateLimited, id="-1015"),
        pytest.param(coded(-1000, 400), ExchangeDown, id="-1000-as-400"),
        pytest.param(coded(-1001, 500), ExchangeDown, id="-1001"),
        pytest.param(coded(-1006, 400), ExchangeDown, id="-1006-as-400"),
        pytest.param(coded(-1007, 408), ExchangeDown, id="-1007-as-408"),
        pytest.param(coded(-1008, 503), ExchangeDown, id="-1008"),
        pytest.param(coded(-1021), TimestampRejected, id="-1021"),
        pytest.param(coded(-1121), Rejected, id="-1121"),
        pytest.param(coded(-2013), Rejected, id="-2013"),
        pytest.param(coded(-9999), Rejected, id="unknown-code-4xx"),
        pytest.param(coded(-9999, 500), ExchangeDown, id="unknown-code-5xx"),
        pytest.param(coded(-9999, 200), ExchangeDown, id="unknown-code-200"),
        pytest.param(coded(-9999, 403), RateLimited, id="unknown-code-403"),
        pytest.param(coded("-2013"), ExchangeDown, id="code-is-a-text"),
        pytest.param(plain(400, b'{"code": true}'), ExchangeDown, id="code-is-true"),
    ],
)
def test_meaning_of_an_answer_to_a_read(answer: Answer, kind: type[ExchangeFailure] | None) -> None:
    """A read's answer means one of the kinds, decided by code before status."""
    failure = read_failure(answer)

    assert type(failure) is (kind or type(None))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(plain(200, b"{}"), None, id="success"),
        pytest.param(
            coded(-2010, message="Account has insufficient balance for requested action."), Rejected, id="-2010"
        ),
        pytest.param(coded(-2010, message="Duplicate order sent."), OutcomeUnknown, id="duplicate"),
        pytest.param(coded(-1013, message="Filter failure: NOTIONAL"), Rejected, id="filter"),
        pytest.param(coded(-1021), TimestampRejected, id="timestamp"),
        pytest.param(coded(-1015, 429), RateLimited, id="too-many-orders"),
        pytest.param(coded(-1003, 429), RateLimited, id="weight"),
        pytest.param(coded(-2015, 401), AuthFailed, id="key"),
        pytest.param(coded(-2010, 503), Rejected, id="rejecting-code-beats-5xx"),
        pytest.param(coded(-2010, 200), OutcomeUnknown, id="rejecting-code-with-200"),
        pytest.param(coded(-1007, 400), OutcomeUnknown, id="-1007-as-400"),
        pytest.param(coded(-1006, 500), OutcomeUnknown, id="-1006"),
        pytest.param(coded(-1001, 500), OutcomeUnknown, id="-1001"),
        pytest.param(coded(-1008, 503), OutcomeUnknown, id="-1008"),
        pytest.param(coded(-9999), OutcomeUnknown, id="unknown-code"),
        pytest.param(coded(-2013), OutcomeUnknown, id="code-of-another-request"),
        pytest.param(plain(200), OutcomeUnknown, id="html-200"),
        pytest.param(plain(400, b'[{"code": -2010}]'), OutcomeUnknown, id="list-around-a-code"),
        pytest.param(plain(403), OutcomeUnknown, id="firewall"),
        pytest.param(plain(429), OutcomeUnknown, id="429-html"),
        pytest.param(plain(401), OutcomeUnknown, id="401-html"),
        pytest.param(plain(302), OutcomeUnknown, id="redirect"),
        pytest.param(plain(503), OutcomeUnknown, id="503"),
    ],
)
def test_meaning_of_an_answer_to_an_order(answer: Answer, kind: type[ExchangeFailure] | None) -> None:
    """Only an error document with a known rejecting code proves that an order was not executed."""
    failure = order_failure(answer)

    assert type(failure) is (kind or type(None))


def test_an_unknown_outcome_still_carries_the_ban() -> None:
    """The firewall's 403 leaves the order's fate open and orders silence all the same."""
    failure = order_failure(plain(403, Retry_After="17"))

    assert isinstance(failure, OutcomeUnknown)
    assert isinstance(failure.underlying, RateLimited)
    assert (failure.underlying.http_status, failure.underlying.retry_after_s) == (403, 17)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        ("259201", 259200),
        ("999999999999", 259200),
        ("-5", None),
        ("", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("nan", None),
        ("1e3", None),
        ("٣", None),
    ],
)
def test_retry_after_is_a_number_of_seconds_within_reason(header: str, seconds: float | None) -> None:
    """A broken header neither lifts a ban at once nor makes it eternal."""
    assert retry_after(CaseInsensitiveDict({"retry-after": header})) == seconds


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Too many new orders; current limit is 50 orders per 10 SECOND.", 10),
        ("Too many new orders; current limit is 160000 orders per 1 DAY.", 600),
        ("Too many new orders.", 60),
    ],
)
def test_too_many_orders_waits_for_the_interval(message: str, seconds: float) -> None:
    """-1015 names its interval; a day's worth must not silence reads until midnight."""
    failure = read_failure(coded(-1015, 429, message))

    assert isinstance(failure, RateLimited)
    assert failure.retry_after_s == seconds


def test_the_exchanges_text_is_printable_and_short() -> None:
    """Foreign text cannot move the cursor, fake a line or fill the screen."""
    failure = read_failure(coded(-1100, message="bad\x1b[2J\nthing " + "x" * 5000))

    assert isinstance(failure, Rejected)
    assert failure.message.startswith("the exchange refused: bad [2J thing xxx")
    assert failure.message.isprintable()
    assert len(failure.message) < 260


@given(status=st.integers(100, 599), body=st.binary(max_size=60))
def test_no_bytes_break_the_classification(status: int, body: bytes) -> None:
    """Whatever comes, the answer is a kind of failure or a readable success; an order's is never "down"."""
    answer = plain(status, body)

    for failure in (read_failure(answer), order_failure(answer)):
        if failure is None:
            classify.payload(answer)
        else:
            assert isinstance(failure, ExchangeFailure)
            assert failure.message


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3000, 3000) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "msg", "x"]), inner),
    max_leaves=8,
)


@given(status=st.sampled_from([200, 400, 401, 403, 418, 429, 500, 503]), document=_JSON)
def test_an_order_is_never_guessed_absent(status: int, document: object) -> None:
    """Without an error status and a known rejecting code the outcome of an order is unknown."""
    failure = order_failure(plain(status, json.dumps(document).encode()))

    code = document.get("code") if isinstance(document, dict) else None
    if failure is not None and not isinstance(failure, OutcomeUnknown):
        assert status >= 400
        assert code in classify.ORDER_REJECTING_CODES
    assert not isinstance(failure, ExchangeDown | NotSent)
