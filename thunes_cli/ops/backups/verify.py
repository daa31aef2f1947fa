"""Is a backup good? Every hash, the signature, SQLite's check, and its trail, validated against its ledger."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thunes_cli.audit.notes import BadNote, PublicKey, parse_public_key
from thunes_cli.audit.segments import PUBLIC_KEY
from thunes_cli.audit.validation import Request, validate
from thunes_cli.audit.witness import LedgerView
from thunes_cli.config.home import TRAIL
from thunes_cli.errors import LedgerCorrupt, Unavailable
from thunes_cli.ledger.identity import read_identity
from thunes_cli.ledger.outbox import read_head
from thunes_cli.ledger.pragmas import SCHEMA_VERSION
from thunes_cli.ops.backups.archive import LEDGER, SECRETS, ArchiveFault, copy_out, read_members
from thunes_cli.ops.backups.catalog import Backup
from thunes_cli.ops.backups.create import need_room
from thunes_cli.ops.backups.faults import BackupDamaged, BackupNewer
from thunes_cli.ops.backups.manifest import NAME, SIGNATURE, Manifest, Member, signer_of
from thunes_cli.ops.backups.sealing import opened
from thunes_cli.ops.backups.snapshot import count_rows, prove_ledger
from thunes_cli.ops.backups.workplace import workplace

NO_CHECKSUM = "its checksum (.sha256) is not beside it"
_CHUNK = 1 << 20
_LOOK_EVERY = 8 * 1024 * 1024
_MOST_MANIFEST = 16 * 1024 * 1024

Progress = Callable[[int, int], object]


def silently(done: int, total: int) -> None:
    """No progress is shown."""


@dataclass(slots=True)
class Verdict:
    """What was found. ``problems`` empty: it is good. ``quick``: only the file as a whole was looked at."""

    backup: Backup
    problems: list[str] = field(default_factory=list)
    manifest: Manifest | None = None
    quick: bool = False
    signer: PublicKey | None = None
    trusted: bool = False

    @property
    def valid(self) -> bool:
        """Nothing is wrong with it."""
        return not self.problems


def check_file(backup: Backup) -> list[str]:
    """Whether the file is, as a whole, what was written: needs no identity. Problems; none when it is.

    A file without its checksum beside it (a copy from elsewhere) is looked into instead, where that can be done.

    Raises:
        Unavailable: it cannot be read (13).
    """
    try:
        expected = backup.checksum_path.read_text(encoding="ascii", errors="replace").split()[:1]
    except FileNotFoundError:
        return [NO_CHECKSUM]
    except OSError as error:
        raise Unavailable(f"{backup.checksum_path} cannot be read: {error.strerror}") from error
    digest = hashlib.sha256()
    try:
        with backup.path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise Unavailable(f"{backup.path} cannot be read: {error.strerror}") from error
    return [] if expected == [digest.hexdigest()] else ["the file is not what was written (SHA-256)"]


@contextmanager
def unpacked(
    backup: Backup,
    identities: Sequence[Any],
    *,
    place: Path,
    keys: Sequence[PublicKey] = (),
    progress: Progress = silently,
) -> Iterator[tuple[Path, Verdict]]:
    """A backup's content in a directory of its own below ``place`` and what is to be said of it, while the block runs.

    Args:
        backup: which.
        identities: age identities; one of them must open it if it is encrypted.
        place: an existing directory with enough room; nothing stays there.
        keys: public keys that are trusted to have signed it; none: any key will do.
        progress: told the bytes written.

    Raises:
        IdentityWrong, BackupNewer (78). NoRoom, Unavailable: it cannot be unpacked here (13).
    """
    need_room(place, 2 * backup.bytes)
    verdict = Verdict(backup)
    with ExitStack() as stack:
        try:
            directory = stack.enter_context(workplace(place))
        except OSError as error:
            raise Unavailable(f"nothing can be unpacked in {place}: {error.strerror}", hint="df -h") from error
        try:
            _unpack(directory, verdict, identities, progress)
        except BackupDamaged as error:
            verdict.problems.append(str(error.args[1]))
        except ArchiveFault as error:
            verdict.problems.append(str(error))
        except OSError as error:
            raise Unavailable(f"the backup cannot be unpacked: {error.strerror or error}", hint="df -h") from error
        if verdict.valid:
            _judge(directory, verdict, keys)
        yield directory, verdict


def _unpack(directory: Path, verdict: Verdict, identities: Sequence[Any], progress: Progress) -> None:
    backup, found, own = verdict.backup, list[Member](), dict[str, bytes]()
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        progress(done, max(done, backup.bytes))
        if done // _LOOK_EVERY != (done - count) // _LOOK_EVERY:  # how much it is, only its end says
            need_room(directory, 0)

    with opened(backup.path, identities, encrypted=backup.encrypted) as stream:
        for name, size, content in read_members(stream):
            if name in {NAME, SIGNATURE}:
                own[name] = content.read(_MOST_MANIFEST)
                continue
            target = directory / SECRETS.get(name, name)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                length, sha256 = copy_out(content, descriptor, step)
            finally:
                os.close(descriptor)
            if length != size:
                raise ArchiveFault(f"its member {name} ends early")
            found.append(Member(name, length, sha256))
        stream.finish()
    _compare(verdict, found, own)


def _compare(verdict: Verdict, found: list[Member], own: dict[str, bytes]) -> None:
    if own.keys() != {NAME, SIGNATURE}:
        raise ArchiveFault("its manifest is missing")
    verdict.signer = signer_of(own[NAME], own[SIGNATURE])
    if verdict.signer is None:
        raise ArchiveFault("its manifest is not what was signed")
    try:
        verdict.manifest = Manifest.parse(own[NAME])
    except (ValueError, KeyError, TypeError) as error:
        raise ArchiveFault(f"its manifest cannot be read: {error}") from error
    expected = {member.name: member for member in verdict.manifest.members}
    for member in found:
        wanted = expected.pop(member.name, None)
        if wanted != member:
            verdict.problems.append(f"its member {member.name} is not what was written")
    verdict.problems += [f"its member {name} is missing" for name in expected]


def _judge(directory: Path, verdict: Verdict, keys: Sequence[PublicKey]) -> None:
    manifest, problems = verdict.manifest, verdict.problems
    assert manifest is not None
    if manifest.id != verdict.backup.id:
        problems.append(f"it was made as {manifest.id}, and renamed since")
    verdict.trusted = verdict.signer in keys
    if keys and not verdict.trusted:
        problems.append(f"it is signed with a foreign key, {verdict.signer}")
    if manifest.schema > SCHEMA_VERSION:
        raise BackupNewer(manifest.id, f"its ledger has schema {manifest.schema}, this one knows {SCHEMA_VERSION}")
    view = _judge_ledger(directory / LEDGER, manifest, problems)
    if view is not None and view.length:
        _judge_trail(directory, view, problems)


def _judge_ledger(ledger: Path, manifest: Manifest, problems: list[str]) -> LedgerView | None:
    try:
        with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            prove_ledger(connection, ledger.name)
            head, rows, identity = read_head(connection), count_rows(connection), read_identity(connection)
    except LedgerCorrupt as error:
        problems.append(error.message)
        return None
    except (sqlite3.Error, TypeError, ValueError, LookupError, ArithmeticError) as error:  # rows that are none of ours
        problems.append(f"its ledger cannot be read: {error}")
        return None
    if rows != manifest.rows:
        problems.append("its ledger has not the rows that were counted")
    if (identity.environment, identity.instance) != (manifest.environment, manifest.instance):
        problems.append("its ledger and its manifest disagree about whose it is")
    end = manifest.trail
    if (head.segment, head.durable_length, head.durable_seq, head.durable_hash) != (
        end.segment,
        end.length,
        end.seq,
        end.hash,
    ):
        problems.append("its ledger and its manifest disagree about the trail")
    return LedgerView(head.segment, head.durable_length, head.durable_seq, head.durable_hash)


def _judge_trail(directory: Path, view: LedgerView, problems: list[str]) -> None:
    keys = public_keys(directory / PUBLIC_KEY)
    try:
        report = validate(Request(directory / TRAIL, whole=True, keys=keys, ledger=view))
    except OSError as error:
        problems.append(f"its trail cannot be read: {error.strerror}")
        return
    if report.first_bad is not None:
        bad = report.first_bad
        problems.append(f"its trail is broken: {bad.file.name} line {bad.fault.line}: {bad.fault.problem}")


def public_keys(path: Path) -> tuple[PublicKey, ...]:
    """The keys of a file, one a line; none where it is not there. Lines that are no keys are passed over."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    found = []
    for line in lines:
        try:
            found.append(parse_public_key(line))
        except BadNote:
            continue
    return tuple(found)
