"""``thunes positions close``: sell now, whatever the strategy says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import money
from thunes_cli.cli.orders import order_data
from thunes_cli.cli.positions import look_at, position_data
from thunes_cli.cli.reading import Book, read_book, typed
from thunes_cli.cli.result import Problem, Result
from thunes_cli.counts import count
from thunes_cli.errors import ExitCode, NotFound, UsageFault
from thunes_cli.ledger.positions import open_positions
from thunes_cli.model import Environment, Position, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thunes_cli.cli.desk import Desk
    from thunes_cli.trading.closing import Closing

TIMEOUT_S = 60
_STALE = timedelta(hours=72)


@command(
    examples=(
        'thunes positions close BTCUSDT --reason "news"',
        'thunes positions close --all --reason "flash crash" --confirm "close-all live"',
        "thunes positions close BTCUSDT --reason test --dry-run",
    ),
    exits=(
        (0, "nothing of it is held any more, now or already"),
        5,
        6,
        7,
        (10, "no such position"),
        12,
        (13, "the exchange cannot be reached; the wish stands, the daemon goes on with it"),
        (14, "an order is still in doubt; resolution goes on with it"),
        (15, "not all is sold; the wish stands, the daemon goes on with it"),
        78,
    ),
)
def positions_close(
    call: Call,
    *,
    symbol: Annotated[str | None, typer.Argument(metavar="[SYMBOL]", help="Whose position.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes to the trail.")],
    phrase: Annotated[
        str | None,
        typer.Option(
            "--confirm", metavar="PHRASE", help='"close SYMBOL ENVIRONMENT"; with --all "close-all ENVIRONMENT".'
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="S", min=0, help="How long to wait for the end, in seconds.")
    ] = TIMEOUT_S,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Sell what is held, now, whatever the strategy says.

    Works with a daemon and without one: whoever comes first sells, never both. An outcome in doubt is resolved before
    this answers. What could not be sold stays wanted.
    """
    from thunes_cli.cli.writing import reason_given

    if (symbol is None) is not everything:
        raise UsageFault("name one symbol, or --all", hint='thunes positions close BTCUSDT --reason "..."')
    why = reason_given(reason)
    environment, held = read_book(call, lambda book: _read(book, symbol.upper() if symbol else None))
    if not held:
        return Result(data={"positions": [], "orders": []}, text=("nothing is held; nothing changed",))
    steps = [f"sell {plain(position.quantity)} {position.base} (position {position.id})" for position in held]
    if dry_run:
        return Result(data={"plan": steps}, text=tuple(steps))
    wanted = f"close-all {environment}" if everything else f"close {held[0].symbol} {environment}"
    call.confirm_phrase("\n".join(["At the market price:", *steps]), phrase=wanted, given=phrase)
    return _close(call, held, why, timeout)


def _read(book: Book, symbol: str | None) -> tuple[Environment, list[Position]]:
    held = open_positions(book.connection)
    if symbol is not None:
        held = [position for position in held if position.symbol == symbol]
        if not held:
            raise NotFound(f"there is no open position of {symbol}", hint="thunes positions list")
    return book.identity.environment, held


def _close(call: Call, held: Sequence[Position], why: str, timeout: float) -> Result:
    from thunes_cli.cli.actor import read_actor
    from thunes_cli.cli.desk import at_desk
    from thunes_cli.trading.closing import Closer
    from thunes_cli.trading.operator_word import Judgement

    actor = read_actor(call)
    with at_desk(call) as desk:
        room = desk.room
        closer = Closer(desk.journal, room.exchange, room.exits, room.resolver)
        who = Judgement(actor.name, why, actor.facts)
        closings = closer.close(held, who, timeout=timedelta(seconds=timeout))
        return _result(call, desk, closings)


def _result(call: Call, desk: Desk, closings: Sequence[Closing]) -> Result:
    from thunes_cli.ledger.known import read_prices
    from thunes_cli.ledger.orders import read_order
    from thunes_cli.ledger.view_orders import fees_by_order
    from thunes_cli.trading.closing import Outcome

    now = desk.journal.clock.now()
    with desk.journal.read() as connection:
        prices = read_prices(connection)
        made = [read_order(connection, number) for closing in closings for number in closing.made]
        fees = fees_by_order(connection, since=min((order.created_at for order in made), default=now))
    rows = [look_at(c.position, prices.get(c.position.symbol), now=now, limit=_STALE) for c in closings]
    left = [closing for closing in closings if closing.outcome is not Outcome.CLOSED]
    return Result(
        data={
            "positions": [position_data(row) for row in rows],
            "orders": [order_data(order, fees) for order in made],
        },
        text=tuple(_line(closing) for closing in closings),
        exit_code=_exit_of(closings),
        changed=any(closing.wished or closing.made for closing in closings),
        problems=tuple(_problem(call, closing, daemon=desk.daemon is not None) for closing in left),
    )


def _exit_of(closings: Sequence[Closing]) -> ExitCode:
    from thunes_cli.trading.closing import Outcome

    outcomes = {closing.outcome for closing in closings}
    if outcomes == {Outcome.CLOSED}:
        return ExitCode.OK
    if Outcome.CLOSED in outcomes:
        return ExitCode.PARTIAL
    if Outcome.IN_DOUBT in outcomes:
        return ExitCode.TIMEOUT
    return ExitCode.UNAVAILABLE if Outcome.UNREACHABLE in outcomes else ExitCode.PARTIAL


def _line(closing: Closing) -> str:
    position = closing.position
    if position.exit_time is not None and position.exit_price is not None:
        result = money(position.realized, quote=position.quote, sign=True)
        sold = f"sold {plain(position.sold_qty)} {position.base} at {plain(position.exit_price)}"
        return f"{position.symbol}: {sold}, result {result} {position.quote}"
    tried = f" after {count(len(closing.made), 'attempt')}" if closing.made else ""
    return f"{position.symbol}: {plain(position.quantity)} {position.base} still held{tried}"


def _problem(call: Call, closing: Closing, *, daemon: bool) -> Problem:
    from thunes_cli.trading.closing import Outcome

    codes = {Outcome.IN_DOUBT: "order_unresolved", Outcome.UNREACHABLE: "exchange_unavailable"}
    code = codes.get(closing.outcome, "exit_blocked")
    goes_on = "the daemon goes on with it" if daemon else "it stays wanted; without a daemon nobody sells"
    message = f"{closing.position.symbol} is not sold: {closing.why}; {goes_on}"
    return Problem(code, message, typed(call, "status" if daemon else "run"))
