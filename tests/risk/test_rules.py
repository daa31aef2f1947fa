"""Each rule at its boundary, their order, and that exits know no rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from manual_time import NOON

from thunes_cli.model import Rejection
from thunes_cli.risk.rules import Facts, Limits, decide

LIMITS = Limits(
    max_loss_per_trade=Decimal(15), max_daily_loss=Decimal(20), max_positions=3, cool_down=timedelta(minutes=60)
)
GOOD = Facts(
    now=NOON,
    kill_switch_reason=None,
    counted_result=Decimal(0),
    quote_amount=Decimal(12),
    committed=0,
    symbol_busy=None,
    last_loss_at=None,
    breaker_open=None,
    banned_until=None,
    price_age=timedelta(0),
    max_price_age=timedelta(seconds=30),
    skew=timedelta(0),
    max_skew=timedelta(seconds=1),
    frozen_reason=None,
    trail_problem=None,
    trail_tampered=False,
    free_mib=1000,
    min_free_mib=100,
    candle_close=NOON - timedelta(minutes=1),
    entries_from=NOON - timedelta(hours=1),
    max_signal_age=timedelta(minutes=20),
    exits_only=None,
    not_tradable=None,
    filter_problem=None,
)
STEP = Decimal("0.00000001")
MS = timedelta(milliseconds=1)

BOUNDARIES = [
    ("daily loss one step short", {"counted_result": Decimal(-20) + STEP}, None),
    ("daily loss equal", {"counted_result": Decimal(-20)}, Rejection.DAILY_LOSS),
    ("daily loss one step over", {"counted_result": Decimal(-20) - STEP}, Rejection.DAILY_LOSS),
    ("amount equal", {"quote_amount": Decimal(15)}, None),
    ("amount one step over", {"quote_amount": Decimal(15) + STEP}, Rejection.PER_TRADE_LOSS),
    ("positions one short", {"committed": 2}, None),
    ("positions equal", {"committed": 3}, Rejection.MAX_POSITIONS),
    ("positions over", {"committed": 4}, Rejection.MAX_POSITIONS),
    ("symbol busy", {"symbol_busy": "position 1"}, Rejection.DUPLICATE),
    ("cool-down just over", {"last_loss_at": NOON - timedelta(minutes=60)}, None),
    ("cool-down a moment left", {"last_loss_at": NOON - timedelta(minutes=60) + MS}, Rejection.COOL_DOWN),
    ("breaker", {"breaker_open": "open: 503"}, Rejection.BREAKER),
    ("ban", {"banned_until": "soon"}, Rejection.RATE_BAN),
    ("price age equal", {"price_age": timedelta(seconds=30)}, None),
    ("price too old", {"price_age": timedelta(seconds=30) + MS}, Rejection.PRICE_STALE),
    ("skew equal", {"skew": timedelta(seconds=1)}, None),
    ("skew over", {"skew": timedelta(seconds=1) + MS}, Rejection.CLOCK_SKEW),
    ("frozen", {"frozen_reason": "looked odd"}, Rejection.FROZEN),
    ("trail", {"trail_problem": "locked"}, Rejection.AUDIT),
    ("trail tampered", {"trail_problem": "edited", "trail_tampered": True}, Rejection.TAMPERED),
    ("disk equal", {"free_mib": 100}, None),
    ("disk one MiB short", {"free_mib": 99}, Rejection.DISK),
    ("signal age equal", {"candle_close": NOON - timedelta(minutes=20)}, None),
    ("signal too old", {"candle_close": NOON - timedelta(minutes=20) - MS}, Rejection.EXPIRED),
    ("candle closed when the home was ready", {"candle_close": NOON, "entries_from": NOON}, Rejection.EXPIRED),
    ("exits only", {"exits_only": "bad limit"}, Rejection.EXITS_ONLY),
    ("halted", {"not_tradable": "HALT"}, Rejection.NOT_TRADABLE),
    ("filter", {"filter_problem": "Filter failure: NOTIONAL"}, Rejection.FILTER),
    ("kill switch", {"kill_switch_reason": "manual"}, Rejection.KILL_SWITCH),
]


@pytest.mark.parametrize(("changes", "reason"), [case[1:] for case in BOUNDARIES], ids=[case[0] for case in BOUNDARIES])
def test_boundary(changes: dict[str, object], reason: Rejection | None) -> None:
    """A rule refuses from its boundary on, and says with which numbers."""
    decision = decide(replace(GOOD, **changes), LIMITS)  # type: ignore[arg-type]

    assert decision.reason is reason
    assert decision.approved is (reason is None)
    assert decision.facts


IN_ORDER = [
    ({"kill_switch_reason": "x"}, Rejection.KILL_SWITCH),
    ({"counted_result": Decimal(-99)}, Rejection.DAILY_LOSS),
    ({"quote_amount": Decimal(99)}, Rejection.PER_TRADE_LOSS),
    ({"committed": 9}, Rejection.MAX_POSITIONS),
    ({"symbol_busy": "x"}, Rejection.DUPLICATE),
    ({"last_loss_at": NOON}, Rejection.COOL_DOWN),
    ({"breaker_open": "x"}, Rejection.BREAKER),
    ({"price_age": timedelta(days=1)}, Rejection.PRICE_STALE),
    ({"skew": timedelta(days=1)}, Rejection.CLOCK_SKEW),
    ({"frozen_reason": "x"}, Rejection.FROZEN),
    ({"trail_problem": "x"}, Rejection.AUDIT),
    ({"free_mib": 0}, Rejection.DISK),
]


@pytest.mark.parametrize("first", range(len(IN_ORDER)))
def test_order_of_the_rules(first: int) -> None:
    """With everything wrong from a rule on, that rule is the one that answers."""
    changes: dict[str, object] = {}
    for wrong, _ in IN_ORDER[first:]:
        changes |= wrong

    assert decide(replace(GOOD, **changes), LIMITS).reason is IN_ORDER[first][1]  # type: ignore[arg-type]


def test_what_a_refusal_says_of_its_numbers() -> None:
    """The trail has what decided: until when it cools down, and how far the clock is off, in milliseconds."""
    cooling = decide(replace(GOOD, last_loss_at=NOON - timedelta(minutes=10)), LIMITS)
    skewed = decide(replace(GOOD, skew=timedelta(seconds=2, microseconds=900)), LIMITS)

    assert cooling.facts["until"] == "2026-03-10T12:50:00.000Z"
    assert (skewed.facts["skew_ms"], skewed.facts["max_skew_ms"]) == ("2000", "1000")
