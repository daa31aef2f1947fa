"""``thunes breaker``: is anything sent, why not, how often was that so, and closing it by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bot_home import BotHome, thunes

from thunes_cli.exchange.breaker import Breaker
from thunes_cli.exchange.failures import BreakerOpen, ExchangeDown
from thunes_cli.ledger import bans, breakers, known
from thunes_cli.ledger.bans import RateUsage
from thunes_cli.ledger.breakers import BreakerLimits
from thunes_cli.process import boot_id

DOWN = ExchangeDown("HTTP 503, the body is not the exchange's")
KEYS = {"name", "state", "fail_counter", "fail_max", "window_s", "opened_at", "retry_in_s", "cause"}


def fail(bot: BotHome, times: int) -> None:
    """So many failures, as a daemon counts them."""
    breaker = Breaker(bot.journal, limits=BreakerLimits())
    for _ in range(times):
        breaker.failed(breaker.admit(), DOWN)


def trip(bot: BotHome, times: int) -> None:
    """So many trips, each healed by its probe."""
    for _ in range(times):
        breaker = Breaker(bot.journal, limits=BreakerLimits(fail_max=1, reset_s=0))
        breaker.failed(breaker.admit(), DOWN)
        lease = breaker.take_probe()
        assert lease is not None
        breaker.settle(lease, None)


def ban(bot: BotHome, *, seconds: float) -> None:
    """The exchange orders silence."""
    wall = datetime.now(UTC)
    until = wall + timedelta(seconds=seconds)
    with bot.journal.change() as change:
        bans.save_ban(change.connection, bans.Ban(until, time.monotonic() + seconds, boot_id(), 418, 1, wall))


def test_closed(bot: BotHome) -> None:
    """0 with the keys scripts read, before anything ever failed."""
    answer = bot.ask("breaker", "status", "--json")

    assert answer.code == 0
    (rest,) = answer.data["breakers"]
    assert set(rest) == KEYS
    assert (rest["name"], rest["state"], rest["fail_counter"], rest["fail_max"]) == ("rest", "closed", 0, 5)
    assert {"banned_until", "used_weight_1m", "limit_1m"} <= set(answer.data["rate_gate"])
    assert answer.data["trips_24h"] == 0


def test_failures_are_counted_with_the_limits_in_force(bot: BotHome) -> None:
    """What the daemon recorded, not the defaults; no settings are read."""
    (bot.path / ".env").write_text("NOT A SETTING\n")
    with bot.journal.change() as change:
        limits = {"breaker_fail_max": 7, "breaker_window_seconds": 30, "breaker_reset_seconds": 5}
        known.save_known(change.connection, known.LIMITS, limits, at=change.at)
    fail(bot, 3)

    (rest,) = bot.ask("breaker", "status", "--json").data["breakers"]

    assert (rest["state"], rest["fail_counter"], rest["fail_max"], rest["window_s"]) == ("closed", 3, 7, 30)
    assert rest["cause"] is None


def test_open_is_attention_with_its_cause(bot: BotHome) -> None:
    """3; when, why, and how long until the probe."""
    fail(bot, 5)

    answer = bot.ask("breaker", "status", "--json")
    text = bot.ask("breaker", "status").out

    assert (answer.code, answer.codes) == (3, ["circuit_breaker_open"])
    (rest,) = answer.data["breakers"]
    assert rest["state"] == "open"
    assert "HTTP 503" in rest["cause"]
    assert 0 < rest["retry_in_s"] <= 60
    assert rest["opened_at"] == "2026-03-10T12:00:00.000Z"
    assert "OPEN; nothing is sent for another" in text
    assert "HTTP 503" in text


def test_an_open_breaker_whose_time_is_over_is_half_open(bot: BotHome) -> None:
    """Computed, not waited for: the next call is the probe."""
    with bot.journal.change() as change:
        breakers.save_opened(
            change.connection,
            "rest",
            cause="x",
            wall=change.at_wall - timedelta(seconds=61),
            monotonic=time.monotonic() - 61,
            boot=boot_id(),
        )

    answer = bot.ask("breaker", "status", "--json")

    assert answer.code == 3
    assert (answer.data["breakers"][0]["state"], answer.data["breakers"][0]["retry_in_s"]) == ("half-open", 0)
    assert "HALF-OPEN" in bot.ask("breaker", "status").out


def test_a_ban_is_attention_and_no_reset_lifts_it(bot: BotHome) -> None:
    """Until when, and the status that ordered it; a reset leaves it."""
    ban(bot, seconds=120)

    answer = bot.ask("breaker", "status", "--json")
    reset = bot.ask("breaker", "reset", "--reason", "please", "--yes", "--json")

    assert (answer.code, answer.codes) == (3, ["rate_limit_ban"])
    gate = answer.data["rate_gate"]
    assert gate["http_status"] == 418
    assert 0 < gate["retry_in_s"] <= 120
    assert gate["banned_until"] is not None
    assert reset.data["rate_gate"]["banned_until"] is not None
    assert "nothing lifts it sooner" in bot.ask("breaker", "status").out


def test_used_weight_counts_for_its_minute_only(bot: BotHome) -> None:
    """What the headers said last, and nothing of it once the exchange's minute is over."""
    wall = datetime.now(UTC)
    for when, expected in ((wall, 1234), (wall - timedelta(minutes=2), 0)):
        with bot.journal.change() as change:
            bans.save_usage(change.connection, RateUsage(when, used_weight_1m=1234, limit_1m=6000))
        gate = bot.ask("breaker", "status", "--json").data["rate_gate"]
        # A minute that ends between writing and asking is over as well.
        assert gate["used_weight_1m"] in {expected, 0}
        assert gate["limit_1m"] == 6000


