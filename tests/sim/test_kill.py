"""kill −9 of the exchange loses nothing it acknowledged."""

from __future__ import annotations

import signal
import threading
from decimal import Decimal
from pathlib import Path

import requests
from serving import Serving

from thunes_cli.sim.options import SimOptions


def test_acknowledged_orders_survive(tmp_path: Path) -> None:
    """Killed at an arbitrary moment under load, three times: every order that was answered is there, as answered."""
    acknowledged: dict[str, dict[str, object]] = {}
    last_seen = 0
    with Serving(SimOptions(tmp_path, speed=Decimal(600))) as serving:
        for round_ in range(3):
            killer = threading.Timer(0.05 + 0.03 * round_, serving.process.send_signal, (signal.SIGKILL,))
            number = 0
            try:
                while True:
                    number += 1
                    name = f"k{round_}-{number}"
                    reply = serving.buy("12", newClientOrderId=name)
                    assert reply.status == 200
                    acknowledged[name] = reply.body
                    if number == 5:
                        killer.start()
            except requests.RequestException:
                killer.join()
            serving.stop()
            last_seen = max(int(str(each["transactTime"])) for each in acknowledged.values())
            serving.start()
            assert serving.now() >= last_seen

        spent = Decimal(0)
        for name, reply_body in acknowledged.items():
            found = serving.signed("GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId=name).body
            for key in ("orderId", "executedQty", "cummulativeQuoteQty", "status"):
                assert found[key] == reply_body[key]
        trades = []
        while page := serving.signed(
            "GET", "/api/v3/myTrades", symbol="BTCUSDT", fromId=len(trades) + 1, limit=1000
        ).body:
            trades.extend(page)
        spent = sum((Decimal(each["quoteQty"]) for each in trades), Decimal(0))
        received = sum((Decimal(each["qty"]) - Decimal(each["commission"]) for each in trades), Decimal(0))

        assert len(acknowledged) >= 15
        assert {each["id"] for each in trades} == set(range(1, len(trades) + 1))
        assert serving.balances() == {"USDT": (Decimal(10000) - spent, 0), "BTC": (received, 0)}


def test_a_resting_order_survives(tmp_path: Path) -> None:
    """It rests again after the kill, funds locked, and its id still taken."""
    with Serving(SimOptions(tmp_path, step=True)) as serving:
        serving.order(
            side="BUY", type="LIMIT", timeInForce="GTC", price="50000", quantity="0.01", newClientOrderId="rests"
        )
        serving.stop(signal.SIGKILL)
        serving.start()

        assert [each["clientOrderId"] for each in serving.signed("GET", "/api/v3/openOrders").body] == ["rests"]
        assert serving.balances()["USDT"] == (Decimal(9500), Decimal(500))
        assert serving.buy("12", newClientOrderId="rests").code == -2010


def test_a_stale_address_does_not_matter(tmp_path: Path) -> None:
    """The address a killed server left behind is replaced by the next one's."""
    with Serving(SimOptions(tmp_path, step=True)) as serving:
        serving.stop(signal.SIGKILL)
        assert (tmp_path / "address").exists()

        serving.start()

        assert serving.get("/api/v3/ping") == {}
