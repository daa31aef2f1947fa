"""``thunes check daily|weekly|monthly``: the runbook's looks, each as a list of named checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.invocation import addressed
from thunes_cli.cli.reading import Book, read_book
from thunes_cli.cli.result import Problem, Result, Table
from thunes_cli.cli.table import COMMANDS
from thunes_cli.counts import count
from thunes_cli.errors import ExitCode

if TYPE_CHECKING:
    from thunes_cli.audit.report import Report
    from thunes_cli.ops.check import Check
    from thunes_cli.ops.checklists.facts import Facts

_EXITS = ((0, "no check failed; warnings do not count"), (3, "a check failed"), 5, 10, 13, 78)


@command(examples=("thunes check daily", "thunes -q check daily || thunes check daily"), exits=_EXITS)
def check_daily(call: Call) -> Result:
    """The daily look, ten minutes of a person's time in a second.

    Daemon, whatever `status` would name, alerts and their delivery, the daily summary, errors in the log, disk, result,
    win rate, positions, breaker trips, trail and backup.
    """
    from thunes_cli.ops.checklists.daily import daily

    return _result(call, daily(_facts(call)))


@command(examples=("thunes check weekly", "thunes check weekly --json | jq '.data.checks'"), exits=_EXITS)
def check_weekly(call: Call) -> Result:
    """The weekly look: Sharpe ratio of seven days, breaker trips, the trail, positions older than 72 hours, strangers.

    The trail is validated as `audit validate` does.
    """
    from thunes_cli.ops.checklists.weekly import weekly

    return _result(call, weekly(_facts(call), _validated(call)))


@command(examples=("thunes check monthly",), exits=_EXITS)
def check_monthly(call: Call) -> Result:
    """The monthly look: rejections, Sharpe ratio, return and drawdown of thirty days, key rotation, backups.

    Figures of performance are of realised results, net of fees, over what the account held at first contact.
    """
    from thunes_cli.ops.checklists.monthly import monthly

    return _result(call, monthly(_facts(call)))


def _facts(call: Call) -> Facts:
    from thunes_cli.ops.checklists.facts import read_facts

    def read(book: Book) -> Facts:
        return read_facts(book.connection, book.home, now=book.now, wall=book.wall)

    return read_book(call, read)


def _validated(call: Call) -> Report | None:
    from thunes_cli.audit.public_keys import read_public_keys
    from thunes_cli.audit.segments import public_key_path
    from thunes_cli.audit.validation import Request, validate
    from thunes_cli.audit.witness import LedgerView
    from thunes_cli.config.home import TRAIL
    from thunes_cli.ledger.outbox import read_head

    head = read_book(call, lambda book: read_head(book.connection))
    trail = call.home / TRAIL
    view = LedgerView(head.segment, head.durable_length, head.durable_seq, head.durable_hash)
    try:
        keys = tuple(read_public_keys(public_key_path(trail)))
        return validate(Request(trail, whole=True, keys=keys, ledger=view if head.durable_length else None))
    except OSError:
        return None


def _result(call: Call, found: Sequence[Check]) -> Result:
    checks = [replace(check, hint=addressed(check.hint, call.home_option, COMMANDS)) for check in found]
    bad = [check for check in checks if check.status == "fail"]
    warned = sum(check.status == "warn" for check in checks)
    rows = tuple(
        (str(each.status), each.name.replace("_", " "), each.value, each.expected, each.hint) for each in checks
    )
    verdict = "no check failed" if not bad else f"{count(len(bad), 'check')} failed"
    return Result(
        data={"checks": [check.as_data() for check in checks]},
        text=(Table(("", "check", "found", "expected", "next"), rows), f"{verdict}, {count(warned, 'warning')}"),
        exit_code=ExitCode.ATTENTION if bad else ExitCode.OK,
        problems=tuple(Problem("check_failed", f"{check.name}: {check.value}", check.hint) for check in bad),
        problems_in_text=True,
    )
