"""The path through a candle, and what a tape makes of many."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from thunes_cli.sim import walk
from thunes_cli.sim.bars import HOUR, MINUTE, Bar, BarColumns, guess_flow
from thunes_cli.sim.tape import Tape

TICK = 10


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    """A candle on the tick grid."""
    prices = st.integers(1, 500)
    open_, close = draw(prices), draw(prices)
    high = max(open_, close) + draw(st.integers(0, 100))
    low = max(1, min(open_, close) - draw(st.integers(0, 100)))
    volume = draw(st.integers(0, 10**12))
    on_grid = tuple(price * TICK for price in (open_, high, low, close))
    return Bar(0, *on_grid, volume, *guess_flow(*on_grid, volume))


@given(bars(), st.integers(0, MINUTE - 1))
def test_path_stays_in_the_candle_and_on_the_grid(bar: Bar, offset: int) -> None:
    """No instant trades outside high and low or off the tick."""
    price = walk.price_at(bar, MINUTE, offset, tick=TICK)

    assert bar.low <= price <= bar.high
    assert price % TICK == 0


@given(bars())
def test_path_visits_open_low_high_and_close(bar: Bar) -> None:
    """It opens at the open, ends at the close, and reaches both extremes, the low first in a rising candle."""
    low = walk.first_touch(bar, MINUTE, (0, MINUTE - 1), bar.low, falling=True, tick=TICK)
    high = walk.first_touch(bar, MINUTE, (0, MINUTE - 1), bar.high, falling=False, tick=TICK)

    assert walk.price_at(bar, MINUTE, 0, tick=TICK) == bar.open
    assert walk.price_at(bar, MINUTE, MINUTE - 1, tick=TICK) == bar.close
    assert low is not None
    assert high is not None
    if bar.low < bar.open <= bar.close < bar.high:
        assert low < high


@given(bars(), st.integers(0, 6000), st.booleans(), st.integers(0, 59), st.integers(0, 59))
def test_first_touch_is_the_first(bar: Bar, level: int, falling: bool, begin: int, end: int) -> None:  # noqa: FBT001
    """Bisecting the path finds the same instant as looking at every one."""
    begin, end = sorted((begin, end))

    def beyond(offset: int) -> bool:
        price = walk.price_at(bar, 60, offset, tick=TICK)
        return price <= level if falling else price >= level

    expected = next((offset for offset in range(begin, end + 1) if beyond(offset)), None)

    assert walk.first_touch(bar, 60, (begin, end), level, falling=falling, tick=TICK) == expected


@given(bars(), st.lists(st.integers(1, MINUTE - 1), max_size=5, unique=True))
def test_parts_add_up_to_the_candle(bar: Bar, cuts: list[int]) -> None:
    """Cut anywhere, the parts' volumes add up, and their prices give the candle back but for unseen instants."""
    stops = [0, *sorted(cuts), MINUTE]
    parts = [walk.part(bar, MINUTE, span, tick=TICK) for span in pairwise(stops)]

    whole = walk.joined(parts, 0)

    assert (whole.open, whole.high, whole.low, whole.close) == (bar.open, bar.high, bar.low, bar.close)
    assert (whole.volume, whole.quote_volume, whole.trades) == (bar.volume, bar.quote_volume, bar.trades)
    assert all(each.low <= min(each.open, each.close) <= max(each.open, each.close) <= each.high for each in parts)


def make_tape(count: int, *, skip: frozenset[int] = frozenset(), start: int = 0) -> Tape:
    """Minutes that rise by a hundred ticks each; some may be missing."""
    columns = BarColumns(MINUTE)
    for number in range(count):
        if number not in skip:
            base = (number + 10) * 100 * TICK
            columns.append(
                start + number * MINUTE, (base, base + 150 * TICK, base - 50 * TICK, base + 100 * TICK), 1000 + number
            )
    return Tape(columns, tick=TICK)


