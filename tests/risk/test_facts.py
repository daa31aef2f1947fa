"""What the rules are told, read from a real ledger: cool-down, positions that count, and what the wire says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from freezegun.api import FrozenDateTimeFactory
from losses import Losses

from thunes_cli.audit.journal import Journal
from thunes_cli.audit.trail import DrainOutcome
from thunes_cli.ledger import alerts, bans, breakers, controls
from thunes_cli.ledger.bans import RateUsage
from thunes_cli.ledger.identity import save_entries_from
from thunes_cli.model import Decision, Rejection, Side, Signal
from thunes_cli.process import boot_id
from thunes_cli.risk.facts import Outside, read_facts
from thunes_cli.risk.rules import Limits, decide

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
LIMITS = Limits(
    max_loss_per_trade=Decimal(15), max_daily_loss=Decimal(20), max_positions=3, cool_down=timedelta(minutes=60)
)
MS = timedelta(milliseconds=1)


@pytest.fixture
def journal(journal: Journal) -> Journal:
    """A home that has been ready for a day."""
    with journal.change() as change:
        save_entries_from(change.connection, NOON - timedelta(days=1))
    return journal


def ask(journal: Journal, symbol: str = "ETHUSDT") -> Decision:
    """What the rules say of a BUY now, with nothing wrong outside the ledger."""
    moment = journal.clock.now()
    signal = Signal(symbol, "rsi", Side.BUY, moment - timedelta(hours=1), moment, Decimal(100))
    outside = Outside(
        quote_amount=Decimal(12),
        price_at=moment,
        max_price_age=timedelta(seconds=30),
        skew=timedelta(0),
        trail=DrainOutcome.CLEAN,
        free_mib=1000,
        min_free_mib=100,
        max_signal_age=timedelta(minutes=30),
        exits_only=None,
        not_tradable=None,
        filter_problem=None,
    )
    with journal.change(drain=False) as change:
        return decide(read_facts(change.connection, signal, outside, journal.clock), LIMITS)


def test_nothing_wrong_is_approved(journal: Journal) -> None:
    """A fresh home may buy."""
    assert ask(journal).approved


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        pytest.param(timedelta(0), Rejection.COOL_DOWN, id="at once"),
        pytest.param(timedelta(minutes=60) - MS, Rejection.COOL_DOWN, id="a moment before its end"),
        pytest.param(timedelta(minutes=60), None, id="at its end"),
        pytest.param(timedelta(minutes=60) + MS, None, id="after it"),
        pytest.param(timedelta(hours=12) - MS, None, id="before midnight"),
    ],
)
def test_cool_down_after_a_loss(
    after: timedelta, reason: Rejection | None, journal: Journal, now: FrozenDateTimeFactory
) -> None:
    """It is derived from the last closed position: nothing has to be remembered, a restart forgets nothing."""
    Losses(journal).lose("1")

    now.move_to(NOON + after)

    assert ask(journal).reason is reason


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        pytest.param(["1", "-1"], None, id="a gain after the loss"),
        pytest.param(["-1", "1"], Rejection.COOL_DOWN, id="a loss after the gain"),
        pytest.param(["0"], None, id="neither"),
        pytest.param(["0.00000001"], Rejection.COOL_DOWN, id="the least loss"),
    ],
)
def test_cool_down_looks_at_the_last_position(
    results: list[str], reason: Rejection | None, journal: Journal, now: FrozenDateTimeFactory
) -> None:
    """Only when the newest one lost."""
    losses = Losses(journal)
    for amount in results:
        now.tick(1)
        losses.lose(amount)

    assert ask(journal).reason is reason


def test_cool_down_across_midnight(journal: Journal, now: FrozenDateTimeFactory) -> None:
    """The day's loss is forgiven at midnight, the cool-down is not."""
    now.move_to(NOON + timedelta(hours=11, minutes=59))
    Losses(journal, limit=Decimal(10**6)).lose("25")

    assert ask(journal).reason is Rejection.DAILY_LOSS
    now.move_to(NOON + timedelta(hours=12))
    assert ask(journal).reason is Rejection.COOL_DOWN
    now.move_to(NOON + timedelta(hours=12, minutes=59))
    assert ask(journal).approved


