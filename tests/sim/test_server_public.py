"""Public endpoints of the running exchange, over real HTTP."""

from __future__ import annotations

from decimal import Decimal

import pytest
from serving import Reply, Serving

from thunes_cli.exchange.filters import parse_symbol


def test_ping_and_time(standing: Serving) -> None:
    """The smallest answers there are."""
    assert standing.get("/api/v3/ping") == {}
    assert list(standing.get("/api/v3/time")) == ["serverTime"]


def test_every_reply_is_json_with_weight_headers(standing: Serving) -> None:
    """Success, refusal, unknown path and admin alike."""
    for path in ("/api/v3/ping", "/api/v3/klines?symbol=NOPE&interval=1m", "/api/v1/ping", "/nowhere", "/sim/clock"):
        reply = standing.send("GET", path)

        assert reply.headers["Content-Type"].startswith("application/json")
        assert int(reply.headers["X-MBX-USED-WEIGHT-1M"]) == int(reply.headers["X-MBX-USED-WEIGHT"]) > 0


def test_weights(standing: Serving) -> None:
    """Each call adds its published weight to the minute's count, also when it fails."""

    def used(path: str) -> int:
        def count(reply: Reply) -> int:
            return int(reply.headers["X-MBX-USED-WEIGHT-1M"])

        before = count(standing.send("GET", "/sim/clock"))
        return count(standing.send("GET", path)) - before

    weights = {
        "/api/v3/ping": 1,
        "/api/v3/exchangeInfo": 20,
        "/api/v3/klines?symbol=BTCUSDT&interval=1m": 2,
        "/api/v3/klines?symbol=NOPE&interval=1m": 2,
        "/api/v3/avgPrice?symbol=BTCUSDT": 2,
        "/api/v3/ticker/price?symbol=BTCUSDT": 2,
        "/api/v3/ticker/price": 4,
        "/api/v3/ticker/bookTicker": 4,
        "/api/v3/depth?symbol=BTCUSDT": 5,
        "/api/v3/depth?symbol=BTCUSDT&limit=500": 25,
        "/api/v3/depth?symbol=BTCUSDT&limit=1000": 50,
        "/api/v3/depth?symbol=BTCUSDT&limit=5000": 250,
    }
    measured = {path: used(path) for path in weights}

    # A minute may end between two calls, and the count with it.
    again = {path: used(path) if measured[path] != weight else weight for path, weight in weights.items()}
    assert again == weights


@pytest.mark.parametrize("path", ["/api/v1/ping", "/api/v3/exchangie", "/", "/api/v3/userDataStream", "/api/v3/order/"])
def test_unknown_paths(standing: Serving, path: str) -> None:
    """404, as HTML only for those who ask for it."""
    assert standing.send("GET", path).status == 404
    page = standing.session.get(standing.url + path, headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["Content-Type"][:9]) == (404, "text/html")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "POST"])
def test_wrong_methods(standing: Serving, method: str) -> None:
    """A method the path does not have is not found."""
    assert standing.send(method, "/api/v3/ping").status == 404


def test_exchange_info_shape(standing: Serving) -> None:
    """All fields of today, modern filters, and our own parser reads every one of them."""
    info = standing.get("/api/v3/exchangeInfo")

    assert [each["symbol"] for each in info["symbols"]] == ["BTCUSDT", "ETHUSDT", "BNBUSDT"]
    assert {each["rateLimitType"] for each in info["rateLimits"]} == {"REQUEST_WEIGHT", "ORDERS", "RAW_REQUESTS"}
    assert [each["limit"] for each in info["rateLimits"]] == [6000, 50, 160000, 300000]
    for entry in info["symbols"]:
        assert (entry["permissions"], entry["permissionSets"]) == ([], [["SPOT"]])
        filters = {each["filterType"]: each for each in entry["filters"]}
        assert {"PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "NOTIONAL", "PERCENT_PRICE_BY_SIDE"} <= filters.keys()
        assert filters["MARKET_LOT_SIZE"]["stepSize"] == "0.00000000"
        rules = parse_symbol(entry)
        assert rules.tradable
        assert rules.unknown_filters == ()
        assert rules.min_notional == 5


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("symbol=ETHUSDT", ["ETHUSDT"]),
        ('symbols=["BNBUSDT","BTCUSDT"]', ["BNBUSDT", "BTCUSDT"]),
        ("symbols=%5B%22BNBUSDT%22%5D", ["BNBUSDT"]),
        ("symbolStatus=TRADING", ["BTCUSDT", "ETHUSDT", "BNBUSDT"]),
        ("symbolStatus=HALT", []),
        ("permissions=SPOT", ["BTCUSDT", "ETHUSDT", "BNBUSDT"]),
        ("permissions=MARGIN", []),
    ],
)
def test_exchange_info_of_some(standing: Serving, query: str, names: list[str]) -> None:
    """By symbol, symbols, status or permission."""
    info = standing.send("GET", f"/api/v3/exchangeInfo?{query}").body

    assert [each["symbol"] for each in info["symbols"]] == names


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/v3/exchangeInfo?symbol=NOPEUSDT", -1121),
        ("/api/v3/exchangeInfo?symbol=btcusdt", -1100),
        ("/api/v3/exchangeInfo?symbol=BTCUSDT&symbols=%5B%22BTCUSDT%22%5D", -1128),
        ("/api/v3/exchangeInfo?symbol=BTCUSDT&symbolStatus=TRADING", -1128),
        ("/api/v3/exchangeInfo?symbolStatus=ASLEEP", -1122),
        ("/api/v3/exchangeInfo?symbols=BTCUSDT", -1100),
        ('/api/v3/exchangeInfo?symbols=["BTCUSDT","BTCUSDT"]', -1151),
        ("/api/v3/klines?interval=1m", -1102),
        ("/api/v3/klines?symbol=BTCUSDT", -1102),
        ("/api/v3/klines?symbol=BTCUSDT&interval=", -1102),
        ("/api/v3/klines?symbol=BTCUSDT&interval=7m", -1120),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1H", -1120),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=abc", -1100),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=0", -1130),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=", -1105),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=-5", -1100),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=99999999999999999999", -1108),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m&colour=red", -1104),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m&interval=1m", -1101),
        ("/api/v3/klines?symbol=%FF%FE&interval=1m", -1100),
        ("/api/v3/depth?symbol=BTCUSDT&symbolStatus=HALT", -1220),
        ("/api/v3/ticker/price?symbol=BTCUSDT&symbolStatus=HALT", -1220),
    ],
)
def test_refusals(standing: Serving, path: str, code: int) -> None:
    """Each mistake has its code, with 400."""
    reply = standing.send("GET", path)

    assert (reply.status, reply.code) == (400, code)
    assert set(reply.body) == {"code", "msg"}


