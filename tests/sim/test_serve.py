"""The server process: its first line, its end, its directory, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from serving import Serving, stepped, write_candles

from thunes_cli.sim.options import SimOptions


def test_first_line(tmp_path: Path) -> None:
    """One JSON object with the addresses and a key that works."""
    with Serving(stepped(tmp_path)) as serving:
        port = serving.url.rpartition(":")[2]

        assert serving.announced == {
            "rest_url": f"http://127.0.0.1:{port}",
            "stream_url": f"ws://127.0.0.1:{port}",
            "ws_api_url": f"ws://127.0.0.1:{port}/ws-api/v3",
            "sapi_url": f"http://127.0.0.1:{port}",
            "api_key": serving.key,
            "api_secret": serving.secret,
        }
        assert serving.signed("GET", "/api/v3/account").status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_well(tmp_path: Path, number: int) -> None:
    """SIGTERM and SIGINT: status 0, a quiet log, no address left behind."""
    with Serving(stepped(tmp_path)) as serving:
        serving.get("/api/v3/ping")

        assert serving.stop(number) == (0, "")
        assert not (tmp_path / "address").exists()


def test_private_files(tmp_path: Path) -> None:
    """State and address hold secrets: nobody else may read them."""
    with Serving(stepped(tmp_path / "sim")):
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "sim").iterdir()}

        assert (tmp_path / "sim").stat().st_mode & 0o777 == 0o700
        assert set(modes.values()) == {0o600}
        assert {"exchange.db", "address", "lock"} <= modes.keys()


def test_port_in_use(tmp_path: Path) -> None:
    """A port somebody else listens on is named, with what to type."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Serving(stepped(tmp_path, port=port)) as serving:
            error = serving.announced["error"]

    assert error["message"] == f"cannot listen on 127.0.0.1:{port}: it is in use"
    assert (error["code"], error["exit_code"]) == ("port_in_use", 13)
    assert "--port" in error["hint"]


def test_chosen_port(tmp_path: Path) -> None:
    """A free port is listened on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Serving(stepped(tmp_path, port=port)) as serving:
        assert serving.url == f"http://127.0.0.1:{port}"


def test_one_server_a_directory(tmp_path: Path) -> None:
    """A second server of the same directory is refused with 11; the first one is not disturbed."""
    with Serving(stepped(tmp_path)) as serving, Serving(stepped(tmp_path)) as second:
        assert (second.announced["error"]["code"], second.announced["error"]["exit_code"]) == ("sim_served", 11)
        assert serving.get("/api/v3/ping") == {}
        assert (tmp_path / "address").exists()


def test_starting_again_continues(tmp_path: Path) -> None:
    """Same key, same account, same balances and orders, market time where it stood, same port."""
    with Serving(stepped(tmp_path)) as serving:
        serving.buy("100")
        serving.send("POST", "/sim/step", body='{"candles": 7}')

        def everything() -> tuple[object, ...]:
            account = serving.signed("GET", "/api/v3/account").body
            orders = serving.signed("GET", "/api/v3/allOrders", symbol="BTCUSDT").body
            return serving.announced, serving.now(), account, orders

        before = everything()
        serving.stop()
        serving.start()

        assert everything() == before
        assert serving.buy("100").body["orderId"] == 2


def test_time_stands_still_while_nobody_serves(tmp_path: Path) -> None:
    """A sped-up market resumes where it was stopped, not where it would have been."""
    with Serving(SimOptions(tmp_path, speed=Decimal(100_000))) as serving:
        before = serving.now()
        serving.stop()
        serving.start(speed=Decimal("0.001"))

        resumed = serving.now()
        # Seconds pass between stopping and starting: a hundred thousand times as many on a clock that ran on.
        assert before <= resumed < before + 100_000 * 2_000


@pytest.mark.parametrize("change", ["seed", "candles"])
def test_another_market_is_refused_unless_reset(tmp_path: Path, change: str) -> None:
    """A directory belongs to one market; --reset forgets it."""
    path = write_candles(tmp_path / "ABCUSDT-1m-x.csv", ["100"] * 50)
    changes = {"seed": 8} if change == "seed" else {"candles": (path,)}
    with Serving(stepped(tmp_path / "sim")) as serving:
        first_key = serving.key
        serving.stop()

        serving.start(**changes)
        error = serving.announced["error"]
        serving.start(**changes, reset=True)

        assert (error["code"], error["exit_code"]) == ("sim_other_market", 78)
        assert "--reset" in error["hint"]
        assert serving.key != first_key


def test_a_changed_candle_file_is_another_market(tmp_path: Path) -> None:
    """One candle more and the directory's market is not this one."""
    path = write_candles(tmp_path / "ABCUSDT-1m-x.csv", ["100"] * 50)
    with Serving(stepped(tmp_path / "sim", candles=(path,))) as serving:
        serving.stop()
        write_candles(path, ["100"] * 51)
        serving.start()

        assert serving.announced["error"]["code"] == "sim_other_market"


