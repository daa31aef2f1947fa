"""``thunes orders list``."""

from __future__ import annotations

from datetime import timedelta

from bot_home import NOON, BotHome, names

from thunes_cli.model import OrderState, Side

KEYS = {
    *("client_order_id", "exchange_order_id", "symbol", "side", "state", "requested", "executed_qty", "avg_price"),
    *("fees", "signal_id", "attempt", "created_at"),
}


def test_a_round_trip(bot: BotHome) -> None:
    """A BUY asks for quote, a SELL for base; fees are valued in quote; every key."""
    position_id = bot.buy(price="40000", amount="12", signal_id="BTCUSDT:rsi:20260310T110000Z:BUY")
    bot.sell(position_id, price="41000")

    buy, sell = bot.ask("orders", "list", "--json").data["orders"]

    assert buy.keys() >= KEYS
    assert (buy["side"], buy["state"], buy["requested"], buy["requested_asset"]) == ("BUY", "FILLED", "12", "USDT")
    assert (buy["executed_qty"], buy["avg_price"], buy["fees"]) == ("0.0003", "40000", "0.012")
    assert buy["signal_id"] == "BTCUSDT:rsi:20260310T110000Z:BUY"
    assert buy["attempt"] is None
    assert buy["exchange_order_id"] == 1001
    assert buy["created_at"] == "2026-03-10T12:00:00.000Z"
    assert (sell["side"], sell["requested"], sell["requested_asset"]) == ("SELL", "0.0002997", "BTC")
    assert (sell["attempt"], sell["avg_price"], sell["fees"]) == (1, "41000", "0.0122877")


def test_expired_with_fills_shows_what_was_executed(bot: BotHome) -> None:
    """The book ran dry: EXPIRED, and yet something was bought."""
    order = bot.send(bot.intend(amount="12"))
    bot.fill(order, price="40000", quantity="0.0002", status="EXPIRED")

    (row,) = bot.ask("orders", "list", "--json").data["orders"]

    assert (row["state"], row["executed_qty"], row["avg_price"]) == ("EXPIRED", "0.0002", "40000")


def test_never_executed_has_no_price(bot: BotHome) -> None:
    """No division by zero, no made-up price; the reason is in the text."""
    order = bot.send(bot.intend())
    bot.end(order, OrderState.REJECTED, why="Account has insufficient balance")

    answer = bot.ask("orders", "list", "--json")
    text = bot.ask("orders", "list").out

    assert answer.data["orders"][0]["avg_price"] is None
    assert f"{order.client_order_id}: Account has insufficient balance" in text


def test_narrowed_by_state_and_time(bot: BotHome) -> None:
    """``--state`` in any case; ``--since`` counts market time; older ones are counted and shown how to see."""
    bot.at(NOON - timedelta(hours=30))
    bot.lose()
    bot.at(NOON)
    bot.doubt(bot.send(bot.intend()))

    def states(*options: str) -> list[str]:
        return names(bot.ask("orders", "list", *options, "--json").data["orders"], "state")

    assert states() == ["UNKNOWN"]
    assert states("--since", "7d") == ["FILLED", "FILLED", "UNKNOWN"]
    assert states("--since", "all", "--state", "filled") == ["FILLED", "FILLED"]
    assert states("--state", "UNKNOWN") == ["UNKNOWN"]
    assert "2 orders are older: thunes --home" in bot.ask("orders", "list").out
    assert "older" not in bot.ask("orders", "list", "--since", "all").out


def test_repeated_failures_are_told_once(bot: BotHome) -> None:
    """Three attempts refused for one reason: one line."""
    position_id = bot.buy()
    for _ in range(3):
        order = bot.send(bot.intend(Side.SELL, amount="0.0001", position_id=position_id))
        bot.end(order, OrderState.REJECTED, why="NOTIONAL")

    text = bot.ask("orders", "list").out

    assert text.count("NOTIONAL") == 1
    assert "and 2 before it: NOTIONAL" in text
    assert "REJECTED #3" in text


def test_no_orders(bot: BotHome) -> None:
    """An empty list is an answer: 0."""
    answer = bot.ask("orders", "list")

    assert answer.code == 0
    assert answer.out.splitlines()[1:] == ["no orders"]


def test_a_state_that_does_not_exist(bot: BotHome) -> None:
    """2."""
    assert bot.ask("orders", "list", "--state", "LOST", "--json").code == 2