def test_klines_shape(standing: Serving) -> None:
    """Twelve elements, decimals as strings, the last candle open."""
    rows = standing.get("/api/v3/klines", symbol="BTCUSDT", interval="5m")
    now = standing.now()

    assert len(rows) == 500
    for row in rows:
        assert len(row) == 12
        assert [type(each) for each in row] == [int, *[str] * 5, int, str, int, str, str, str]
        assert row[6] - row[0] == 299_999
        assert row[11] == "0"
        assert all(len(each.partition(".")[2]) == 8 for each in row[1:6])
        assert Decimal(row[3]) <= min(Decimal(row[1]), Decimal(row[4]))
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert rows[-1][0] <= now <= rows[-1][6]


def test_a_thousand_klines_at_most(standing: Serving) -> None:
    """More than a thousand is a thousand, of any usual interval."""
    for interval in ("1s", "1m", "3m", "15m", "1h", "12h", "1d"):
        rows = standing.get("/api/v3/klines", symbol="ETHUSDT", interval=interval, limit=5000)

        assert len(rows) == 1000 or interval == "1s"


def test_klines_bounds(standing: Serving) -> None:
    """startTime pages forward, endTime back, in ms or µs."""
    now = standing.now()
    hour = now - now % 3_600_000

    def opens(**bounds: int) -> list[int]:
        rows = standing.get("/api/v3/klines", symbol="BTCUSDT", interval="1h", limit=3, **bounds)
        return [(row[0] - hour) // 3_600_000 for row in rows]

    assert opens() == [-2, -1, 0]
    assert opens(startTime=hour - 10 * 3_600_000) == [-10, -9, -8]
    assert opens(startTime=(hour - 10 * 3_600_000) * 1000) == [-10, -9, -8]
    assert opens(endTime=hour - 10 * 3_600_000) == [-12, -11, -10]
    assert opens(startTime=now + 10**9) == []
    assert opens(endTime=1) == []


def test_prices_agree(standing: Serving) -> None:
    """Ticker, average, book and the open candle tell of the same market."""
    last = Decimal(standing.get("/api/v3/ticker/price", symbol="BTCUSDT")["price"])
    book = standing.get("/api/v3/ticker/bookTicker", symbol="BTCUSDT")
    depth = standing.get("/api/v3/depth", symbol="BTCUSDT", limit=5)
    average = standing.get("/api/v3/avgPrice", symbol="BTCUSDT")
    candle = standing.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", limit=1)[0]

    assert Decimal(book["bidPrice"]) < last < Decimal(book["askPrice"])
    assert Decimal(candle[4]) == last
    assert abs(Decimal(average["price"]) / last - 1) < Decimal("0.02")
    assert average["mins"] == 5
    assert (depth["bids"][0], depth["asks"][0]) == (
        [book["bidPrice"], book["bidQty"]],
        [book["askPrice"], book["askQty"]],
    )
    assert (len(depth["bids"]), len(depth["asks"])) == (5, 5)


def test_tickers_of_one_some_and_all(standing: Serving) -> None:
    """One symbol is an object, several are an array."""
    assert standing.get("/api/v3/ticker/price", symbol="BTCUSDT")["symbol"] == "BTCUSDT"
    some = standing.get("/api/v3/ticker/price", symbols='["BTCUSDT","BNBUSDT"]')
    assert [each["symbol"] for each in some] == ["BTCUSDT", "BNBUSDT"]
    assert len(standing.get("/api/v3/ticker/bookTicker")) == 3


def test_system_status_needs_no_key(standing: Serving) -> None:
    """The wallet API says that all is normal."""
    assert standing.get("/sapi/v1/system/status") == {"status": 0, "msg": "normal"}


def test_clock(standing: Serving) -> None:
    """Clients learn the rate of market time from /sim/clock."""
    clock = standing.get("/sim/clock")

    assert (clock["speed"], clock["nominal_speed"], clock["step"], clock["finished"]) == ("0", "1", True, False)
    assert clock["market_time_ms"] == standing.now() == 1_736_121_600_000
