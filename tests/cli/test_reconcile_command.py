"""``thunes reconcile`` and its words, on a home that trades on a real served exchange beside others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from exchange_home import ExchangeHome, exchange_home

CONFIRM = ("--confirm", "apply sim")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ExchangeHome]:
    with exchange_home(tmp_path) as home:
        yield home


def kinds(home: ExchangeHome) -> list[str]:
    answer = home.ask("reconcile", "--json")
    assert answer.code == (0 if answer.data["clean"] else 4)
    return sorted(finding["kind"] for finding in answer.data["findings"] if finding["severity"] != "info")


def test_a_home_that_traded_is_clean(home: ExchangeHome) -> None:
    """To the last digit, fees in base and quote included."""
    home.buy()
    home.buy("ETHUSDT")

    answer = home.ask("reconcile", "--json")

    assert answer.code == 0
    assert answer.data["clean"] is True
    assert answer.data["checked"] == {"assets": 3, "orders": 2, "trades": 2}
    assert answer.document["changed"] is False


def test_in_words(home: ExchangeHome) -> None:
    """One line when all is well; a finding says what happened and what to type."""
    home.buy()
    assert "clean: ledger and exchange agree; 2 assets, 1 order, 1 trade compared" in home.ask("reconcile").out
    home.move("USDT", "50")

    answer = home.ask("reconcile")

    assert answer.code == 4
    assert "medium exchange_more USDT: the exchange has 50 USDT more" in answer.out
    assert "reconcile accept USDT" in answer.out
    assert '--confirm "apply sim"' in answer.out


def test_reading_changes_nothing_but_what_status_shows(home: ExchangeHome) -> None:
    """No balance of ours, no position; the verdict stands in status."""
    home.move("USDT", "50")
    before = home.ask("positions", "list", "--all", "--json").data

    home.ask("reconcile")

    status = home.ask("status", "--json")
    assert status.code == 3
    assert status.data["last_reconcile"]["clean"] is False
    assert "reconcile_not_clean" in status.codes
    assert home.ask("positions", "list", "--all", "--json").data == before


def test_a_lost_fill_is_booked_by_apply_alone(home: ExchangeHome) -> None:
    """Our own order proves it: no phrase is needed, and the second time nothing is left to do."""
    before = home.buy()
    home.execute("DELETE FROM fills")
    home.execute("UPDATE orders SET executed_qty = '0', executed_quote = '0'")
    home.execute(
        "UPDATE positions SET quantity = '0', cost = '0', bought_qty = '0', bought_quote = '0', realized = '0',"
        " fees = '0'"
    )
    assert kinds(home) == ["unrecorded_fill"]

    answer = home.ask("reconcile", "--apply", "--json")

    assert (answer.code, answer.document["changed"]) == (0, True)
    assert [item["kind"] for item in answer.data["applied"]] == ["unrecorded_fill"]
    assert home.positions()[0].quantity == before.quantity
    again = home.ask("reconcile", "--apply", "--json")
    assert (again.code, again.document["changed"], again.data["applied"]) == (0, False, [])


def test_apply_alone_does_not_judge(home: ExchangeHome) -> None:
    """A deposit stays a finding until somebody says that it is one."""
    home.move("USDT", "50")

    answer = home.ask("reconcile", "--apply", "--json")

    assert (answer.code, answer.document["changed"]) == (4, False)


def test_everything_is_accepted_with_the_phrase(home: ExchangeHome) -> None:
    """Deposit, trade by hand and unknown coins at once; the trail has the reason and the person."""
    home.buy()
    home.move("USDT", "50")
    home.move("DOGE", "7")
    home.stranger("BUY", quoteOrderQty="200")

    answer = home.ask("reconcile", "--apply", *CONFIRM, "--reason", "all mine", "--json")

    assert (answer.code, answer.data["clean"]) == (0, True)
    assert {item["kind"] for item in answer.data["applied"]} == {"exchange_more", "local_more", "external_order"}
    trail = [json.loads(line) for line in (home.path / "audit_trail.jsonl").read_text().splitlines()]
    accepted = [record for record in trail if record["event"] == "DIFFERENCE_ACCEPTED"]
    assert {record["asset"] for record in accepted} == {"BTC", "USDT", "DOGE"}
    assert all(record["reason"] == "all mine" and record["uid"] is not None for record in accepted)


def test_a_wrong_phrase_touches_nothing(home: ExchangeHome) -> None:
    """7, before anything is booked."""
    home.move("USDT", "50")

    answer = home.ask("reconcile", "--apply", "--confirm", "apply live", "--json")

    assert answer.code == 7
    assert kinds(home) == ["exchange_more"]


def test_accept_one_asset(home: ExchangeHome) -> None:
    """The baseline moves by the difference; twice is once; without the phrase nothing is touched."""
    home.move("USDT", "50")
    assert home.ask("reconcile", "accept", "USDT", "--reason", "deposit").code == 7

    answer = home.ask("reconcile", "accept", "usdt", "--reason", "deposit", *CONFIRM, "--json")

    assert answer.data == {"asset": "USDT", "baseline_before": "10000", "baseline_after": "10050"}
    assert kinds(home) == []
    again = home.ask("reconcile", "accept", "USDT", "--reason", "deposit", *CONFIRM, "--json")
    assert (again.code, again.document["changed"]) == (0, False)


def test_adopt_makes_a_position(home: ExchangeHome) -> None:
    """Coins that were deposited become the bot's, at a stated cost, and are sold by the usual command."""
    home.move("BTC", "0.5")
    words = ("reconcile", "adopt", "BTCUSDT", "--quantity", "0.5", "--price", "30000", "--reason", "bought in April")

    answer = home.ask(*words, *CONFIRM, "--json")

    position = answer.data["position"]
    assert (position["quantity"], position["entry_price"], position["stop_price"]) == ("0.5", "30000", "29100")
    assert kinds(home) == []
    assert home.ask(*words, *CONFIRM, "--json").document["changed"] is False
    sold = home.ask("positions", "close", "BTCUSDT", "--reason", "done", "--confirm", "close BTCUSDT sim", "--json")
    assert sold.code == 0, sold
    assert kinds(home) == []


