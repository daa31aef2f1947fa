"""``thunes positions close``: sold once, whoever is at it; doubt is resolved before anything is answered."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from bot_home import Answer
from exchange_home import ExchangeHome, exchange_home, wait_for

from thunes_cli.exchange.failures import OutcomeUnknown
from thunes_cli.model import ExitReason, OrderState

WHY = ("--reason", "news")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ExchangeHome]:
    with exchange_home(tmp_path) as home:
        yield home


def close(home: ExchangeHome, *words: str) -> Answer:
    return home.ask("positions", "close", *words, *WHY, "--json")


def test_it_is_sold(home: ExchangeHome) -> None:
    """At the market, by the usual exit: dust is put aside, the result is booked, the reason is on the trail."""
    position = home.buy()

    answer = close(home, "BTCUSDT", "--confirm", "close BTCUSDT sim")

    assert (answer.code, answer.document["changed"]) == (0, True)
    (row,), (order,) = answer.data["positions"], answer.data["orders"]
    assert (row["status"], row["id"], order["state"]) == ("CLOSED", position.id, "FILLED")
    assert (order["side"], order["reason"], order["attempt"]) == ("SELL", "operator", 1)
    trail = [json.loads(line) for line in (home.path / "audit_trail.jsonl").read_text().splitlines()]
    (wish,) = [record for record in trail if record["event"] == "EXIT_WANTED"]
    assert (wish["reason"], wish["why"]) == ("operator", "news")
    assert wish["uid"] is not None
    assert home.ask("reconcile").code == 0


def test_all_of_them(home: ExchangeHome) -> None:
    """With its own phrase."""
    home.buy()
    home.buy("ETHUSDT")

    answer = close(home, "--all", "--confirm", "close-all sim")

    assert answer.code == 0
    assert [row["status"] for row in answer.data["positions"]] == ["CLOSED", "CLOSED"]
    assert home.ask("reconcile").code == 0


def test_nothing_to_close(home: ExchangeHome) -> None:
    """A symbol without a position is 10; all of nothing is done already."""
    assert close(home, "BTCUSDT", "--confirm", "close BTCUSDT sim").code == 10
    everything = close(home, "--all", "--confirm", "close-all sim")
    assert (everything.code, everything.document["changed"]) == (0, False)


def test_without_the_phrase_nothing_is_touched(home: ExchangeHome) -> None:
    """--yes does not exist; another phrase is none."""
    home.buy()

    assert close(home, "BTCUSDT").code == 7
    assert close(home, "BTCUSDT", "--confirm", "close ETHUSDT sim").code == 7
    assert home.positions()[0].exit_wanted is None


def test_dry_run(home: ExchangeHome) -> None:
    """Says what would be sold."""
    position = home.buy()

    answer = close(home, "BTCUSDT", "--dry-run")

    assert answer.data["plan"] == [f"sell {position.quantity} BTC (position 1)"]
    assert len(home.orders()) == 1


@pytest.mark.parametrize("words", [(), ("BTCUSDT", "--all")], ids=["neither", "both"])
def test_usage(home: ExchangeHome, words: tuple[str, ...]) -> None:
    """One symbol or all, not neither, not both."""
    assert close(home, *words).code == 2


def set_status(home: ExchangeHome, status: str) -> None:
    """Halt the symbol, or end that."""
    body = json.dumps({"symbol": "BTCUSDT", "status": status}).encode()
    request = urllib.request.Request(f"{home.environ['BINANCE_REST_URL']}/sim/symbol", data=body, method="POST")
    with urllib.request.urlopen(request) as reply:
        assert reply.status == 200


def test_a_halted_symbol_stays_wanted(home: ExchangeHome) -> None:
    """15: the wish stands, and says why it is not fulfilled."""
    home.buy()
    set_status(home, "HALT")

    answer = close(home, "BTCUSDT", "--confirm", "close BTCUSDT sim")

    assert (answer.code, answer.codes) == (15, ["exit_blocked"])
    assert "HALT" in answer.document["problems"][0]["message"]
    assert home.positions()[0].exit_wanted == "operator"
    set_status(home, "TRADING")
    assert close(home, "BTCUSDT", "--confirm", "close BTCUSDT sim").code == 0


def test_an_exchange_that_is_gone_is_13(home: ExchangeHome) -> None:
    """Nothing is known to be sold."""
    home.buy()
    home.environ["BINANCE_REST_URL"] = "http://127.0.0.1:9"

    assert close(home, "BTCUSDT", "--confirm", "close BTCUSDT sim").code == 13


def test_an_order_in_doubt_is_resolved_first(home: ExchangeHome) -> None:
    """An earlier exit whose outcome nobody knows: it was executed, so nothing more is sold."""
    home.buy()
    close(home, "BTCUSDT", "--confirm", "close BTCUSDT sim")
    sold = home.orders()[-1]
    home.execute("DELETE FROM dust_moves")
    home.execute("DELETE FROM fills WHERE side = 'SELL'")
    home.execute("UPDATE orders SET state = 'UNKNOWN', executed_qty = '0' WHERE id = ?", sold.id)
    home.execute("UPDATE positions SET status = 'OPEN', exit_time = NULL, quantity = ?", str(sold.executed_qty))

    answer = close(home, "BTCUSDT", "--confirm", "close BTCUSDT sim")

    assert answer.code == 0
    assert answer.data["orders"] == []
    assert [order.state for order in home.orders()] == [OrderState.FILLED, OrderState.FILLED]


def test_what_stays_in_doubt_is_14(home: ExchangeHome) -> None:
    """The time is over before the proof is complete; nothing was sold a second time."""
    home.buy()
    with home.desk() as desk:
        (position,) = home.positions()
        desk.room.exits.want(position, ExitReason.OPERATOR)
        place = desk.room.exchange._exchange.place

        def lose(order: object, *, timestamp_ms: int) -> object:
            del order, timestamp_ms
            raise OutcomeUnknown("lost")

        desk.room.exchange._exchange.place = lose  # type: ignore[method-assign]
        desk.room.exits.attempt(home.positions()[0], price=None)
        desk.room.exchange._exchange.place = place  # type: ignore[method-assign]

    answer = close(home, "BTCUSDT", "--confirm", "close BTCUSDT sim", "--timeout", "1")

    assert (answer.code, answer.codes) == (14, ["order_unresolved"])


def test_four_at_once_sell_once(home: ExchangeHome) -> None:
    """Whoever comes first; the others see the end."""
    position = home.buy()
    before = home.held()["BTC"]
    assert before == position.quantity

    processes = [home.start("positions", "close", "BTCUSDT", "--confirm", "close BTCUSDT sim", *WHY) for _ in range(4)]
    codes = {process.wait(60) for process in processes}

    assert codes <= {0, 10}
    sells = [order for order in home.orders() if order.side == "SELL" and order.executed_qty > 0]
    assert len(sells) == 1
    assert home.held().get("BTC", Decimal(0)) == position.quantity - sells[0].executed_qty
    assert home.ask("reconcile").code == 0


def test_beside_a_daemon_it_is_sold_once(home: ExchangeHome) -> None:
    """Four commands and the daemon, all at the same position."""
    daemon = home.start("run")
    try:
        wait_for(lambda: home.ask("status", "--json").data["daemon"]["mode"] == "trading", "daemon")
        position = home.buy()
        words = ("positions", "close", "BTCUSDT", "--confirm", "close BTCUSDT sim", *WHY)
        codes = {process.wait(60) for process in [home.start(*words) for _ in range(4)]}
    finally:
        daemon.terminate()
        daemon.wait(60)

    assert codes <= {0, 10}
    sells = [order for order in home.orders() if order.side == "SELL" and order.executed_qty > 0]
    assert len(sells) == 1
    assert home.held().get("BTC", Decimal(0)) == position.quantity - sells[0].executed_qty
    assert home.ask("reconcile").code == 0
