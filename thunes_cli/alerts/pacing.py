"""Which alerts go out now, on a channel that a person reads: pure.

Of a kind three messages go out as they come; then there is a pause, and what came meanwhile is one message. So a storm
of any size is a handful of messages, and the next kind is heard at once all the same. Network time throughout.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from thunes_cli.ledger.alert_delivery import Backlog
from thunes_cli.ledger.alerts import Severity

WINDOW = timedelta(hours=1)
BURST = 3
# After the third, the fourth, ... message of a kind within the window. Nobody waits longer for something critical.
PAUSES = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
LONGEST_CRITICAL_PAUSE = timedelta(minutes=10)
GATHERING = timedelta(seconds=2)  # what comes together goes out together; what is critical goes at once
LOUDEST_FIRST = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)


def due(
    backlogs: Sequence[Backlog],
    recent: Mapping[str, Sequence[datetime]],
    *,
    muted: Collection[str],
    wall: datetime,
    at_once: bool = False,
) -> list[Backlog]:
    """What the next message carries, all of one severity; nothing while all must wait.

    Args:
        backlogs: what waits.
        recent: when messages of each kind went out, oldest first; those older than an hour do not matter.
        muted: kinds that wait whatever happens.
        wall: now.
        at_once: do not gather, this is the last chance (a stop, a command).
    """
    for severity in LOUDEST_FIRST:
        chosen = [
            backlog
            for backlog in backlogs
            if backlog.severity is severity
            and backlog.kind not in muted
            and may_go(recent.get(backlog.kind, ()), severity=severity, wall=wall)
        ]
        if not chosen:
            continue
        young = timedelta(0) <= wall - min(backlog.oldest_wall for backlog in chosen) < GATHERING
        if at_once or severity is Severity.CRITICAL or not young:
            return chosen
    return []


def may_go(sent: Sequence[datetime], *, severity: Severity, wall: datetime) -> bool:
    """Whether a kind whose messages went out at these times may send another one."""
    within = [moment for moment in sent if timedelta(0) <= wall - moment < WINDOW]
    if len(within) < BURST:
        return True
    pause = PAUSES[min(len(within) - BURST, len(PAUSES) - 1)]
    if severity is Severity.CRITICAL:
        pause = min(pause, LONGEST_CRITICAL_PAUSE)
    return wall - within[-1] >= pause
