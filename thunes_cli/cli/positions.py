"""``thunes positions list``: what is held, what it is worth, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.durations import parse_duration
from thunes_cli.cli.figures import money, price, rounded
from thunes_cli.cli.folding import folded, width_for
from thunes_cli.cli.reading import Book, read_book
from thunes_cli.cli.result import Result, Table
from thunes_cli.clock import to_text
from thunes_cli.counts import count
from thunes_cli.ledger.known import read_prices
from thunes_cli.ledger.positions import all_positions, open_positions
from thunes_cli.model import ExitReason, Position, PositionStatus, plain
from thunes_cli.spans import short_span, span
from thunes_cli.trading.accounting import unrealized

if TYPE_CHECKING:
    import typer  # without options of its own this command is called without it: thunes_cli.cli.quick

STALE_AFTER = "72h"
_SHORT = {ExitReason.STOP_LOSS: "stop"}


@dataclass(frozen=True, slots=True)
class Held:
    """A position seen at a moment; ``price`` is the last one recorded, with its time."""

    position: Position
    age: timedelta
    price: Decimal | None
    price_at: datetime | None
    stale: bool

    @property
    def unrealized(self) -> Decimal | None:
        """What selling at the last price would add (quote, before its fee); None when closed or without a price."""
        if self.position.status is PositionStatus.CLOSED or self.price is None:
            return None
        return unrealized(self.position, self.price)


@command(
    examples=("thunes positions list", "thunes positions list --all", "thunes positions list --stale 24h --json"),
    exits=((0, "listed, an empty list included"), 5, 10, 13, 78),
)
def positions_list(
    call: Call,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Closed positions too.")] = False,
    stale: Annotated[
        str, typer.Option("--stale", metavar="SPAN", help="Mark positions that are open for longer.")
    ] = STALE_AFTER,
) -> Result:
    """What is held, and what it is worth.

    Worth is at the last price the daemon recorded, before the fee of selling. Ages are market time.
    """
    limit = parse_duration(stale, option="--stale")
    now, held = read_book(call, lambda book: (book.now, _read(book, limit, everything=everything)))
    return Result(
        data={"positions": [position_data(item) for item in held]},
        text=(
            _table(held, everything=everything),
            *(folded(note, width=width_for(call)) for note in _notes(held, now, limit)),
        )
        if held
        else ("nothing is held",),
    )


def _read(book: Book, limit: timedelta, *, everything: bool) -> list[Held]:
    prices = read_prices(book.connection)
    rows = all_positions(book.connection) if everything else open_positions(book.connection)
    return [look_at(position, prices.get(position.symbol), now=book.now, limit=limit) for position in rows]


def look_at(position: Position, known: tuple[Decimal, datetime] | None, *, now: datetime, limit: timedelta) -> Held:
    """A position as it is shown at market time ``now``; ``known`` is the last price recorded, and when."""
    age = max(timedelta(0), (position.exit_time or now) - position.entry_time)
    stale = position.status is PositionStatus.OPEN and age > limit
    last, at = known if known is not None else (None, None)
    return Held(position, age, price=last, price_at=at, stale=stale)


def position_data(item: Held) -> dict[str, Any]:
    """The contract's keys of a position, and more."""
    position = item.position
    sold = position.exit_price
    return {
        "id": position.id,
        "symbol": position.symbol,
        "quantity": plain(position.quantity),
        "entry_price": plain(rounded(position.entry_price)),
        "entry_time": to_text(position.entry_time),
        "age_s": int(item.age.total_seconds()),
        "stop_price": plain(rounded(position.stop_price)),
        "unrealized": None if item.unrealized is None else plain(item.unrealized),
        "exit_wanted": None if position.exit_wanted is None else str(position.exit_wanted),
        "exit_price": None if sold is None else plain(rounded(sold)),
        "exit_time": to_text(position.exit_time) if position.exit_time else None,
        "pnl": plain(position.realized),
        "fees": plain(position.fees),
        "status": str(position.status),
        "stale": item.stale,
        "strategy": position.strategy,
        "last_price": None if item.price is None else plain(item.price),
        "last_price_at": to_text(item.price_at) if item.price_at else None,
        "exit_problem": position.exit_problem,
    }


def _table(held: list[Held], *, everything: bool) -> Table:
    """Among closed positions there is no room, and no use, for the stop."""
    if everything:
        columns: tuple[str, ...] = ("id", "symbol", "quantity", "entry", "last/exit", "result", "age", "state")
    else:
        columns = ("id", "symbol", "quantity", "entry", "last", "stop", "result", "age", "state")
    return Table(columns=columns, rows=tuple(_cells(item, everything=everything) for item in held))


def _cells(item: Held, *, everything: bool) -> tuple[str, ...]:
    position = item.position
    is_open = position.status is PositionStatus.OPEN
    return (
        str(position.id),
        position.symbol,
        plain(position.quantity if is_open else position.sold_qty),
        price(position.entry_price),
        price(item.price if is_open else position.exit_price),
        *(() if everything else (price(position.stop_price),)),
        money(_result(item), quote=position.quote, sign=True),
        short_span(item.age),
        _state(item),
    )


def _result(item: Held) -> Decimal | None:
    if item.position.status is PositionStatus.CLOSED:
        return item.position.realized
    return None if item.unrealized is None else item.position.realized + item.unrealized


def _state(item: Held) -> str:
    if item.position.status is PositionStatus.CLOSED:
        return "closed"
    if item.position.exit_wanted is not None:
        return f"exit: {_SHORT.get(item.position.exit_wanted, item.position.exit_wanted)}"
    return "STALE" if item.stale else "open"


def _notes(held: list[Held], now: datetime, limit: timedelta) -> list[str]:
    notes = [
        f"{item.position.symbol} cannot be sold yet: {item.position.exit_problem}"
        for item in held
        if item.position.exit_problem
    ]
    stale = sum(item.stale for item in held)
    if stale:
        notes.append(f"{count(stale, 'position')} open for more than {span(limit)}")
    ages = [now - item.price_at for item in held if item.price_at and item.position.status is PositionStatus.OPEN]
    if ages:
        notes.append(f"at prices up to {span(max(ages))} old; results include fees paid so far")
    return notes
