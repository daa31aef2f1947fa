"""What was decided is on file when the check is over, whatever was decided."""

from __future__ import annotations

from trading_room import BUY_NOW, Room
from trail_reading import read_chain

from thunes_cli.risk import kill_switch


def events_on_file(room: Room) -> list[str]:
    return [record["event"] for record in read_chain(room.journal.trail.path)]


def test_a_refusal_is_on_file_at_once(room: Room) -> None:
    """A refused entry is followed by nothing that would write its record."""
    with room.journal.change() as change:
        kill_switch.activate(change, reason="a test", actor="test")
    room.show(BUY_NOW)

    room.engine.signal_check()

    assert events_on_file(room)[-1] == "TRADE_REJECTED"
