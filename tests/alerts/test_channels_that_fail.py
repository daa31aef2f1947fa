"""Channels that refuse, hang, break or are silenced: the others hear of it, and no text is lost."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

from alert_room import GATHERED, Messenger, down, queue, rows
from manual_time import ManualTime
from queued_alerts import pending_alerts

from thunes_cli.alerts.notifier import ChatRefused, MessageRefused, Throttled
from thunes_cli.alerts.outbox import Courier, settle
from thunes_cli.audit.journal import Journal
from thunes_cli.ledger.alerts import Severity
from thunes_cli.ledger.view_alerts import read_alerts


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
    with journal.read() as connection:
        told = read_alerts(connection, since=time.wall - timedelta(hours=1)).told
    assert [(each.alert.text, each.state) for each in told] == [("poison", "dropped"), ("good", "sent")]


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
