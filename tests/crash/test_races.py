"""Many processes on one home at the same moment: one order at most, sold once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_room import Room, open_room
from daemon_processes import wait_for
from fork_server import Killing, Spawner

from thunes_cli.model import Side


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A home that has traded once."""
    with open_room(tmp_path) as made:
        made.settle()
        yield made


CLOSE = ("positions", "close", "BTCUSDT", "--reason", "a race", "--confirm", "close BTCUSDT sim", "--json")


@pytest.mark.parametrize("side", list(Side))
def test_eight_single_checks_at_once(room: Room, side: Side) -> None:
    """One order at most, whoever comes first; the others find it, or find the home taken, and are content."""
    for _ in range(3):
        room.await_signal(side)
        before = len(room.reports())

        ended = room.spawner.burst([room.command("run", "--once", "--json") for _ in range(8)])

        assert {each.code for each in ended} == {0}, room.said
        assert len(room.reports()) == before + 1
    room.settle()
    room.prove()


def test_the_operator_four_times_against_a_check(room: Room) -> None:
    """Four ``positions close`` and a check that wants to sell as well: sold once."""
    for _ in range(3):
        room.await_signal(Side.SELL)

        closing = [room.command(*CLOSE) for _ in range(4)]
        ended = room.spawner.burst([*closing, room.command("run", "--once", "--json")])

        assert {each.code for each in ended} <= {0, 10, 14, 15}, room.said
        room.settle()
        assert not room.open_positions()
    room.prove()


def test_the_operator_four_times_against_a_daemon(room: Room, tmp_path: Path) -> None:
    """The same with a daemon that wants to leave the position since before it was started."""
    room.await_signal(Side.SELL)
    daemon = room.home.start("run")
    spawner = Spawner(tmp_path)
    try:
        spawner.burst([room.command(*CLOSE) for _ in range(4)])
        wait_for(lambda: not room.open_positions(), "sale")
    finally:
        spawner.close()
        assert room.home.end(daemon) == 0
    room.settle()
    room.prove()


def test_a_kill_switch_from_another_shell_between_decision_and_sending(room: Room, tmp_path: Path) -> None:
    """A BUY that is decided and not yet SENT does not leave any more once the switch is on."""
    room.await_signal(Side.BUY)
    before = len(room.reports())
    other = Spawner(tmp_path)
    stopping = Killing(on="intent.after", stop=True)
    with room.spawner.stopped(room.command("run", "--once", "--json", killing=stopping)):
        ended = other.run(room.command("killswitch", "activate", "--reason", "a race"))
    other.close()

    assert ended.code in {0, 3}
    assert len(room.reports()) == before
    assert str(room.orders()[-1].state) == "NOT_PLACED"
    room.prove()
