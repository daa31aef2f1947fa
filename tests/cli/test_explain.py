"""``thunes explain``: every row and record of one thing, nothing of another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bot_home import NOON, BotHome, signal

from thunes_cli.model import Rejection, Side


def events(data: dict[str, Any]) -> list[str]:
    """The trail's part of a story."""
    return [entry["event"] for entry in data["entries"] if entry["source"] == "trail"]


def tables(data: dict[str, Any]) -> list[str]:
    """The ledger's part of a story."""
    return sorted(entry["table"] for entry in data["entries"] if entry["source"] == "ledger")


@pytest.fixture
def story(bot: BotHome) -> BotHome:
    """Two positions: the first from a signal to its end, the second open; and a refused signal."""
    bot.at(NOON - timedelta(hours=3))
    bot.approve(signal())
    first = bot.buy(signal_id=str(signal().id))
    bot.at(NOON - timedelta(hours=2))
    bot.sell(first, price="41000")
    bot.at(NOON - timedelta(hours=1))
    bot.buy("ETHUSDT", price="2000")
    bot.refuse(signal(opened=NOON - timedelta(hours=1)), Rejection.COOL_DOWN, minutes_left="12")
    bot.at(NOON)
    return bot


def test_a_signal(story: BotHome) -> None:
    """From the decision to the entry it led to; not the exit, which is another order."""
    data = story.ask("explain", str(signal().id), "--json").data

    assert data["kind"] == "signal"
    assert tables(data) == ["decisions", "fills", "orders", "positions"]
    assert events(data) == ["TRADE_APPROVED", "ORDER_INTENT", "FILL_BOOKED", "ORDER_FINISHED", "POSITION_OPENED"]


def test_a_line_that_no_reader_gets_through_is_counted(story: BotHome) -> None:
    """Thousands of brackets around what is asked for: passed over like any line that is no record."""
    trail = story.path / "audit_trail.jsonl"
    lines = trail.read_bytes().splitlines(keepends=True)
    number = next(at for at, line in enumerate(lines) if b"ETHUSDT" in line)
    lines[number] = b"[" * 5000 + str(signal().id).encode() + b"\n"
    trail.write_bytes(b"".join(lines))

    answer = story.ask("explain", str(signal().id), "--json")

    assert answer.code == 5
    assert events(answer.data)[0] == "TRADE_APPROVED"
    assert answer.document["problems"][0]["message"].startswith("1 line about this")


def test_a_refused_signal(bot: BotHome) -> None:
    """Why nothing was bought, with the numbers that decided."""
    bot.refuse(signal(), Rejection.COOL_DOWN, minutes_left="12")

    answer = bot.ask("explain", str(signal().id), "--json")

    assert answer.code == 0
    (decision,) = [entry["row"] for entry in answer.data["entries"] if entry["source"] == "ledger"]
    assert decision["reason"] == "cool_down_active"
    assert decision["facts"] == {"minutes_left": "12"}
    assert "cool_down_active" in bot.ask("explain", str(signal().id)).out


@pytest.mark.parametrize("asked", ["position:1", "1"])
def test_a_position(story: BotHome, asked: str) -> None:
    """Everything of its life, in order of time; a plain number is a position."""
    data = story.ask("explain", asked, "--json").data

    assert data["kind"] == "position"
    assert tables(data) == ["decisions", "fills", "fills", "orders", "orders", "positions"]
    assert events(data)[0] == "TRADE_APPROVED"
    assert events(data)[-1] == "POSITION_CLOSED"
    times = [entry["at"] for entry in data["entries"]]
    assert times == sorted(times)
    assert "ETHUSDT" not in str(data)


def test_an_order_by_either_id(story: BotHome) -> None:
    """Ours, or the exchange's number."""
    ours = story.ask("explain", "thabcdefabc-S-2", "--json").data
    theirs = story.ask("explain", "order:1002", "--json").data

    assert ours["entries"] == theirs["entries"]
    assert ours["kind"] == "order"
    assert events(ours) == ["ORDER_INTENT", "FILL_BOOKED", "ORDER_FINISHED"]
    assert {row["row"]["side"] for row in ours["entries"] if row.get("table") == "orders"} == {Side.SELL}


