"""Tables on a terminal; rich is imported here and nowhere on the path of a script."""

from __future__ import annotations

from collections.abc import Collection

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from thunes_cli.cli.plain_text import numeric_columns, visible
from thunes_cli.cli.result import Table
from thunes_cli.cli.streams import Streams


def write_rich_table(table: Table, streams: Streams) -> None:
    """Draw a table; cells are data, never markup.

    Where the terminal is too narrow for it, every row becomes lines of ``column  value``: a number that is broken in
    two is read as another number.
    """
    console = Console(
        file=streams.stdout,
        markup=False,
        highlight=False,
        emoji=False,
        color_system="auto" if streams.colour else None,  # None leaves out bold as well
    )
    drawn = RichTable(
        title=Text(table.title) if table.title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,  # with an edge and more padding, a list of positions does not fit into 80 columns
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    right = numeric_columns(table)
    if table.rows and _narrowest(table, right) > console.width:
        _write_records(table, streams)
        return
    for index, name in enumerate(table.columns):
        number = index in right
        drawn.add_column(Text(name), justify="right" if number else "left", overflow="fold", no_wrap=number)
    for row in table.rows:
        drawn.add_row(*(Text(visible(cell)) for cell in row))
    console.print(drawn)
    if not table.rows:
        streams.stdout.write("(none)\n")


def _narrowest(table: Table, numeric: Collection[int]) -> int:
    """The width at which neither a number nor a word is broken; columns are two apart."""
    columns = zip(table.columns, *table.rows, strict=True)
    widths = (
        max(len(part) for cell in column for part in ([cell] if index in numeric else cell.split() or [""]))
        for index, column in enumerate(columns)
    )
    return sum(widths) + 2 * (len(table.columns) - 1)


def _write_records(table: Table, streams: Streams) -> None:
    width = max(map(len, table.columns))
    title = f"{table.title}\n\n" if table.title else ""
    records = (
        "".join(
            f"{name.ljust(width)}  {visible(cell)}".rstrip() + "\n"
            for name, cell in zip(table.columns, row, strict=True)
        )
        for row in table.rows
    )
    streams.stdout.write(title + "\n".join(records))
