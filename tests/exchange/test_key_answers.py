"""What the exchange's answer says of an API key: proof, refusal, or nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from loopback_exchange import LoopbackExchange, Reply, answer, error, html

from thunes_cli.audit.journal import Journal
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.endpoints import Endpoints
from thunes_cli.config.secrets import Secret
from thunes_cli.exchange.failures import AuthFailed, ExchangeFailure
from thunes_cli.exchange.guarded_binance import GuardedBinance, open_binance
from thunes_cli.exchange.key_answers import AnswerUnclear, Refusal, account_of, facts_of_old, refusal_of
from thunes_cli.ledger.breakers import BreakerLimits

OLD = Secret("o" * 64)
ACCOUNT = answer({"uid": 77, "canTrade": True, "balances": []})
PATH = "/api/v3/account"


@pytest.fixture
def guarded(endpoints: Endpoints, credentials: Credentials, journal: Journal) -> GuardedBinance:
    limits = BreakerLimits()
    return open_binance(endpoints, credentials, journal, limits=limits, recv_window_ms=5000, timeout_s=Decimal(2))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-2008, "Invalid Api-Key ID."),
        (-2015, "Invalid API-key, IP, or permissions for action."),
        (-2014, "API-key format invalid."),
    ],
)
def test_a_refusal_is_kept_with_its_code_and_status(
    guarded: GuardedBinance, server: LoopbackExchange, code: int, message: str
) -> None:
    """It is evidence, not proof."""
    server.then(PATH, error(code, message, 401))

    assert refusal_of(guarded, OLD) == Refusal(f"{message} ({code})", code, 401)


@pytest.mark.parametrize("reply", [error(-1022, "Signature for this request is not valid."), ACCOUNT])
def test_a_key_whose_signature_is_looked_at_is_alive(
    guarded: GuardedBinance, server: LoopbackExchange, reply: Reply
) -> None:
    """The exchange knows it."""
    server.then(PATH, reply)

    assert refusal_of(guarded, OLD) is None


@pytest.mark.parametrize(
    "reply",
    [
        error(-1002, "You are not authorized to execute this request.", 401),
        html(401),
        answer({"error": "login"}, 401),
        html(403),
        html(503),
        error(-1021, "Timestamp for this request is outside of the recvWindow."),
        answer([]),
    ],
)
def test_anything_else_says_nothing_about_the_key(
    guarded: GuardedBinance, server: LoopbackExchange, reply: Reply
) -> None:
    """A proxy that wants a login, a firewall, an outage, a wrong clock: nobody is buried for those (13)."""
    server.then(PATH, *[reply] * 3)

    with pytest.raises((AnswerUnclear, ExchangeFailure)) as caught:
        refusal_of(guarded, OLD)

    assert caught.value.exit_code == 13


def test_a_secret_of_another_key_is_a_rejected_key(guarded: GuardedBinance, server: LoopbackExchange) -> None:
    """12 instead of the exchange's refusal of a request."""
    server.then(PATH, error(-1022, "Signature for this request is not valid."))

    with pytest.raises(AuthFailed, match="does not belong"):
        account_of(guarded)


@pytest.mark.parametrize(
    ("reply", "accepted"),
    [
        (ACCOUNT, True),
        (error(-2015, "Invalid API-key, IP, or permissions for action.", 401), False),
        (html(401), None),
        (html(503), None),
    ],
)
def test_what_is_known_of_a_key_when_it_is_replaced(
    guarded: GuardedBinance, server: LoopbackExchange, credentials: Credentials, *, reply: Reply, accepted: bool | None
) -> None:
    """Where there is nobody to tell its bounds they are not known."""
    server.then(PATH, reply)

    facts = facts_of_old(guarded, credentials)

    assert (facts.accepted, facts.bound) == (accepted, None)
