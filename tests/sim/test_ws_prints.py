"""What the streams make of candles: their trades, and the candle that is forming."""

from __future__ import annotations

from itertools import takewhile

from hypothesis import given, settings
from hypothesis import strategies as st

from thunes_cli.sim.bars import MINUTE, SECOND, BarColumns, Flow
from thunes_cli.sim.streams_candle import FormingCandle, interval_open
from thunes_cli.sim.streams_prints import Print, Prints
from thunes_cli.sim.tape import Tape

START = 1_700_000_160_000
TICK, STEP = 10, 1000


@st.composite
def tapes(draw: st.DrawFn, *, least_trades: int = 0, span: int = MINUTE) -> Tape:
    """A few recorded candles, some missing, with numbers of trades and takers; at times more trades than ms in one."""
    columns = BarColumns(span)
    columns.flow = []
    moment = START
    for _ in range(draw(st.integers(1, 6))):
        moment += span * draw(st.sampled_from([1, 1, 1, 3]))
        prices = [draw(st.integers(1, 500)) * TICK for _ in range(4)]
        high, low = max(prices), min(prices)
        trades = draw(st.integers(least_trades, 40) | st.just(1_500))
        volume = draw(st.integers(1, 10**6)) * STEP if trades else 0
        columns.append(moment, (prices[0], high, low, prices[3]), volume)
        columns.flow.append(Flow(volume * 3, trades, draw(st.integers(0, volume)), volume))
    return Tape(columns, tick=TICK)


def prints_of(tape: Tape, index: int, most: int) -> list[Print]:
    """The prints of one candle."""
    opened = tape.fine.open_time[index]
    coming = Prints(tape, most=most, step=STEP).since(opened - 1)
    return list(takewhile(lambda each: each.time < opened + tape.interval, coming))


@settings(max_examples=40, deadline=None)
@given(tapes(least_trades=4, span=SECOND), st.sampled_from([4, 7, 50, 10_000]))
def test_trades_make_the_candle(tape: Tape, most: int) -> None:
    """Trades of a candle, told one by one or several as one, have its prices, its volume and its number."""
    for index in range(len(tape.fine)):
        bar = tape.fine.bar(index)
        told = prints_of(tape, index, most)

        prices = [each.price for each in told]
        assert (prices[0], max(prices), min(prices), prices[-1]) == (bar.open, bar.high, bar.low, bar.close)
        assert sum(each.quantity for each in told) == bar.volume
        assert sum(each.last - each.first + 1 for each in told) == bar.trades
        assert len(told) == min(bar.trades, most)
        assert [each.time for each in told] == sorted(each.time for each in told)


@settings(max_examples=40, deadline=None)
@given(tapes(span=SECOND), st.sampled_from([4, 10_000]))
def test_ids_have_no_holes(tape: Tape, most: int) -> None:
    """Over all candles each trade follows the one before, and the last one is the one klines name."""
    prints = Prints(tape, most=most, step=STEP)
    told = list(prints.since(START))

    firsts = [each.first for each in told]
    assert firsts[1:] == [each.last + 1 for each in told[:-1]]
    if told:
        assert prints.last_id(tape.fine.end) == told[-1].last
        assert prints.last_id(tape.fine.open_time[0]) == told[0].first - 1
        assert prints.latest(tape.fine.end) == told[-1]


@settings(max_examples=25, deadline=None)
@given(tapes(least_trades=4))
def test_takers_buy_what_the_candle_says(tape: Tape) -> None:
    """What takers bought is the candle's taker volume, but for one trade and the steps' rounding."""
    for index in range(len(tape.fine)):
        bar = tape.fine.bar(index)
        told = prints_of(tape, index, 10**9)
        bought = sum(each.quantity for each in told if not each.buyer_is_maker)

        assert abs(bought - bar.taker_base) <= bar.volume // bar.trades + bar.trades * STEP


@settings(max_examples=40, deadline=None)
@given(tapes(), st.integers(-5, 8 * MINUTE))
def test_trades_since_an_instant_are_the_rest(tape: Tape, offset: int) -> None:
    """Whoever comes later hears the same trades from then on."""
    prints = Prints(tape, most=50, step=STEP)
    moment = START + offset

    assert list(prints.since(moment)) == [each for each in prints.since(START) if each.time > moment]


@settings(max_examples=40, deadline=None)
@given(tapes(), st.sampled_from(["1s", "1m", "3m", "5m", "1h"]), st.lists(st.integers(0, 9 * MINUTE), max_size=8))
def test_the_forming_candle_is_rests(tape: Tape, interval: str, offsets: list[int]) -> None:
    """However often it is looked at on the way, it is the candle REST shows at that instant."""
    candle = None
    for offset in sorted(offsets):
        now = START + offset
        opened = interval_open(now, interval)
        if candle is None or candle.opened != opened:
            candle = FormingCandle(tape, opened)
        shown = tape.candles(interval, begin=opened, end=opened, limit=1, now=now)
        if opened >= tape.first_open(interval):
            assert ([] if (bar := candle.until(now + 1)) is None else [bar]) == shown
