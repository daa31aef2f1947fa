"""``thunes pnl``."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from bot_home import NOON, BotHome, names

KEYS = {"realized", "fees", "unrealized", "trades", "wins", "losses", "worst"}


def test_a_day(bot: BotHome) -> None:
    """Realised is net of every fee, those of open positions included; wins and losses count closed positions."""
    bot.lose(bought="40000", sold="38000")
    bot.lose("ETHUSDT", bought="2000", sold="2100")
    bot.buy("SOLUSDT", price="150")
    bot.price("SOLUSDT", "151.2", age=timedelta(seconds=30))

    data = bot.ask("pnl", "--json").data

    assert data.keys() >= KEYS
    by_hand = [
        Decimal("0.0002997") * (38000 - 40000) - Decimal("0.012") - Decimal("0.0113886"),
        Decimal("0.005994") * (2100 - 2000) - Decimal("0.012") - Decimal("0.0125874"),
        -Decimal("0.012"),
    ]
    assert Decimal(data["realized"]) == sum(by_hand)
    assert Decimal(data["fees"]) == Decimal("0.012") * 3 + Decimal("0.0113886") + Decimal("0.0125874")
    assert data["unrealized"] == "0.095904"  # 0.07992 × 1.2
    assert data["unrealized_price_age_s"] == 30.0
    assert (data["trades"], data["wins"], data["losses"]) == (2, 1, 1)
    assert names(data["worst"], "symbol") == ["BTCUSDT"]
    assert data["worst"][0]["pnl"] == "-0.6227886"


def test_since(bot: BotHome) -> None:
    """Today begins at midnight UTC; fills count by when they traded, positions by when they ended."""
    bot.at(NOON - timedelta(hours=13))
    over_midnight = bot.buy(price="40000")
    bot.lose("ETHUSDT", bought="2000", sold="1900")
    bot.at(NOON)
    bot.sell(over_midnight, price="39000")

    today = bot.ask("pnl", "--json").data
    week = bot.ask("pnl", "--since", "7d", "--json").data

    assert (today["trades"], week["trades"]) == (1, 2)
    assert today["fees"] == "0.0116883"  # the SELL's alone
    assert today["since"] == "2026-03-10T00:00:00.000Z"
    assert Decimal(week["realized"]) < Decimal(today["realized"]) < 0


def test_losses_are_listed_worst_first(bot: BotHome) -> None:
    """Five at most, all with ``--losses``."""
    for sold in (39900, 38000, 39000, 39500, 37000, 39800):
        bot.lose(sold=str(sold))

    worst = bot.ask("pnl", "--json").data["worst"]
    every = bot.ask("pnl", "--losses", "--json").data["worst"]

    assert names(worst, "exit_price") == ["37000", "38000", "39000", "39500", "39800"]
    assert len(every) == 6
    assert bot.ask("pnl", "--losses").out.count("BTCUSDT") == 6


def test_a_position_without_a_price_makes_no_wrong_sum(bot: BotHome) -> None:
    """Unrealised is unknown, and the text says why."""
    bot.buy()
    bot.buy("ETHUSDT", price="2000")
    bot.price("ETHUSDT", "2100")

    assert bot.ask("pnl", "--json").data["unrealized"] is None
    assert "no price recorded for BTCUSDT" in bot.ask("pnl").out


def test_fees_nobody_could_value_are_told(bot: BotHome) -> None:
    """A fee in a third asset without a price counts as nothing, and is not hidden."""
    order = bot.send(bot.intend(amount="12"))
    bot.fill(order, price="40000", fee_asset="XYZ")

    answer = bot.ask("pnl", "--json")

    assert answer.data["unvalued_fees"] == 1
    assert "1 fee in another asset could not be valued" in bot.ask("pnl").out


def test_a_day_without_trades(bot: BotHome) -> None:
    """Zeros, not nulls: 0."""
    answer = bot.ask("pnl", "--json")

    assert answer.code == 0
    data = answer.data
    assert (data["realized"], data["fees"], data["unrealized"]) == ("0", "0", "0")
    assert (data["trades"], data["wins"], data["losses"], data["worst"]) == (0, 0, 0, [])
