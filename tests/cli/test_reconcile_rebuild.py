"""``thunes reconcile --rebuild``: the disk died, the exchange remembers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from exchange_home import ExchangeHome, exchange_home

from thunes_cli.ledger.identity import read_identity

CONFIRM = ("--confirm", "apply sim")
_POSITIONS = (
    "symbol, base, quote, status, quantity, cost, bought_qty, bought_quote, sold_qty, sold_quote, realized, fees,"
    " entry_time, exit_time"
)
_ORDERS = "client_order_id, exchange_order_id, symbol, side, state, requested_base, requested_quote, executed_qty"
_FILLS = "symbol, trade_id, side, price, quantity, quote_quantity, fee, fee_asset, fee_quote, realized, traded_at"


def rows(home: ExchangeHome, columns: str, table: str) -> list[tuple[Any, ...]]:
    ledger = sqlite3.connect(f"file:{home.path / 'thunes.db'}?mode=ro", uri=True)
    try:
        return ledger.execute(f"SELECT {columns} FROM {table} ORDER BY symbol, {columns}").fetchall()
    finally:
        ledger.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ExchangeHome]:
    """A home with a past: a round trip with dust, another with a second symbol, one position open."""
    with exchange_home(tmp_path) as home:
        home.move("BTC", "0.25")
        home.ask("reconcile", "accept", "BTC", "--reason", "mine", *CONFIRM)
        for symbol in ("BTCUSDT", "ETHUSDT"):
            home.buy(symbol)
            home.step(7)
            answer = home.ask(
                "positions", "close", symbol, "--reason", "x", "--confirm", f"close {symbol} sim", "--json"
            )
            assert answer.code == 0, answer
            home.step(7)
        home.stranger("BUY", quoteOrderQty="50")
        home.ask("reconcile", "--apply", *CONFIRM)
        home.step(7)
        home.buy()
        home.step(7)
        assert home.ask("reconcile").code == 0
        yield home


def fresh(home: ExchangeHome, name: str = "after the fire") -> ExchangeHome:
    """A new home with the old one's settings."""
    other = ExchangeHome(home.path.with_name(name), home.served)
    other.environ = dict(home.environ)
    return other.found()


def test_everything_is_as_it_was(home: ExchangeHome) -> None:
    """Orders, fills, positions, dust and results are those of the ledger that is lost; the baseline fits."""
    new = fresh(home)

    answer = new.ask("reconcile", "--rebuild", *CONFIRM, "--json")

    assert (answer.code, answer.data["clean"]) == (0, True), answer
    for columns, table in ((_POSITIONS, "positions"), (_ORDERS, "orders"), (_FILLS, "fills")):
        assert rows(new, columns, table) == rows(home, columns, table)
    assert rows(new, "symbol, quantity, cost", "dust_moves") == rows(home, "symbol, quantity, cost", "dust_moves")
    balances = {row["asset"]: row for row in new.ask("balance", "--json").data["balances"]}
    assert all(row["unexplained"] == "0" for row in balances.values())
    assert Decimal(balances["BTC"]["baseline"]) > Decimal("0.25")


def test_it_goes_on_as_the_same_instance_with_a_new_epoch(home: ExchangeHome) -> None:
    """No number is used twice, the old copy's ids are known, and old candles are not bought."""
    new = fresh(home)

    data = new.ask("reconcile", "--rebuild", *CONFIRM, "--json").data["rebuilt"]

    old = home.orders()[-1].client_order_id
    assert data["instance"] == old[2:8]
    assert data["epochs_found"] == [old[8:11]]
    assert data["epoch"] not in data["epochs_found"]
    new.step()
    new.buy("ETHUSDT")
    fresh_id = new.orders()[-1].client_order_id
    assert fresh_id.startswith(f"th{data['instance']}{data['epoch']}-B-")
    assert int(fresh_id.rpartition("-")[2]) > max(
        int(order.client_order_id.rpartition("-")[2]) for order in home.orders()
    )
    assert new.ask("reconcile").code == 0
    with new.desk() as desk, desk.journal.read() as connection:
        assert read_identity(connection).entries_from is not None


