"""``thunes reconcile --rebuild``: a ledger from the exchange's history alone, for the day the disk died."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thunes_cli.cli.call import Call
from thunes_cli.cli.figures import moment
from thunes_cli.cli.reading import typed
from thunes_cli.cli.reconcile_view import exit_of, look_data, problems_of
from thunes_cli.cli.result import Result
from thunes_cli.counts import count

if TYPE_CHECKING:
    from thunes_cli.cli.desk import Desk
    from thunes_cli.trading.rebuild import Rebuilt
    from thunes_cli.trading.rebuild_survey import Survey, Traces

COMMAND = "reconcile --rebuild"


def rebuild_ledger(
    call: Call, *, symbol: str | None, instance: str | None, phrase: str | None, dry_run: bool
) -> Result:
    """Rebuild the home's empty ledger, under the daemon's lock; the answer is a comparison, as of ``reconcile``."""
    from thunes_cli.cli.desk import at_desk
    from thunes_cli.config.home import require_home
    from thunes_cli.daemon.lock import DaemonLock
    from thunes_cli.trading.rebuild import require_empty
    from thunes_cli.trading.rebuild_survey import choose

    lock = DaemonLock(require_home(call.home))
    lock.acquire(COMMAND)
    try:
        with at_desk(call) as desk:
            require_empty(desk.journal)
            found = _survey(call, desk, symbol)
            traces = choose(found.traces, asked=instance, own=desk.identity.instance)
            steps = _steps(found, traces)
            if dry_run:
                return Result(data={"plan": steps}, text=tuple(steps))
            call.confirm_phrase("\n".join(steps), phrase=f"apply {desk.identity.environment}", given=phrase)
            return _rebuild(call, desk, found, traces)
    finally:
        lock.release()


def _survey(call: Call, desk: Desk, symbol: str | None) -> Survey:
    from thunes_cli.cli.progress import RowProgress
    from thunes_cli.trading.rebuild_survey import survey

    symbols = sorted({*desk.room.plan.symbols, *((symbol.upper(),) if symbol else ())})
    with RowProgress(call.streams, "reading the account's history", expected=1) as progress:
        return survey(desk.room.exchange, desk.journal.clock, symbols, progress=progress.add)


def _steps(found: Survey, traces: Traces) -> list[str]:
    first, last = traces.span
    made = f"{count(len(traces.reports), 'order')} ({traces.filled} filled) on {', '.join(sorted(found.rules))}"
    return [
        f"take over instance {traces.instance}, and draw a new epoch",
        f"book {made}, from {moment(first)} to {moment(last)}",
        f"take what is left of {count(len(found.market.totals), 'asset')} as the baseline",
    ]


def _rebuild(call: Call, desk: Desk, found: Survey, traces: Traces) -> Result:
    from thunes_cli.cli.progress import RowProgress
    from thunes_cli.trading.rebuild import rebuild
    from thunes_cli.trading.reconcile_look import Scope

    room = desk.room
    with RowProgress(call.streams, "booking", expected=len(traces.reports)) as progress:
        done = rebuild(
            desk.journal,
            room.exchange,
            found,
            traces,
            plan=room.plan,
            max_daily_loss=desk.settings.max_daily_loss,
            progress=progress.add,
        )
    look = room.reconciler.look(Scope(since=None))
    room.reconciler.keep(look, by="operator")
    verdict = "ledger and exchange agree" if look.comparison.clean else "ledger and exchange differ"
    made = f"{count(done.orders, 'order')}, {count(done.fills, 'fill')}, {count(done.positions, 'position')}"
    return Result(
        data=look_data(look, ()) | {"rebuilt": _data(done)},
        text=(
            f"rebuilt instance {traces.instance}, now with epoch {done.epoch}: {made} ({done.held} open)",
            f"{verdict}; only signals of candles that close from now on are bought",
            *(f"not booked, its purchase is not listed: {name}" for name in done.skipped),
            f"next: {typed(call, 'positions list')}   then: {typed(call, 'run')}",
        ),
        exit_code=exit_of(look),
        changed=True,
        problems=problems_of(call, look),
    )


def _data(done: Rebuilt) -> dict[str, Any]:
    return {
        "instance": done.traces.instance,
        "epoch": done.epoch,
        "epochs_found": sorted(done.traces.epochs),
        "orders": done.orders,
        "fills": done.fills,
        "positions": done.positions,
        "open": done.held,
        "skipped": list(done.skipped),
    }
