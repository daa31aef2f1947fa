"""Three weeks of real one-minute candles, a crash and a rally in them, traded by the real daemon over real HTTP."""

from __future__ import annotations

import json
import re
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from daemon_processes import Home, make_home, serve, wait_for
from trail_reading import read_chain

from thunes_cli.ledger import fills
from thunes_cli.ledger.baseline import read_baseline
from thunes_cli.ledger.connection import open_for_reading
from thunes_cli.trading.accounting import asset_effects
from thunes_cli.trading.assurance import differing_positions

MINUTES = Path(__file__).resolve().parents[3] / "shared" / "data" / "BTCUSDT-1m-20230301-20230321.csv.gz"
pytestmark = pytest.mark.skipif(not MINUTES.exists(), reason="the recorded candles are not on this machine")


def expected_balances(home: Home) -> dict[str, Decimal]:
    """Baseline and fills of the ledger: what the exchange must show."""
    connection = open_for_reading(home.path / "thunes.db")
    assert differing_positions(connection) == []
    totals = read_baseline(connection, exchange_epoch=1)
    effects = asset_effects(fills.all_fills(connection), assets={"BTCUSDT": ("BTC", "USDT")})
    connection.close()
    for asset, change in effects.items():
        totals[asset] = totals.get(asset, Decimal(0)) + change
    return {asset: total for asset, total in totals.items() if total}


def shown_balances(home: Home) -> dict[str, Decimal]:
    """What the exchange says the account holds."""
    rows = home.answer("balance")["data"]["balances"]
    totals = {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in rows}
    return {asset: total for asset, total in totals.items() if total}


def test_daemon_trades_real_minutes_at_speed(tmp_path: Path) -> None:
    """At 600 times the speed orders fill, positions are their fills, and every balance agrees to the last digit."""
    exchange = serve(tmp_path / "sim", "--candles", str(MINUTES), "--speed", "600")
    home = make_home(tmp_path / "home", exchange.address, SMA_FAST="5", SMA_SLOW="12", COOL_DOWN_MINUTES="0")
    try:
        daemon = home.start_daemon()
        wait_for(lambda: home.rows("SELECT count(*) FROM positions WHERE status = 'CLOSED'")[0][0] >= 3, "round trips")
        assert home.end(daemon) == 0

        states = {row["state"] for row in home.rows("SELECT state FROM orders")}
        assert states == {"FILLED"}
        assert shown_balances(home) == expected_balances(home)
        assert len(read_chain(home.path / "audit_trail.jsonl")) > 20
    finally:
        home.close()
        exchange.stop()


def stepped_session(directory: Path, *, steps: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Alternate ``run --once`` with steps of the market; orders and fills of the ledger, less what must differ."""
    exchange = serve(directory / "sim", "--candles", str(MINUTES), "--step")
    home = make_home(
        directory / "home", exchange.address, SMA_FAST="2", SMA_SLOW="3", COOL_DOWN_MINUTES="0", MAX_DAILY_LOSS="1000"
    )
    try:
        for _ in range(steps):
            done = home.thunes("run", "--once", "-q")
            assert done.returncode == 0, done.stderr
            step = urllib.request.Request(exchange.address["rest_url"] + "/sim/step", method="POST")
            with urllib.request.urlopen(step) as reply:
                assert json.load(reply)["moved"] == 1
        assert shown_balances(home) == expected_balances(home)
        return _rows(home, "orders"), _rows(home, "fills")
    finally:
        home.close()
        exchange.stop()


# The instance is drawn at random; wall time, monotonic time and processes are not the market's.
_OF_THE_MACHINE = re.compile(r"_wall$|_mono$|_boot$|^owner_")


def _rows(home: Home, table: str) -> list[dict[str, Any]]:
    found = []
    for row in home.rows(f"SELECT * FROM {table} ORDER BY id"):
        kept = {key: row[key] for key in row.keys() if not _OF_THE_MACHINE.search(key)}  # noqa: SIM118 - a Row
        if "client_order_id" in kept:
            kept["client_order_id"] = kept["client_order_id"][11:]
        found.append(kept)
    return found


def test_two_stepped_runs_are_equal(tmp_path: Path) -> None:
    """The same candles stepped twice give the same orders and fills, every id, price, fee and time included."""
    first = stepped_session(tmp_path / "one", steps=12)
    second = stepped_session(tmp_path / "other", steps=12)

    assert json.dumps(first) == json.dumps(second)
    assert {row["side"] for row in first[1]} == {"BUY", "SELL"}
