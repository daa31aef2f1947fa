"""Emptying the alert outbox: order, failures, restarts, two who send at once, a ledger that cannot be written."""

from __future__ import annotations

import logging
import sqlite3
import threading
from datetime import timedelta

import pytest
from alert_room import GATHERED, Messenger, down, queue, rows
from manual_time import ManualTime

from thunes_cli.alerts.log_notifier import LogNotifier
from thunes_cli.alerts.notifier import Message, Throttled
from thunes_cli.alerts.outbox import BACK_OFF_S, Courier
from thunes_cli.audit.journal import Journal
from thunes_cli.ledger import alert_delivery
from thunes_cli.ledger.alert_mutes import Mute, save_mute
from thunes_cli.ledger.alerts import Severity


def hold_s(journal: Journal) -> float:
    """For how long the channel is left alone."""
    (row,) = rows(journal, "SELECT * FROM alert_channels")
    return (alert_delivery.from_text(row["next_try_wall"]) - alert_delivery.from_text(row["held_wall"])).total_seconds()


@pytest.mark.parametrize(
    ("severity", "level"),
    [(Severity.INFO, logging.INFO), (Severity.WARNING, logging.WARNING), (Severity.CRITICAL, logging.CRITICAL)],
)
def test_the_log_is_as_loud_as_the_alert(
    journal: Journal, caplog: pytest.LogCaptureFixture, severity: Severity, level: int
) -> None:
    """Severity becomes the level of the line."""
    queue(journal, "Kill switch activated", severity=severity)

    with caplog.at_level(logging.INFO):
        Courier(journal, LogNotifier()).deliver()

    (record,) = caplog.records
    assert record.levelno == level
    assert "Kill switch activated" in record.getMessage()