def test_the_rebuilt_position_can_be_sold(home: ExchangeHome) -> None:
    """It is a position like any other."""
    new = fresh(home)
    new.ask("reconcile", "--rebuild", *CONFIRM)

    answer = new.ask("positions", "close", "--all", "--reason", "x", "--confirm", "close-all sim", "--json")

    assert answer.code == 0
    assert new.ask("reconcile").code == 0


def test_the_old_copy_that_comes_back_is_noticed(home: ExchangeHome) -> None:
    """It meets an epoch it never drew; the new one meets its own old epoch again."""
    new = fresh(home)
    new.ask("reconcile", "--rebuild", *CONFIRM)
    new.step()
    new.buy("ETHUSDT")
    home.step()
    home.buy("ETHUSDT")

    for copy in (home, new):
        answer = copy.ask("reconcile", "--json")

        assert "other_copy" in {finding["kind"] for finding in answer.data["findings"]}
        assert all(symbol["frozen"] for symbol in copy.ask("symbols", "list", "--json").data["symbols"])


def test_what_a_new_home_took_for_its_baseline_is_taken_back(home: ExchangeHome) -> None:
    """It had met the account and accepted a deposit: the past is ours again, and what came since is counted once."""
    new = fresh(home)
    new.meet()
    home.move("USDT", "50")
    home.stranger("BUY", quoteOrderQty="50")
    assert new.ask("reconcile").code == 4
    assert new.ask("reconcile", "accept", "USDT", "--reason", "deposit", *CONFIRM).code == 0
    home.step()

    answer = new.ask("reconcile", "--rebuild", *CONFIRM, "--json")

    assert (answer.code, answer.data["clean"]) == (0, True), answer
    balances = new.ask("balance", "--json").data["balances"]
    assert {row["asset"] for row in balances if row["unexplained"] != "0"} == set()
    assert rows(new, _POSITIONS, "positions") == rows(home, _POSITIONS, "positions")


def test_only_an_empty_ledger_is_rebuilt(home: ExchangeHome) -> None:
    """78, and nothing is touched."""
    before = rows(home, _ORDERS, "orders")

    answer = home.ask("reconcile", "--rebuild", *CONFIRM, "--json")

    assert (answer.code, answer.codes) == (78, ["ledger_not_empty"])
    assert rows(home, _ORDERS, "orders") == before


def test_several_instances_must_be_told_apart(home: ExchangeHome) -> None:
    """Two homes traded on the account: somebody chooses, and the other's orders stay the other's."""
    home.stranger("BUY", quoteOrderQty="50", client_order_id="thzzzzzzaaa-B-1")
    new = fresh(home)

    answer = new.ask("reconcile", "--rebuild", *CONFIRM, "--json")
    assert (answer.code, answer.codes) == (78, ["several_instances"])
    chosen = new.ask("reconcile", "--rebuild", "--instance", "zzzzzz", *CONFIRM, "--json")

    assert chosen.data["rebuilt"]["orders"] == 1
    assert chosen.code == 0


def test_nothing_to_rebuild_from(tmp_path: Path) -> None:
    """An account on which no THUNES home ever traded: 10."""
    with exchange_home(tmp_path) as home:
        answer = fresh(home).ask("reconcile", "--rebuild", *CONFIRM, "--json")

    assert (answer.code, answer.codes) == (10, ["nothing_to_rebuild"])


def test_it_asks_first(home: ExchangeHome) -> None:
    """Without the phrase 7; a dry run says what it would do."""
    new = fresh(home)

    assert new.ask("reconcile", "--rebuild", "--json").code == 7
    plan = new.ask("reconcile", "--rebuild", "--dry-run", "--json").data["plan"]

    assert plan[0].startswith("take over instance")
    assert rows(new, _ORDERS, "orders") == []


def test_a_symbol_that_is_not_in_symbols_any_more(home: ExchangeHome) -> None:
    """It is named on the command line."""
    new = fresh(home)
    new.environ["SYMBOLS"] = "BTCUSDT"

    answer = new.ask("reconcile", "--rebuild", "--symbol", "ETHUSDT", *CONFIRM, "--json")

    assert answer.data["rebuilt"]["orders"] == 5
    assert answer.code == 0
