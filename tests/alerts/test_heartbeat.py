"""The dead man's switch: a sign of life a minute, ``/fail`` while something is wrong, and nothing after the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from alert_room import rows
from fake_telegram import FakeTelegram
from manual_time import ManualTime

from thunes_cli.alerts.heartbeat import Heartbeat
from thunes_cli.alerts.notifier import NotDelivered
from thunes_cli.audit.journal import Journal
from thunes_cli.config.secrets import Secret, redact_by_look
from thunes_cli.daemon.periodic import Periodic
from thunes_cli.daemon.pulse import Pulse
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import Severity, end_condition, raise_alert

LOOK = timedelta(seconds=10)


class Beating:
    """A daemon's pulse under a test's clock; ``seen`` is what its main thread sees of itself."""

    def __init__(self, journal: Journal, time: ManualTime, url: str | None) -> None:
        self.seen: list[str] = []
        self._time = time
        secret = None if url is None else Secret(url)
        self.pulse = Pulse(journal, secret, look=lambda: list(self.seen), redact=redact_by_look)
        self._beats = Periodic(monotonic=lambda: time.monotonic)
        self.pulse.begin(self._beats)

    def look(self, times: int = 1) -> None:
        """Let ten seconds go by, so many times, and see to it that each look was taken."""
        for _ in range(times):
            self._beats.run_due()
            worker = self.pulse._worker
            if worker is not None:
                done = threading.Event()
                worker.submit("after", done.set)
                assert done.wait(10)
            self._time.pass_by(LOOK)


@pytest.fixture
def beating(journal: Journal, time: ManualTime, telegram: FakeTelegram) -> Iterator[Beating]:
    """Its signs go to the fake's own address."""
    beating = Beating(journal, time, f"{telegram.url}/ping/uuid")
    yield beating
    beating.pulse.finish(1.0, badly=False)


def lasts(journal: Journal, kind: Kind, severity: Severity) -> None:
    with journal.change() as change:
        raise_alert(change.connection, kind, "x", severity=severity, at=change.at, at_wall=change.at_wall, lasting=True)


def paths(telegram: FakeTelegram) -> list[str]:
    return [path for _, path, _ in telegram.beats]


def test_all_is_well(beating: Beating, telegram: FakeTelegram) -> None:
    """At once, then once a minute: a plain GET."""
    beating.look(times=13)

    assert telegram.beats == [("GET", "/ping/uuid", "")] * 3


def test_something_critical_that_lasts_is_told_within_the_minute(
    beating: Beating, journal: Journal, telegram: FakeTelegram
) -> None:
    """Not what passes by itself; then ``/fail`` with its name, again each minute, and at once when it is over."""
    beating.look()
    lasts(journal, Kind.EXIT_BLOCKED, Severity.CRITICAL)
    beating.look(times=3)
    assert paths(telegram) == ["/ping/uuid"]
    beating.look(times=7)
    assert telegram.beats[1:] == [("POST", "/ping/uuid/fail", "exit_blocked")] * 2

    with journal.change() as change:
        end_condition(change.connection, Kind.EXIT_BLOCKED)
    beating.look()

    assert telegram.beats[3:] == [("GET", "/ping/uuid", "")]


@pytest.mark.parametrize(
    ("kind", "severity", "trouble"),
    [
        (Kind.JOB_FAILED, Severity.WARNING, False),
        (Kind.DISK_FULL, Severity.CRITICAL, True),
        (Kind.ALERTS_UNDELIVERED, Severity.WARNING, True),
    ],
)
def test_what_counts(
    beating: Beating, journal: Journal, telegram: FakeTelegram, *, kind: Kind, severity: Severity, trouble: bool
) -> None:
    """What is critical, and alerts that nobody hears; a warning does not."""
    lasts(journal, kind, severity)
    beating.look(times=7)

    assert ("/ping/uuid/fail" in paths(telegram)) is trouble


def test_a_step_that_hangs_is_told(beating: Beating, telegram: FakeTelegram) -> None:
    """What the main thread sees of its own threads."""
    beating.seen = ["stuck"]
    beating.look(times=5)

    assert telegram.beats[-1] == ("POST", "/ping/uuid/fail", "stuck")


def test_an_end_that_nobody_asked_for_is_told(journal: Journal, time: ManualTime, telegram: FakeTelegram) -> None:
    """One ``/fail`` as the last word; after an orderly end there is only silence."""
    for badly in (True, False):
        beating = Beating(journal, time, f"{telegram.url}/ping")
        beating.look()
        telegram.beats.clear()
        beating.pulse.finish(5.0, badly=badly)
        assert telegram.beats == ([("POST", "/ping/fail", "stopped")] if badly else [])


def test_nobody_who_takes_it_is_a_job_that_failed(beating: Beating, journal: Journal, telegram: FakeTelegram) -> None:
    """Alerted once, tried at every look, told when it works again; the address is not told."""
    telegram.beat_status = 503
    beating.look(times=3)
    telegram.beat_status = 200
    beating.look()

    assert len(telegram.beats) == 4
    began, over = rows(journal, "SELECT text FROM alerts WHERE key = 'heartbeat' ORDER BY id")
    assert "HEARTBEAT_URL answers HTTP 503" in began["text"]
    assert "works again" in over["text"]
    assert "uuid" not in began["text"]


def test_without_an_address_there_is_none(journal: Journal, time: ManualTime) -> None:
    """Nothing is started, nothing is sent."""
    beating = Beating(journal, time, None)
    beating.look(times=3)
    beating.pulse.finish(1.0, badly=True)

    assert rows(journal, "SELECT 1 FROM alerts") == []


@pytest.mark.parametrize(
    ("address", "well", "bad"),
    [
        ("/ping/uuid/", "/ping/uuid/", "/ping/uuid/fail"),
        ("/api/push/x?status=up&msg=OK", "/api/push/x?status=up&msg=OK", "/api/push/x/fail?status=up&msg=OK"),
    ],
)
def test_fail_is_part_of_the_path(telegram: FakeTelegram, address: str, well: str, bad: str) -> None:
    """Whatever follows the path, and however it ends."""
    heartbeat = Heartbeat(Secret(telegram.url + address))

    heartbeat.beat()
    heartbeat.beat(["disk_full"])

    assert paths(telegram) == [well, bad]


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/CANARY", "https://CANARY.invalid/CANARY"])
def test_its_address_is_a_secret(address: str) -> None:
    """An error names the setting, not the address."""
    with pytest.raises(NotDelivered) as failure:
        Heartbeat(Secret(address), timeout_s=2).beat()

    assert "HEARTBEAT_URL cannot be reached" in failure.value.message
    assert "CANARY" not in failure.value.message
