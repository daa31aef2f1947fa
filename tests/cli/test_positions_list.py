"""``thunes positions list``."""

from __future__ import annotations

from datetime import timedelta

from bot_home import NOON, BotHome, names

KEYS = {
    *("id", "symbol", "quantity", "entry_price", "entry_time", "age_s", "stop_price", "unrealized", "exit_wanted"),
    *("exit_price", "exit_time", "pnl", "fees", "status", "stale"),
}


def test_what_is_held(bot: BotHome) -> None:
    """Net of the fee kept in base; the stop below the average entry; worth at the last price; every key."""
    bot.at(NOON - timedelta(hours=2))
    bot.buy(price="40000", amount="12")
    bot.at(NOON)
    bot.price("BTCUSDT", "41000", age=timedelta(seconds=9))

    (position,) = bot.ask("positions", "list", "--json").data["positions"]

    assert position.keys() >= KEYS
    assert position["quantity"] == "0.0002997"
    assert position["entry_price"] == "40000"
    assert position["stop_price"] == "38800"
    assert position["age_s"] == 7200
    assert position["unrealized"] == "0.2997"  # 0.0002997 × (41000 − 40000)
    assert position["pnl"] == "-0.012"  # the entry's fee, lost at once
    assert position["fees"] == "0.012"
    assert position["status"] == "OPEN"
    assert position["exit_price"] is None
    assert position["exit_time"] is None
    assert position["exit_wanted"] is None
    assert position["stale"] is False
    assert position["last_price_at"] == "2026-03-10T11:59:51.000Z"


def test_closed_ones_only_when_asked_for(bot: BotHome) -> None:
    """``--all`` adds what ended, with exit price, time and result."""
    bot.lose(bought="40000", sold="38000")
    bot.buy("ETHUSDT", price="2000")

    assert names(bot.ask("positions", "list", "--json").data["positions"], "symbol") == ["ETHUSDT"]

    closed, held = bot.ask("positions", "list", "--all", "--json").data["positions"]

    assert (closed["status"], held["status"]) == ("CLOSED", "OPEN")
    assert closed["exit_price"] == "38000"
    assert closed["exit_time"] == "2026-03-10T12:00:00.000Z"
    assert closed["pnl"] == "-0.6227886"  # 0.0002997 × (38000 − 40000) − 0.012 − 0.0113886
    assert closed["unrealized"] is None
    assert closed["stale"] is False


def test_partly_sold(bot: BotHome) -> None:
    """Still open: what is left, what the sold part brought, and the average exit so far."""
    position_id = bot.buy(price="40000")
    bot.sell(position_id, price="41000", quantity="0.0001")

    (position,) = bot.ask("positions", "list", "--json").data["positions"]

    assert position["status"] == "OPEN"
    assert position["quantity"] == "0.0001997"
    assert position["exit_price"] == "41000"
    assert position["exit_time"] is None


def test_stale_ones_are_marked(bot: BotHome) -> None:
    """Open for longer than 72 h, or than was asked; in market time."""
    bot.at(NOON - timedelta(hours=80))
    bot.buy("BTCUSDT")
    bot.at(NOON - timedelta(hours=30))
    bot.buy("ETHUSDT", price="2000")
    bot.at(NOON)

    assert names(bot.ask("positions", "list", "--json").data["positions"], "stale") == [True, False]
    assert names(bot.ask("positions", "list", "--stale", "24h", "--json").data["positions"], "stale") == [True, True]

    text = bot.ask("positions", "list").out
    assert text.count("STALE") == 1
    assert "1 position open for more than 3 d" in text


def test_without_a_price_there_is_no_worth(bot: BotHome) -> None:
    """Unknown is said, not guessed."""
    bot.buy()

    assert bot.ask("positions", "list", "--json").data["positions"][0]["unrealized"] is None


def test_a_wanted_exit_and_its_problem(bot: BotHome) -> None:
    """Why it is to be sold, and why it could not be."""
    position_id = bot.buy("SOLUSDT", price="150")
    bot.want_exit(position_id, problem="Filter failure: NOTIONAL")

    (position,) = bot.ask("positions", "list", "--json").data["positions"]
    text = bot.ask("positions", "list").out

    assert position["exit_wanted"] == "stop_loss"
    assert "exit: stop" in text
    assert "SOLUSDT cannot be sold yet: Filter failure: NOTIONAL" in text


def test_nothing_held(bot: BotHome) -> None:
    """An empty list is an answer: 0."""
    answer = bot.ask("positions", "list")

    assert answer.code == 0
    assert answer.out.splitlines()[1] == "nothing is held"


def test_averages_have_an_end(bot: BotHome) -> None:
    """Bought at two prices whose average has no end: eight places, no exponent."""
    order = bot.send(bot.intend(amount="12"))
    bot.fill(order, price="0.0000003", quantity="3000000", status="NEW")
    bot.fill(order, price="0.00000041", quantity="7", status="FILLED")

    (position,) = bot.ask("positions", "list", "--json").data["positions"]

    assert position["entry_price"] == "0.0000003"
    assert "E" not in position["stop_price"]
