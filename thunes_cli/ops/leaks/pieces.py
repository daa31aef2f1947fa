"""Reading what is to be looked through: files, compressed logs, archives; long ones in bounded memory."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from thunes_cli.ops.leaks.shapes import Finder, Hit

_CHUNK = 1 << 22
_OVERLAP = 1 << 14  # more than the longest secret, a private key of 8192 bits
_AGE = b"age-encryption.org/"
_BROKEN = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, tarfile.TarError)


class Unreadable(Exception):
    """A place could not be looked through; the message says why."""


class Encrypted(Exception):
    """It is encrypted with age: there is nothing in it to be read, and nothing to be found."""


class Reader(Protocol):
    """What pieces are read from."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes, none at the end."""


class Found(NamedTuple):
    """A hit in a stream: in which line, and of an archive in which member."""

    hit: Hit
    line: int
    member: str = ""


class Counter:
    """How much was looked through."""

    def __init__(self) -> None:
        self.files = self.objects = self.bytes = 0


def look_through(stream: Reader, finder: Finder, counter: Counter) -> Iterator[Found]:
    """Every hit of a stream, whatever its length; neighbouring buffers overlap, so that nothing is cut in two."""
    buffer, line, first = b"", 1, True
    while True:
        chunk = stream.read(_CHUNK)
        counter.bytes += len(chunk)
        buffer += chunk
        end = len(buffer) if not chunk else max(0, len(buffer) - _OVERLAP)
        seen = 0
        for hit in finder.find(buffer):
            if hit.offset >= end or (hit.offset == 0 and not first):  # seen whole in the next one, or in the last
                continue
            line += buffer.count(b"\n", seen, hit.offset)
            seen = hit.offset
            yield Found(hit, line)
        if not chunk:
            return
        line += buffer.count(b"\n", seen, end)
        if end:
            # One byte more: what begins at 0 was looked at already.
            buffer, first = buffer[end - 1 :], False
            line -= buffer[:1] == b"\n"


def look_through_file(path: Path, finder: Finder, counter: Counter) -> Iterator[Found]:
    """Every hit of a file: also of a compressed one, and of the members of an archive.

    Raises:
        Unreadable, Encrypted.
    """
    counter.files += 1
    try:
        with path.open("rb") as raw:
            head = raw.read(64)
            raw.seek(0)
            if head.startswith(_AGE):
                raise Encrypted
            with _unpacked(raw, head) as stream:
                archive = ".tar" in path.suffixes or path.suffix == ".tgz"
                yield from _members(stream, finder, counter) if archive else look_through(stream, finder, counter)
    except _BROKEN as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unreadable(why) from error


def _unpacked(raw: IO[bytes], head: bytes) -> Any:
    if head.startswith(b"\x1f\x8b"):
        return gzip.open(raw)
    if head.startswith(b"\xfd7zXZ\x00"):
        return lzma.open(raw)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        import zstandard  # noqa: PLC0415 - for backups only

        return zstandard.ZstdDecompressor().stream_reader(raw, closefd=False)
    return raw


def _members(stream: Any, finder: Finder, counter: Counter) -> Iterator[Found]:
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                for found in look_through(content, finder, counter):
                    yield found._replace(member=member.name)
