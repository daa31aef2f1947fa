"""Market streams of a real exchange process, by clients with nothing of ours in them."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from serving import Serving, stepped, write_candles
from ws_clients import Wire, wire

from thunes_cli.sim.options import SimOptions

D = Decimal


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A stepped market with a thin book, which every test moves on as it likes."""
    with Serving(stepped(tmp_path_factory.mktemp("moving"), depth_quote=D(2000))) as serving:
        yield serving


def as_row(candle: dict[str, Any]) -> list[Any]:
    """A stream's candle in the shape of REST klines."""
    return [*(candle[key] for key in ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q")), "0"]


def closed_candles(client: Wire, wanted: dict[str, int]) -> dict[str, list[dict[str, Any]]]:
    """Closed candles by stream, until there are as many of each as wanted."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    while any(len(found[name]) < number for name, number in wanted.items()):
        message = client.next()
        if message["data"].get("e") == "kline" and message["data"]["k"]["x"]:
            found[message["stream"]].append(message["data"]["k"])
    return found


def step(serving: Serving, candles: int = 1) -> None:
    """Move a stepped market."""
    assert serving.send("POST", "/sim/step", body=json.dumps({"candles": candles})).status == 200


def test_every_closed_candle_once_at_high_speed(tmp_path: Path) -> None:
    """Six hundred minutes in about a second: none missing, none twice, in order, each as REST shows it."""
    wanted = {"btcusdt@kline_1m": 600, "ethusdt@kline_1m": 600, "btcusdt@kline_5m": 110, "bnbusdt@kline_1h": 9}
    with (
        Serving(SimOptions(tmp_path / "sim", speed=D(40000))) as serving,
        wire(serving, "/stream?streams=" + "/".join(wanted)) as client,
    ):
        found = closed_candles(client, wanted)
        for name, candles in found.items():
            symbol, interval = name.split("@kline_")
            rows = serving.get(
                "/api/v3/klines", symbol=symbol.upper(), interval=interval, startTime=candles[0]["t"], limit=1000
            )
            assert [as_row(candle) for candle in candles[:1000]] == rows[: len(candles)]
            assert len(candles) >= wanted[name]


def test_every_closed_candle_once_when_stepped(moving: Serving) -> None:
    """Six hundred candles in one step, then one by one; standing still says nothing new."""
    serving = moving
    with wire(serving, "/stream?streams=btcusdt@kline_1m") as client:
        first = client.next()["data"]["k"]
        step(serving, 600)
        candles = closed_candles(client, {"btcusdt@kline_1m": 600})["btcusdt@kline_1m"]
        for _ in range(3):
            step(serving)
            candles += closed_candles(client, {"btcusdt@kline_1m": 1})["btcusdt@kline_1m"]
        rows = serving.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", startTime=first["t"], limit=1000)

        assert [as_row(candle) for candle in candles] == rows[:-1]
        assert len(rows) == 604
        assert not client.next()["data"]["k"]["x"]


def test_a_gap_has_no_candles(tmp_path: Path) -> None:
    """Where the recording has none, neither stream nor REST has one; the next one follows."""
    lines = write_candles(tmp_path / "ABCUSDT-1m-x.csv", [str(100 + n % 7) for n in range(60)]).read_text().splitlines()
    path = tmp_path / "ABCUSDT-1m-y.csv"
    path.write_text("\n".join(lines[:41] + lines[46:]) + "\n")
    options = stepped(tmp_path / "sim", candles=(path,), allow_gaps=True, start="30")
    with (
        Serving(options) as serving,
        wire(serving, "/stream?streams=abcusdt@kline_1m/abcusdt@kline_3m") as client,
    ):
        began = client.next()["data"]["k"]["t"]
        step(serving, 100)
        found = closed_candles(client, {"abcusdt@kline_1m": 24, "abcusdt@kline_3m": 9})
        for name, candles in found.items():
            interval = name.rpartition("_")[2]
            rows = serving.get("/api/v3/klines", symbol="ABCUSDT", interval=interval, startTime=began - 120_000)
            rows = [row for row in rows if row[6] < serving.now()]
            assert [as_row(candle) for candle in candles] == rows[-len(candles) :]


def test_updates_come_every_two_seconds_and_every_second(moving: Serving) -> None:
    """On a market that stands still a candle is told again and again: minutes half as often as seconds."""
    began = time.monotonic()
    with wire(moving, "/stream?streams=btcusdt@kline_1m/btcusdt@kline_1s") as client:
        minutes = seconds = 0
        while minutes < 3:
            name = client.next()["stream"]
            minutes += name.endswith("1m")
            seconds += name.endswith("1s")

    assert minutes <= seconds <= 2 * minutes  # a second in which the machine was busy elsewhere is left out
    assert time.monotonic() - began > 3


def test_trades_add_up_to_the_candle(moving: Serving) -> None:
    """Trades and aggregate trades of a minute have its prices, volume, number and ids."""
    with wire(moving, "/stream?streams=btcusdt@trade/btcusdt@aggTrade/btcusdt@kline_1m") as client:
        client.next()
        step(moving)
        closed_candles(client, {"btcusdt@kline_1m": 1})
        step(moving)
        told = client.until(lambda message: message["data"].get("k", {}).get("x"))
        candle = told[-1]["data"]["k"]
        trades = [each["data"] for each in told if each["data"]["e"] == "trade"]
        aggregates = [each["data"] for each in told if each["data"]["e"] == "aggTrade"]

        prices = [D(each["p"]) for each in trades]
        assert (prices[0], max(prices), min(prices), prices[-1]) == tuple(D(candle[key]) for key in "ohlc")
        assert sum(D(each["q"]) for each in trades) == sum(D(each["q"]) for each in aggregates) == D(candle["v"])
        assert (aggregates[0]["f"], aggregates[-1]["l"]) == (candle["f"], candle["L"])
        assert candle["L"] - candle["f"] + 1 == candle["n"]
        assert all(each["l"] + 1 == after["f"] for each, after in pairwise(aggregates))
        assert set(trades[0]) == {"e", "E", "s", "t", "p", "q", "T", "m", "M"}
        assert set(aggregates[0]) == {"e", "E", "s", "a", "p", "q", "f", "l", "T", "m", "M"}


def test_best_prices_are_rests_and_news_only(moving: Serving) -> None:
    """bookTicker names neither type nor time, agrees with REST, and speaks only when something changed."""
    serving = moving
    with wire(serving, "/ws") as client:
        client.control("SUBSCRIBE", ["btcusdt@bookTicker"])
        first = client.next()
        rest = serving.get("/api/v3/ticker/bookTicker", symbol="BTCUSDT")
        assert set(first) == {"u", "s", "b", "B", "a", "A"}
        assert [first[key] for key in "bBaA"] == [rest[key] for key in ("bidPrice", "bidQty", "askPrice", "askQty")]
        assert client.quiet()

        serving.buy("150")
        second = client.next()
        rest = serving.get("/api/v3/ticker/bookTicker", symbol="BTCUSDT")
        assert [second[key] for key in "bBaA"] == [rest[key] for key in ("bidPrice", "bidQty", "askPrice", "askQty")]
        assert D(second["a"]) > D(first["a"])
        assert second["u"] > first["u"]


def test_a_book_kept_by_the_diff_stream_is_rests(moving: Serving) -> None:
    """The documented procedure: snapshot, then every event; and the partial streams show its top."""
    serving = moving
    with wire(serving, "/stream?streams=btcusdt@depth@100ms/btcusdt@depth5@100ms") as client:
        client.next()
        snapshot = serving.get("/api/v3/depth", symbol="BTCUSDT")
        sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
        last = snapshot["lastUpdateId"]
        for act in (lambda: step(serving), lambda: serving.buy("500"), lambda: step(serving, 5)):
            act()
            event = client.until(lambda message: message["data"].get("e") == "depthUpdate")[-1]["data"]
            assert event["U"] == last + 1
            last = event["u"]
            for side, levels in sides.items():
                levels.update(event[side])
                sides[side] = {price: quantity for price, quantity in levels.items() if D(quantity)}
        top = client.until(lambda message: "lastUpdateId" in message["data"])[-1]["data"]
        rest = serving.get("/api/v3/depth", symbol="BTCUSDT")

        assert sides == {"b": dict(rest["bids"]), "a": dict(rest["asks"])}
        assert (top["bids"], top["asks"]) == (rest["bids"][:5], rest["asks"][:5])


def test_tickers(moving: Serving) -> None:
    """The day's tickers fold the minutes of the last 24 hours; avgPrice is REST's; an array holds what changed."""
    streams = "btcusdt@miniTicker/!miniTicker@arr/btcusdt@ticker/btcusdt@avgPrice"
    serving = moving
    with wire(serving, f"/stream?streams={streams}") as client:
        told: dict[str, Any] = {}
        while len(told) < 4:
            message = client.next()
            told.setdefault(message["stream"], message["data"])
        now = serving.now()
        rows = serving.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", startTime=now - 86_400_000, limit=1000)
        rows += serving.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", startTime=rows[-1][0] + 1, limit=1000)
        mini, full = told["btcusdt@miniTicker"], told["btcusdt@ticker"]

        assert D(mini["c"]) == D(full["c"]) == D(rows[-1][4])
        assert D(mini["h"]) == D(full["h"]) == max(D(row[2]) for row in rows)
        assert D(mini["l"]) == D(full["l"]) == min(D(row[3]) for row in rows)
        assert abs(D(mini["v"]) - sum(D(row[5]) for row in rows)) < D("0.01")
        assert {each["s"] for each in told["!miniTicker@arr"]} == {"BTCUSDT", "ETHUSDT", "BNBUSDT"}
        assert next(each for each in told["!miniTicker@arr"] if each["s"] == "BTCUSDT") == mini
        assert told["btcusdt@avgPrice"]["w"] == serving.get("/api/v3/avgPrice", symbol="BTCUSDT")["price"]
        assert (told["btcusdt@avgPrice"]["i"], full["e"]) == ("5m", "24hrTicker")
        assert set("eEspPwxcQbBaAohlvqOCFLn") == set(full)
        repeated = client.until(lambda message: message["stream"] == "btcusdt@miniTicker")
        assert all(message["stream"] != "!miniTicker@arr" for message in repeated)


def test_microseconds(moving: Serving) -> None:
    """timeUnit multiplies times and nothing else; a candle then closes at its last microsecond."""
    with wire(moving, "/ws/btcusdt@kline_1m?timeUnit=microsecond") as client:
        candle = client.next()
        now = moving.now()
    with wire(moving, "/stream?streams=btcusdt@trade&timeUnit=MICROSECOND") as client:
        client.control("LIST_SUBSCRIPTIONS")
        step(moving)
        trade = client.next()["data"]

    assert candle["E"] == now * 1000
    assert (candle["k"]["t"], candle["k"]["T"]) == (now * 1000, (now + 60_000) * 1000 - 1)
    assert now * 1000 <= trade["T"] < (now + 60_000) * 1000
    assert trade["t"] < 10**12


def test_all_intervals(moving: Serving) -> None:
    """Every interval of the exchange has its stream, with the candle REST shows last; a month is one too."""
    intervals = ["1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"]
    names = [f"btcusdt@kline_{interval}" for interval in intervals]
    with wire(moving, f"/stream?streams={'/'.join(names)}") as client:
        told: dict[str, Any] = {}
        while len(told) < len(names):
            message = client.next()
            told[message["stream"]] = message["data"]["k"]
        for interval, name in zip(intervals, names, strict=True):
            rest = moving.get("/api/v3/klines", symbol="BTCUSDT", interval=interval, limit=1)
            assert [as_row(told[name])] == rest
            assert told[name]["i"] == interval


@pytest.mark.parametrize("name", ["nosuch@trade", "BTCUSDT@trade", "btcusdt@nosuch", "!nosuch@arr", "btcusdt@kline_1x"])
def test_a_stream_that_does_not_exist_is_silent(standing: Serving, name: str) -> None:
    """It is accepted and listed, as on the exchange: only silence tells."""
    with wire(standing, "/ws") as client:
        assert client.control("SUBSCRIBE", [name]) == {"result": None, "id": 1}
        assert client.control("LIST_SUBSCRIPTIONS", identity="a") == {"result": [name], "id": "a"}
        assert client.quiet(0.2)
