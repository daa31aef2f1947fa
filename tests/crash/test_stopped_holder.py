"""A process that is stopped while it holds the trail's lock: exits go on, entries do not, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_room import Room, open_room
from fork_server import Killing, Spawner

from thunes_cli.model import Side


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A home that has traded once."""
    with open_room(tmp_path) as made:
        made.settle()
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Spawner]:
    """Where the operator's commands come from."""
    spawner = Spawner(tmp_path)
    yield spawner
    spawner.close()


def test_exits_go_on_and_the_trail_follows(room: Room, other: Spawner) -> None:
    """``killswitch activate`` stops with half a record written: sold all the same, chain whole after."""
    room.await_signal(Side.SELL)
    stopping = Killing(on="trail.torn", stop=True)
    activate = room.command("killswitch", "activate", "--reason", "a test", killing=stopping)

    with other.stopped(activate):
        sold = room.once()
        waiting = room.home.rows("SELECT count(*) FROM audit_outbox")[0][0]

    assert not room.open_positions()
    assert sold.seconds < 10
    assert waiting > 0
    room.step()
    room.once()
    assert room.home.rows("SELECT reason FROM decisions ORDER BY id DESC")[0]["reason"] == "kill_switch_active"
    room.prove()


def test_entries_wait_for_the_trail(room: Room, other: Spawner) -> None:
    """What cannot be put on file is not bought."""
    room.await_signal(Side.BUY)
    freeze = room.command(
        *("killswitch", "activate", "--reason", "a test"), killing=Killing(on="trail.torn", stop=True)
    )

    with other.stopped(freeze):
        with_lock_held = room.once()
        reasons = [row["reason"] for row in room.home.rows("SELECT reason FROM decisions ORDER BY id DESC")]

    assert with_lock_held.code in {0, 3}
    assert reasons[0] in {"audit_unavailable", "kill_switch_active"}
    assert not room.open_positions()
    assert not room.reports()
