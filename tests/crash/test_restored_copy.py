"""An old copy of a home, put back by hand: no order id is used again, nothing is bought twice."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_room import Room, open_room

from thunes_cli.model import Side

STEPS = [1, 2, pytest.param(3, marks=pytest.mark.long), pytest.param(4, marks=pytest.mark.long)]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A home that has traded a round trip."""
    with open_room(tmp_path) as made:
        made.await_signal(Side.SELL)
        made.settle()
        yield made


def put_aside(room: Room) -> Path:
    """Copy the whole home, as ``cp -a`` does while nothing runs."""
    copy = room.home.path.with_name("old-home")
    shutil.copytree(room.home.path, copy)
    return copy


def put_back(room: Room, copy: Path) -> None:
    """Replace the home by the copy."""
    shutil.rmtree(room.home.path)
    shutil.move(copy, room.home.path)


def trade_on(room: Room, *, steps: int) -> None:
    """Let the old home go on for a while."""
    for _ in range(steps):
        room.step()
        room.once()


def ids(room: Room) -> Counter[str]:
    """How often each client id was used."""
    return Counter(report.client_order_id for report in room.reports())


def bought(room: Room) -> Counter[object]:
    """How often the exchange bought for us, by the minute: a minute's candle gives one signal."""
    return Counter(report.time for report in room.reports() if report.side is Side.BUY and report.executed_qty)


def test_the_signal_of_the_moment_is_not_bought_again(room: Room) -> None:
    """Put back within the same candle: what the lost ledger bought for its signal is not bought a second time."""
    room.await_signal(Side.BUY)
    copy = put_aside(room)
    room.once()
    put_back(room, copy)

    for _ in range(3):
        room.once()

    assert set(bought(room).values()) == {1}
    assert set(ids(room).values()) == {1}


@pytest.mark.parametrize("steps", STEPS)
def test_no_order_id_is_used_again(room: Room, steps: int) -> None:
    """Whatever happened since, and whatever is done next."""
    room.step()
    room.once()
    copy = put_aside(room)
    trade_on(room, steps=steps)
    put_back(room, copy)

    trade_on(room, steps=3)

    assert set(ids(room).values()) == {1}


@pytest.mark.parametrize("steps", STEPS)
def test_nothing_is_entered_until_somebody_has_looked(room: Room, steps: int) -> None:
    """The home notices that the exchange knows orders of it that it does not know itself."""
    copy = put_aside(room)
    trade_on(room, steps=steps)
    before = bought(room)
    put_back(room, copy)

    trade_on(room, steps=4)

    assert bought(room) == before
    assert room.home.rows("SELECT * FROM frozen_symbols")


def test_a_daemon_notices_at_its_start(room: Room) -> None:
    """The gate compares ledger and exchange before anything is decided."""
    copy = put_aside(room)
    trade_on(room, steps=1)
    before = bought(room)
    put_back(room, copy)
    room.step(2)

    daemon = room.home.start_daemon()
    assert room.home.end(daemon) == 0

    assert bought(room) == before
    assert room.home.rows("SELECT * FROM frozen_symbols")
