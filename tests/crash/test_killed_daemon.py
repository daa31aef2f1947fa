"""A daemon with all its threads and jobs, killed again and again while it trades a market that does not wait for it."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from crash_room import Room, open_room
from fork_server import Killing

from thunes_cli.model import OrderState

_EVENTS = ("intent.after", "sent.after", "request.after", "reply.before", "booked.before", "trail.torn", "head.before")
_LIFETIME_S = 8


def kill_daemons(room: Room, *, times: int, seed: int) -> Counter[str]:
    """Start a daemon so many times and kill it soon after some event; then let one end in order."""
    chance = random.Random(seed)
    killed: Counter[str] = Counter()
    for _ in range(times):
        event = chance.choice(_EVENTS)
        nth = 1 if event.startswith(("trail", "head")) else chance.randint(1, 2)
        killing = Killing(on=event, nth=nth, delay_s=chance.uniform(0, 0.01))
        lose = chance.choice(("", "", "replies", "requests"))
        ended = room.spawner.run(room.command("run", "--duration", str(_LIFETIME_S), killing=killing, lose=lose))
        assert ended.code in {0, -9}, room.said
        killed[event if ended.code else "none"] += 1
    while True:
        ended = room.spawner.run(room.command("run", "--duration", "4"))
        assert ended.code == 0, room.said
        if not room.live_orders():
            return killed


@pytest.mark.long
def test_killed_often(tmp_path: Path) -> None:
    """Eighty kills, a third of the daemons on a network that loses answers or orders."""
    with open_room(tmp_path, speed=60) as room:
        killed = kill_daemons(room, times=80, seed=random.randrange(10**6))
        states = room.prove()

    assert len(killed) > len(_EVENTS) / 2
    assert states[OrderState.FILLED] > 20
