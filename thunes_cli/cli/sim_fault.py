"""``thunes sim fault`` and ``sim faults``: let the simulated exchange misbehave, for drills and tests."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.result import Result, Table
from thunes_cli.cli.sim_link import DirOption, UrlOption, find_exchange
from thunes_cli.counts import count
from thunes_cli.errors import Unavailable, UsageFault
from thunes_cli.sim.fault_kinds import NATURES, FaultKind

_EXITS = (10, 13)


@command(
    examples=(
        "thunes sim fault http_503_after",
        "thunes sim fault rate_limit_429 --seconds 30 --path /api/v3/klines",
        "thunes sim fault stranger_order --symbol ETHUSDT --side SELL --quantity 0.1",
        "thunes sim fault halt --symbol BTCUSDT --seconds 3600",
    ),
    exits=((0, "ordered, or done at once"), (2, "no such kind, or an option it does not take"), *_EXITS),
)
def sim_fault(
    call: Call,
    *,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="What goes wrong; thunes sim faults lists them.")],
    count: Annotated[int | None, typer.Option("--count", metavar="N", min=1, help="How often (once).")] = None,
    seconds: Annotated[str | None, typer.Option("--seconds", metavar="S", help="For how long.")] = None,
    path: Annotated[
        str | None,
        typer.Option("--path", metavar="PATH", help='Requests it hits: "/api/v3/klines", "DELETE /api/v3/order".'),
    ] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", metavar="S", help="Of halt and stranger_order.")] = None,
    side: Annotated[str | None, typer.Option("--side", metavar="BUY|SELL", help="Of stranger_order.")] = None,
    quantity: Annotated[str | None, typer.Option("--quantity", metavar="Q", help="How much.")] = None,
    asset: Annotated[str | None, typer.Option("--asset", metavar="ASSET", help="Of deposit and withdraw.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", metavar="STATUS", help="Of halt: HALT, BREAK, CANCEL_ONLY ...")
    ] = None,
    ms: Annotated[int | None, typer.Option("--ms", metavar="MS", help="Of slow_body, lookup_lag, clock_skew.")] = None,
    queries: Annotated[int | None, typer.Option("--queries", metavar="N", help="Of lookup_lag.")] = None,
    url: UrlOption = None,
    directory: DirOption = None,
) -> Result:
    """Let the simulated exchange misbehave.

    A fault on requests waits for the next one that fits and is used up by it; --count and --seconds let it hit more.
    Others are done at once. A fault that was accepted survives a kill of the exchange.
    """
    if kind not in set(FaultKind):
        like = get_close_matches(kind.lower(), [str(each) for each in FaultKind], n=1)
        meant = f"did you mean {like[0]}? " if like else ""
        raise UsageFault(f"there is no fault {kind!r}", hint=f"{meant}thunes sim faults")
    answer = find_exchange(call, url=url, directory=directory).post(
        "/sim/fault",
        {
            "kind": kind,
            "count": count,
            "seconds": seconds,
            "path": path,
            "symbol": symbol,
            "side": side,
            "quantity": quantity,
            "asset": asset,
            "status": status,
            "ms": ms,
            "queries": queries,
        },
    )
    return Result(
        data={
            "kind": kind,
            "fault": answer.get("fault"),
            "done": answer.get("done"),
            "queued": answer["queued"],
        },
        text=(_told(kind, answer),),
        changed=True,
    )


def _told(kind: str, answer: dict[str, Any]) -> str:
    if "done" in answer:
        facts = ", ".join(f"{name} {_plain(value)}" for name, value in answer["done"].items())
        return f"done: {kind}" + (f" ({facts})" if facts else "")
    fault = answer["fault"]
    often = (
        "" if fault["remaining"] is None else f", {fault['remaining']} times" if fault["remaining"] > 1 else ", once"
    )
    return f"ordered: {kind} on {fault['path']}{often}; waiting: {len(answer['queued'])}"


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(str(value.get(name)) for name in ("side", "symbol", "executedQty", "status") if name in value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@command(
    examples=(
        "thunes sim faults",
        "thunes sim faults --clear",
        "thunes sim faults --json | jq -r '.data.kinds[].kind'",
    ),
    exits=((0, "listed, or cleared"), *_EXITS),
)
def sim_faults(
    call: Call,
    *,
    clear: Annotated[
        bool, typer.Option("--clear", help="Nothing waits, nobody is banned, every symbol trades again.")
    ] = False,
    url: UrlOption = None,
    directory: DirOption = None,
) -> Result:
    """Every kind of fault with its effect, and what waits at the exchange being served.

    Without an exchange it lists the kinds all the same.
    """
    kinds = [{"kind": str(kind), "effect": nature.effect} for kind, nature in NATURES.items()]
    if clear:
        answer = find_exchange(call, url=url, directory=directory).post("/sim/faults/clear", {})
        lifted, resumed = count(answer["bans_lifted"], "ban"), count(len(answer["resumed"]), "symbol")
        text = f"cleared: {answer['cleared']} waiting, {lifted}, {resumed}"
        return Result(data={"kinds": kinds, "queued": []}, text=(text,), changed=True)
    queued = _queued(call, url=url, directory=directory)
    rows = tuple((each["kind"], each["effect"]) for each in kinds)
    waiting = tuple(f"waits: {each['kind']} on {each['path']}" for each in queued or ())
    return Result(data={"kinds": kinds, "queued": queued}, text=(Table(("kind", "effect"), rows), *waiting))


def _queued(call: Call, *, url: str | None, directory: Any) -> list[dict[str, Any]] | None:
    """What waits; None where no exchange answers and none was named."""
    from thunes_cli.cli.sim_link import NoExchangeServed

    try:
        answer = find_exchange(call, url=url, directory=directory).get("/sim/faults")
    except (NoExchangeServed, Unavailable):
        if url is not None or directory is not None:
            raise
        return None
    queued: list[dict[str, Any]] = answer["queued"]
    return queued
