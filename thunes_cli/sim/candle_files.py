"""Recorded candles from CSV, CSV.gz and zip files.

The symbol and the length come from the file's name (``BTCUSDT-1m-2023-03.zip``). Two forms of rows are read: with a
header ``open_time,open,high,low,close,volume`` and times in ms or ISO 8601, and the exchange's public-data form of
twelve columns without a header, times in ms or µs. A file that is not a clean, gapless series is refused by the
number of the first bad line.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TextIO

from thunes_cli.clock import EPOCH, from_ms, from_text, to_ms, to_text
from thunes_cli.sim.amounts import to_scaled
from thunes_cli.sim.bars import INTERVALS, BarColumns, Flow, floor_open
from thunes_cli.sim.failure import CandleFileError

_NAME = re.compile(r"^(?P<symbol>[A-Z0-9]{5,20})-(?P<interval>\d+[a-zA-Z])(?:[-_.]|$)")
_HEADER = ("open_time", "open", "high", "low", "close", "volume")
_PUBLIC_COLUMNS = 12
# Epoch times from here on are microseconds: as milliseconds they would lie in the year 5138.
_MICROSECONDS_FROM = 10**14
_PADDING = "0" * 8
_LONGEST_WHOLE = 18
# Prices are kept as signed 64-bit numbers of hundred-millionths.
_TOO_HIGH = 10**18
_GAP_HINT = "pass --allow-gaps to treat missing candles as outages of the exchange"


@dataclass(frozen=True, slots=True)
class Recording:
    """One symbol's candles as found in its file. ``decimals``: the most that any price shows."""

    symbol: str
    interval: str
    columns: BarColumns
    decimals: int
    gaps: int
    digest: str


def read_recording(path: Path, *, allow_gaps: bool = False) -> Recording:
    """Read and check one file.

    Raises:
        CandleFileError: unreadable, misnamed, empty, or a row that breaks the series; the message names file and line.
    """
    match = _NAME.match(path.name)
    if match is None or match["interval"] not in INTERVALS:
        hint = "name it like BTCUSDT-1m-2023-03.csv.gz"
        raise CandleFileError(str(path), "the name does not begin with a symbol and a candle length", hint)
    reader = _RowReader(path.name, INTERVALS[match["interval"]], allow_gaps=allow_gaps)
    try:
        with _open_text(path) as lines:
            reader.read(csv.reader(lines, strict=True))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise CandleFileError(f"{path.name}:{reader.line}", f"the file is damaged: {error}") from error
    except OSError as error:
        raise CandleFileError(str(path), f"cannot be read: {error.strerror or error}") from error
    except csv.Error as error:
        raise CandleFileError(f"{path.name}:{reader.line + 1}", str(error)) from error
    if not len(reader.columns):
        raise CandleFileError(f"{path.name}:{max(reader.line, 1)}", "there is no candle in it")
    return Recording(match["symbol"], match["interval"], reader.columns, reader.decimals, reader.gaps, digest)


def _open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.namelist() if each.endswith(".csv")]
            if len(members) != 1:
                raise CandleFileError(path.name, f"holds {len(members)} CSV files instead of one")
            return io.StringIO(archive.read(members[0]).decode("utf-8"), newline="")
    return path.open(encoding="utf-8", newline="")


