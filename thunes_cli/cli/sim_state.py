"""``thunes sim state``: what the simulated exchange knows, seen from its side."""

from __future__ import annotations

from typing import Any

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import fact_lines, moment
from thunes_cli.cli.result import Result, Table
from thunes_cli.cli.sim_link import DirOption, UrlOption, find_exchange
from thunes_cli.counts import count

_SHOWN = 10


@command(
    examples=("thunes sim state", "thunes sim state --json | jq '.data.balances'"),
    exits=((0, "shown"), 10, 13),
)
def sim_state(call: Call, *, url: UrlOption = None, directory: DirOption = None) -> Result:
    """Balances, orders, trades, keys and faults of the simulated exchange.

    The newest 200 orders and trades in the exchange's own words, every API key without its secret, and how many
    requests were served.
    """
    link = find_exchange(call, url=url, directory=directory)
    state = link.get("/sim/state")
    return Result(data={"rest_url": link.url, **state}, text=_text(link.url, state))


def _text(url: str, state: dict[str, Any]) -> tuple[str | Table, ...]:
    from thunes_cli.clock import from_ms

    balances = tuple((each["asset"], each["free"], each["locked"]) for each in state["balances"])
    orders = tuple(
        (
            str(each["orderId"]),
            each["clientOrderId"],
            f"{each['side']} {each['symbol']}",
            each["executedQty"],
            each["status"],
        )
        for each in state["orders"][-_SHOWN:]
    )
    closed = ", ".join(f"{each['symbol']} {each['status']}" for each in state["symbols"] if each["status"] != "TRADING")
    facts = [
        ("exchange", url),
        ("market time", f"{moment(from_ms(state['market_time_ms']))}, {state['speed']} times as fast"),
        ("symbols", f"{len(state['symbols'])}" + (f"; {closed}" if closed else ", all trading")),
        ("requests", str(state["requests"]["total"])),
        ("orders", f"{state['order_count']}, {count(state['trade_count'], 'trade')}"),
        ("keys", ", ".join(_key(each) for each in state["keys"])),
        ("faults", ", ".join(each["kind"] for each in state["queued"]) or "none wait"),
        ("WebSockets", str(state["connections"])),
    ]
    return (
        fact_lines(facts),
        "",
        Table(("asset", "free", "locked"), balances),
        Table(("id", "client id", "what", "executed", "status"), orders, title="newest orders"),
    )


def _key(key: dict[str, Any]) -> str:
    label = f" ({key['label']})" if key["label"] else ""
    return f"{key['key']}... {key['kind']}{label}{' revoked' if key['revoked'] else ''}"
