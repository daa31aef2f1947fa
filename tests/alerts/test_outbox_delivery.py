"""Emptying the alert outbox: order, failures, restarts, two who send at once, a ledger that cannot be written."""

from __future__ import annotations

import logging
import sqlite3
import threading
from datetime import timedelta

import pytest
from alert_room import Messenger, queue, rows
from manual_time import ManualTime
from queued_alerts import pending_alerts

from thunes_cli.alerts.log_notifier import LogNotifier
from thunes_cli.alerts.notifier import ChatRefused, Message, MessageRefused, NotDelivered, Throttled
from thunes_cli.alerts.outbox import BACK_OFF_S, Courier, settle
from thunes_cli.audit.journal import Journal
from thunes_cli.ledger import alert_delivery
from thunes_cli.ledger.alert_mutes import Mute, save_mute
from thunes_cli.ledger.alerts import Severity

GATHERED = timedelta(seconds=2)  # what comes together has been gathered by then


def down(_: Message) -> NotDelivered:
    """Any message fails."""
    return NotDelivered("the messenger is down")


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


def test_a_refusal_is_told_on_the_other_channels_at_once(journal: Journal, time: ManualTime) -> None:
    """The operator hears by mail that Telegram is set up wrongly, once; and when it is over, with how long it was."""
    telegram = Messenger("telegram", failing=lambda _: ChatRefused("chat not found"))
    mail = Messenger("mail")
    couriers = [Courier(journal, telegram), Courier(journal, mail)]
    queue(journal, "stop!", severity=Severity.CRITICAL)

    for _ in range(4):
        for courier in couriers:
            courier.deliver()
        time.pass_by(timedelta(seconds=700))
    telegram.failing = lambda _: None
    for courier in couriers:
        courier.deliver(most=5)
    time.pass_by(GATHERED)
    couriers[1].deliver(most=5)

    told = [text for text in mail.texts if "telegram" in text]
    assert len(told) == 2
    assert "chat not found" in told[0]
    assert "takes alerts again" in told[1]
    assert "It lasted" in told[1]
    assert "stop!" in telegram.texts


def test_a_text_that_is_refused_does_not_hold_up_the_rest(journal: Journal, time: ManualTime) -> None:
    """After three refusals of the same text it is given up, visibly; what comes after goes out."""
    poison = lambda message: MessageRefused("too strange") if "poison" in message.text else None  # noqa: E731
    messenger = Messenger(failing=poison)
    courier = Courier(journal, messenger)
    queue(journal, "poison", severity=Severity.CRITICAL)
    for _ in range(3):
        courier.deliver()
        time.pass_by(timedelta(minutes=1))
    queue(journal, "good", severity=Severity.CRITICAL)

    courier.deliver()

    assert messenger.texts == ["good"]
    (dropped,) = rows(journal, "SELECT * FROM alert_messages WHERE state = 'dropped'")
    assert (dropped["attempts"], dropped["error"]) == (3, "too strange")


def test_a_channel_that_fails_does_not_touch_the_others(journal: Journal, time: ManualTime) -> None:
    """Each channel has its own messages, holds and progress; an alert is done when all of them have it."""
    well, ill = Messenger("well"), Messenger("ill", failing=down)
    couriers = [Courier(journal, each) for each in (well, ill)]
    queue(journal, "one", severity=Severity.CRITICAL)
    for courier in couriers:
        courier.deliver()
    settle(journal, ["well", "ill"])

    with journal.read() as connection:
        assert [alert.text for alert in pending_alerts(connection)] == ["one"]
    time.pass_by(timedelta(seconds=2))
    ill.failing = lambda _: None
    for courier in couriers:
        courier.deliver()
    settle(journal, ["well", "ill"])

    with journal.read() as connection:
        assert pending_alerts(connection) == []
    assert well.texts == ill.texts == ["one"]


def test_a_bug_of_somebody_elses_channel_is_a_failure_like_any_other(journal: Journal) -> None:
    """Its exception is kept without secrets, and the alert waits."""
    messenger = Messenger(failing=lambda _: KeyError("bot123:SECRETsecret"))
    queue(journal, "one", severity=Severity.CRITICAL)

    assert Courier(journal, messenger).deliver() == 0

    (row,) = rows(journal, "SELECT problem FROM alert_channels")
    assert row["problem"].startswith("messenger failed: KeyError")
    assert "SECRET" not in row["problem"]


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


