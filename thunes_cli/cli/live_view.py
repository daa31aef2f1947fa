"""A daemon at work on a terminal: prices, positions, what happened, the log; drawn a few times a second."""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from thunes_cli.cli.figures import moment, money, price
from thunes_cli.cli.narration import Narrator, Scene, read_scene
from thunes_cli.cli.plain_text import visible
from thunes_cli.cli.streams import Streams
from thunes_cli.clock import utc_now
from thunes_cli.counts import count
from thunes_cli.model import Position, plain
from thunes_cli.trading.accounting import unrealized

_BARS = "▁▂▃▄▅▆▇█"
_TRACE = 32
_LOG_LINES = 5
_KEPT = 50


class LogTail(logging.Handler):
    """The last log lines, for the view."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=_LOG_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the first line of a record; its secrets are taken out already."""
        when = datetime.fromtimestamp(record.created, tz=UTC)
        self.lines.append(f"{when:%H:%M:%S} {record.levelname.lower()}: {record.getMessage()}".partition("\n")[0])


class LiveView:
    """The view while its block runs; the terminal is as it was afterwards.

    Args:
        streams: stdout must be a terminal.
        read: opens a consistent view of the ledger and hands its connection to a function.
        title: what is shown, in the frame's head.
        seconds_left: asked at each drawing.
    """

    def __init__(
        self,
        streams: Streams,
        read: Callable[[Callable[[sqlite3.Connection], None]], None],
        *,
        title: str,
        seconds_left: Callable[[], float],
    ) -> None:
        self.log = LogTail()
        self._read = read
        self._title = title
        self._seconds_left = seconds_left
        self._narrator = Narrator()
        self._happenings: deque[str] = deque(maxlen=_KEPT)
        self._traces: dict[str, deque[Decimal]] = {}
        self._first: dict[str, Decimal] = {}
        self._console = Console(
            file=streams.stdout, markup=False, highlight=False, emoji=False, no_color=not streams.colour
        )
        self._live = Live(self._waiting(), console=self._console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def draw(self) -> None:
        """Draw how things stand now."""
        self._read(self._look)

    def _look(self, connection: sqlite3.Connection) -> None:
        scene = read_scene(connection, wall=utc_now())
        self._happenings.extend(str(happening) for happening in self._narrator.news(connection))
        for symbol, value in scene.prices.items():
            self._first.setdefault(symbol, value)
            self._traces.setdefault(symbol, deque(maxlen=_TRACE)).append(value)
        self._live.update(self._picture(scene), refresh=True)

    def _waiting(self) -> Panel:
        return Panel(Text("starting the simulated exchange and the daemon"), title=Text(self._title))

    def _picture(self, scene: Scene) -> Layout:
        layout = Layout()
        layout.split_column(
            Layout(self._head(scene), size=3),
            Layout(self._market(scene), size=max(len(scene.prices), 1) + 3),
            Layout(self._events(), ratio=1, minimum_size=3),
            Layout(self._log_lines(), size=_LOG_LINES + 2),
        )
        return layout

    def _head(self, scene: Scene) -> Panel:
        left = max(int(self._seconds_left()), 0)
        line = Text.assemble(
            f"{moment(scene.now)}   realised {money(scene.realized, sign=True)}",
            f"   unrealised {money(scene.unrealized, sign=True)}   fees {money(scene.fees)}",
            f"   {count(scene.orders, 'order')}, {count(scene.fills, 'fill')}",
            f"   {left // 60}:{left % 60:02d} left, Ctrl-C ends it",
        )
        return Panel(line, title=Text(self._title), title_align="left")

    def _market(self, scene: Scene) -> Panel:
        table = Table(box=None, expand=True, pad_edge=False)
        for name in ("symbol", "price", "since start", "course", "held", "entry", "stop", "result"):
            table.add_column(name, justify="left" if name in {"symbol", "course"} else "right", no_wrap=True)
        held = {position.symbol: position for position in scene.held}
        for symbol, value in sorted(scene.prices.items()):
            change = (value / self._first[symbol] - 1) * 100
            cells = [symbol, price(value), f"{change:+.2f} %", spark(self._traces[symbol])]
            table.add_row(*(Text(visible(cell)) for cell in [*cells, *_position_cells(held.get(symbol), value)]))
        return Panel(table, title=Text("market"), title_align="left")

    def _events(self) -> Panel:
        shown = list(self._happenings)[-max(self._console.height - 20, 3) :]
        lines = [Text(visible(line), no_wrap=True, overflow="ellipsis") for line in shown]
        return Panel(
            Group(*lines) if lines else Text("nothing yet"), title=Text("signals and orders"), title_align="left"
        )

    def _log_lines(self) -> Panel:
        lines = [Text(visible(line), no_wrap=True, overflow="ellipsis") for line in list(self.log.lines)]
        return Panel(Group(*lines), title=Text("log"), title_align="left")


def _position_cells(position: Position | None, value: Decimal) -> list[str]:
    if position is None:
        return ["-", "-", "-", "-"]
    result = money(unrealized(position, value), quote=position.quote, sign=True)
    return [plain(position.quantity), price(position.entry_price), price(position.stop_price), result]


def spark(values: deque[Decimal]) -> str:
    """A course as a row of bars, lowest to highest."""
    low, high = min(values), max(values)
    if low == high:
        return _BARS[0] * len(values)
    top = len(_BARS) - 1
    return "".join(_BARS[int((value - low) / (high - low) * top)] for value in values)
