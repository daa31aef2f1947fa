"""Rotations under a daemon that orders every second: no order fails, none is doubled, none is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crash_room import Room, open_room
from daemon_processes import wait_for

from thunes_cli.model import OrderState

_MOST_ROTATIONS = 40
_WANTED = 2  # rotations with an order on its way between the first word about them and the daemon's last


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A market of a candle a second, each of them a signal."""
    with open_room(tmp_path / "room", speed=60, RECV_WINDOW_MS="5000", SIGNAL_INTERVAL_SECONDS="30") as made:
        yield made


def new_key(room: Room) -> tuple[str, str]:
    made = room.post("/sim/key/add", {})
    return made["api_key"], made["api_secret"]


def rotate(room: Room, key: str, secret: str) -> dict[str, Any]:
    path = room.home.path.parent / "new key"
    path.write_text(f"{key}\n{secret}\n")
    path.chmod(0o600)
    return room.home.answer(
        *("keys", "rotate", "--from-file", str(path), "--reason", "test", "--confirm", "rotate sim")
    )


def events(room: Room, *names: str) -> list[dict[str, Any]]:
    return [event for event in room.home.events if event["event"] in names]


def ordered_during_swaps(room: Room) -> int:
    """Rotations during which an order was sent: after their first word, before the daemon had taken the key."""
    during, sent, going_on = 0, False, False
    for event in events(room, "KEY_ROTATION_STARTED", "ORDER_SENT", "KEY_IN_USE"):
        if event["event"] == "KEY_ROTATION_STARTED":
            going_on, sent = True, False
        elif event["event"] == "ORDER_SENT":
            sent = going_on
        elif going_on and "before" in event:
            during, going_on = during + sent, False
    return during


def test_no_order_fails_and_none_is_doubled(room: Room) -> None:
    """The exchange's own list of orders is the ledger's though keys changed meanwhile and died."""
    daemon = room.home.start_daemon()
    wait_for(lambda: len(room.orders()) >= 3, "orders before the first rotation")
    address = room.exchange.address

    rotations = 0
    while ordered_during_swaps(room) < _WANTED and rotations < _MOST_ROTATIONS:
        old, (key, secret) = address["api_key"], new_key(room)
        document = rotate(room, key, secret)
        assert (document["exit_code"], document["data"]["daemon"]) == (0, "took it"), document
        rotations += 1
        room.post("/sim/key/revoke", {"key": old[:12]})
        room.exchange.address = address = address | {"api_key": key, "api_secret": secret}
    afterwards = len(room.orders())
    wait_for(lambda: len(room.orders()) > afterwards + 2, "orders after the last rotation")
    assert room.home.end(daemon) == 0, room.home.stderr
    during = ordered_during_swaps(room)
    assert during >= _WANTED, Counter(event["event"] for event in room.home.events)

    ends = room.prove()  # order by order, trade by trade, asset by asset, with the newest key
    assert set(ends) == {OrderState.FILLED}
    assert room.home.rows("SELECT 1 FROM alerts WHERE kind = 'key_rejected'") == []
    assert [row["state"] for row in room.home.rows("SELECT state FROM key_rotations")] == ["done"] * rotations
