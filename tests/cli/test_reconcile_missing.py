"""``thunes reconcile`` on an exchange that does not list an order any more of which it had told."""

from __future__ import annotations

import json
from pathlib import Path

from exchange_home import ExchangeHome, exchange_home

CONFIRM = ("--confirm", "apply sim")


def kinds(home: ExchangeHome) -> list[str]:
    return [finding["kind"] for finding in home.ask("reconcile", "--json").data["findings"]]


def frozen(home: ExchangeHome) -> list[str]:
    return [row["symbol"] for row in home.ask("symbols", "list", "--json").data["symbols"] if row["frozen"]]


def test_an_order_that_the_exchange_lost_can_be_lived_with(tmp_path: Path) -> None:
    """It stops its symbol until somebody says so; what is booked stays booked, and nothing is accepted twice."""
    with exchange_home(tmp_path) as home:
        home.buy()
        lost = home.buy("ETHUSDT")
        home.step(60 * 2)
        database = home.served.world.store._db
        for table in ("trades", "orders"):
            home.served.do(lambda table=table: database.execute(f"DELETE FROM {table} WHERE symbol = 'ETHUSDT'"))
        home.ask("run", "--once")
        assert (kinds(home), frozen(home)) == (["missing_order"], ["ETHUSDT"])

        answer = home.ask("reconcile", "--apply", *CONFIRM, "--reason", "support says so", "--json")

        assert (answer.code, answer.data["clean"]) == (0, True), answer
        assert [item["kind"] for item in answer.data["applied"]] == ["missing_order"]
        assert (kinds(home), frozen(home)) == ([], [])
        assert lost in home.positions()
        again = home.ask("reconcile", "--apply", *CONFIRM, "--json")
        assert (again.code, again.document["changed"]) == (0, False)
        trail = [json.loads(line) for line in (home.path / "audit_trail.jsonl").read_text().splitlines()]
        accepted = [record for record in trail if record["event"] == "FINDING_ACCEPTED"]
        assert [(record["symbol"], record["reason"]) for record in accepted] == [("ETHUSDT", "support says so")]