def test_ids_of_which_one_begins_with_another_are_told_apart(bot: BotHome) -> None:
    """``…-B-1`` is not ``…-B-10``, and position 1 is not position 12."""
    for _ in range(12):
        bot.lose()

    order = bot.ask("explain", "thabcdefabc-B-1", "--json").data
    position = bot.ask("explain", "position:1", "--json").data

    trail = [entry["record"] for entry in order["entries"] if entry["source"] == "trail"]
    assert {record["client_order_id"] for record in trail} == {"thabcdefabc-B-1"}
    trail = [entry["record"] for entry in position["entries"] if entry["source"] == "trail"]
    assert {record.get("position") for record in trail} <= {1, None}


def test_records_still_on_their_way_to_the_file_are_told(bot: BotHome) -> None:
    """The trail cannot be written at the moment: what waits in the ledger is part of the story."""
    (bot.path / "audit_trail.jsonl").mkdir()
    bot.buy()

    answer = bot.ask("explain", "1", "--json")

    assert bot.ask("status", "--json").data["audit"]["outbox"] == 4
    assert answer.code == 13  # what the file holds cannot be known
    (bot.path / "audit_trail.jsonl").rmdir()

    answer = bot.ask("explain", "1", "--json")

    assert answer.code == 0
    assert "POSITION_OPENED" in events(answer.data)


def test_a_trail_that_lost_bytes(story: BotHome) -> None:
    """5 with what there is: bad news, and still an answer."""
    trail = story.path / "audit_trail.jsonl"
    trail.write_bytes(trail.read_bytes()[:-100])

    answer = story.ask("explain", "position:2", "--json")

    assert answer.code == 5
    assert answer.document["status"] == "attention"
    assert "audit_tampered" in answer.codes
    assert answer.data["entries"]


def test_bytes_beyond_what_was_written_are_not_told(story: BotHome) -> None:
    """A crash's remains, or somebody's additions, are no records."""
    with (story.path / "audit_trail.jsonl").open("a") as stream:
        stream.write('{"event":"FORGED","position":1}\n')

    data = story.ask("explain", "position:1", "--json").data

    assert "FORGED" not in events(data)


def test_a_line_that_cannot_be_read_is_counted(story: BotHome) -> None:
    """5, and the other records are told."""
    trail = story.path / "audit_trail.jsonl"
    trail.write_bytes(trail.read_bytes().replace(b'{"v":1,"seq":3', b'["v":1,"seq":3'))

    answer = story.ask("explain", "position:1", "--json")

    assert answer.code == 5
    assert answer.codes == ["audit_unreadable"]
    assert "POSITION_CLOSED" in events(answer.data)


@pytest.mark.parametrize(
    "asked", ["99", "position:99", "order:99", "thabcdefabc-B-99", "BTCUSDT:rsi:x:BUY", "position:", "9" * 40, "'; --"]
)
def test_what_nobody_knows(story: BotHome, asked: str) -> None:
    """10, with where to look."""
    answer = story.ask("explain", asked, "--json")

    assert answer.code == 10
    assert answer.codes == ["not_found"]
    assert "orders list" in answer.document["problems"][0]["hint"]


def test_an_exchange_number_without_its_word(story: BotHome) -> None:
    """A plain number is a position; the hint says how an order is asked for."""
    answer = story.ask("explain", "1002", "--json")

    assert answer.code == 10
    assert answer.document["problems"][0]["hint"].endswith("explain order:1002")


def test_text_is_narrow_enough(story: BotHome) -> None:
    """A page for a terminal of 80 columns: facts are folded, ids are not broken."""
    lines = story.ask("explain", "position:1").out.splitlines()

    assert max(map(len, lines[1:])) <= 80
    assert any("thabcdefabc-B-1 " in f"{line} " for line in lines)
