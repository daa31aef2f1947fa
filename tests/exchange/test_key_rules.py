"""What a key must and must not be able to do, and how old it may become."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from thunes_cli.exchange.key_rules import Weight, due, findings
from thunes_cli.ledger.api_keys import KeyRow
from thunes_cli.model import Environment, KeyRestrictions

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
GOOD = {"enableReading": True, "enableSpotAndMarginTrading": True, "ipRestrict": True, "enableWithdrawals": False}


@pytest.mark.parametrize(
    ("days", "weight"),
    [
        (None, None),
        (15, None),
        (14, Weight.WARNING),
        (1, Weight.WARNING),
        (0, Weight.VIOLATION),
        (-9, Weight.VIOLATION),
    ],
)
def test_the_right_to_trade_ends(days: int | None, weight: Weight | None) -> None:
    """A key that is bound to no address loses it: two weeks before that is a warning, afterwards a violation."""
    until = None if days is None else NOW + timedelta(days=days)

    found = findings(KeyRestrictions(GOOD, trading_until=until), kind="Ed25519", now=NOW)

    assert [(each.rule, each.weight) for each in found] == ([("trading_expires", weight)] if weight else [])


def test_where_nobody_tells_only_the_kind_is_judged() -> None:
    """As on the testnet."""
    assert findings(None, kind="Ed25519", now=NOW) == []
    assert [each.rule for each in findings(None, kind="HMAC", now=NOW)] == ["hmac"]


def test_the_worst_comes_first() -> None:
    """Whoever reads only one line reads the right one."""
    bad = KeyRestrictions(GOOD | {"ipRestrict": False, "enableWithdrawals": True})

    found = findings(bad, kind="HMAC", now=NOW)

    assert [each.weight for each in found] == [Weight.VIOLATION, Weight.WARNING, Weight.WARNING]


@pytest.mark.parametrize(
    ("missing", "rule", "weight"),
    [
        ("enableReading", "may_not_read", Weight.VIOLATION),
        ("enableSpotAndMarginTrading", "may_not_trade", Weight.VIOLATION),
        ("enableWithdrawals", "withdrawals_unknown", Weight.WARNING),
    ],
)
def test_a_right_that_the_exchange_does_not_name_is_not_known(missing: str, rule: str, weight: Weight) -> None:
    """It names every right there is: what must be on is not taken for granted."""
    permissions = {name: value for name, value in GOOD.items() if name != missing}

    (found,) = findings(KeyRestrictions(permissions), kind="Ed25519", now=NOW)

    assert (found.rule, found.weight) == (rule, weight)
    assert "does not say" in found.what
    assert missing in found.advice


@pytest.mark.parametrize(
    ("environment", "days", "near", "overdue"),
    [
        (Environment.TESTNET, 86, False, False),
        (Environment.TESTNET, 87, True, False),
        (Environment.TESTNET, 90, True, True),
        (Environment.SIM, 90, True, True),
        (Environment.LIVE, 26, False, False),
        (Environment.LIVE, 27, True, False),
        (Environment.LIVE, 30, True, True),
    ],
)
def test_how_old_it_may_become(environment: Environment, days: int, *, near: bool, overdue: bool) -> None:
    """90 days, on live 30; near from three days before."""
    made = NOW - timedelta(days=days)
    key = KeyRow("f" * 12, None, "HMAC", "environment", made, "exchange", made, None, None, None, None, None, None)

    when = due(key, environment, now=NOW)

    assert (when.near, when.overdue) == (near, overdue)
    assert due(key._replace(compromised_at=NOW), environment, now=NOW).overdue
