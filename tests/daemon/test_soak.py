"""A day of the market with a random fault every few minutes: nothing crashes, grows or differs."""

from __future__ import annotations

import json
import os
import random
import time
from itertools import cycle
from pathlib import Path
from statistics import linear_regression, median

import pytest
from daemon_processes import make_home, serve, wait_for
from test_streams import feed, strike

SPEED = 240
HOURS = float(os.environ.get("SOAK_HOURS", "24"))
RUN_S = HOURS * 3600 / SPEED
FAULT_EVERY_S = 1.5  # six minutes of the market
SETTLED_S = 60.0  # what is read lazily has been read by then
STREAMS: list[tuple[str, dict[str, object]]] = [
    ("ws_drop", {}),
    ("ws_drop", {"seconds": 3}),
    ("ws_silence", {"seconds": 4}),
    ("ws_half_open", {}),
    ("ws_garbage", {"count": 5}),
    ("ws_burst", {"count": 2000}),
    ("ws_shutdown", {}),
    ("refuse", {"seconds": 3}),
    ("user_event_twice", {}),
    ("user_event_reordered", {}),
]
ORDERS: list[tuple[str, dict[str, object]]] = [
    ("http_503_before", {"count": 1}),
    ("http_503_after", {"count": 1}),
    ("timeout_1007_after", {"count": 1}),
    ("reset_before", {"count": 1}),
    ("reset_after", {"count": 1}),
    ("hang_after", {"count": 1}),
    ("lookup_lag", {"count": 1, "ms": 1000}),
    ("lookup_lag", {"count": 1, "queries": 5}),
    ("partial_expire", {"count": 1}),
    ("json_list", {"count": 1}),
]


def weigh(pid: int) -> tuple[float, int, int]:
    """Resident MiB, open descriptors and threads of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(status["VmRSS"].split()[0]) / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir())), int(status["Threads"])


@pytest.mark.long
def test_a_day_of_faults(tmp_path: Path):
    """24 hours (``SOAK_HOURS``): the daemon lives, ledger and exchange agree, memory, descriptors, threads are flat."""
    chance = random.Random(7)
    served = serve(tmp_path / "sim", "--speed", str(SPEED))
    home = make_home(
        tmp_path / "home",
        served.address,
        SYMBOLS="BTCUSDT,ETHUSDT",
        STREAM_STALE_SECONDS="3",
        STREAM_MAX_RECONNECTS="2",
        BREAKER_RESET_SECONDS="2",
        REQUEST_TIMEOUT_SECONDS="2",
        COOL_DOWN_MINUTES="0",
        MAX_DAILY_LOSS="500",
        STOP_LOSS_PCT="1",
    )
    process = home.start_daemon()
    weights: list[tuple[float, float, int, int]] = []
    began = time.monotonic()
    faults = cycle([STREAMS, ORDERS])
    struck = 0
    while (passed := time.monotonic() - began) < RUN_S:
        assert process.poll() is None, home.stderr[-5000:]
        weights.append((passed, *weigh(process.pid)))
        kind, asked = chance.choice(next(faults))
        try:
            strike(served, kind, **asked)
            struck += 1
        except OSError:  # it refuses just now
            pass
        time.sleep(FAULT_EVERY_S)

    wait_for(lambda: feed(home)["mode"] == "websocket", "stream", seconds=90)
    wait_for(lambda: home.answer("status")["data"]["unresolved_orders"] == 0, "resolution", seconds=60)
    state = feed(home)
    assert home.end(process) == 0
    compared = home.answer("reconcile")
    settled = [each for each in weights if each[0] > SETTLED_S]
    slope, _ = linear_regression([each[0] for each in settled], [each[1] for each in settled])
    orders = home.rows("SELECT count(*) FROM orders")[0][0]
    third = len(settled) // 3
    first, last = settled[:third], settled[-third:]
    figures = {
        "faults": struck,
        "orders": orders,
        "reconnects": state["reconnects"],
        "rss_mib": (round(median(e[1] for e in first), 1), round(median(e[1] for e in last), 1)),
        "rss_slope_kib_per_simulated_hour": round(slope * 1024 * 3600 / SPEED, 1),
        "descriptors": (median(e[2] for e in first), median(e[2] for e in last), max(e[2] for e in weights)),
        "threads": (median(e[3] for e in first), median(e[3] for e in last), max(e[3] for e in weights)),
        "reconcile": sorted({each["kind"] for each in compared["data"]["findings"]}),
        "fallbacks": home.log.count("Using REST fallback"),
    }
    (tmp_path / "figures.json").write_text(json.dumps(figures, indent=1))
    print(json.dumps(figures))  # noqa: T201 - for whoever runs it
    home.close()
    served.stop()
    assert compared["data"]["clean"], compared["data"]["findings"]
    assert "Traceback" not in home.log
    assert "unexpected" not in home.log
    assert median(e[1] for e in last) - median(e[1] for e in first) < 8
    assert median(e[2] for e in last) <= median(e[2] for e in first) + 4
    assert median(e[3] for e in last) <= median(e[3] for e in first) + 2