def test_holdings_of_our_symbols_are_pointed_out(home: ExchangeHome) -> None:
    """With the line that would adopt them."""
    home.move("BTC", "0.5")
    home.ask("reconcile", "accept", "BTC", "--reason", "mine", *CONFIRM)

    answer = home.ask("reconcile", "--json")

    (held,) = answer.data["holdings"]
    assert (held["asset"], held["quantity"]) == ("BTC", "0.5")
    assert held["action"].startswith("reconcile adopt BTCUSDT --quantity 0.5")


def test_close_at_a_stated_price(home: ExchangeHome) -> None:
    """The operator sold the bot's coins on the web page: the position ends at that price, nothing stays open."""
    position = home.buy()
    home.move("BTC", f"-{position.quantity}")
    assert kinds(home) == ["local_more"]

    answer = home.ask("reconcile", "close", "BTCUSDT", "--price", "40000", "--reason", "by hand", *CONFIRM, "--json")

    assert answer.data["position"]["status"] == "CLOSED"
    assert home.orders()[-1].client_order_id.startswith("MANUAL_RECONCILIATION")
    assert kinds(home) == []


def test_somebody_elses_orders_are_listed(home: ExchangeHome) -> None:
    """What a stolen key looks like, also on symbols that we do not trade."""
    order = home.stranger("BUY", "BNBUSDT", quoteOrderQty="500")
    assert kinds(home) == ["exchange_more", "external_order", "local_more"]

    (listed,) = home.ask("orders", "list", "--external", "--since", "all", "--json").data["orders"]

    assert (listed["exchange_order_id"], listed["kind"]) == (order["orderId"], "external_order")
    assert Decimal(listed["effects"]["USDT"]) < -499
    assert order["clientOrderId"] in home.ask("orders", "list", "--external", "--since", "all").out