def test_a_channel_that_hangs_writes_next_to_nothing(journal: Journal, time: ManualTime) -> None:
    """A minute of a dead channel is a handful of commits, not one a second: they would stand in a decision's way."""
    messenger = Messenger(failing=down)
    courier = Courier(journal, messenger)
    queue(journal, *(str(number) for number in range(20)), severity=Severity.CRITICAL)
    before = rows(journal, "PRAGMA data_version")
    watcher = sqlite3.connect(journal.ledger.path)
    versions = set()
    for _ in range(60):
        courier.deliver()
        versions.add(watcher.execute("PRAGMA data_version").fetchone()[0])
        time.pass_by(timedelta(seconds=1))
    watcher.close()

    assert before
    assert messenger.tried == 5
    assert len(versions) <= 7


# -- mutes -----------------------------------------------------------------------------------------------------------


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


# -- the trail's checkpoint ------------------------------------------------------------------------------------------


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


# -- texts that are refused ------------------------------------------------------------------------------------------


def test_of_a_text_that_is_refused_the_operator_hears_all_the_same(journal: Journal, time: ManualTime) -> None:
    """What it was about and where it can be read goes out in its place, in words nobody refuses."""
    messenger = Messenger(failing=lambda message: MessageRefused("too strange") if "poison" in message.text else None)
    courier = Courier(journal, messenger)
    queue(journal, "poison", kind="reconcile", severity=Severity.CRITICAL)
    for _ in range(3):
        courier.deliver()
        time.pass_by(timedelta(minutes=1))

    (message,) = messenger.taken
    assert message.text.startswith("CRITICAL sim: reconcile\n")
    assert message.text.endswith("Next: thunes alerts list")
    assert rows(journal, "SELECT * FROM alert_channels") == []


def test_a_channel_that_refuses_any_text_loses_none(journal: Journal, time: ManualTime) -> None:
    """Refusals for a reason we do not know are the channel's: everything waits, and follows when it takes texts."""
    messenger = Messenger(failing=lambda _: MessageRefused("Bad Request"))
    courier = Courier(journal, messenger)
    queue(journal, "one", "two", severity=Severity.CRITICAL)
    for _ in range(12):
        courier.deliver()
        time.pass_by(timedelta(minutes=11))
    assert rows(journal, "SELECT * FROM alert_messages WHERE state = 'dropped'") == []

    messenger.failing = lambda _: None
    courier.deliver(most=9)

    assert messenger.texts[:2] == ["one", "two"]


def test_a_long_order_to_be_silent_is_told_on_the_other_channels(journal: Journal, time: ManualTime) -> None:
    """A day of silence is obeyed to the second, over restarts; mail says meanwhile that the chat is dumb."""
    day = 86_400
    telegram, mail = Messenger("telegram", failing=lambda _: Throttled("Telegram", day)), Messenger("mail")
    queue(journal, "one", severity=Severity.CRITICAL)
    Courier(journal, telegram).deliver()
    time.pass_by(GATHERED)
    Courier(journal, mail).deliver(most=2)
    assert any("it wants nothing for 86400 s" in text for text in mail.texts)

    telegram.failing = lambda _: None
    time.pass_by(timedelta(seconds=day - 3))
    assert Courier(journal, telegram).deliver(at_once=True) == 0
    time.pass_by(timedelta(seconds=1))
    assert Courier(journal, telegram).deliver() == 1


def test_a_channel_that_ends_the_process_is_only_a_failure(journal: Journal) -> None:
    """``sys.exit`` in somebody else's code must not end the thread that delivers."""
    messenger = Messenger(failing=lambda _: SystemExit(3))
    queue(journal, "one", severity=Severity.CRITICAL)

    assert Courier(journal, messenger).deliver() == 0

    assert rows(journal, "SELECT problem FROM alert_channels")[0]["problem"] == "messenger failed: SystemExit: 3"
