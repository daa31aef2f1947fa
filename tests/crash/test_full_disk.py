"""A disk that is full: entries stop, the SELL goes out and is booked, the trail follows when there is room again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_room import Room, open_room
from daemon_processes import wait_for
from fork_server import Killing
from keys_of_room import Keys, Pair

from thunes_cli.ledger.reserve import RESERVE
from thunes_cli.model import Side

_MOUNT, _UMOUNT = shutil.which("mount"), shutil.which("umount")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MiB."""
    if os.geteuid() != 0 or _MOUNT is None or _UMOUNT is None:
        pytest.skip("mounting a file system takes root")
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run([_MOUNT, "-t", "tmpfs", "-o", "size=32m,mode=700", "tmpfs", str(place)], check=False)
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run([_UMOUNT, "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take all that is left, to the last byte."""
    path = place / "filling"
    with path.open("ab", buffering=0) as stream:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while stream.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return path


@pytest.fixture
def room(small_disk: Path, tmp_path: Path) -> Iterator[Room]:
    """A home on that disk; simulator and output are elsewhere."""
    with open_room(tmp_path / "room", home_at=small_disk / "home", MIN_FREE_MIB="10") as made:
        made.settle()
        yield made


def test_reserve_is_there_before_it_is_needed(room: Room) -> None:
    """The first run makes it."""
    assert (room.home.path / RESERVE).stat().st_size == 8 << 20


def test_entries_stop_and_the_sale_goes_out(room: Room, small_disk: Path) -> None:
    """With not a byte left: a BUY is refused, a position is sold on the reserve, and the trail is whole afterwards."""
    room.await_signal(Side.SELL)
    filling = fill(small_disk)

    ended = room.once()
    again = 0
    while room.open_positions() and again < 3:
        again += 1
        ended = room.once()

    assert not room.open_positions(), room.said
    assert ended.code == 0
    assert not (room.home.path / RESERVE).exists()
    room.step()
    room.once()
    assert room.home.rows("SELECT reason FROM decisions ORDER BY id DESC LIMIT 1")[0]["reason"] in {
        "disk_low",
        "audit_unavailable",
    }
    filling.unlink()
    room.step(2)
    room.settle()
    room.prove()
    assert (room.home.path / RESERVE).exists()
    told = {(row["kind"], row["phase"]) for row in room.home.rows("SELECT kind, phase FROM alerts")}
    assert {(kind, phase) for kind in ("disk_full", "disk_low") for phase in ("began", "over")} <= told
    assert again <= 1


@pytest.mark.parametrize("event", ["wanted.before", "intent.before", "sent.before", "booked.before", "head.before"])
def test_a_disk_that_fills_up_within_an_exit(room: Room, small_disk: Path, event: str) -> None:
    """Full all of a sudden, at any commit of the sale: sold once, by this run or by the next one."""
    room.await_signal(Side.SELL)

    with room.spawner.stopped(room.command("run", "--once", "--json", killing=Killing(on=event, stop=True))):
        filling = fill(small_disk)
    room.once()
    room.once()

    assert not room.open_positions(), room.said
    filling.unlink()
    room.step(2)
    room.settle()
    room.prove()


def test_a_start_with_a_full_disk(room: Room, small_disk: Path) -> None:
    """A home that holds something starts on a full disk, without -wal or -shm of an earlier run, and sells."""
    room.await_signal(Side.SELL)
    filling = fill(small_disk)
    daemon = room.home.start("run")
    wait_for(lambda: any(trade.side is Side.SELL for trade in room.trades()), "sale")
    filling.unlink()
    assert room.home.end(daemon) == 0, room.home.stderr
    room.step(2)
    room.settle()
    room.prove()


def test_a_rotation_on_a_disk_that_fills_up(room: Room, small_disk: Path) -> None:
    """Full once the rotation is written down: the new key cannot be written, and the old one stays."""
    keys = Keys(room)
    assert keys.rotate()[2].code == 0, room.said
    _, new, ended = keys.rotate()
    begun = ended.events[: ended.events.index("draft.before")].count("head.after")
    made = room.post("/sim/key/add", {})
    path = keys.write_key(Pair(made["api_key"], made["api_secret"]))
    before = keys.file.read_bytes()

    with room.spawner.stopped(keys.command(path, Killing(on="head.after", nth=begun, stop=True))):
        filling = fill(small_disk)

    assert keys.file.read_bytes() == before
    assert keys.drafts == []
    assert "No space left on device; the old key" in room.said
    filling.unlink()
    keys.prove(new, Pair(made["api_key"], made["api_secret"]))
    assert keys.states()[-1] == "rolled_back"