def test_a_resting_order_of_a_stranger_is_followed_to_its_end(home: ExchangeHome) -> None:
    """It is found while it only locks money, and found anew when it was filled."""
    price = Decimal(str(home.served.get("/api/v3/ticker/price", symbol="BTCUSDT")["price"]))
    far = home.served.order(
        side="SELL", type="LIMIT", timeInForce="GTC", quantity="0.001", price=str(price * 2 // 1), newClientOrderId="w"
    )
    assert far.status != 200, "nothing to sell yet"
    home.move("BTC", "1")
    home.ask("reconcile", "accept", "BTC", "--reason", "mine", *CONFIRM)
    placed = home.served.order(
        side="SELL", type="LIMIT", timeInForce="GTC", quantity="0.001", price=f"{price * Decimal('1.05'):.2f}"
    )
    assert placed.status == 200, placed
    assert kinds(home) == ["external_order"]
    home.ask("reconcile", "--apply", *CONFIRM)
    assert kinds(home) == []
    home.served.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=placed.body["orderId"])

    assert kinds(home) == ["external_order"]


def test_a_wiped_exchange_is_frozen_until_accepted_then_trades_on(home: ExchangeHome) -> None:
    """Recognised by the daemon's comparison; accepted as a whole; the next life has a baseline of its own."""
    home.buy()
    home.step(5)
    home.ask("reconcile")
    home.wipe()
    assert kinds(home) == ["exchange_reset"]
    home.step(60 * 2)
    home.ask("run", "--once")
    assert home.ask("symbols", "list", "--json").data["symbols"][0]["frozen"] is True

    answer = home.ask("reconcile", "--apply", *CONFIRM, "--reason", "monthly", "--json")

    assert (answer.code, answer.data["clean"]) == (0, True), answer
    assert not any(row["frozen"] for row in home.ask("symbols", "list", "--json").data["symbols"])
    assert [position.status for position in home.positions()] == ["CLOSED"]
    home.step()
    home.buy()
    assert kinds(home) == []
    assert home.ask("pnl", "--since", "all", "--json").code == 0


def test_could_not_find_out_is_13(home: ExchangeHome) -> None:
    """Never "clean", never "flat"."""
    home.buy()
    home.environ["BINANCE_REST_URL"] = "http://127.0.0.1:9"

    answer = home.ask("reconcile", "--json")

    assert answer.code == 13
    assert answer.data == {}


def test_a_home_without_a_baseline_has_nothing_to_compare(tmp_path: Path, home: ExchangeHome) -> None:
    """10, with both ways on."""
    fresh = ExchangeHome(tmp_path / "fresh", home.served).found()

    answer = fresh.ask("reconcile", "--json")

    assert (answer.code, answer.codes) == (10, ["no_baseline"])


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--confirm", "apply sim"), id="phrase without apply"),
        pytest.param(("--instance", "abcdef"), id="instance without rebuild"),
        pytest.param(("--rebuild", "--apply"), id="rebuild and apply"),
        pytest.param(("adopt", "BTCUSDT", "--quantity", "-1", "--price", "1", "--reason", "x"), id="negative"),
        pytest.param(("adopt", "BTCUSDT", "--quantity", "NaN", "--price", "1", "--reason", "x"), id="not a number"),
        pytest.param(("accept", "USDT", "--reason", " "), id="no reason"),
        pytest.param(("--apply", "accept", "USDT", "--reason", "x"), id="option before the word"),
    ],
)
def test_usage(home: ExchangeHome, arguments: tuple[str, ...]) -> None:
    """2, and nothing is asked of the exchange."""
    assert home.ask("reconcile", *arguments).code == 2


def test_dry_run_shows_the_plan(home: ExchangeHome) -> None:
    """And does none of it."""
    home.move("USDT", "50")

    answer = home.ask("reconcile", "--apply", "--dry-run", *CONFIRM, "--json")

    assert answer.document["changed"] is False
    assert answer.data["plan"][0].startswith("accept: the exchange has 50 USDT more")
    assert kinds(home) == ["exchange_more"]