@pytest.mark.parametrize(("trips", "code"), [(3, 0), (4, 3)], ids=["three a day", "more than three"])
def test_more_than_three_trips_a_day_are_attention(bot: BotHome, trips: int, code: int) -> None:
    """Closed again or not: that often is no passing trouble."""
    trip(bot, trips)

    history = bot.ask("breaker", "history", "--json")
    status = bot.ask("breaker", "status", "--json")

    assert (history.code, status.code) == (code, code)
    assert history.data["trips_24h"] == status.data["trips_24h"] == trips
    assert status.codes == ["breaker_trips_often"] * (code != 0)
    assert len(history.data["transitions"]) == 3 * trips


def test_a_probe_that_fails_is_no_new_trip(bot: BotHome) -> None:
    """An outage of an hour is one trip, not sixty."""
    breaker = Breaker(bot.journal, limits=BreakerLimits(fail_max=1, reset_s=0))
    breaker.failed(breaker.admit(), DOWN)
    for _ in range(6):
        lease = breaker.take_probe()
        assert lease is not None
        breaker.settle(lease, DOWN)

    answer = bot.ask("breaker", "history", "--json")

    assert (answer.code, answer.data["trips_24h"]) == (0, 1)


def test_reset_is_seen_at_the_next_call(bot: BotHome) -> None:
    """A living daemon's breaker admits at once; reason, cause and operator are on the trail."""
    fail(bot, 5)
    daemon = Breaker(bot.journal, limits=BreakerLimits())
    with pytest.raises(BreakerOpen):
        daemon.admit()

    answer = bot.ask("breaker", "reset", "--reason", "it was our proxy", "--yes", "--json")

    daemon.admit()
    assert (answer.code, answer.document["changed"]) == (0, True)
    assert answer.data["breakers"][0]["state"] == "closed"
    record = (bot.path / "audit_trail.jsonl").read_text().splitlines()[-1]
    assert '"event":"BREAKER_RESET"' in record
    for fact in ('"reason":"it was our proxy"', '"uid":', '"host":', "HTTP 503"):
        assert fact in record


def test_reset_twice_writes_nothing(bot: BotHome) -> None:
    """0 with changed false, and nobody is asked."""
    before = (bot.path / "thunes.db").read_bytes()

    answer = bot.ask("breaker", "reset", "--reason", "again", "--json")

    assert (answer.code, answer.document["changed"]) == (0, False)
    assert (bot.path / "thunes.db").read_bytes() == before


def test_reset_asks_first(bot: BotHome) -> None:
    """7 with nobody to ask; a dry run tells what would be done; nothing is touched."""
    fail(bot, 5)

    assert bot.ask("breaker", "reset", "--reason", "x", "--json").codes == ["needs_confirmation"]
    plan = bot.ask("breaker", "reset", "--reason", "x", "--dry-run", "--json")
    assert plan.data == {"plan": ["close the breaker rest"]}
    assert bot.ask("breaker", "reset", "--yes").code == 2
    assert bot.ask("breaker", "status").code == 3


def test_reset_of_a_breaker_there_is_not(bot: BotHome) -> None:
    """10, naming those there are."""
    answer = bot.ask("breaker", "reset", "nonsense", "--reason", "x", "--yes", "--json")

    assert answer.code == 10
    assert "rest" in answer.document["problems"][0]["hint"]


def test_history_tells_who_and_why(bot: BotHome) -> None:
    """Every transition with its cause, oldest first; older ones with --since."""
    fail(bot, 5)
    bot.ask("breaker", "reset", "--reason", "it was our proxy", "--yes")

    rows = bot.ask("breaker", "history", "--json").data["transitions"]

    assert [(row["from"], row["to"]) for row in rows] == [("closed", "open"), ("open", "closed")]
    assert "HTTP 503" in rows[0]["reason"]
    assert rows[1]["reason"] == "it was our proxy"
    bot.at(bot.market + timedelta(days=8))
    assert bot.ask("breaker", "history", "--json").data["transitions"] == []
    assert len(bot.ask("breaker", "history", "--since", "all", "--json").data["transitions"]) == 2


def test_without_a_home(tmp_path: Path) -> None:
    """10, and none is made."""
    assert thunes("--home", str(tmp_path / "nowhere"), "breaker", "status").code == 10
    assert not (tmp_path / "nowhere").exists()
