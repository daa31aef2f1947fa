"""``thunes audit validate``: is the trail what was written?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from thunes_cli.cli.audit_source import Known, TrailSource, trail_source
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.progress import ByteProgress
from thunes_cli.cli.result import Problem, Result
from thunes_cli.counts import count
from thunes_cli.errors import ExitCode, NotFound, Unavailable, UsageFault

if TYPE_CHECKING:
    import typer  # without options of its own this command is called without it: thunes_cli.cli.quick

    from thunes_cli.audit.notes import Note, PublicKey
    from thunes_cli.audit.report import FirstBad, Remark, Report
    from thunes_cli.audit.witness import LedgerView

_MIB = 1024 * 1024
_MOST_NOTES = 64 * _MIB  # characters: two hundred thousand notes, of two hundred million records
_EVIDENCE = "copy the files away as evidence before anything else; nothing has been changed"
_HOW = {
    "fast": "checkpoints verified, every line decoded, links checked behind the last checkpoint",
    "chain": "every link checked; no checkpoint could be trusted: there is none, or no public key",
    "deep": "every link, every record's form, every signature",
    "original": "a file of the original system: lines and times only, it has no chain",
}


@command(
    examples=(
        "thunes audit validate",
        "thunes audit validate --deep",
        "thunes audit validate --anchor notes.txt --public-key audit_key.pub",
        "thunes audit validate /mnt/copy/audit_trail.jsonl",
    ),
    exits=(
        (0, "sound"),
        (3, "sound as far as can be seen, but something that would show more is missing"),
        (5, "not what was written; the first bad line is named"),
        10,
        (13, "a file cannot be read now"),
        78,
    ),
)
def audit_validate(
    call: Call,
    *,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A trail or one closed segment; else the home's.")
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Also form and facts of every record.")] = False,
    anchor: Annotated[
        Path | None, typer.Option("--anchor", metavar="FILE", help="Checkpoint notes kept elsewhere; - reads stdin.")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", metavar="FILE", help="The public key, kept elsewhere.")
    ] = None,
) -> Result:
    """Is the trail what was written?

    Reads only, needs no network, no settings and no key; a copied file will do. The chain shows edits, checkpoints a
    rewritten or cut end, the ledger what came after the last of them. Only --anchor shows a roll-back of everything to
    an older consistent copy: keep the notes that go out with the daily summary.
    """
    from thunes_cli.audit.validation import Request, validate

    source = trail_source(call, file)
    request = Request(
        file=source.trail,
        deep=deep,
        whole=file is None,
        keys=_keys(source.trail, public_key),
        anchors=_anchors(call, anchor),
        anchor_file=anchor,
        ledger=_ledger_view(source.known),
    )
    try:
        with ByteProgress(call.streams, "validating") as progress:
            report = validate(request, progress.show)
    except FileNotFoundError as error:
        raise NotFound(f"there is no audit trail {source.trail}") from error
    except OSError as error:
        raise Unavailable(f"{error.filename or source.trail}: {error.strerror or error}") from error
    return _result(report, source)


def _keys(trail: Path, given: Path | None) -> tuple[PublicKey, ...]:
    from thunes_cli.audit.public_keys import read_public_keys
    from thunes_cli.audit.segments import public_key_path

    path = given if given is not None else public_key_path(trail)
    try:
        return read_public_keys(path)
    except FileNotFoundError:
        if given is None:
            return ()
        raise NotFound(f"there is no file {path}", hint="the home's own trail: thunes audit validate") from None
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror or error}") from error


def _anchors(call: Call, path: Path | None) -> tuple[Note, ...]:
    from thunes_cli.audit.notes import BadNote, find_notes

    if path is None:
        return ()
    try:
        if str(path) == "-":
            text = call.streams.stdin.read(_MOST_NOTES)
        else:
            with path.open(encoding="utf-8", errors="replace") as stream:
                text = stream.read(_MOST_NOTES)
        notes = find_notes(text)
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}", hint="the home's own trail: thunes audit validate") from None
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror or error}") from error
    except BadNote as error:
        raise UsageFault(f"--anchor {path}: {error}") from None
    if not notes:
        hint = "paste a note whole, from its line thunes.audit/... to the one that begins with —"
        raise UsageFault(f"--anchor {path}: there is no checkpoint note in it", hint=hint)
    return tuple(notes)


def _ledger_view(known: Known | None) -> LedgerView | None:
    from thunes_cli.audit.witness import LedgerView

    if known is None:
        return None
    head, closed = known.head, known.closed
    if head.durable_length:
        return LedgerView(head.segment, head.durable_length, head.durable_seq, head.durable_hash)
    if closed is not None and closed.last_bytes:
        return LedgerView(closed.number, closed.length, closed.last_seq, closed.last_hash)
    return None


def _result(report: Report, source: TrailSource) -> Result:
    problems = [*(_broken(report.first_bad) if report.first_bad is not None else ()), *_told(report.remarks)]
    attention = bool(source.problems) or any(remark.attention for remark in report.remarks)
    exit_code = ExitCode.INTEGRITY if not report.valid else ExitCode.ATTENTION if attention else ExitCode.OK
    return Result(
        data=_data(report),
        text=_text(report, source.trail),
        exit_code=exit_code,
        problems=(*problems, *source.problems),
    )


def _broken(bad: FirstBad) -> list[Problem]:
    fault = bad.fault
    expected = f"; expected {fault.expected}" if fault.expected is not None else ""
    found = f", found {fault.found}" if fault.found is not None else ""
    message = f"{bad.file}, line {fault.line} (byte {fault.offset}): {fault.problem}{expected}{found}"
    return [Problem("audit_broken", message, _EVIDENCE)]


def _told(remarks: tuple[Remark, ...]) -> list[Problem]:
    return [Problem(remark.code, remark.message, remark.hint) for remark in remarks if remark.attention]


def _data(report: Report) -> dict[str, Any]:
    bad = report.first_bad
    return {
        "valid": report.valid,
        "mode": str(report.mode),
        "records": report.records,
        "bytes": report.bytes,
        "segments": report.segments,
        "checkpoints": report.checkpoints,
        "signatures": str(report.signatures),
        "anchors": report.anchors,
        "first_seq": report.first_seq,
        "last_seq": report.last_seq,
        "first_bad": None
        if bad is None
        else {
            "file": str(bad.file),
            "line": bad.fault.line,
            "offset": bad.fault.offset,
            "problem": bad.fault.problem,
            "expected": bad.fault.expected,
            "found": bad.fault.found,
        },
        "torn_tail": report.torn_bytes > 0,
        "torn_bytes": report.torn_bytes,
        "elapsed_s": round(report.elapsed_s, 3),
    }


def _text(report: Report, trail: Path) -> tuple[str, ...]:
    size = f"{report.bytes / _MIB:.1f} MiB" if report.bytes >= _MIB else f"{report.bytes} bytes"
    span = f", seq {report.first_seq} to {report.last_seq}" if report.last_seq is not None else ""
    sound = f"{count(report.records, 'record')}{span}, {count(report.segments, 'segment')}, {size}"
    lines = [
        f"{trail}",
        f"SOUND: {sound}" if report.valid else f"BROKEN; sound up to there: {sound}",
        f"mode {report.mode}: {_HOW[report.mode]}",
    ]
    if report.checkpoints:
        lines.append(f"{count(report.checkpoints, 'checkpoint')}, signatures {report.signatures}")
    if report.anchors and report.valid:
        lines.append(f"{count(report.anchors, 'anchor')} from elsewhere: all of it is here")
    elif report.valid and not report.anchors:
        lines.append("without --anchor a roll-back to an older consistent copy cannot show")
    lines += [remark.message for remark in report.remarks if not remark.attention]
    return tuple(lines)
