"""What is told about prices, keys and backups. Each is called in the transaction that finds out::

    with journal.change() as change:
        tell_stream_lost(change, why="5 connections in a row failed", since=down_since)

What lasts may be told as often as it is found: it alerts once, is counted, and its counterpart says when it is over and
how long it was (or does nothing when it was not on). Times are market time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from thunes_cli.audit.journal import Change
from thunes_cli.ledger import positions
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import LOUDEST_FIRST, Severity, end_condition
from thunes_cli.ledger.restoring import Unsent
from thunes_cli.spans import span

_STREAM, _PRICES = "stream", "prices"
_FAILED, _OLD, _RESTORED = "failed", "old", "restored"
_DUE, _OVERDUE = "due", "overdue"


# -- prices --------------------------------------------------------------------------------------------------------


def tell_stream_lost(change: Change, *, why: str, since: datetime) -> bool:
    """Prices come over REST; True when it is news."""
    text = (
        f"The price stream is down since {_moment(since)}: {why}. Prices are asked for over REST instead, trading goes"
        " on; the stream is tried again and again. Next: thunes status"
    )
    return change.alert(Kind.FEED, text, Severity.WARNING, key=_STREAM, lasting=True)


def tell_stream_back(change: Change) -> bool:
    """The stream delivers again; True when it was told to be lost."""
    text = "The price stream is back, REST is not needed any more. Next: thunes status"
    return change.alert_over(Kind.FEED, text, key=_STREAM)


def tell_prices_lost(change: Change, *, why: str, since: datetime) -> bool:
    """Neither stream nor REST has a fresh price: no entries, and no stop-loss can be judged. True when it is news."""
    held = len(positions.open_positions(change.connection))
    stops = f" {held} open position{'' if held == 1 else 's'} cannot be watched for a stop-loss." if held else ""
    text = f"No fresh price since {_moment(since)}: {why}. There are no entries.{stops} Next: thunes status"
    return change.alert(Kind.FEED, text, Severity.CRITICAL if held else Severity.WARNING, key=_PRICES, lasting=True)


def tell_prices_back(change: Change) -> bool:
    """There are fresh prices again; True when they were told to be lost."""
    text = "There are fresh prices again. Next: thunes status"
    return change.alert_over(Kind.FEED, text, key=_PRICES)


# -- the API key ---------------------------------------------------------------------------------------------------


def tell_key_trouble(change: Change, rule: str, *, what: str, critical: bool = False) -> bool:
    """The key breaks a rule; True when it is news.

    Args:
        change: the transaction.
        rule: which, by a stable name (``may_withdraw``, ``ip_unrestricted``); each lasts for itself.
        what: one sentence without its full stop, with the numbers and dates there are.
        critical: money is at risk now.
    """
    text = f"The API key: {what}. Next: thunes keys check"
    return change.alert(
        Kind.KEY_TROUBLE, text, Severity.CRITICAL if critical else Severity.WARNING, key=rule, lasting=True
    )


def tell_key_well(change: Change, rule: str) -> bool:
    """The key keeps that rule (again); True when it was told not to."""
    text = f"The API key is well again: {rule}. Next: thunes keys status"
    return change.alert_over(Kind.KEY_TROUBLE, text, key=rule)


def tell_key_due(change: Change, *, created_at: datetime, due_at: datetime) -> bool:
    """The key must be replaced soon, or should have been; each is told once. True when it is news."""
    late = change.at >= due_at
    when = f"was due {span(change.at - due_at)} ago" if late else f"is due in {span(due_at - change.at)}"
    text = (
        f"The API key is {span(change.at - created_at)} old (since {created_at:%Y-%m-%d}); its rotation {when}, on"
        f" {due_at:%Y-%m-%d}. Next: thunes keys rotate"
    )
    if late:
        end_condition(change.connection, Kind.KEY_DUE, key=_DUE)
    return change.alert(Kind.KEY_DUE, text, Severity.WARNING, key=_OVERDUE if late else _DUE, lasting=True)


def tell_key_rotated(change: Change, *, due_at: datetime) -> bool:
    """There is a new key, due later; True when the old one was told to be due."""
    text = f"The API key was rotated; the next time is {due_at:%Y-%m-%d}. Next: thunes keys status"
    return change.alert_over(Kind.KEY_DUE, text, key=_OVERDUE) or change.alert_over(Kind.KEY_DUE, text, key=_DUE)


# -- backups -------------------------------------------------------------------------------------------------------


def tell_backup_failed(change: Change, *, why: str, last_good: datetime | None) -> bool:
    """None was made, or the one that was made is no good; True when it is news."""
    text = f"The backup failed: {why}. {_newest(change, last_good)} Next: thunes backup"
    return change.alert(Kind.BACKUP, text, Severity.WARNING, key=_FAILED, lasting=True)


def tell_backup_old(change: Change, *, last_good: datetime | None) -> bool:
    """The newest good backup is older than it may be; True when it is news."""
    return change.alert(
        Kind.BACKUP, f"{_newest(change, last_good)} Next: thunes backup", Severity.WARNING, key=_OLD, lasting=True
    )


def tell_backup_made(change: Change, name: str) -> bool:
    """There is a fresh, verified backup; True when one was told to have failed or to be old."""
    text = f"There is a good backup again: {name}. Next: thunes backup list"
    if change.alert_over(Kind.BACKUP, text, key=_OLD):  # the greater trouble, and the longer one
        end_condition(change.connection, Kind.BACKUP, key=_FAILED)
        return True
    return change.alert_over(Kind.BACKUP, text, key=_FAILED)


def tell_restored(change: Change, name: str, *, unsent: Sequence[Unsent], replaced: Sequence[Unsent]) -> None:
    """This home is a backup's: one word of it, and of the alerts that are not sent, instead of those alerts.

    Args:
        change: the transaction.
        name: the backup's id.
        unsent: alerts that waited when it was taken.
        replaced: alerts that waited in the home that was replaced; they stay there.
    """
    text = f"The home was restored from the backup {name}."
    if unsent:
        text += f" What waited to be sent when it was taken is not sent any more: {_counted(unsent)}."
    if replaced:
        text += f" What waited in the home that it replaced stays there: {_counted(replaced)}."
    loudest = min((each.severity for each in (*unsent, *replaced)), key=LOUDEST_FIRST.index, default=Severity.WARNING)
    severity = loudest if loudest is Severity.CRITICAL else Severity.WARNING
    following = "alerts list --since all" if unsent or replaced else "status"
    change.alert(Kind.BACKUP, f"{text} Next: thunes {following}", severity, key=_RESTORED)


def _counted(unsent: Sequence[Unsent]) -> str:
    return ", ".join(f"{each.times} {each.severity} {each.kind}" for each in unsent)


def _newest(change: Change, last_good: datetime | None) -> str:
    if last_good is None:
        return "There is no good backup at all."
    return f"The newest good backup is {span(change.at - last_good)} old, of {_moment(last_good)}."


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
