"""``thunes explain``: everything known about one signal, order or position."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from thunes_cli.audit.lookup import Found, find_records
from thunes_cli.audit.reading import Record
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.reading import Book, read_book, typed
from thunes_cli.cli.result import Problem, Result
from thunes_cli.config.home import TRAIL
from thunes_cli.counts import count
from thunes_cli.errors import ExitCode, NotFound, Unavailable
from thunes_cli.ledger import view_story
from thunes_cli.ledger.outbox import Head, Pending, outbox_size, pending, read_head
from thunes_cli.ledger.view_story import LedgerRow, Subject

_ROWS = {"decisions": "decision", "orders": "order", "fills": "fill", "positions": "position", "dust_moves": "dust"}
_WIDTH = 78
_SENTENCE = 50
_TIED = "\N{NO-BREAK SPACE}"
# What a person does not need to see; --json shows every column.
_HIDDEN = frozenset(
    {"v", "prev", "seq", "timestamp", "event", "exchange_epoch", "base", "quote", "type", "id", "absences"}
)
_PLUMBING = ("owner_", "sent_", "last_absence_", "recv_window_")


@dataclass(frozen=True, slots=True)
class _Story:
    home: Path
    subject: Subject
    rows: list[LedgerRow]
    head: Head
    waiting: list[Pending]


@command(
    examples=(
        "thunes explain position:3",
        "thunes explain thk7m2qpx4a-B-17",
        "thunes explain BTCUSDT:rsi:20260501T120000Z:BUY",
        "thunes explain order:28457",
    ),
    exits=((0, "told"), (5, "told, but the trail lacks records; or the ledger is damaged"), 10, 13, 78),
)
def explain(
    call: Call,
    *,
    subject: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A signal id, a client order id, position:N (or N), or order:N with the exchange's N."
        ),
    ],
) -> Result:
    """Everything known about one signal, order or position.

    Every row of the ledger and every record of the audit trail about it, in order. A plain number is a position, as
    `positions list` shows it.
    """
    asked = subject.strip()
    story = read_book(call, lambda book: _read(call, book, asked))
    trail = story.home / TRAIL
    try:
        found = find_records(trail, story.waiting, story.head, needles=_needles(story), fits=_Fit(story.subject))
    except OSError as error:
        raise Unavailable(f"the audit trail {trail} cannot be read: {error.strerror}", hint=f"ls -l {trail}") from error
    problems = _problems(found, trail)
    return Result(
        data={"id": asked, "kind": story.subject.kind, "entries": _entries(story.rows, found.records)},
        text=_text(story, found.records, asked),
        exit_code=ExitCode.INTEGRITY if problems else ExitCode.OK,
        problems=problems,
    )


def _read(call: Call, book: Book, asked: str) -> _Story:
    subject = _find(book, asked)
    if subject is None:
        raise _unknown(call, book, asked)
    head = read_head(book.connection)
    waiting = pending(book.connection, after=head.durable_seq, limit=max(1, outbox_size(book.connection)))
    return _Story(book.home, subject, view_story.rows_of(book.connection, subject), head, waiting)


def _find(book: Book, asked: str) -> Subject | None:
    kind, _, number = asked.partition(":")
    if _is_row_id(asked):
        return view_story.subject_of_position(book.connection, int(asked))
    if kind == "position" and _is_row_id(number):
        return view_story.subject_of_position(book.connection, int(number))
    if kind == "order" and _is_row_id(number):
        return view_story.subject_of_exchange_id(book.connection, int(number))
    return view_story.subject_of_client_id(book.connection, asked) or view_story.subject_of_signal(
        book.connection, asked
    )


def _is_row_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) < 2**63


def _unknown(call: Call, book: Book, asked: str) -> NotFound:
    hint = f"{typed(call, 'orders list --since all')}   or   {typed(call, 'positions list --all')}"
    if _is_row_id(asked) and view_story.subject_of_exchange_id(book.connection, int(asked)) is not None:
        hint = f"the exchange gave that number to an order: {typed(call, f'explain order:{asked}')}"
    return NotFound(f"the ledger knows nothing of {asked!r}", hint=hint)


def _needles(story: _Story) -> list[str]:
    """Texts that every fitting line holds; a position's number is looked for by its key."""
    keys = [f'"position":{number}' for number in story.subject.positions]
    return [*keys, *story.subject.client_order_ids, *story.subject.signals]


@dataclass(frozen=True, slots=True)
class _Fit:
    """Whether a record names what is asked about, exactly: ids of which one begins with another are told apart."""

    subject: Subject

    def __call__(self, record: Record) -> bool:
        subject = self.subject
        return (
            record.get("client_order_id") in subject.client_order_ids
            or record.get("signal_id") in subject.signals
            or record.get("position") in subject.positions
        )


def _problems(found: Found, trail: Path) -> tuple[Problem, ...]:
    problems = []
    if found.missing_bytes:
        message = f"the audit trail {trail} lacks its last {count(found.missing_bytes, 'byte')}; records may be missing"
        problems.append(Problem("audit_tampered", message, "keep the file as evidence"))
    if found.unreadable_lines:
        message = f"{count(found.unreadable_lines, 'line')} about this in {trail} cannot be read"
        problems.append(Problem("audit_unreadable", message, "keep the file as evidence"))
    return tuple(problems)


def _entries(rows: list[LedgerRow], records: list[Record]) -> list[dict[str, Any]]:
    """Both merged by time, each in its own order: a clock that was set back does not reorder the trail."""
    stored: list[dict[str, Any]] = [
        {"at": row.at, "source": "ledger", "table": row.table, "row": row.values} for row in rows
    ]
    told: list[dict[str, Any]] = [
        {"at": record.get("timestamp"), "source": "trail", "event": record.get("event"), "record": record}
        for record in records
    ]
    return list(heapq.merge(stored, told, key=lambda entry: str(entry["at"])))


def _text(story: _Story, records: list[Record], asked: str) -> tuple[str, ...]:
    blocks = [f"{story.subject.kind} {asked.rpartition(':')[2] if story.subject.positions else asked}"]
    blocks += ["", "in the ledger, as it stands now"]
    blocks += [_lines(row.at, f"{_ROWS[row.table]} {row.values['id']}", row.values) for row in story.rows]
    blocks += ["", f"on the audit trail, {count(len(records), 'record')}"]
    blocks += [
        _lines(str(record.get("timestamp")), f"{record.get('event')} (record {record.get('seq')})", record)
        for record in records
    ]
    return tuple(blocks)


def _lines(at: str, title: str, values: dict[str, Any]) -> str:
    from textwrap import wrap

    facts = "  ".join(
        _fact(name, value) for name, value in _flat(values) if value not in (None, "", at) and _shown(name)
    )
    body = wrap(
        facts, _WIDTH, initial_indent="    ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    lines = [f"  {at[:19].replace('T', ' ')}Z  {title}", *body]
    return "\n".join(lines).replace(_TIED, " ")


def _shown(name: str) -> bool:
    return name not in _HIDDEN and not name.startswith(_PLUMBING)


def _flat(values: dict[str, Any]) -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for name, value in values.items():
        flat += value.items() if isinstance(value, dict) else [(name, value)]
    return flat


def _fact(name: str, value: object) -> str:
    """Name and value, not to be parted at the end of a line unless the value is a sentence."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{name} {text}".replace(" ", _TIED) if len(text) < _SENTENCE else f"{name}{_TIED}{text}"