class _RowReader:
    """Fills columns row by row; ``line`` is the number of the row in hand."""

    def __init__(self, name: str, interval: int, *, allow_gaps: bool) -> None:
        self.name = name
        self.columns = BarColumns(interval)
        self.decimals = 0
        self.gaps = 0
        self.line = 0
        self._allow_gaps = allow_gaps
        self._flows: list[Flow] = []
        self._width = 0

    def read(self, rows: Iterator[list[str]]) -> None:
        previous: int | None = None
        for self.line, row in enumerate(rows, 1):
            if not self._width:
                self._width = self._recognise(row)
                if row[0] == _HEADER[0]:
                    continue
            if len(row) < self._width:
                raise self._bad(f"truncated row: {len(row)} of {self._width} columns")
            moment = self._time(row[0])
            if previous is not None and moment != previous + self.columns.interval:
                self._check_step(previous, moment)
            self._prices(moment, row)
            previous = moment
        if self._flows:
            self.columns.flow = self._flows

    def _recognise(self, row: list[str]) -> int:
        """How many columns a row must have, told by the first line."""
        if tuple(row[: len(_HEADER)]) == _HEADER:
            return _PUBLIC_COLUMNS if len(row) >= _PUBLIC_COLUMNS else len(_HEADER)
        if len(row) == _PUBLIC_COLUMNS and row[0].isdecimal():
            return _PUBLIC_COLUMNS
        raise self._bad(f"neither the header {','.join(_HEADER)} nor a row of {_PUBLIC_COLUMNS} columns")

    def _check_step(self, previous: int, moment: int) -> None:
        interval = self.columns.interval
        if moment == previous:
            raise self._bad(f"duplicate candle {_text(moment)}")
        if moment < previous:
            raise self._bad(f"time runs backwards: {_text(moment)} after {_text(previous)}")
        if (moment - previous) % interval:
            raise self._bad(f"{_text(moment)} is not a whole number of candles after {_text(previous)}")
        if not self._allow_gaps:
            missing = (moment - previous) // interval - 1
            raise self._bad(
                f"gap: {missing} candles are missing between {_text(previous)} and {_text(moment)}", _GAP_HINT
            )
        self.gaps += 1

    def _prices(self, moment: int, row: list[str]) -> None:
        open_, high, low, close = self._price(row[1]), self._price(row[2]), self._price(row[3]), self._price(row[4])
        if low > open_ or low > close or high < open_ or high < close:
            raise self._bad(f"high {row[2]} and low {row[3]} do not enclose open {row[1]} and close {row[4]}")
        self.columns.append(moment, (open_, high, low, close), self._number(row[5], "volume"))
        if self._width == _PUBLIC_COLUMNS:
            quote, count, base, taken = row[7], row[8], row[9], row[10]
            if not count.isdecimal():
                raise self._bad(f"number of trades {count!r} is not a whole number")
            flow = Flow(
                self._number(quote, "quote volume"),
                int(count),
                self._number(base, "taker volume"),
                self._number(taken, "taker quote volume"),
            )
            self._flows.append(flow)

    def _time(self, text: str) -> int:
        try:
            if text.isdecimal():
                moment = int(text)
                if moment >= _MICROSECONDS_FROM:
                    moment //= 1000
                from_ms(moment)
            else:
                moment = to_ms(from_text(text))
        except (ValueError, OverflowError):
            raise self._bad(f"{text!r} is not a time (epoch ms or µs, or ISO 8601 with an offset)") from None
        if moment != floor_open(moment, self.columns.interval):
            raise self._bad(f"{text} is not on the grid of the candles' length")
        return moment

    def _price(self, text: str) -> int:
        value = self._number(text, "price")
        if not 0 < value < _TOO_HIGH:
            raise self._bad("a price of zero" if value == 0 else f"price {text} is too large")
        decimals = len(text) - text.find(".") - 1 if "." in text else 0
        if decimals > self.decimals:
            self.decimals = max(self.decimals, min(len(text.partition(".")[2].rstrip("0")), 8))
        return value

    def _number(self, text: str, what: str) -> int:
        # The plain form is parsed without Decimal: a hundred thousand candles should load in a moment.
        whole, _, fraction = text.partition(".")
        digits = whole + fraction
        if whole and digits.isdecimal() and len(fraction) <= len(_PADDING) and len(whole) <= _LONGEST_WHOLE:
            return int(digits + _PADDING[len(fraction) :])
        return self._unusual_number(text, what)

    def _unusual_number(self, text: str, what: str) -> int:
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise self._bad(f"{what} {text!r} is not a number") from None
        if not number.is_finite():
            raise self._bad(f"{what} is {text}")
        if number < 0:
            raise self._bad(f"{what} {text} is negative")
        if number >= 10**_LONGEST_WHOLE:
            raise self._bad(f"{what} {text} is too large")
        return to_scaled(number)

    def _bad(self, problem: str, hint: str = "") -> CandleFileError:
        return CandleFileError(f"{self.name}:{self.line}", problem, hint)


def common_span(recordings: Iterable[Recording]) -> tuple[int, int]:
    """The time all symbols are recorded in: first open (included), end (excluded).

    Raises:
        CandleFileError: there is none.
    """
    found = list(recordings)
    begin = max(each.columns.first for each in found)
    end = min(each.columns.end for each in found)
    if begin >= end:
        names = ", ".join(each.symbol for each in found)
        raise CandleFileError(names, "the recordings do not overlap in time")
    return begin, end


def _text(moment: int) -> str:
    return to_text(from_ms(moment)) if moment >= to_ms(EPOCH) else str(moment)
