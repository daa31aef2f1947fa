"""Emptying the alert outbox, channel by channel: nothing lost, and nothing twice that a channel is known to have taken.

A message is written down, sent, and marked; no transaction is open while it is under way. Whoever dies in between, or
is cut off before the channel answers, sends it again: at most that one arrives twice.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from thunes_cli.alerts.lock import channel_lock
from thunes_cli.alerts.message import Origin, draft, pieces
from thunes_cli.alerts.notifier import Message, MessageRefused, NotDelivered, Notifier, Refused, Throttled
from thunes_cli.alerts.pacing import WINDOW, due
from thunes_cli.audit.journal import Journal
from thunes_cli.config.secrets import redact_by_look
from thunes_cli.ledger import alert_delivery as rows
from thunes_cli.ledger import alerts
from thunes_cli.ledger.alert_delivery import Hold, MessageState, StoredMessage, WhyHeld
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alert_mutes import read_mutes
from thunes_cli.ledger.alerts import LOUDEST_FIRST, Alert, Severity
from thunes_cli.ledger.identity import read_identity

_log = logging.getLogger(__name__)

BACK_OFF_S = (2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
REFUSED_S = (60.0, 120.0, 300.0, 600.0)  # somebody must mend it; a restart, or the command that tests it, tries at once
LONGEST_TOLD_S = 86_400.0
LONG_TOLD_S = 300.0
TELL_AFTER = 5  # failures in a row: a minute of trouble is worth a word on the other channels
GIVE_UP_AFTER = 3  # attempts with one very text that end in its refusal, by a channel that takes others
NOTED = frozenset({Kind.KILL_SWITCH, Kind.DAILY_SUMMARY})
_REPEAT_LOG_S = 60.0


class Courier:
    """Delivers on one channel, on behalf of one process. Not for concurrent use.

    ``anchor`` makes a checkpoint of the trail and returns its note, which goes out with the alerts that matter most: a
    copy that whoever holds the trail cannot change. ``redact`` takes secrets out of what a failure says.
    """

    def __init__(
        self,
        journal: Journal,
        notifier: Notifier,
        *,
        anchor: Callable[[], str | None] = lambda: None,
        redact: Callable[[str], str] = redact_by_look,
    ) -> None:
        self._journal = journal
        self._clock = journal.clock
        self._notifier = notifier
        self._anchor = anchor
        self._redact = redact
        self._origin: Origin | None = None
        self._unmarked: dict[int, int | None] = {}  # delivered, and the ledger could not be told: pieces, None: all
        self._logged_mono: float | None = None

    @property
    def channel(self) -> str:
        """Whose courier this is."""
        return self._notifier.name

    def deliver(self, *, most: int = 1, at_once: bool = False) -> int:
        """Send what is due, and return how many messages were taken. What fails is written down and tried later.

        Args:
            most: messages at most; a chat takes about one a second.
            at_once: do not wait for what may still come.

        Raises:
            sqlite3.Error, OSError: the ledger cannot be used now.
        """
        sent = 0
        with channel_lock(self._journal.ledger.path, self.channel) as ours:
            if not ours or not self._mark_what_was_sent():
                return 0
            while sent < most:
                message = self._next(at_once=at_once)
                if message is None or not self._send(message):
                    break
                sent += 1
        return sent

    # -- what is next ------------------------------------------------------------------------------------------

    def _next(self, *, at_once: bool) -> StoredMessage | None:
        wall = self._clock.wall()
        with self._journal.read() as connection:
            hold = rows.read_hold(connection, self.channel)
            if hold is not None and hold.holds(wall):
                return None
            written = rows.read_waiting(connection, self.channel)
            chosen = self._due(connection, wall, at_once=at_once)
        first = min(written, key=lambda message: LOUDEST_FIRST.index(message.severity), default=None)
        if first is not None and (
            not chosen or LOUDEST_FIRST.index(first.severity) <= LOUDEST_FIRST.index(chosen[0].severity)
        ):
            return first
        return self._write(chosen) if chosen else None

    def _due(self, connection: sqlite3.Connection, wall: datetime, *, at_once: bool) -> list[Alert]:
        backlogs = rows.read_backlog(connection, self.channel)
        if backlogs and getattr(self._notifier, "paced", True):
            recent: dict[str, list[datetime]] = {}
            for kind, moment in rows.read_recent(connection, self.channel, since_wall=wall - WINDOW):
                recent.setdefault(kind, []).append(moment)
            muted = {mute.kind for mute in read_mutes(connection) if mute.holds(wall)}
            backlogs = due(backlogs, recent, muted=muted, wall=wall, at_once=at_once)
        return rows.read_unwritten(connection, self.channel, backlogs) if backlogs else []

    def _write(self, chosen: Sequence[Alert]) -> StoredMessage:
        noted = self._with_note(chosen)
        with self._journal.ledger.write() as connection:
            if self._origin is None:
                self._origin = Origin(read_identity(connection).environment, self._journal.ledger.path.parent)
            for alert in noted:
                if alert.note is not None:
                    rows.save_note(connection, [alert.id], alert.note)
            return rows.write_message(
                connection, self.channel, draft(noted, self._origin), alerts=noted, wall=self._clock.wall()
            )

    def _with_note(self, chosen: Sequence[Alert]) -> list[Alert]:
        lacking = [alert for alert in chosen if alert.kind in NOTED and alert.note is None]
        if not lacking or not getattr(self._notifier, "paced", True):
            return list(chosen)
        try:
            note = self._anchor()
        except Exception as error:  # noqa: BLE001 - the alert matters more than its witness
            note = self._redact(f"none could be made: {error}")
        newest = lacking[-1]  # one note covers all that was recorded before it
        return [alert._replace(note=note) if alert is newest else alert for alert in chosen]

    # -- sending -----------------------------------------------------------------------------------------------

    def _send(self, message: StoredMessage) -> bool:
        with self._journal.read() as connection:
            carried = tuple(rows.read_carried(connection, message.id))
        texts = pieces(message.text, getattr(self._notifier, "longest", None))
        whole = Message(message.severity, message.subject, message.text, carried, parts=len(texts))
        for part in range(min(message.parts, len(texts) - 1), len(texts)):
            try:
                self._notifier.send(replace(whole, text=texts[part], part=part + 1))
            except MessageRefused as failure:
                return self._text_refused(message, failure)
            except NotDelivered as failure:
                self._failed(message, failure)
                return False
            except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody else's channel; alerts wait
                self._failed(message, NotDelivered(f"{self.channel} failed: {type(error).__name__}: {error}"))
                return False
            self._unmarked[message.id] = part + 1 if part + 1 < len(texts) else None
            if not self._mark_what_was_sent():
                return False
        return True

    def _mark_what_was_sent(self) -> bool:
        """False while the ledger cannot be written (a full disk): more must not be sent, it would go out again."""
        if not self._unmarked:
            return True
        wall = self._clock.wall()
        try:
            with self._journal.ledger.write() as connection:
                for message_id, parts in self._unmarked.items():
                    if parts is not None:
                        rows.note_part(connection, message_id, parts)
                        continue
                    rows.end_message(connection, message_id, MessageState.SENT, wall=wall)
                self._works(connection, wall)
        except sqlite3.Error as error:
            _log.error("alert delivered, but not recorded: by=%s error=%s", self.channel, error)
            return False
        self._unmarked.clear()
        return True

    def _works(self, connection: sqlite3.Connection, wall: datetime) -> None:
        rows.release(connection, self.channel)
        text = f"{self.channel} takes alerts again; what waited follows. Next: thunes alerts list"
        now = self._clock.now()
        alerts.tell_over(connection, Kind.ALERTS_UNDELIVERED, text, key=self.channel, at=now, at_wall=wall)

    def _text_refused(self, message: StoredMessage, failure: MessageRefused) -> bool:
        """A text that is refused again and again goes out without its words; if that is refused too, it is no text."""
        if message.attempts + 1 < GIVE_UP_AFTER:
            self._failed(message, failure)
            return False
        said = f"{message.subject}\n\n{self.channel} refused the text of this message.\nNext: thunes alerts list"
        try:
            self._notifier.send(Message(message.severity, message.subject, said))
        except MessageRefused:
            self._failed(message, Refused(failure.message))
            return False
        except NotDelivered as other:
            self._failed(message, other)
            return False
        problem = self._redact(failure.message)
        _log.critical("alert given up: by=%s subject=%s error=%s", self.channel, message.subject, problem)
        wall = self._clock.wall()
        with self._journal.ledger.write() as connection:
            rows.end_message(connection, message.id, MessageState.DROPPED, wall=wall, error=problem)
            self._works(connection, wall)
        return True

    def _failed(self, message: StoredMessage, failure: NotDelivered) -> None:
        problem = self._redact(failure.message)
        wall, now = self._clock.wall(), self._clock.now()
        self._tell_log(problem)
        with self._journal.ledger.write() as connection:
            rows.note_failure(connection, message.id, problem)
            hold = self._hold(connection, failure, problem, wall)
            rows.save_hold(connection, hold)
            told_long = hold.why is WhyHeld.TOLD and (hold.next_try_wall - wall).total_seconds() >= LONG_TOLD_S
            if hold.failures >= TELL_AFTER or hold.why is WhyHeld.REFUSED or told_long:
                text = f"{self.channel} takes no alerts: {problem}. They wait, none is lost. Next: {self._advice()}"
                alerts.raise_alert(
                    connection,
                    Kind.ALERTS_UNDELIVERED,
                    text,
                    severity=Severity.WARNING,
                    at=now,
                    at_wall=wall,
                    key=self.channel,
                    lasting=True,
                )

    def _hold(self, connection: sqlite3.Connection, failure: NotDelivered, problem: str, wall: datetime) -> Hold:
        before = rows.read_hold(connection, self.channel)
        failures = 1 if before is None else before.failures + 1
        if isinstance(failure, Throttled):
            why, wait = WhyHeld.TOLD, min(max(failure.retry_after_s, 1.0), LONGEST_TOLD_S)
        elif isinstance(failure, Refused):
            why, wait = WhyHeld.REFUSED, REFUSED_S[min(failures, len(REFUSED_S)) - 1]
        else:
            why, wait = WhyHeld.BACK_OFF, BACK_OFF_S[min(failures, len(BACK_OFF_S)) - 1]
        since = wall if before is None else before.since_wall
        return Hold(self.channel, failures, why, problem, since, wall, wall + timedelta(seconds=wait))

    def _advice(self) -> str:
        return "thunes telegram test" if self.channel == "telegram" else "thunes alerts list"

    def _tell_log(self, problem: str) -> None:
        now = self._clock.monotonic()
        if self._logged_mono is None or now - self._logged_mono >= _REPEAT_LOG_S:
            self._logged_mono = now
            _log.warning("alert not delivered: by=%s error=%s", self.channel, problem)


def settle(journal: Journal, channels: Collection[str]) -> None:
    """Alerts that all of these channels have are done: nobody looks at them again."""
    with journal.ledger.write() as connection:
        rows.settle(connection, channels)
