"""``thunes pnl``: what was earned and lost, fees included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.durations import Since, parse_since
from thunes_cli.cli.figures import fact_lines, moment, money, price, rounded
from thunes_cli.cli.folding import folded, width_for
from thunes_cli.cli.reading import Book, read_book
from thunes_cli.cli.result import Result, Table
from thunes_cli.clock import to_text
from thunes_cli.counts import count
from thunes_cli.ledger.view_pnl import PnlRows, read_pnl
from thunes_cli.model import ZERO, Position, plain
from thunes_cli.spans import span
from thunes_cli.trading.accounting import unrealized

if TYPE_CHECKING:
    import typer  # without options of its own this command is called without it: thunes_cli.cli.quick

WORST = 5


@dataclass(frozen=True, slots=True)
class _Statement:
    rows: PnlRows
    since: datetime
    whole: bool
    now: datetime

    @property
    def wins(self) -> int:
        return sum(position.realized > 0 for position in self.rows.closed)

    @property
    def losses(self) -> list[Position]:
        """Closed at a loss, worst first."""
        lost = [position for position in self.rows.closed if position.realized < 0]
        return sorted(lost, key=lambda position: (position.realized, position.id))

    @property
    def unpriced(self) -> list[str]:
        return [position.symbol for position in self.rows.held if position.symbol not in self.rows.prices]

    @property
    def unrealized(self) -> Decimal | None:
        """None when a position has no recorded price: a sum without it would be wrong."""
        if self.unpriced:
            return None
        values = (unrealized(position, self.rows.prices[position.symbol][0]) for position in self.rows.held)
        return sum(values, ZERO)

    @property
    def price_age(self) -> timedelta | None:
        """Age of the oldest price in use."""
        times = [
            self.rows.prices[position.symbol][1] for position in self.rows.held if position.symbol in self.rows.prices
        ]
        return max(timedelta(0), self.now - min(times)) if times else None

    @property
    def quote(self) -> str:
        """The one quote asset of all this, or nothing when there are several."""
        quotes = {position.quote for position in (*self.rows.closed, *self.rows.held)}
        return quotes.pop() if len(quotes) == 1 else ""


@command(
    examples=("thunes pnl", "thunes pnl --losses", "thunes pnl --since 7d --json"),
    exits=((0, "answered, losses included"), 5, 10, 13, 78),
)
def pnl(
    call: Call,
    *,
    since: Annotated[
        str, typer.Option("--since", metavar="WHEN", help="today (since midnight UTC), 24h, 7d, all, or a time.")
    ] = "today",
    losses: Annotated[bool, typer.Option("--losses", help="Every position that lost, not only the worst.")] = False,
) -> Result:
    """What was earned and lost, fees included.

    Realised: by the time of each fill, net of every fee. Trades, wins and losses: positions that ended in that time,
    over their whole life. Unrealised: what is held, at the last prices the daemon recorded.
    """
    begin = parse_since(since, option="--since")
    statement = read_book(call, lambda book: _read(book, begin))
    worst = statement.losses if losses else statement.losses[:WORST]
    table = (_table(worst),) if losses or worst else ()
    return Result(
        data=_data(statement, worst),
        text=(_facts(statement), *table, *(folded(note, width=width_for(call)) for note in _notes(statement))),
    )


def _read(book: Book, since: Since) -> _Statement:
    begin = since.begins(book.now)
    return _Statement(read_pnl(book.connection, since=begin), begin, since.is_all, book.now)


def _data(statement: _Statement, worst: list[Position]) -> dict[str, Any]:
    rows = statement.rows
    return {
        "since": to_text(statement.since),
        "realized": plain(rows.realized),
        "fees": plain(rows.fees),
        "unrealized": None if statement.unrealized is None else plain(statement.unrealized),
        "unrealized_price_age_s": None if statement.price_age is None else statement.price_age.total_seconds(),
        "quote": statement.quote or None,
        "trades": len(rows.closed),
        "wins": statement.wins,
        "losses": len(statement.losses),
        "unvalued_fees": rows.unvalued_fees,
        "worst": [_loss(position) for position in worst],
    }


def _loss(position: Position) -> dict[str, Any]:
    exit_price = position.exit_price
    return {
        "id": position.id,
        "symbol": position.symbol,
        "pnl": plain(position.realized),
        "fees": plain(position.fees),
        "entry_price": plain(rounded(position.entry_price)),
        "exit_price": None if exit_price is None else plain(rounded(exit_price)),
        "entry_time": to_text(position.entry_time),
        "exit_time": to_text(position.exit_time) if position.exit_time else None,
    }


def _facts(statement: _Statement) -> str:
    rows, quote = statement.rows, statement.quote
    asset = f" {quote}" * bool(quote)
    age = f", at prices up to {span(statement.price_age)} old" if statement.price_age is not None else ""
    held = f" in {count(len(rows.held), 'position')}{age}" if rows.held else ""
    worth = (
        "unknown" if statement.unrealized is None else f"{money(statement.unrealized, quote=quote, sign=True)}{asset}"
    )
    decided = statement.wins + len(statement.losses)
    rate = f" ({Decimal(100 * statement.wins) / decided:.0f} % won)" if decided else ""
    return fact_lines(
        [
            ("since", _since(statement)),
            ("realised", f"{money(rows.realized, quote=quote, sign=True)}{asset}, fees taken off"),
            ("fees", f"{money(rows.fees, quote=quote)}{asset}"),
            ("unrealised", f"{worth}{held}"),
            ("trades", f"{len(rows.closed)} closed: {statement.wins} won, {len(statement.losses)} lost{rate}"),
        ]
    )


def _since(statement: _Statement) -> str:
    if not statement.whole:
        return moment(statement.since)
    began = statement.rows.began
    return f"the first trade, {moment(began)}" if began is not None else "the beginning; nothing was traded yet"


def _table(lost: list[Position]) -> Table:
    columns = ("id", "symbol", "result", "entry", "exit", "ended", "held for")
    return Table(columns=columns, rows=tuple(_cells(position) for position in lost), title="losses, worst first")


def _cells(position: Position) -> tuple[str, ...]:
    ended = position.exit_time
    return (
        str(position.id),
        position.symbol,
        money(position.realized, quote=position.quote),
        price(position.entry_price),
        price(position.exit_price),
        moment(ended) if ended else "-",
        span(ended - position.entry_time) if ended else "-",
    )


def _notes(statement: _Statement) -> list[str]:
    notes = []
    if statement.unpriced:
        notes.append(f"no price recorded for {', '.join(statement.unpriced)}: what is held cannot be valued")
    if statement.rows.unvalued_fees:
        fees = count(statement.rows.unvalued_fees, "fee")
        notes.append(f"{fees} in another asset could not be valued and counted as nothing")
    quotes = {position.quote for position in (*statement.rows.closed, *statement.rows.held)}
    if len(quotes) > 1:
        notes.append(f"amounts of {', '.join(sorted(quotes))} are added up as they are")
    return notes
