"""A daemon whose exchange's streams fail: what the operator sees, and that nothing it does gets lost."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from daemon_processes import Exchange, Home, make_home, serve, wait_for

QUICK = {"STREAM_STALE_SECONDS": "2", "STREAM_MAX_RECONNECTS": "1", "BREAKER_RESET_SECONDS": "1"}


@pytest.fixture
def own(tmp_path: Path):
    """An exchange that only this test uses."""
    served = serve(tmp_path / "sim", "--speed", "60")
    yield served
    served.stop()


@pytest.fixture
def streaming(own: Exchange, tmp_path: Path):
    """A home on it whose watchdog is impatient."""
    made = make_home(tmp_path / "home", own.address, **QUICK)
    yield made
    made.close()


def strike(exchange: Exchange, kind: str, **asked: Any) -> Any:
    """Order a fault."""
    return post(exchange, "fault", {"kind": kind, **asked})


def clear_faults(exchange: Exchange) -> Any:
    """All is well again."""
    return post(exchange, "faults/clear", {})


def post(exchange: Exchange, what: str, asked: dict[str, Any]) -> Any:
    """Ask the exchange's director for something."""
    request = urllib.request.Request(
        f"{exchange.address['rest_url']}/sim/{what}",
        data=json.dumps(asked).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)


def feed(home: Home) -> dict[str, Any]:
    return home.answer("status")["data"]["feed"]


def test_it_streams_falls_back_and_comes_back(own: Exchange, streaming: Home):
    """``websocket``; refused for a while: fallback in log, trail, alert and status; and back again by itself."""
    process = streaming.start_daemon()
    wait_for(lambda: feed(streaming)["mode"] == "websocket", "stream")

    strike(own, "ws_drop", seconds=600)
    wait_for(lambda: "Using REST fallback for price data" in streaming.log, "fallback")
    wait_for(lambda: feed(streaming)["mode"] == "rest", "REST")
    clear_faults(own)
    wait_for(lambda: feed(streaming)["mode"] == "websocket", "the stream again")

    assert streaming.end(process) == 0
    events = [each["event"] for each in streaming.events]
    assert events.index("FEED_FELL_BACK") < events.index("FEED_RESTORED")
    told = streaming.rows("SELECT phase FROM alerts WHERE kind = 'feed' AND key = 'stream' ORDER BY id")
    assert [row["phase"] for row in told] == ["began", "over"]
    assert "WebSocket reconnected successfully" in streaming.log
    assert "Traceback" not in streaming.log


def test_a_strangers_order_is_told_by_the_stream_alone(own: Exchange, streaming: Home):
    """No question over REST is needed for the alert, none is even answered; the comparison that follows tells nothing
    twice. How quick that is, ``make bench ARGS=daemon`` says.
    """
    process = streaming.start_daemon()
    wait_for(lambda: "account stream: WebSocket connected" in streaming.log, "subscription")
    wait_for(lambda: streaming.rows("SELECT 1 FROM job_runs WHERE job = 'account_gap'"), "look after connecting")

    strike(own, "http_503_before", path="GET /api/", seconds=600)
    strike(own, "stranger_order")
    wait_for(lambda: streaming.rows("SELECT 1 FROM alerts WHERE kind = 'external_order'"), "alert")
    assert not streaming.rows("SELECT 1 FROM external_orders")

    clear_faults(own)
    wait_for(lambda: streaming.rows("SELECT 1 FROM external_orders"), "comparison")
    assert streaming.end(process) == 0
    assert len(streaming.rows("SELECT 1 FROM alerts WHERE kind = 'external_order'")) == 1


def test_a_fill_is_booked_while_its_answer_hangs(own: Exchange, tmp_path: Path):
    """The order's answer never comes: the account's stream tells the fill long before the time-out."""
    home = make_home(tmp_path / "hanging", own.address, REQUEST_TIMEOUT_SECONDS="8", STOP_LOSS_PCT="50")
    process = home.start_daemon()
    wait_for(lambda: "account stream: WebSocket connected" in home.log, "subscription")

    strike(own, "hang_after", count=1)
    query = "SELECT state, sent_wall, updated_at FROM orders WHERE state IN ('SENT', 'FILLED') ORDER BY id DESC LIMIT 1"
    wait_for(lambda: "account event booked" in home.log, "a fill by the stream", seconds=60)

    assert "order outcome unknown" not in home.log
    assert home.rows(query)
    home.end(process)
    home.close()


def test_with_feed_rest_there_is_no_stream(own: Exchange, tmp_path: Path):
    """The operator's switch: no connection is made, and the mode says so."""
    home = make_home(tmp_path / "rest", own.address, FEED="rest")
    process = home.start_daemon()
    wait_for(lambda: feed(home)["mode"] == "rest", "REST")
    before = home.checks()
    wait_for(lambda: home.checks() > before + 1, "checks without a stream")
    assert home.end(process) == 0
    assert "WebSocket" not in home.log
    home.close()


def test_many_fallbacks_need_the_operator(own: Exchange, streaming: Home):
    """More than five within the hour: status ends with 3 and says what to look at."""
    process = streaming.start_daemon()
    wait_for(lambda: feed(streaming)["mode"] == "websocket", "stream")
    for _ in range(6):
        before = streaming.log.count("Using REST fallback")
        strike(own, "ws_drop", path="/ws", seconds=600)
        wait_for(lambda count=before: streaming.log.count("Using REST fallback") > count, "fallback")
        clear_faults(own)
        wait_for(lambda: feed(streaming)["mode"] == "websocket", "the stream again")

    answer = streaming.answer("status")
    assert answer["exit_code"] == 3
    assert "feed_unstable" in [each["code"] for each in answer["problems"]]
    assert streaming.end(process) == 0
