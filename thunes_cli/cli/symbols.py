"""``thunes symbols``: which symbols take entries, and stopping one of them by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import moment
from thunes_cli.cli.reading import Book, read_book
from thunes_cli.cli.result import Result, Table
from thunes_cli.clock import to_text
from thunes_cli.errors import UsageFault
from thunes_cli.ledger.controls import Freeze, frozen_symbols
from thunes_cli.ledger.known import SYMBOLS, TRADABLE, read_known
from thunes_cli.ledger.positions import open_positions

if TYPE_CHECKING:
    import typer

    from thunes_cli.audit.journal import Change

_LONGEST = 40


class _Row(NamedTuple):
    symbol: str
    freeze: Freeze | None
    tradable: bool | None
    traded: bool
    held: bool


@command(
    examples=("thunes symbols list", "thunes symbols list --json"),
    exits=((0, "listed"), 5, 10, 13, 78),
)
def symbols_list(call: Call) -> Result:
    """Which symbols take entries?

    SYMBOLS as the daemon knows them, symbols that are held, and frozen ones. "tradable" is what the exchange said when
    ledger and exchange were compared last.
    """
    rows = read_book(call, _read)
    return Result(
        data={"symbols": [_data(row) for row in rows]},
        text=(_table(rows),) if rows else ("no symbols yet: the daemon writes them down (thunes run)",),
    )


def _read(book: Book) -> list[_Row]:
    known = read_known(book.connection, SYMBOLS)
    told = read_known(book.connection, TRADABLE)
    frozen = frozen_symbols(book.connection)
    traded = set(known[0].get("symbols", ())) if known else set()
    tradable = told[0] if told else {}
    held = {position.symbol for position in open_positions(book.connection)}
    return [
        _Row(symbol, frozen.get(symbol), tradable.get(symbol), symbol in traded, symbol in held)
        for symbol in sorted({*traded, *held, *frozen})
    ]


def _data(row: _Row) -> dict[str, Any]:
    freeze = row.freeze
    return {
        "symbol": row.symbol,
        "frozen": freeze is not None,
        "reason": freeze.reason if freeze else None,
        "since": to_text(freeze.since) if freeze else None,
        "by": freeze.actor if freeze else None,
        "tradable": row.tradable,
        "in_symbols": row.traded,
        "held": row.held,
    }


def _table(rows: list[_Row]) -> Table:
    cells = []
    for row in rows:
        state = "frozen" if row.freeze else "entries" if row.traded else "exits only"
        why = f"{row.freeze.reason} (by {row.freeze.actor}, {moment(row.freeze.since)})" if row.freeze else ""
        listed = {True: "yes", False: "no", None: "-"}[row.tradable]
        cells.append((row.symbol, state, listed, "yes" if row.held else "no", why))
    return Table(("symbol", "takes", "tradable", "held", "why"), tuple(cells))


@command(
    examples=('thunes symbols freeze SOLUSDT --reason "chain halted"', "thunes symbols list"),
    exits=((0, "it takes no entries, from now on or already"), 5, 10, 13, 78),
)
def symbols_freeze(
    call: Call,
    *,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="As the exchange writes it.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes to the trail.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """No entries on a symbol, in every process, until it is unfrozen. Exits go on."""
    return _switch(call, symbol, reason, freeze=True, dry_run=dry_run)


@command(
    examples=('thunes symbols unfreeze SOLUSDT --reason "chain runs again"', "thunes symbols list"),
    exits=((0, "it takes entries, from now on or already"), 5, 10, 13, 78),
)
def symbols_unfreeze(
    call: Call,
    *,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="As the exchange writes it.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What was found; it goes to the trail.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Entries on a symbol again.

    What a comparison froze is frozen again by the next one, unless its cause was settled: see `reconcile`.
    """
    return _switch(call, symbol, reason, freeze=False, dry_run=dry_run)


def _switch(call: Call, symbol: str, reason: str, *, freeze: bool, dry_run: bool) -> Result:
    from thunes_cli.cli.actor import read_actor
    from thunes_cli.cli.writing import change_home, reason_given

    why, name = reason_given(reason), _named(symbol)
    present = name in read_book(call, lambda book: frozen_symbols(book.connection))
    step = f"{'freeze' if freeze else 'unfreeze'} {name}"
    if dry_run:
        plan = [] if present is freeze else [step]
        return Result(data={"plan": plan}, text=tuple(plan) or ("nothing to do",))
    from thunes_cli.risk.freezing import freeze_symbol, unfreeze_symbol

    actor = read_actor(call)

    def work(change: Change) -> bool:
        switch = freeze_symbol if freeze else unfreeze_symbol
        return switch(change, name, reason=why, actor=actor.name, facts=actor.facts)

    changed, problems = change_home(call, work) if present is not freeze else (False, ())
    rows = read_book(call, _read)
    if changed:
        text = f"{name} takes no entries; exits go on" if freeze else f"{name} takes entries"
    else:
        text = f"{name} took {'no entries already' if freeze else 'entries already'}; nothing changed"
    return Result(
        data={"symbols": [_data(row) for row in rows if row.symbol == name]},
        text=(text, *_stranger(rows, name)),
        changed=changed,
        problems=problems,
    )


def _stranger(rows: list[_Row], name: str) -> tuple[str, ...]:
    """A slip of the pen would leave the symbol that was meant as it was."""
    known = [row.symbol for row in rows if row.traded or row.held]
    if not known or name in known:
        return ()
    return (f"warning: {name} is neither traded nor held here, these are: {', '.join(known)}",)


def _named(symbol: str) -> str:
    name = symbol.strip().upper()
    if not name or len(name) > _LONGEST or any(ch.isspace() for ch in name):
        raise UsageFault(f"{symbol!r} is no symbol", hint="for example: thunes symbols freeze BTCUSDT")
    return name
