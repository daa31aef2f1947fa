"""Tables on a terminal; rich is imported here and nowhere on the path of a script."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from thunes_cli.cli.plain_text import numeric_columns, visible
from thunes_cli.cli.result import Table
from thunes_cli.cli.streams import Streams


def write_rich_table(table: Table, streams: Streams) -> None:
    """Draw a table; cells are data, never markup."""
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
    for index, name in enumerate(table.columns):
        drawn.add_column(Text(name), justify="right" if index in right else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(visible(cell)) for cell in row))
    console.print(drawn)
    if not table.rows:
        streams.stdout.write("(none)\n")
