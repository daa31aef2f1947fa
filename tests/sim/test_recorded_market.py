"""Markets made of recorded candles, served by a real process."""

from __future__ import annotations

import itertools
import time
from decimal import Decimal
from pathlib import Path

import pytest
from serving import HOURS, MINUTES, Serving, stepped, write_candles

from thunes_cli.sim.options import SimOptions

START = 1_700_000_040_000
CLOSES = [str(100 + number % 7) for number in range(100)]


def test_history_comes_before_the_start(tmp_path: Path) -> None:
    """Half of a short recording is history unless told otherwise; candles are those of the file."""
    path = write_candles(tmp_path / "ABCUSDT-1m-x.csv", CLOSES)
    with Serving(stepped(tmp_path / "sim", candles=(path,))) as serving:
        rows = serving.get("/api/v3/klines", symbol="ABCUSDT", interval="1m", limit=1000)

        assert serving.now() == START + 50 * 60_000
        assert len(rows) == 51
        assert [Decimal(row[4]) for row in rows[:-1]] == [Decimal(each) for each in CLOSES[:50]]
        assert rows[0][5] == "10.00000000"


@pytest.mark.parametrize(
    ("start", "minute"), [("20", 20), ("2023-11-14T22:20:00Z", 6), ("2023-11-14 22:20:00+00:00", 6)]
)
def test_start_can_be_chosen(tmp_path: Path, start: str, minute: int) -> None:
    """By a number of candles or a time."""
    path = write_candles(tmp_path / "ABCUSDT-1m-x.csv", CLOSES)
    with Serving(stepped(tmp_path / "sim", candles=(path,), start=start)) as serving:
        assert serving.now() == START + minute * 60_000


@pytest.mark.parametrize("start", ["100", "2020-01-01", "soon"])
def test_impossible_start(tmp_path: Path, start: str) -> None:
    """A start outside the recording, or none at all, is refused in one line."""
    path = write_candles(tmp_path / "ABCUSDT-1m-x.csv", CLOSES)
    with Serving(stepped(tmp_path / "sim", candles=(path,), start=start)) as serving:
        assert serving.announced["error"]["exit_code"] == 78
        assert start in serving.announced["error"]["message"]


def test_several_symbols_run_over_their_common_time(tmp_path: Path) -> None:
    """Two recordings of different lengths and intervals make one market."""
    one = write_candles(tmp_path / "ABCUSDT-1m-x.csv", CLOSES)
    other = write_candles(tmp_path / "XYZBTC-5m-x.csv", CLOSES[:30], start=START - 600_000 - 240_000, span=300_000)
    with Serving(stepped(tmp_path / "sim", candles=(one, other))) as serving:
        info = serving.get("/api/v3/exchangeInfo")
        now = serving.now()
        serving.send("POST", "/sim/step", body='{"candles": 1000}')
        clock = serving.get("/sim/clock")

    assert [(each["symbol"], each["baseAsset"], each["quoteAsset"]) for each in info["symbols"]] == [
        ("ABCUSDT", "ABC", "USDT"),
        ("XYZBTC", "XYZ", "BTC"),
    ]
    assert START < now < START + 100 * 60_000
    assert (clock["finished"], clock["market_time_ms"]) == (True, START + 100 * 60_000 - 1)


def test_recordings_that_do_not_overlap(tmp_path: Path) -> None:
    """There is no market in them."""
    one = write_candles(tmp_path / "ABCUSDT-1m-x.csv", CLOSES)
    other = write_candles(tmp_path / "XYZUSDT-1m-x.csv", CLOSES, start=START + 10**9 - 10**9 % 60_000)
    with Serving(stepped(tmp_path / "sim", candles=(one, other))) as serving:
        assert "do not overlap" in serving.announced["error"]["message"]