@pytest.mark.parametrize(
    "changes",
    [
        {"speed": Decimal(0)},
        {"speed": Decimal("NaN")},
        {"spread_bps": Decimal(-1)},
        {"depth_quote": Decimal(0)},
        {"taker_fee": Decimal(1)},
        {"symbols": ("NOQUOTE",)},
        {"symbols": ()},
        {"balances": (("USDT", Decimal(-1)),)},
        {"start": "tomorrow"},
    ],
    ids=str,
)
def test_impossible_options(tmp_path: Path, changes: dict[str, object]) -> None:
    """One line each, 78."""
    with Serving(stepped(tmp_path, **changes)) as serving:
        assert serving.announced["error"]["exit_code"] == 78
        assert "\n" not in serving.announced["error"]["message"]


def test_damaged_state(tmp_path: Path) -> None:
    """A state file that is no database is refused and left alone."""
    (tmp_path / "exchange.db").write_bytes(b"not a database, but long enough to be looked at" * 99)
    with Serving(stepped(tmp_path)) as serving:
        assert serving.announced["error"]["code"] == "sim_state"
    assert (tmp_path / "exchange.db").read_bytes().startswith(b"not a database")


def test_state_that_cannot_be_opened_now(tmp_path: Path) -> None:
    """What a disk or a directory keeps us from is no reason to tell anybody to throw the state away (13)."""
    (tmp_path / "exchange.db").mkdir()
    with Serving(stepped(tmp_path)) as serving:
        assert (serving.announced["error"]["code"], serving.announced["error"]["exit_code"]) == ("sim_state", 13)
        assert "--reset" not in serving.announced["error"]["hint"]


def test_granted_balances_and_fees(tmp_path: Path) -> None:
    """What the options grant and charge is what the account has and pays."""
    balances = (("USDT", Decimal(50)), ("BTC", Decimal("0.5")))
    with Serving(stepped(tmp_path, balances=balances, taker_fee=Decimal("0.00075"))) as serving:
        assert serving.balances() == {"USDT": (Decimal(50), 0), "BTC": (Decimal("0.5"), 0)}
        order = serving.buy("50").body

    assert Decimal(order["fills"][0]["commission"]) == (Decimal(order["executedQty"]) * Decimal("0.00075")).quantize(
        Decimal("1e-8"), rounding="ROUND_DOWN"
    )


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """When the pipe of --parent-fd closes, the server ends by itself."""
    reading, writing = os.pipe()
    options = stepped(tmp_path, parent_fd=reading)
    process = subprocess.Popen(
        [sys.executable, "-m", "thunes_cli.sim"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=(reading,),
    )
    os.close(reading)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(options.to_json() + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["rest_url"]

    os.close(writing)

    assert process.wait(10) == 0
    process.stdin.close()
    process.stdout.close()
    assert not (tmp_path / "address").exists()


def test_options_travel_as_json(tmp_path: Path) -> None:
    """Every option survives the way to the child."""
    options = SimOptions(
        tmp_path,
        port=1,
        candles=(tmp_path / "a.csv", tmp_path / "b.csv"),
        speed=Decimal("0.5"),
        now=True,
        start="10",
        symbols=("ABCUSDT",),
        balances=(("X", Decimal("1.50")),),
        maker_fee=Decimal("0.0001"),
        parent_fd=7,
    )

    assert SimOptions.from_json(options.to_json()) == options
