"""A stepped market repeats exactly."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from serving import MINUTES, Serving, stepped, write_candles


def session(serving: Serving) -> tuple[str, str]:
    """Some trading while the market is stepped; orders and trades as bytes."""
    for number in range(12):
        if number % 3 == 0:
            serving.buy("150")
        elif number % 3 == 1:
            serving.order(side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.002", price="64000.00")
        else:
            serving.order(side="SELL", type="MARKET", quantity="0.001")
        serving.send("POST", "/sim/step", body=json.dumps({"candles": number}) if number else None)
    texts = [
        json.dumps(serving.signed("GET", path, symbol="BTCUSDT").body)
        for path in ("/api/v3/allOrders", "/api/v3/myTrades")
    ]
    return texts[0], texts[1]


def test_two_runs_are_byte_equal(tmp_path: Path) -> None:
    """The same inputs give the same orders and trades, ids and times included, though keys and account differ."""
    with Serving(stepped(tmp_path / "one")) as one, Serving(stepped(tmp_path / "other")) as other:
        first, second = session(one), session(other)

        assert first == second
        assert one.key != other.key
        assert len(json.loads(first[1])) >= 8


@pytest.mark.skipif(not MINUTES.exists(), reason="the recorded candles are not here")
def test_two_runs_on_recorded_candles_are_byte_equal(tmp_path: Path) -> None:
    """The same holds on three weeks of real minutes."""
    results = []
    for name in ("one", "other"):
        with Serving(stepped(tmp_path / name, candles=(MINUTES,))) as serving:
            results.append(session(serving))

    assert results[0] == results[1]


def test_one_step_is_one_candle(market: Serving) -> None:
    """After a step the candle that was open is closed and the next has just opened."""
    before = market.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", limit=1)[0]

    stepped_to = market.send("POST", "/sim/step").body

    rows = market.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", limit=2)
    assert stepped_to["market_time_ms"] == before[0] + 60_000 == rows[1][0]
    assert stepped_to["moved"] == 1
    assert rows[0][0] == before[0]
    assert rows[1][1] == rows[1][2] == rows[1][3] == rows[1][4]


@pytest.mark.parametrize(
    "body", ['{"candles": 0}', '{"candles": "x"}', "[1]", "{", '{"candles": true}', '{"candles": 1e9}']
)
def test_bad_step(market: Serving, body: str) -> None:
    """What is not a number of candles is refused and moves nothing."""
    now = market.now()

    assert market.send("POST", "/sim/step", body=body).status == 400
    assert market.now() == now


def test_a_running_market_cannot_be_stepped(tmp_path: Path) -> None:
    """Without --step time belongs to the clock."""
    with Serving(stepped(tmp_path).__class__(tmp_path, speed=Decimal(60))) as serving:
        assert serving.send("POST", "/sim/step").code == -1020


def test_the_recording_s_end(tmp_path: Path) -> None:
    """At the last candle time stands still and the state says so; it can still be traded."""
    candles = write_candles(tmp_path / "ABCUSDT-1m-x.csv", [str(100 + number) for number in range(20)])
    with Serving(stepped(tmp_path / "sim", candles=(candles,), start="10")) as serving:
        result: dict[str, Any] = serving.send("POST", "/sim/step", body='{"candles": 50}').body

        assert (result["moved"], result["finished"]) == (10, True)
        assert result["market_time_ms"] == 1_700_000_040_000 + 20 * 60_000 - 1 == result["end_ms"]
        assert serving.send("POST", "/sim/step").body["moved"] == 0
        assert serving.get("/api/v3/ticker/price", symbol="ABCUSDT")["price"] == "119.00000000"
        assert serving.order(symbol="ABCUSDT", side="BUY", type="MARKET", quoteOrderQty="50").body["status"] == "FILLED"