def test_the_switch_comes_first_and_tells_its_reason(journal: Journal) -> None:
    """The operator's reason is among the numbers that decided."""
    with journal.change() as change:
        controls.activate_kill_switch(change.connection, reason="flash crash", actor="alice", at=change.at)

    decision = ask(journal)

    assert decision.reason is Rejection.KILL_SWITCH
    assert decision.facts == {"kill_switch_reason": "flash crash"}


def test_a_symbol_with_a_position_takes_no_other(journal: Journal) -> None:
    """One position and one live order a symbol."""
    Losses(journal).sent_sell()

    assert ask(journal, "BTCUSDT").reason is Rejection.DUPLICATE
    assert ask(journal, "ETHUSDT").approved


def test_a_key_that_is_refused_buys_nothing(journal: Journal) -> None:
    """As long as the exchange's last word on the key was no: what is bought might not be sellable."""
    with journal.change() as change:
        where = {"severity": alerts.Severity.CRITICAL, "at": change.at, "at_wall": change.at_wall, "lasting": True}
        alerts.raise_alert(change.connection, controls.KEY_REJECTED, "refused", **where)

    assert ask(journal).reason is Rejection.EXITS_ONLY

    with journal.change() as change:
        alerts.end_condition(change.connection, controls.KEY_REJECTED)
    assert ask(journal).approved


def test_a_home_that_was_never_ready_buys_nothing(journal: Journal) -> None:
    """Before the first gate no candle is young enough."""
    with journal.change() as change:
        change.connection.execute("UPDATE identity SET entries_from = NULL")

    assert ask(journal).reason is Rejection.EXPIRED


def test_breaker_and_ban_forbid_entries(journal: Journal) -> None:
    """Whatever is not closed, half-open included, and a ban, each with what is known of it."""
    with journal.change() as change:
        breakers.save_opened(
            change.connection, breakers.REST, cause="HTTP 503", wall=NOON, monotonic=0.0, boot=boot_id()
        )
    refused = ask(journal)
    assert (refused.reason, refused.facts) == (Rejection.BREAKER, {"breaker": "open: HTTP 503"})

    with journal.change() as change:
        breakers.save_state(change.connection, breakers.REST, breakers.BreakerState.HALF_OPEN)
    assert ask(journal).reason is Rejection.BREAKER

    with journal.change() as change:
        breakers.save_state(change.connection, breakers.REST, breakers.BreakerState.CLOSED)
        until = NOON + timedelta(minutes=2)
        bans.save_ban(change.connection, bans.Ban(until, 0.0, "another boot", 418, 1, NOON))
    banned = ask(journal)
    assert (banned.reason, banned.facts) == (Rejection.RATE_BAN, {"until": "HTTP 418 until 2026-03-10T12:02:00.000Z"})


@pytest.mark.parametrize(
    ("count", "seconds_later", "reason"),
    [
        pytest.param(49, 0, None, id="one left"),
        pytest.param(50, 0, Rejection.RATE_BAN, id="used up"),
        pytest.param(50, 9, Rejection.RATE_BAN, id="in the same ten seconds"),
        pytest.param(50, 10, None, id="in the next ten seconds"),
    ],
)
def test_the_exchanges_count_of_orders(
    count: int, seconds_later: float, reason: Rejection | None, journal: Journal, now: FrozenDateTimeFactory
) -> None:
    """An order that would only be refused, and bring a ban with it, is not sent; the window is ten seconds long."""
    usage = RateUsage(NOON, order_count_10s=count, order_limit_10s=50, order_count_1d=10**6, order_limit_1d=160_000)
    with journal.change() as change:
        bans.save_usage(change.connection, usage._replace(orders_at_wall=NOON))

    now.tick(seconds_later)

    assert ask(journal).reason is reason


def test_a_rejected_key_stops_entries(journal: Journal) -> None:
    """Whichever process was refused."""
    with journal.change() as change:
        alerts.raise_alert(
            change.connection,
            controls.KEY_REJECTED,
            "rejected",
            severity=alerts.Severity.CRITICAL,
            at=change.at,
            at_wall=change.at_wall,
            lasting=True,
        )

    decision = ask(journal)

    assert decision.reason is Rejection.EXITS_ONLY
    assert decision.facts == {"because": "the exchange rejects the API key"}
