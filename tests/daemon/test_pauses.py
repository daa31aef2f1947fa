"""A wait of the trading thread: as long as it was to be, over when the operator stops, and stops are looked at."""

from __future__ import annotations

from thunes_cli.daemon.pauses import Pauses


class Waiting:
    """Time that goes by while somebody waits."""

    def __init__(self, *, stop_at: float = 1e9) -> None:
        self.now = 0.0
        self.stop_at = stop_at
        self.looks: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.now = min(self.now + seconds, max(self.stop_at, self.now))
        return self.now >= self.stop_at

    def look(self) -> None:
        self.looks.append(self.now)


def test_stops_are_looked_at_during_a_long_wait() -> None:
    """Every ten seconds of it, and not when it is over: their own turn comes then."""
    time = Waiting()
    pauses = Pauses(time.wait, monotonic=lambda: time.now)
    pauses.look_meanwhile(time.look, every_s=10)

    assert pauses.wait(45) is False

    assert time.now == 45
    assert time.looks == [10, 20, 30, 40]


def test_before_the_gate_nothing_is_looked_at() -> None:
    """A wait is a wait."""
    time = Waiting()

    Pauses(time.wait, monotonic=lambda: time.now).wait(45)

    assert (time.now, time.looks) == (45, [])


def test_who_stops_does_not_wait() -> None:
    """The operator's wish ends it at once."""
    time = Waiting(stop_at=15)
    pauses = Pauses(time.wait, monotonic=lambda: time.now)
    pauses.look_meanwhile(time.look, every_s=10)

    assert pauses.wait(45) is True
    assert (time.now, time.looks) == (15, [10])


def test_a_look_that_must_wait_waits_without_looking_again() -> None:
    """No look within a look; one that fails ends neither the wait nor the looks."""
    time = Waiting()
    pauses = Pauses(time.wait, monotonic=lambda: time.now)

    def look() -> None:
        time.look()
        pauses.wait(12)
        raise ZeroDivisionError

    pauses.look_meanwhile(look, every_s=10)

    assert pauses.wait(45) is False
    assert time.looks == [10, 32]
