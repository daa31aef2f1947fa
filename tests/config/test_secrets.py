"""Secrets show nowhere."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import logging
import pickle
import traceback
from dataclasses import asdict, dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thunes_cli.config.secrets import MASK, RedactingFilter, Secret
from thunes_cli.config.settings import Settings

CANARY = "canary/7f3a+b c\"d'é"


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        "{}".format,
        "{!r:>40}".format,
        "{:>40}".format,
        lambda secret: f"{secret:s}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - the old way must not show it either
        lambda secret: repr([secret, {"key": secret}]),
        lambda secret: json.dumps(secret, default=str),
        lambda secret: Settings(binance_api_key=secret).model_dump_json(),
        lambda secret: repr(Settings(binance_api_key=secret)),
        lambda secret: str(Settings(binance_api_key=secret).model_dump()),
    ],
)
def test_no_way_of_showing_shows_it(show: object) -> None:
    """Only reveal() does."""
    secret = Secret("canary-7f3a")

    assert "canary" not in show(secret)  # type: ignore[operator]  # every parameter is a function of a secret
    assert secret.reveal() == "canary-7f3a"


def test_json_and_pickle_refuse() -> None:
    """Rather an error than a leak, and the error does not show it either."""
    secret = Secret(CANARY)

    for refuse in (json.dumps, pickle.dumps):
        with pytest.raises(TypeError) as raised:
            refuse(secret)  # type: ignore[operator]  # both take one object
        assert "canary" not in str(raised.value)


def test_copies_and_equality() -> None:
    """A secret is a value: equal when the text is, safe to copy with what holds it."""

    @dataclass(frozen=True)
    class Holder:
        secret: Secret

    secret = Secret("x")

    assert copy.deepcopy(secret) == secret == Secret("x") == asdict(Holder(secret))["secret"]
    assert secret != Secret("y")
    assert secret != "x"
    assert len({secret, Secret("x")}) == 1


def test_fingerprint_names_without_telling() -> None:
    """The first twelve hex digits of the SHA-256."""
    assert Secret("abc").fingerprint() == hashlib.sha256(b"abc").hexdigest()[:12]


def log(secret: str, emit: object) -> str:
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(extra)s", defaults={"extra": ""}))
    handler.addFilter(RedactingFilter([Secret(secret)]))
    logger = logging.Logger("test")  # noqa: LOG001 - not registered, so that nothing else hears it
    logger.addHandler(handler)
    emit(logger)  # type: ignore[operator]  # a function of the logger
    return output.getvalue()


def fail(what: object) -> None:
    raise RuntimeError(what)


def raise_and_log(logger: logging.Logger) -> None:
    try:
        fail(f"https://example.org/?key={CANARY}")
    except RuntimeError:
        logger.exception("failed")


@pytest.mark.parametrize(
    "emit",
    [
        lambda logger: logger.warning("key %s", CANARY),
        lambda logger: logger.warning("key %(key)s", {"key": CANARY}),
        lambda logger: logger.warning(json.dumps({"key": CANARY})),
        lambda logger: logger.warning(repr({"key": CANARY})),
        lambda logger: logger.warning("/order?key=canary%2F7f3a%2Bb%20c%22d%27%C3%A9"),
        lambda logger: logger.warning("x", extra={"extra": {"deep": [CANARY]}}),
        lambda logger: logger.warning("%d", CANARY),
        raise_and_log,
    ],
    ids=["argument", "mapping", "json", "repr", "url", "extra", "bad format", "traceback"],
)
def test_the_filter_redacts_every_spelling(emit: object) -> None:
    """Message, arguments, extras, tracebacks; quoted for URLs or JSON."""
    written = log(CANARY, emit)

    assert "canary" not in written
    assert written.strip()


def test_the_filter_keeps_what_is_not_secret() -> None:
    """A traceback stays a traceback."""
    written = log(CANARY, raise_and_log)

    assert "RuntimeError: https://example.org/?key=" + MASK in written
    assert "raise_and_log" in written


def test_a_secret_added_later_is_redacted_from_then_on() -> None:
    """Rotation adds the new key and keeps redacting the old one."""
    redacting = RedactingFilter([Secret("old-key")])

    redacting.add(Secret("new-key"))

    assert redacting.redact("old-key new-key") == f"{MASK} {MASK}"


@given(st.text(min_size=4, alphabet=st.characters(exclude_categories=["C"])), st.text(), st.text())
def test_redaction_leaves_no_secret(secret: str, before: str, after: str) -> None:
    """Whatever surrounds it, the secret is gone (unless the mask itself spells it)."""
    redacted = RedactingFilter([Secret(secret)]).redact(before + secret + after)

    assert secret not in redacted.replace(MASK, "") or secret in (before + after) or set(secret) <= {"*"}


def test_a_traceback_through_a_secret_does_not_show_it() -> None:
    """Frames hold the object, and the object does not show."""
    secret = Secret("canary-7f3a")
    try:
        fail(secret)
    except RuntimeError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())

    assert "secret = Secret(" in shown
    assert "Secret('********')" in shown


def test_an_address_is_secret_in_its_parts() -> None:
    """HTTP libraries quote the path of an address, not the whole of it; ordinary words in it stay readable."""
    redacting = RedactingFilter([Secret("https://pulse.example/hooks/0a1b2c3d4e5f?token=abcdefgh")])

    text = redacting.redact("Max retries exceeded with url: /hooks/0a1b2c3d4e5f?token=abcdefgh (pulse.example)")

    assert "0a1b2c3d4e5f" not in text
    assert "abcdefgh" not in text
    assert "/hooks/" in text
    assert "pulse.example" in text


@pytest.mark.parametrize(
    "text",
    ["/api/v3/order?symbol=X&signature=0123abcd", "X-MBX-APIKEY: 0123abcd", "{'apiKey': '0123abcd'}", "bot77:0123abcd"],
)
def test_what_looks_secret_is_redacted_unknown(text: str) -> None:
    """Signatures, keys in request texts and bot tokens go even when nobody told us about them."""
    assert "0123abcd" not in RedactingFilter().redact(text)
