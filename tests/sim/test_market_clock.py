"""Market time."""

from __future__ import annotations

from decimal import Decimal

from thunes_cli.sim.market_clock import MarketClock

MARKET = 1_700_000_000_000


class Wall:
    """A wall clock under the test's control, in ns."""

    def __init__(self) -> None:
        self.now = 5 * 10**18

    def __call__(self) -> int:
        return self.now

    def pass_ms(self, milliseconds: float) -> None:
        self.now += int(milliseconds * 1_000_000)


def make(wall: Wall, *, speed: str = "1", end: int | None = None, step: bool = False) -> tuple[MarketClock, list[int]]:
    kept: list[int] = []
    clock = MarketClock(MARKET, start=MARKET, end=end, speed=Decimal(speed), step=step, keep=kept.append, wall_ns=wall)
    return clock, kept


def test_it_runs_at_its_speed() -> None:
    """Half a second of wall time at 600 is five minutes of market."""
    wall = Wall()
    clock, _ = make(wall, speed="600")

    wall.pass_ms(500)

    assert clock.now() == MARKET + 300_000


def test_fractional_speed_is_exact() -> None:
    """A speed of 0.1 loses nothing over a day of readings."""
    wall = Wall()
    clock, _ = make(wall, speed="0.1")

    for _ in range(1000):
        wall.pass_ms(86_400)
        clock.now()

    assert clock.now() == MARKET + 8_640_000


def test_it_never_runs_backwards() -> None:
    """A wall clock set back holds market time until it is caught up with."""
    wall = Wall()
    clock, _ = make(wall)
    wall.pass_ms(1000)
    shown = clock.now()

    wall.pass_ms(-900)

    assert clock.now() == shown


def test_nothing_is_shown_before_it_is_kept() -> None:
    """What has been kept is never behind what was shown, so a crash cannot turn the market back."""
    wall = Wall()
    clock, kept = make(wall, speed="60")

    for _ in range(50):
        wall.pass_ms(20)
        shown = clock.now()

        assert kept[-1] >= shown
    assert len(kept) < 10


def test_stopping_keeps_the_exact_instant() -> None:
    """An orderly stop resumes where the market stood, not where the lease reached."""
    wall = Wall()
    clock, kept = make(wall, speed="60")
    wall.pass_ms(10)

    clock.stop()

    assert kept[-1] == clock.now() == MARKET + 600


def test_the_end_of_a_recording() -> None:
    """At the end time stands still, and says so."""
    wall = Wall()
    clock, kept = make(wall, speed="1000", end=MARKET + 5000)
    assert (clock.finished, clock.rate) == (False, Decimal(1000))

    wall.pass_ms(60_000)

    assert clock.now() == MARKET + 5000
    assert (clock.finished, clock.rate) == (True, Decimal(0))
    assert max(kept) == MARKET + 5000


def test_a_stepped_clock_moves_when_moved() -> None:
    """Wall time does not touch it, and it cannot be moved back."""
    wall = Wall()
    clock, kept = make(wall, step=True)
    wall.pass_ms(10_000)
    assert clock.now() == MARKET

    clock.move_to(MARKET + 60_000)
    clock.move_to(MARKET)

    assert clock.now() == kept[-1] == MARKET + 60_000
    assert clock.rate == 0
