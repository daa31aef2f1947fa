"""Which alerts go out now, on a channel that a person reads: pure.

Of a kind three messages go out as they come; then there is a pause, and what came meanwhile is one message. After six
of any kinds there is a pause too, but not for what is critical or not heard of lately. So a storm of any size is a
handful of messages, and the next kind is heard at once all the same. Network time throughout.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from thunes_cli.ledger.alert_delivery import Backlog
from thunes_cli.ledger.alerts import LOUDEST_FIRST, Severity

WINDOW = timedelta(hours=1)
BURST = 3
# After the third, the fourth, ... message of a kind within the window. Nobody waits longer for something critical.
PAUSES = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
LONGEST_CRITICAL_PAUSE = timedelta(minutes=10)
GATHERING = timedelta(seconds=2)  # what comes together goes out together; what is critical goes at once
STORM, STORM_BURST = timedelta(minutes=10), 6  # so many messages within it, of whatever kinds: then there are pauses


def due(
    backlogs: Sequence[Backlog],
    recent: Mapping[str, Sequence[datetime]],
    *,
    muted: Collection[str],
    wall: datetime,
    at_once: bool = False,
) -> list[Backlog]:
    """What the next message carries: all of one severity, but in a storm what is less severe may go along.

    Args:
        backlogs: what waits.
        recent: when messages of each kind went out, oldest first; those older than an hour do not matter.
        muted: kinds that wait whatever happens.
        wall: now.
        at_once: do not gather, this is the last chance (a stop, a command).
    """
    wanted = [backlog for backlog in backlogs if backlog.kind not in muted]
    everything = sorted({moment for moments in recent.values() for moment in moments})
    ready = [backlog for backlog in wanted if _ready(backlog, recent, everything, wall)]
    for severity in LOUDEST_FIRST:
        chosen = [backlog for backlog in ready if backlog.severity is severity]
        if not chosen:
            continue
        young = timedelta(0) <= wall - min(backlog.oldest_wall for backlog in chosen) < GATHERING
        if at_once or severity is Severity.CRITICAL or not young:
            stormy = sum(timedelta(0) <= wall - moment < WINDOW for moment in everything) >= BURST
            return [*chosen, *_along(chosen, wanted, ready)] if stormy else chosen
    return []


def _along(chosen: Sequence[Backlog], wanted: Sequence[Backlog], ready: Sequence[Backlog]) -> list[Backlog]:
    """What is less severe and need not be a message of its own: of the same kinds, or anything with a mere warning."""
    severity, kinds = chosen[0].severity, {backlog.kind for backlog in chosen}
    less = LOUDEST_FIRST[LOUDEST_FIRST.index(severity) + 1 :]
    return [
        backlog
        for backlog in wanted
        if backlog.severity in less
        and (backlog.kind in kinds or (severity is not Severity.CRITICAL and backlog in ready))
    ]


def _ready(
    backlog: Backlog, recent: Mapping[str, Sequence[datetime]], everything: Sequence[datetime], wall: datetime
) -> bool:
    """Its own kind's pause is over and, unless it is critical or of a kind not heard lately, that of the storm too."""
    own = recent.get(backlog.kind, ())
    if not may_go(own, severity=backlog.severity, wall=wall):
        return False
    lately = [moment for moment in everything if timedelta(0) <= wall - moment < STORM]
    if backlog.severity is Severity.CRITICAL or len(lately) < STORM_BURST or not set(own) & set(lately):
        return True
    return wall - lately[-1] >= PAUSES[min(len(lately) - STORM_BURST, 1)]


def may_go(sent: Sequence[datetime], *, severity: Severity, wall: datetime) -> bool:
    """Whether a kind whose messages went out at these times may send another one."""
    within = [moment for moment in sent if timedelta(0) <= wall - moment < WINDOW]
    if len(within) < BURST:
        return True
    pause = PAUSES[min(len(within) - BURST, len(PAUSES) - 1)]
    if severity is Severity.CRITICAL:
        pause = min(pause, LONGEST_CRITICAL_PAUSE)
    return wall - within[-1] >= pause
