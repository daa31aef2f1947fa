"""The tar inside a backup: plain files with known names in a fixed order; one content, one sequence of bytes."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Self

from thunes_cli.ops.backups.manifest import Member

LEDGER, SETTINGS = "thunes.db", "settings.env"
SECRETS = {"secrets/env": ".env", "secrets/env.age": ".env.age", "secrets/audit_key": "audit_key"}
_CHUNK = 1 << 18
_MOST_HEADER = 1 << 14
_TRAIL = re.compile(r"audit_trail(-\d{6,})?\.jsonl(\.ckpt)?|audit_key\.pub")
_OWN = frozenset({LEDGER, SETTINGS, "manifest.json", "manifest.sig", *SECRETS})

Progress = Callable[[int], object]


class ArchiveFault(Exception):
    """The archive is not what one of ours is; the message says how."""


@dataclass(frozen=True, slots=True)
class Source:
    """A member to be: the first ``length`` bytes that ``descriptor`` gives."""

    name: str
    length: int
    stream: IO[bytes]


def known_name(name: str) -> bool:
    """Whether an archive of ours may have such a member."""
    return name in _OWN or _TRAIL.fullmatch(name) is not None


class ArchiveWriter:
    """Adds members one after the other; ``members`` are those so far."""

    def __init__(self, out: Any, progress: Progress) -> None:
        how: dict[str, Any] = {"bufsize": _CHUNK, "copybufsize": _CHUNK}
        self._tar = tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, **how)  # noqa: SIM115 - see close()
        self._progress = progress
        self.members: list[Member] = []

    def add(self, source: Source) -> None:
        """Raises: OSError, also when the file has become shorter than it was."""
        info = tarfile.TarInfo(source.name)
        info.size, info.mode, info.mtime = source.length, 0o600, 0
        hashing = _Hashing(source.stream, source.length, self._progress)
        with self._no_second_try():
            self._tar.addfile(info, hashing)
        self.members.append(Member(source.name, source.length, hashing.sha256.hexdigest()))

    def add_bytes(self, name: str, raw: bytes) -> None:
        """A member that is made here."""
        self.add(Source(name, len(raw), io.BytesIO(raw)))

    def close(self) -> None:
        """Write the archive's end."""
        with self._no_second_try():
            self._tar.close()

    @contextmanager
    def _no_second_try(self) -> Iterator[None]:
        """tarfile's stream writes its end when it is collected, and complains aloud when that fails as well."""
        try:
            yield
        except BaseException:
            self._tar.fileobj.closed = True  # type: ignore[attr-defined]  # its own mark, on a class without types
            raise


class _Hashing:
    """Reads so many bytes, and knows their hash."""

    def __init__(self, stream: IO[bytes], length: int, progress: Progress) -> None:
        self._stream, self._left, self._progress = stream, length, progress
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(chunk)
        self.sha256.update(chunk)
        self._progress(len(chunk))
        return chunk


class _PlainHeader(tarfile.TarInfo):
    """A plain file's header, or one that tells a size which has no room in it. Others may announce any amount of what
    is read into memory before their kind is asked for.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        info = super().frombuf(buf, encoding, errors)
        if info.type not in {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.XHDTYPE}:
            raise ArchiveFault(f"its member {info.name!r} is no plain file")
        if info.type == tarfile.XHDTYPE and info.size > _MOST_HEADER:
            raise ArchiveFault("one of its headers is too long")
        return info


def read_members(stream: Any) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Each member's name, length and content, in the archive's order; the content must be read before the next.

    Raises:
        ArchiveFault: a member that is no plain file, has a name we never give, or comes twice; or it is no archive.
    """
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK, tarinfo=_PlainHeader) as tar:
            for info in tar:
                if not info.isreg() or info.issparse():
                    raise ArchiveFault(f"its member {info.name!r} is no plain file")
                if not known_name(info.name) or info.name in seen:
                    raise ArchiveFault(f"its member {info.name!r} does not belong there")
                seen.add(info.name)
                content = tar.extractfile(info)
                assert content is not None
                yield info.name, info.size, content
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise ArchiveFault(f"it is no whole archive ({error})") from error


def copy_out(content: IO[bytes], descriptor: int, progress: Progress) -> tuple[int, str]:
    """Write a member to a file; its length and SHA-256.

    Raises:
        ArchiveFault: the archive ends within it.
    """
    digest, length = hashlib.sha256(), 0
    while chunk := _next_of(content):
        digest.update(chunk)
        length += len(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(descriptor, view) :]
        progress(len(chunk))
    return length, digest.hexdigest()


def _next_of(content: IO[bytes]) -> bytes:
    try:
        return content.read(_CHUNK)
    except tarfile.TarError as error:
        raise ArchiveFault(f"it is no whole archive ({error})") from error
