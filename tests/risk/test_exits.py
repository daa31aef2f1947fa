"""When a position is left: the stop at its boundary, the strategy's newest word, and how long a failed exit waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from manual_time import NOON
from opened_position import OPENED

from thunes_cli.model import ExitReason, Side, Signal
from thunes_cli.risk.exits import back_off, exit_reason

HOUR = timedelta(hours=1)
HELD = replace(OPENED, quantity=Decimal("0.999"), bought_qty=Decimal(1), bought_quote=Decimal(100))


def signal(side: Side, *, closed: timedelta) -> Signal:
    """The strategy's word after a candle that closed so long after the entry."""
    return Signal("BTCUSDT", "rsi", side, NOON + closed - HOUR, NOON + closed, Decimal(100))


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ("97.00000001", None),
        ("97", ExitReason.STOP_LOSS),
        ("96.99999999", ExitReason.STOP_LOSS),
        ("0.00000001", ExitReason.STOP_LOSS),
        ("1000", None),
    ],
)
def test_the_stop(price: str, reason: ExitReason | None) -> None:
    """Bought at 100 with a stop of 3 %: 97 and less sells. The fee, kept in coins, moves no price."""
    assert exit_reason(HELD, price=Decimal(price)) is reason


def test_no_price_is_no_stop() -> None:
    """A stale price is given as none; signals still count."""
    assert exit_reason(HELD, price=None) is None
    assert exit_reason(HELD, price=None, signals=[signal(Side.SELL, closed=HOUR)]) is ExitReason.SIGNAL


def test_the_stop_is_the_reason_when_both_say_so() -> None:
    """What is told is what could not wait."""
    assert exit_reason(HELD, price=Decimal(90), signals=[signal(Side.SELL, closed=HOUR)]) is ExitReason.STOP_LOSS


BUY, SELL = Side.BUY, Side.SELL
MS = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("words", "leaves"),
    [
        pytest.param([], False, id="none"),
        pytest.param([(BUY, HOUR)], False, id="BUY"),
        pytest.param([(SELL, HOUR)], True, id="SELL"),
        pytest.param([(SELL, HOUR), (BUY, 2 * HOUR)], False, id="taken back"),
        pytest.param([(BUY, 2 * HOUR), (SELL, HOUR)], False, id="taken back, in any order"),
        pytest.param([(BUY, HOUR), (SELL, 2 * HOUR)], True, id="SELL after BUY"),
        pytest.param([(SELL, -HOUR)], False, id="before the entry"),
        pytest.param([(SELL, 0 * MS)], False, id="of the candle that was bought on"),
        pytest.param([(SELL, MS)], True, id="a moment after the entry"),
    ],
)
def test_the_newest_word_since_the_entry(words: list[tuple[Side, timedelta]], leaves: bool) -> None:  # noqa: FBT001
    """A SELL that nobody was there to hear still counts, until a BUY takes it back."""
    signals = [signal(side, closed=closed) for side, closed in words]

    assert exit_reason(HELD, price=Decimal(100), signals=signals) is (ExitReason.SIGNAL if leaves else None)


def test_failed_attempts_wait_longer_each_time() -> None:
    """Ten seconds, doubling, ten minutes at most, however many there were."""
    assert [back_off(failed).total_seconds() for failed in range(9)] == [0, 10, 20, 40, 80, 160, 320, 600, 600]
    assert back_off(10**6) == timedelta(minutes=10)