def test_longer_candles_are_made_of_the_short_ones() -> None:
    """An hour opens with its first minute, closes with its last, and sums the volumes between."""
    tape = make_tape(180)

    first, second = tape.candles("1h", begin=None, end=None, limit=1000, now=2 * HOUR - 1)

    assert (first.open_time, second.open_time) == (0, HOUR)
    assert (first.open, first.close) == (10 * 100 * TICK, 70 * 100 * TICK)
    assert (first.low, first.high) == (first.open - 50 * TICK, first.close + 50 * TICK)
    assert first.volume == sum(range(1000, 1060))
    assert second == tape.span(HOUR, 2 * HOUR)


def test_open_candle_shows_only_what_has_happened() -> None:
    """In the middle of a minute the last candle's close is the price now and nothing later is in it."""
    tape = make_tape(10)
    now = 5 * MINUTE + 10_000

    last = tape.candles("1m", begin=None, end=None, limit=1000, now=now)[-1]

    assert last.open_time == 5 * MINUTE
    assert last.close == tape.price(now)
    assert last.high == last.open
    assert last.volume < tape.fine.volume[5]


def test_a_candle_that_just_opened_has_one_price() -> None:
    """At the very instant of its opening all four prices are the open."""
    tape = make_tape(10)

    last = tape.candles("1m", begin=None, end=None, limit=1, now=5 * MINUTE)[0]

    assert last[1:5] == (tape.fine.open[5],) * 4


def test_shorter_candles_follow_the_path() -> None:
    """Seconds of a minute add up to it."""
    tape = make_tape(2)

    seconds = tape.candles("1s", begin=0, end=MINUTE - 1, limit=1000, now=2 * MINUTE - 1)

    assert len(seconds) == 60
    assert walk.joined(seconds, 0) == tape.fine.bar(0)


def test_bounds_and_limit() -> None:
    """``begin`` pages forward from an instant, ``end`` back from one, both bounding open times."""
    tape = make_tape(100)

    def opens(**bounds: int | None) -> list[int]:
        found = tape.candles("1m", now=90 * MINUTE, **({"begin": None, "end": None, "limit": 3} | bounds))
        return [bar.open_time // MINUTE for bar in found]

    assert opens() == [88, 89, 90]
    assert opens(begin=10 * MINUTE) == [10, 11, 12]
    assert opens(begin=10 * MINUTE + 1) == [11, 12, 13]
    assert opens(end=20 * MINUTE) == [18, 19, 20]
    assert opens(begin=10 * MINUTE, end=11 * MINUTE) == [10, 11]
    assert opens(begin=200 * MINUTE) == []
    assert opens(begin=89 * MINUTE) == [89, 90]


def test_a_gap_is_an_outage() -> None:
    """Missing minutes have no candle, the price stays at the last close, and nothing trades."""
    tape = make_tape(10, skip=frozenset({4, 5}))

    candles = tape.candles("1m", begin=None, end=None, limit=1000, now=7 * MINUTE)

    assert [bar.open_time // MINUTE for bar in candles] == [0, 1, 2, 3, 6, 7]
    assert tape.price(5 * MINUTE) == tape.fine.close[3]
    assert (tape.trades_at(4 * MINUTE), tape.trades_at(6 * MINUTE)) == (False, True)
    assert tape.next_open(3 * MINUTE) == 6 * MINUTE


def test_a_candle_that_lacks_its_beginning_is_not_shown() -> None:
    """A recording that begins at 00:02 has no five-minute candle of 00:00."""
    tape = make_tape(20, start=2 * MINUTE)

    candles = tape.candles("5m", begin=None, end=None, limit=10, now=15 * MINUTE)

    assert [bar.open_time // MINUTE for bar in candles] == [5, 10, 15]


def test_touch_across_candles() -> None:
    """A level some candles away is found at the instant the path first reaches it."""
    tape = make_tape(50)
    level = tape.fine.high[20]

    touched = tape.first_touch(0, 49 * MINUTE, level, falling=False)

    assert touched is not None
    assert tape.price(touched) >= level
    assert tape.price(touched - 1) < level
    assert tape.first_touch(0, touched - 1, level, falling=False) is None
