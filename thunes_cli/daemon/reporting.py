"""The daily summary as a job: due at its time of the market's day, made up for once when nobody ran then."""

from __future__ import annotations

import logging
from datetime import datetime, time

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.daemon.jobs import DAILY_SUMMARY
from thunes_cli.daemon.schedule import Daily
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import Severity
from thunes_cli.ledger.daemon import last_point
from thunes_cli.ledger.identity import read_identity
from thunes_cli.trading.summary import DAY, summarize_day
from thunes_cli.trading.summary_text import summary_text

_log = logging.getLogger(__name__)


class DailyReport:
    """Sums up from one point of the schedule to the next, so that no trade is left out and none told twice.

    ``began`` is when this daemon began (market time): a point before it was missed.
    """

    def __init__(self, journal: Journal, at: time, *, began: datetime) -> None:
        self._journal = journal
        self._began = began
        self.schedule = Daily(at)

    def told_until(self) -> datetime:
        """Nothing is due up to there: the last summary's point, or when the home was first ready, or our beginning."""
        with self._journal.read() as connection:
            last, ready = last_point(connection, DAILY_SUMMARY), read_identity(connection).entries_from
        return min(last or ready or self._began, self._began)

    def run(self) -> str:
        """Sum up, record, tell; returns the first line."""
        with self._journal.change() as change:
            until = self.schedule.last_at(change.at)
            last = last_point(change.connection, DAILY_SUMMARY)
            ready = read_identity(change.connection).entries_from or until
            since = last if last is not None and last < until else max(until - DAY, min(ready, until))
            summary = summarize_day(
                change.connection,
                since=since if since < until else until - DAY,
                until=until,
                now=change.at,
                wall=change.at_wall,
                late=until < self._began,
            )
            text = summary_text(summary)
            change.record(Event.DAILY_SUMMARY, **summary.facts())
            change.alert(Kind.DAILY_SUMMARY, text, Severity.INFO)
        _log.info("daily summary: %s", " ".join(f"{key}={value}" for key, value in summary.facts().items()))
        return text.partition("\n")[0]
