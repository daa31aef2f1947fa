"""Killed at random instants, aimed so that every state of an order is hit often; counted and printed.

``make crash`` for a thorough run.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from crash_room import Room, open_room
from fork_server import Ended, Killing

from thunes_cli.model import OrderState, Side

_FEW, _MANY = 20, int(os.environ.get("CRASH_INSTANTS", "200"))
_PROOFS = 20  # each reads everything there is
_MILLISECOND = 0.001


def aim(room: Room, chance: random.Random, target: str) -> Ended:
    """Kill a run at a random instant of one stretch of an order's life (or anywhere); how it ended."""

    def kill_after(event: str, longest_ms: float, *, nth: int = 1, lose: str = "") -> Ended:
        delay_s = chance.uniform(0, longest_ms * _MILLISECOND)
        return room.once(Killing(on=event, nth=nth, delay_s=delay_s), lose=lose)

    if target == "drain":
        return kill_after("trail.before", 2, nth=chance.randint(1, 5))
    if target != "UNKNOWN":
        return kill_after(*STRETCHES[target])
    lost = chance.choice(("replies", "requests"))
    if chance.random() < 0.5:  # in the run that begins to doubt
        return kill_after("unknown.after", 8, lose=lost)
    assert room.once(lose=lost).code == 0  # or in one that resolves
    room.step()
    return kill_after("ledger.before", 60)


# Where each begins, and how long it takes at most (ms).
STRETCHES = {
    "INTENT": ("intent.after", 6),
    "SENT": ("sent.after", 6),
    "booking": ("reply.before", 4),
    "anywhere": ("ledger.before", 100),
}
TARGETS = (*STRETCHES, "UNKNOWN", "drain")


def classify(room: Room, ended: Ended) -> set[str]:
    """What a kill hit: the state the ledger was left in, and what was under way."""
    hit = {str(order.state) for order in room.live_orders()}
    last = ended.events[-1] if ended.events else ""
    if last.startswith(("trail.", "sync.")) or last == "head.before":
        hit.add("drain")
    if {"reply.before", "reply.after", "booked.before"} & {last} and hit & {OrderState.SENT, OrderState.UNKNOWN}:
        hit.add("booking")
    return hit or {"between orders"}


def crash_often(room: Room, *, times: int, seed: int, tell: Callable[[str], object]) -> Counter[str]:
    """Kill so many runs, each time restarting until all is settled; how often what was hit."""
    chance = random.Random(seed)
    hits: Counter[str] = Counter()
    for number in range(times):
        room.await_signal(chance.choice(list(Side)))
        ended = aim(room, chance, TARGETS[number % len(TARGETS)])
        hits["killed" if ended.code == -9 else "over before the kill"] += 1
        if ended.code == -9:
            hits.update(classify(room, ended))
        if chance.random() < 0.2:  # the restart is killed as well, at any event
            room.once(Killing(at=chance.randint(1, 60)))
        room.settle()
        if number % max(times // _PROOFS, 1) == 0:
            room.prove()
    states = room.prove()
    tell(f"{times} instants, seed {seed}: {dict(sorted(hits.items()))}; orders: {dict(sorted(states.items()))}")
    return hits


def test_a_few_random_instants(tmp_path: Path) -> None:
    """Twenty kills, a fifth of them followed by another kill of the restart."""
    with open_room(tmp_path) as room:
        room.settle()
        hits = crash_often(room, times=_FEW, seed=random.randrange(10**6), tell=sys.stdout.write)

    assert hits["killed"] >= _FEW / 2


@pytest.mark.long
def test_hundreds_of_random_instants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """INTENT, SENT, UNKNOWN, booking and drain are each hit ten times and more; figures are printed."""

    def tell(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    with open_room(tmp_path, candles=40 * _MANY + 1000) as room:
        room.settle()
        hits = crash_often(room, times=_MANY, seed=random.randrange(10**6), tell=tell)

    assert all(hits[what] >= 10 for what in ("INTENT", "SENT", "UNKNOWN", "booking", "drain")), hits
