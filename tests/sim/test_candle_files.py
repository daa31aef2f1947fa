"""Recorded candles: what is read, and how a bad file is named."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest
from serving import HOURS, MINUTES

from thunes_cli.sim.candle_files import read_recording
from thunes_cli.sim.failure import CandleFileError

HEADER = "open_time,open,high,low,close,volume\n"
GOOD = [
    "1677628800000,100.5,101,100,100.7,3.5",
    "1677628860000,100.7,101,100,100.7,0",
    "1677628920000,100.7,101,100,100.9,1",
]


def write(tmp_path: Path, rows: list[str], *, name: str = "BTCUSDT-1m-x.csv", header: str = HEADER) -> Path:
    path = tmp_path / name
    path.write_text(header + "\n".join(rows) + "\n")
    return path


def test_header_form_in_milliseconds(tmp_path: Path) -> None:
    """Prices and volumes are read exactly, the symbol and the length from the name."""
    recording = read_recording(write(tmp_path, GOOD))

    bar = recording.columns.bar(0)
    assert (recording.symbol, recording.interval, recording.gaps, recording.decimals) == ("BTCUSDT", "1m", 0, 1)
    assert bar[:6] == (1677628800000, 10_050_000_000, 10_100_000_000, 10_000_000_000, 10_070_000_000, 350_000_000)


@pytest.mark.parametrize("text", ["2023-03-01 00:00:00+00:00", "2023-03-01T00:00:00Z", "2023-03-01T01:00:00+01:00"])
def test_iso_times(tmp_path: Path, text: str) -> None:
    """ISO times with any offset mean the same instant."""
    path = write(tmp_path, [f"{text},100,101,99,100,1"])

    assert read_recording(path).columns.first == 1677628800000


@pytest.mark.parametrize("scale", [1, 1000], ids=["ms", "us"])
def test_public_data_form(tmp_path: Path, scale: int) -> None:
    """Twelve columns without a header, in ms or µs, keep what the exchange knew of turnover and takers."""
    rows = [
        f"{1677628800000 * scale},100,102,99,101,5,{1677628859999 * scale},505,7,2,202,0",
        f"{1677628860000 * scale},101,102,99,101,4,{1677628919999 * scale},404,6,1,101,0",
    ]
    path = tmp_path / "ETHUSDT-1m-2023-03.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ETHUSDT-1m-2023-03.csv", "\n".join(rows) + "\n")

    columns = read_recording(path).columns
    whole = columns.merged(0, 2, columns.first)

    assert columns.open_time.tolist() == [1677628800000, 1677628860000]
    assert (whole.quote_volume, whole.trades, whole.taker_base) == (909 * 10**8, 13, 3 * 10**8)


BAD = {
    "gap": (2, "1677628980000,100.7,101,100,100.7,0", 3, "gap: 2 candles are missing"),
    "duplicate": (2, "1677628800000,100.7,101,100,100.7,0", 3, "duplicate candle"),
    "backwards": (2, "1677628740000,100.7,101,100,100.7,0", 3, "time runs backwards"),
    "off the grid": (2, "1677628861000,100.7,101,100,100.7,0", 3, "not on the grid"),
    "NaN": (1, "1677628800000,100.5,NaN,100,100.7,3.5", 2, "price is NaN"),
    "infinite": (1, "1677628800000,100.5,inf,100,100.7,3.5", 2, "price is inf"),
    "zero": (3, "1677628920000,100.7,101,0,100.9,1", 4, "a price of zero"),
    "negative": (3, "1677628920000,100.7,101,-5,100.9,1", 4, "is negative"),
    "high below low": (1, "1677628800000,100.5,99,100,100.7,3.5", 2, "do not enclose"),
    "close above high": (1, "1677628800000,100.5,101,100,101.7,3.5", 2, "do not enclose"),
    "truncated": (2, "1677628860000,100.7", 3, "truncated row: 2 of 6 columns"),
    "no number": (2, "1677628860000,abc,101,100,100.7,0", 3, "'abc' is not a number"),
    "superscript": (2, "1677628860000,10²,101,100,100.7,0", 3, "is not a number"),
    "no time": (2, "yesterday,100.7,101,100,100.7,0", 3, "is not a time"),
    "time without offset": (2, "2023-03-01 00:01:00,100.7,101,100,100.7,0", 3, "is not a time"),
    "too large": (2, "1677628860000,100.7,1e30,100,100.7,0", 3, "too large"),
    "negative volume": (2, "1677628860000,100.7,101,100,100.7,-1", 3, "volume -1 is negative"),
}


@pytest.mark.parametrize(("row", "text", "line", "problem"), BAD.values(), ids=BAD.keys())
def test_bad_row_is_named_by_its_line(tmp_path: Path, row: int, text: str, line: int, problem: str) -> None:
    """The message begins with file and line and says what is wrong there."""
    rows = GOOD.copy()
    rows[row - 1] = text

    with pytest.raises(CandleFileError) as caught:
        read_recording(write(tmp_path, rows))

    assert caught.value.message.startswith(f"BTCUSDT-1m-x.csv:{line}: ")
    assert problem in caught.value.message
    assert caught.value.exit_code == 78
    assert "\n" not in caught.value.message


def test_gap_may_be_allowed(tmp_path: Path) -> None:
    """With gaps allowed the candles on both sides are kept and the gap is counted."""
    rows = [GOOD[0], "1677629100000,100.7,101,100,100.7,0"]

    recording = read_recording(write(tmp_path, rows), allow_gaps=True)

    assert (len(recording.columns), recording.gaps) == (2, 1)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("BTCUSDT-1m.csv", b"", "no candle in it"),
        ("BTCUSDT-1m.csv", HEADER.encode(), "no candle in it"),
        ("BTCUSDT-1m.csv", b"a,b,c\n1,2,3\n", "neither the header"),
        ("BTCUSDT-7m.csv", HEADER.encode(), "does not begin with a symbol"),
        ("prices.csv", HEADER.encode(), "does not begin with a symbol"),
        ("BTCUSDT-1m.csv.gz", b"not gzip", "damaged"),
        ("BTCUSDT-1m.csv.gz", gzip.compress((HEADER + "\n".join(GOOD)).encode(), mtime=0)[:-12], "damaged"),
        ("BTCUSDT-1m.zip", b"not a zip", "damaged"),
        ("BTCUSDT-1m.csv", b"\xff\xfe\x00\x01", "damaged"),
        ("BTCUSDT-1m.csv", b'open_time,open,high,low,close,volume\n"1,2\n', "end of data"),
    ],
)
def test_unusable_file(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    """Whatever else may be wrong with a file is one clear error too."""
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(CandleFileError, match=problem):
        read_recording(path)


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(CandleFileError, match=r"BTCUSDT-1m.csv: cannot be read: No such file"):
        read_recording(tmp_path / "BTCUSDT-1m.csv")


@pytest.mark.skipif(not MINUTES.exists(), reason="the recorded candles are not here")
def test_real_minutes_have_no_gap() -> None:
    """Three weeks of real minutes read whole."""
    recording = read_recording(MINUTES)

    assert (len(recording.columns), recording.gaps, recording.decimals) == (30_240, 0, 2)


@pytest.mark.skipif(not HOURS.exists(), reason="the recorded candles are not here")
def test_real_hours_have_the_exchange_s_outages() -> None:
    """Five years of real hours are refused at the first outage, and read with 27 of them when gaps are allowed."""
    with pytest.raises(CandleFileError, match=r":495: gap: 6 candles are missing between 2017-09-06T16"):
        read_recording(HOURS)

    assert read_recording(HOURS, allow_gaps=True).gaps == 27
