"""``thunes sim serve``: the simulator as a command, and homes that find it."""

from __future__ import annotations

import json
import socket
import urllib.request

import pytest
from daemon_processes import Home, serve, wait_for


@pytest.fixture
def bare(tmp_path):
    """The command without a home."""
    return Home(tmp_path / "absent")


def test_it_announces_itself_and_ends_when_told(tmp_path):
    """One JSON object with addresses and a key; it answers there; SIGTERM ends it with 0."""
    served = serve(tmp_path / "sim")

    assert set(served.address) == {"rest_url", "stream_url", "ws_api_url", "sapi_url", "api_key", "api_secret"}
    with urllib.request.urlopen(served.address["rest_url"] + "/api/v3/time") as reply:
        assert json.load(reply)["serverTime"] > 0
    served.stop()
    assert served.process.returncode == 0


def test_a_port_in_use_is_said_clearly(bare):
    """13, the port, and what to do about it; no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = bare.thunes("sim", "serve", "--port", str(port), "--json")

    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == 13
    assert str(port) in document["problems"][0]["message"]
    assert "--port" in document["problems"][0]["hint"]


def test_a_candle_file_with_a_flaw_is_named_by_line(bare, tmp_path):
    """78 with file and line."""
    file = tmp_path / "BTCUSDT-1m.csv"
    row = "{},1,2,1,2,5\n"
    file.write_text(
        "open_time,open,high,low,close,volume\n"
        + "".join(row.format(1677628800000 + minute * 60_000) for minute in (0, 1, 1))
    )

    done = bare.thunes("sim", "serve", "--candles", str(file))

    assert done.returncode == 78
    assert f"{file.name}:4" in done.stderr


def test_a_directory_is_served_once(tmp_path, bare):
    """11 for a second server of the same directory."""
    served = serve(tmp_path / "sim")

    done = bare.thunes("sim", "serve", "--dir", str(tmp_path / "sim"))

    served.stop()
    assert done.returncode == 11


def test_a_home_finds_the_simulator_served_in_it(tmp_path):
    """``sim serve`` in one terminal, ``run`` in another: nothing to configure; when it ends the daemon takes over."""
    home = Home(tmp_path / "home")
    home.thunes("init")
    served = serve(home.path / "sim", "--speed", "60")
    (home.path / ".env").write_text("ENVIRONMENT=sim\nDEFAULT_TIMEFRAME=1m\nSIGNAL_INTERVAL_SECONDS=60\n")

    process = home.start_daemon()
    assert home.answer("status")["data"]["market_speed"] == "60"

    served.stop()
    wait_for(lambda: "exchange taken over" in home.log, "take-over")
    before = home.answer("status")["ts"]
    assert home.answer("status")["data"]["market_speed"] == "1"
    assert home.end(process) == 0
    assert home.answer("status")["ts"] >= before
    assert home.rows("SELECT 1 FROM orders WHERE state IN ('SENT', 'UNKNOWN')") == []
    home.close()
