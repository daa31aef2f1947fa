"""The daily summary: one a day of market time at any speed, made up for once, with everything the day needs."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from pathlib import Path

import pytest
from bot_home import NOON, BotHome
from daemon_processes import Home, make_home, serve, wait_for
from fake_telegram import FakeTelegram

from thunes_cli.clock import from_text
from thunes_cli.ledger import bans
from thunes_cli.ledger.alerts import Severity, raise_alert
from thunes_cli.process import boot_id
from thunes_cli.trading.summary import DAY, summarize_day
from thunes_cli.trading.summary_text import summary_text

FAST = "17280"  # a day in five seconds
SLOW_MARKET = {"DEFAULT_TIMEFRAME": "1h", "SIGNAL_INTERVAL_SECONDS": "3600", "SMA_FAST": "2", "SMA_SLOW": "3"}


def summaries(home: Home) -> list[str]:
    """Their texts, oldest first."""
    return [row["text"] for row in home.rows("SELECT text FROM alerts WHERE kind = 'daily_summary' ORDER BY id")]


def ends(texts: list[str]) -> list[str]:
    """Up to when each of them sums up."""
    return [re.search(r" to (\S+ \S+Z)", text)[1] for text in texts]


def test_one_a_day_at_any_speed_and_once_for_the_days_nobody_ran(tmp_path: Path, telegram: FakeTelegram) -> None:
    """At 23:00 of each day; after days without a daemon one summary, marked late, that leaves no trade out."""
    exchange = serve(tmp_path / "exchange", "--speed", FAST)
    home = make_home(tmp_path / "home", exchange.address, **telegram.settings(), **SLOW_MARKET)
    daemon = home.start_daemon()
    wait_for(lambda: len(summaries(home)) >= 2, "two summaries", seconds=60)
    home.end(daemon)
    before = len(summaries(home))
    last = home.rows("SELECT max(planned_at) AS at FROM job_runs WHERE job = 'daily_summary'")[0]["at"]
    began = home.rows("SELECT created_at FROM alerts ORDER BY id DESC LIMIT 1")[0]["created_at"]
    market = lambda: from_text(home.answer("status")["ts"])  # noqa: E731
    wait_for(lambda: market() > from_text(began) + 2 * DAY, "two days without a daemon")
    daemon = home.start_daemon()
    wait_for(lambda: len(summaries(home)) > before, "late summary")
    home.end(daemon)
    home.end(home.start_daemon())
    told = summaries(home)
    exchange.stop()
    home.close()

    points = ends(told)
    assert all(point.endswith("23:00Z") for point in points)
    assert points == sorted(set(points))
    assert all(
        from_text(later[:10] + "T23:00:00.000Z") - from_text(earlier[:10] + "T23:00:00.000Z") == DAY
        for earlier, later in itertools.pairwise(points[:before])
    )
    late = [text for text in told[before:] if "(late: no daemon ran then)" in text]
    assert len(late) == 1
    assert from_text(last) < from_text(points[before][:10] + "T23:00:00.000Z")
    assert int(late[0].partition(" d to ")[0]) >= 2  # days pass while it starts
    assert any("Trail checkpoint:\nthunes.audit/" in text for text in telegram.texts if "daily_summary" in text)


@pytest.fixture
def bot(tmp_path: Path):
    """A home of a simulated bot."""
    home = BotHome(tmp_path / "a bot")
    yield home
    home.close()


def summed_up(bot: BotHome, *, late: bool = False) -> list[str]:
    """The lines of a summary of the day up to now."""
    with bot.journal.change() as change:
        summary = summarize_day(
            change.connection, since=change.at - DAY, until=change.at, now=change.at, wall=change.at_wall, late=late
        )
        return summary_text(summary).splitlines()


def test_a_day_in_numbers(bot: BotHome) -> None:
    """Result with fees, trades and win rate, positions with age and stop, limits used: from the fills of that day."""
    bot.daemon_runs()
    bot.at(NOON - timedelta(hours=30))
    bot.lose("SOLUSDT", amount="100")
    bot.at(NOON)
    bot.lose("ETHUSDT", amount="100")
    bot.lose("BNBUSDT", sold="43000", amount="100")
    bot.lose("BNBUSDT", sold="43000", amount="100")
    number = bot.buy(amount="100")
    bot.want_exit(number)
    bot.at(NOON + timedelta(hours=10))
    bot.price("BTCUSDT", "41000")

    text = "\n".join(summed_up(bot))

    assert "1 d to 2026-03-10 22:00Z: realised 9.28, fees 0.71 taken off; unrealised 2.50" in text
    assert "Trades closed: 3, won 2, 67 % won" in text
    assert "- BTCUSDT 0.0024975 at 40000, 10 h old, stop 38800, last 41000, EXIT WANTED (stop_loss)" in text
    assert "Open positions: 1 of 3" in text
    assert "Loss counted today: " in text
    assert text.endswith("Next: thunes status")


def test_what_is_wrong_is_in_capitals(bot: BotHome) -> None:
    """Switch, breaker, prices, reconcile, trail, what lasts: each says so loudly, and nothing when there is nothing."""
    bot.daemon_runs()
    quiet = "\n".join(summed_up(bot))
    for word in ("ACTIVE", "NOT CLEAN", "STILL ON", "DOWN", "WAIT"):
        assert word not in quiet

    bot.ask("killswitch", "activate", "--reason", "drill")
    bot.feed("down", age=timedelta(minutes=7))
    bot.reconciled(clean=False)
    bot.alert_lasting("exit_blocked", key="SOLUSDT")
    loud = "\n".join(summed_up(bot, late=True))

    assert "Kill switch: ACTIVE since 2026-03-10 12:00Z: drill" in loud
    assert "Prices: DOWN, 7 min old" in loud
    assert "Reconcile: NOT CLEAN" in loud
    assert "STILL ON: exit_blocked SOLUSDT, since 2026-03-10 12:00Z, found 1 time" in loud
    assert "(late: no daemon ran then)" in loud


def test_a_ban_is_said_with_its_end(bot: BotHome) -> None:
    """Nothing is asked of the exchange until then."""
    bot.daemon_runs()
    clock = bot.journal.clock
    with bot.journal.change() as change:
        until = clock.wall() + timedelta(minutes=5)
        bans.save_ban(change.connection, bans.Ban(until, clock.monotonic() + 300, boot_id(), 418, 1, clock.wall()))

    assert f"Ban: HTTP 418 until {until:%Y-%m-%d %H:%M}Z or later" in summed_up(bot)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        pytest.param("changed", "Audit trail: CHANGED FROM OUTSIDE: ", id="somebody wrote into it"),
        pytest.param("unwritable", "Audit trail: CANNOT BE WRITTEN: ", id="nobody can write to it"),
    ],
)
def test_a_trail_that_is_not_what_it_should_be_is_said(how: str, says: str, bot: BotHome) -> None:
    """In capitals, with what was found."""
    bot.daemon_runs()
    trail = bot.journal.trail.path
    bot.ask("killswitch", "activate", "--reason", "drill")
    if how == "changed":
        trail.write_bytes(trail.read_bytes().replace(b"drill", b"thief"))
        assert bot.ask("audit", "checkpoint").code == 5
    else:
        trail.rename(trail.with_suffix(".away"))
        trail.mkdir()
        bot.ask("killswitch", "deactivate", "--reason", "over", "--confirm", "deactivate sim")

    (line,) = [line for line in summed_up(bot) if line.startswith("Audit trail")]
    assert line.startswith(says)


def test_a_summary_of_three_hundred_positions_is_four_pieces_at_most(bot: BotHome, telegram: FakeTelegram) -> None:
    """However much there is, each piece fits into a message, and the first has the money."""
    bot.daemon_runs()
    for number in range(60):
        bot.buy(f"COIN{number:03d}USDT")
    text = "\n".join(summed_up(bot))
    with bot.journal.change() as change:
        raise_alert(
            change.connection,
            "daily_summary",
            text * 5,
            severity=Severity.INFO,
            at=change.at,
            at_wall=change.at_wall,
        )
    bot.daemon_stops()
    with bot.journal.change() as change:
        change.connection.execute("DELETE FROM daemon")

    answer = bot.ask("alerts", "retry", "--json", environ=telegram.settings())

    assert (answer.code, answer.data["waiting"]) == (0, 0)
    assert 1 < len(telegram.texts) <= 4
    assert all(len(piece.encode("utf-16-le")) // 2 <= 4096 for piece in telegram.texts)
    assert "realised 0.00" in telegram.texts[0]
