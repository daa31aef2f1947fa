"""A check of many symbols: what may have to be sold comes first, and one cause is one line of the log."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from manual_time import ManualTime
from scripted_exchange import ScriptedExchange, rules_of
from trading_room import BUY_NOW, Room, assemble

from thunes_cli.audit.journal import Journal
from thunes_cli.trading.engine import raise_first

MANY = (*(f"C{number:02d}USDT" for number in range(20)), "BTCUSDT")


@pytest.fixture
def crowd(journal: Journal, time: ManualTime, bare_home: Path) -> Room:
    """A room that trades twenty-one symbols and holds the last one of them."""
    exchange = ScriptedExchange(journal.clock)
    exchange.rules = {symbol: rules_of(symbol) for symbol in MANY}
    first = assemble(journal, exchange, time, home=bare_home)
    first.gate.open()
    first.show(BUY_NOW)
    first.engine.signal_check()
    return assemble(journal, exchange, time, home=bare_home, symbols=MANY)


def test_what_is_held_is_looked_at_first(crowd: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The position's symbol is the last of SYMBOLS and the first to be asked for; the answer is in their order."""
    asked: list[str] = []
    candles = crowd.exchange.candles

    def noted(symbol: str, timeframe: str, **which: object) -> object:
        asked.append(symbol)
        return candles(symbol, timeframe, **which)  # type: ignore[arg-type]

    monkeypatch.setattr(crowd.exchange, "candles", noted)

    ticks = crowd.engine.signal_check()

    assert asked[0] == "BTCUSDT"
    assert tuple(tick.symbol for tick in ticks) == MANY


def test_an_exchange_that_is_away_is_one_line(crowd: Room, caplog: pytest.LogCaptureFixture) -> None:
    """Not one a symbol, every minute, until the log has forgotten what came before."""
    crowd.exchange.down = True

    ticks = crowd.engine.signal_check()

    told = [record.getMessage() for record in caplog.records if "check failed" in record.getMessage()]
    assert {tick.reason for tick in ticks} == {"exchange_unavailable"}
    assert len(told) <= 2
    assert any("C00USDT" in line and "more" in line for line in told)


def test_many_names_are_counted(crowd: Room) -> None:
    """What the start tells of three hundred symbols fits a message."""
    assert crowd.plan.what == "C00USDT, C01USDT, C02USDT, C03USDT, C04USDT, C05USDT, C06USDT, C07USDT and 13 more"


def test_no_bug_hides_behind_another(
    crowd: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first fails the job, the second is in the log, and the other symbols were checked all the same."""
    candles, checked = crowd.exchange.candles, []

    def failing(symbol: str, timeframe: str, **which: object) -> object:
        checked.append(symbol)
        if symbol in ("C03USDT", "C05USDT"):
            raise ZeroDivisionError(symbol)
        return candles(symbol, timeframe, **which)  # type: ignore[arg-type]

    monkeypatch.setattr(crowd.exchange, "candles", failing)

    with pytest.raises(ZeroDivisionError, match="C03USDT"):
        crowd.engine.signal_check()

    assert set(checked) == set(MANY)
    assert "a check failed as well: error=C05USDT" in caplog.text


def test_a_full_disk_leaves_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """What comes after the first is told in a line where the machine is to blame."""
    full, bug = OSError(errno.ENOSPC, "No space left on device"), KeyError("symbol")

    with pytest.raises(ZeroDivisionError):
        raise_first([ZeroDivisionError(), full, bug])

    assert [record.exc_info is not None for record in caplog.records] == [False, True]