def test_now_moves_the_last_candle_to_this_minute(tmp_path: Path) -> None:
    """--now: the recording ends with the present minute, and a second start keeps it where it was."""
    path = write_candles(tmp_path / "ABCUSDT-1m-x.csv", CLOSES)
    before = int(time.time() * 1000)
    with Serving(stepped(tmp_path / "sim", candles=(path,), now=True)) as serving:
        end = serving.get("/sim/clock")["end_ms"]
        serving.stop()
        serving.start()

        assert before - before % 60_000 <= end + 1 - 60_000 <= int(time.time() * 1000)
        assert serving.get("/sim/clock")["end_ms"] == end


def test_a_gap_is_refused_or_an_outage(tmp_path: Path) -> None:
    """By its line, or, when allowed, as a time in which the symbol does not trade."""
    path = write_candles(tmp_path / "ABCUSDT-1m-x.csv", CLOSES)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:60] + lines[63:]) + "\n")
    options = stepped(tmp_path / "sim", candles=(path,), start="57")
    with Serving(options) as refused:
        error = refused.announced["error"]
    assert (error["exit_code"], error["code"]) == (78, "candle_file")
    assert error["message"].startswith("ABCUSDT-1m-x.csv:61: gap: 3 candles are missing")

    with Serving(stepped(tmp_path / "sim", candles=(path,), start="57", allow_gaps=True)) as serving:
        serving.send("POST", "/sim/step")
        before = serving.now()
        serving.send("POST", "/sim/step")

        assert serving.now() - before == 4 * 60_000
        assert serving.get("/api/v3/exchangeInfo")["symbols"][0]["status"] == "TRADING"


def test_an_outage_closes_the_market(tmp_path: Path) -> None:
    """While the recording has a gap the symbol is in BREAK, orders are refused, and the price stands."""
    path = write_candles(tmp_path / "ABCUSDT-1m-x.csv", CLOSES)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:51] + lines[90:]) + "\n")
    # The market starts at the instant at which the gap begins.
    with Serving(SimOptions(tmp_path / "sim", candles=(path,), allow_gaps=True, start="50")) as serving:
        assert serving.get("/api/v3/exchangeInfo")["symbols"][0]["status"] == "BREAK"
        refused = serving.order(symbol="ABCUSDT", side="BUY", type="MARKET", quoteOrderQty="50")
        assert (refused.code, refused.body["msg"]) == (-2010, "Market is closed.")


@pytest.mark.skipif(not MINUTES.exists(), reason="the recorded candles are not here")
def test_real_minutes_at_speed(tmp_path: Path) -> None:
    """Real candles of any length, exactly those of the file, at six hundred minutes a minute."""
    with Serving(SimOptions(tmp_path / "sim", candles=(MINUTES,), speed=Decimal(600), start="1000")) as serving:
        opened = 1_677_628_800_000
        minute = serving.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", startTime=opened, limit=1)[0]
        hours = serving.get("/api/v3/klines", symbol="BTCUSDT", interval="1h", startTime=opened, limit=5)
        begin = serving.now()
        order = serving.buy("20").body
        clock = serving.get("/sim/clock")

    assert minute[:6] == [opened, "23140.48000000", "23150.77000000", "23128.52000000", "23142.31000000", "2.13177700"]
    assert len(hours) == 5
    assert hours[0][1] == minute[1]
    assert order["status"] == "FILLED"
    assert begin < order["transactTime"] < clock["market_time_ms"]
    assert clock["speed"] == "600"


@pytest.mark.skipif(not HOURS.exists(), reason="the recorded candles are not here")
def test_real_hours_with_the_exchange_s_outages(tmp_path: Path) -> None:
    """Five years of hours with 27 outages are a market too when gaps are allowed."""
    with Serving(stepped(tmp_path / "sim", candles=(HOURS,), allow_gaps=True, start="2018-02-07")) as serving:
        serving.send("POST", "/sim/step", body='{"candles": 100}')

        rows = serving.get("/api/v3/klines", symbol="BTCUSDT", interval="1h", limit=200)
        spans = {after[0] - before[0] for before, after in itertools.pairwise(rows)}
        assert spans == {3_600_000, 34 * 3_600_000}