def test_the_log_has_every_alert_of_a_storm_at_once(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    """A line an alert, oldest first: the log is for looking things up."""
    queue(journal, *(f"number {number}" for number in range(50)))

    with caplog.at_level(logging.INFO):
        assert Courier(journal, LogNotifier()).deliver() == 1

    assert [record.args[-1] for record in caplog.records] == [f"number {number}" for number in range(50)]


def test_what_comes_together_is_one_message_in_order(journal: Journal, time: ManualTime) -> None:
    """A moment is waited for what belongs to it; oldest first; a second round has nothing to do."""
    messenger = Messenger()
    courier = Courier(journal, messenger)
    queue(journal, "one", "two")

    assert courier.deliver() == 0
    time.pass_by(GATHERED)
    queue(journal, "three")
    assert courier.deliver() == 1
    time.pass_by(GATHERED)
    assert courier.deliver() == 0
    assert messenger.texts == ["one", "two", "three"]
    assert messenger.taken[0].text.index("one") < messenger.taken[0].text.index("three")


def test_what_is_critical_goes_at_once_and_first(journal: Journal, time: ManualTime) -> None:
    """Nothing is gathered for it, and what is less severe waits its turn, in its own order."""
    messenger = Messenger()
    courier = Courier(journal, messenger)
    queue(journal, "summary", severity=Severity.INFO, kind="daily")
    queue(journal, "odd", severity=Severity.WARNING, kind="job")
    queue(journal, "stop!", severity=Severity.CRITICAL, kind="kill")

    assert courier.deliver() == 1
    assert messenger.texts == ["stop!"]
    time.pass_by(GATHERED)
    assert courier.deliver(most=5) == 2
    assert messenger.texts == ["stop!", "odd", "summary"]


def test_what_cannot_be_delivered_waits_longer_each_time(journal: Journal, time: ManualTime) -> None:
    """Two seconds, four, eight ... a minute; while it waits nothing is tried; nothing is lost or changes its order."""
    messenger = Messenger(failing=down)
    courier = Courier(journal, messenger)
    queue(journal, "one", severity=Severity.CRITICAL)
    waits = []
    for _ in range(8):
        assert courier.deliver() == 0
        tried = messenger.tried
        assert courier.deliver() == 0
        assert messenger.tried == tried
        waits.append(hold_s(journal))
        queue(journal, f"after {len(waits)}", severity=Severity.CRITICAL)
        time.pass_by(timedelta(seconds=waits[-1]))

    assert waits == [*BACK_OFF_S, 60.0, 60.0]
    messenger.failing = lambda _: None
    courier.deliver(most=9)
    assert messenger.texts[:9] == ["one", *(f"after {number}" for number in range(1, 9))]
    assert len([message for message in messenger.taken if message.severity is Severity.CRITICAL]) == 2
    assert rows(journal, "SELECT * FROM alert_channels") == []


def test_back_off_and_messages_survive_a_restart(journal: Journal, time: ManualTime) -> None:
    """Another process goes on with the same message, and not before its time."""
    messenger = Messenger(failing=down)
    queue(journal, "one", severity=Severity.CRITICAL)
    Courier(journal, messenger).deliver()
    text = rows(journal, "SELECT text FROM alert_messages")[0]["text"]
    queue(journal, "two", severity=Severity.CRITICAL)

    messenger.failing = lambda _: None
    assert Courier(journal, messenger).deliver() == 0
    time.pass_by(timedelta(seconds=2))
    assert Courier(journal, messenger).deliver() == 1

    assert [message.text for message in messenger.taken] == [text]


def test_a_flood_limit_is_obeyed_also_by_the_next_process(journal: Journal, time: ManualTime) -> None:
    """``retry_after`` to the second; a restart tries what waited for our own patience, but not this."""
    messenger = Messenger(failing=lambda _: Throttled("messenger", 30))
    queue(journal, "one", severity=Severity.CRITICAL)
    Courier(journal, messenger).deliver()
    with journal.ledger.write() as connection:
        alert_delivery.try_again_now(connection)
    messenger.failing = lambda _: None

    time.pass_by(timedelta(seconds=29))
    assert Courier(journal, messenger).deliver() == 0
    time.pass_by(timedelta(seconds=1))
    assert Courier(journal, messenger).deliver() == 1


def test_a_clock_set_back_lengthens_no_wait(journal: Journal, time: ManualTime) -> None:
    """An hour back: what waits for its time is tried at once."""
    messenger = Messenger(failing=down)
    courier = Courier(journal, messenger)
    queue(journal, "one", severity=Severity.CRITICAL)
    courier.deliver()

    time.wall -= timedelta(hours=1)
    messenger.failing = lambda _: None

    assert courier.deliver() == 1


def test_a_long_message_goes_on_where_it_was_cut(journal: Journal, time: ManualTime) -> None:
    """Pieces that arrived are not sent again, by this process or the next."""
    messenger = Messenger(longest=300, failing=lambda message: down(message) if message.part == 2 else None)
    queue(journal, " ".join(f"word{number}" for number in range(120)), severity=Severity.CRITICAL)
    Courier(journal, messenger).deliver()
    time.pass_by(timedelta(minutes=1))
    messenger.failing = lambda _: None

    Courier(journal, messenger).deliver()

    assert [message.part for message in messenger.taken] == [1, 2, 3, 4]
    assert {message.parts for message in messenger.taken} == {4}


def test_what_was_taken_is_not_sent_again_while_the_ledger_is_full(journal: Journal) -> None:
    """A disk that fills up between delivery and mark: nothing goes out until the mark could be made."""
    messenger = Messenger()
    courier = Courier(journal, messenger)
    connection = journal.ledger.connection
    queue(journal, "one", severity=Severity.CRITICAL)

    def fill_the_disk(_: Message) -> None:
        connection.execute("PRAGMA query_only=ON")

    messenger.failing = fill_the_disk
    assert courier.deliver() == 0
    queued = messenger.tried
    for _ in range(3):
        assert courier.deliver() == 0
    assert messenger.tried == queued == 1

    connection.execute("PRAGMA query_only=OFF")
    messenger.failing = lambda _: None
    assert courier.deliver() == 0
    assert messenger.texts == ["one"]
    assert rows(journal, "SELECT state FROM alert_messages") == [{"state": "sent"}]


def test_two_who_send_at_once_send_once(journal: Journal) -> None:
    """While one is under way another one leaves the channel alone: a daemon and a command, say."""
    entered, go_on = threading.Event(), threading.Event()

    def wait(_: Message) -> None:
        entered.set()
        assert go_on.wait(10)

    slow, quick = Messenger(failing=wait), Messenger()
    queue(journal, "one", severity=Severity.CRITICAL)

    def send() -> None:
        Courier(journal, slow).deliver()
        journal.close()

    thread = threading.Thread(target=send)
    thread.start()
    assert entered.wait(10)
    assert Courier(journal, quick).deliver() == 0
    go_on.set()
    thread.join(10)
    assert Courier(journal, quick).deliver() == 0

    assert (slow.texts, quick.texts) == (["one"], [])


def test_no_transaction_is_open_while_a_message_is_under_way(journal: Journal) -> None:
    """Whoever wants to write meanwhile, writes."""

    def write_elsewhere(_: Message) -> None:
        other = sqlite3.connect(journal.ledger.path, timeout=0)
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
        other.close()

    queue(journal, "one", severity=Severity.CRITICAL)

    assert Courier(journal, Messenger(failing=write_elsewhere)).deliver() == 1


def test_a_muted_kind_waits_and_follows_as_one_message(journal: Journal, time: ManualTime) -> None:
    """Other kinds go out; when the mute is over one message tells what came meanwhile."""
    messenger = Messenger()
    courier = Courier(journal, messenger)
    with journal.change() as change:
        until = change.at_wall + timedelta(hours=2)
        save_mute(change.connection, Mute("job", change.at_wall, until, "known", "alice"))
    for number in range(40):
        queue(journal, f"job {number}", kind="job", severity=Severity.CRITICAL)
        time.pass_by(timedelta(minutes=2))
    queue(journal, "other", kind="kill", severity=Severity.CRITICAL)
    courier.deliver(most=9)
    assert messenger.texts == ["other"]

    time.pass_by(timedelta(hours=2))
    courier.deliver(most=9)

    assert len(messenger.taken) == 2
    assert "37 more of job" in messenger.taken[1].text
    assert messenger.texts[1:] == [f"job {number}" for number in range(40)]


def test_the_kill_switch_goes_out_with_the_trails_checkpoint(journal: Journal, time: ManualTime) -> None:
    """The note is made once, kept, and the same on every channel and at every try; other kinds have none."""
    made: list[str] = []

    def anchor() -> str:
        made.append("note")
        return f"thunes.audit/x note {len(made)}"

    first, second = Messenger("first", failing=down), Messenger("second")
    couriers = [Courier(journal, each, anchor=anchor) for each in (first, second)]
    queue(journal, "job", kind="job_failed", severity=Severity.CRITICAL)
    queue(journal, "stopped", kind="kill_switch", severity=Severity.CRITICAL)
    for _ in range(3):
        for courier in couriers:
            courier.deliver(most=3)
        time.pass_by(timedelta(minutes=1))
        first.failing = lambda _: None

    assert made == ["note"]
    for messenger in (first, second):
        assert "Trail checkpoint:\nthunes.audit/x note 1" in "".join(message.text for message in messenger.taken)


def test_an_alert_does_not_wait_for_a_checkpoint_that_cannot_be_made(journal: Journal) -> None:
    """The message says so instead."""

    def broken() -> str:
        raise OSError(28, "No space left on device")

    messenger = Messenger()
    queue(journal, "stopped", kind="kill_switch", severity=Severity.CRITICAL)

    assert Courier(journal, messenger, anchor=broken).deliver() == 1

    assert "none could be made: [Errno 28]" in messenger.taken[0].text
