"""Reading what is to be looked through: files, compressed logs, archives; long ones in bounded memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from thunes_cli.ops.leaks.shapes import Finder, Hit

_CHUNK = 1 << 22
_OVERLAP = 1 << 14  # more than the longest secret, a private key of 8192 bits
_AGE, _ZIP = b"age-encryption.org/", b"PK\x03\x04"
_TAR, _TAR_AT = b"ustar", 257
_DEEPEST = 4  # a compressed log in a compressed archive, and one more of each
_BROKEN = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)


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
    """Every hit of a file or pipe: also of a compressed one, and of the members of an archive.

    Raises:
        Unreadable, Encrypted.
    """
    counter.files += 1
    try:
        with path.open("rb") as raw:
            yield from _look_into(raw, finder, counter)
    except _BROKEN as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unreadable(why) from error


def _look_into(raw: Any, finder: Finder, counter: Counter, *, depth: int = 0) -> Iterator[Found]:
    stream = raw if hasattr(raw, "peek") else io.BufferedReader(raw)
    head = stream.peek(tarfile.BLOCKSIZE)[: tarfile.BLOCKSIZE]
    if head.startswith(_AGE):
        raise Encrypted
    unpack = next((open_ for magic, open_ in _PACKED.items() if head.startswith(magic)), None)
    if depth >= _DEEPEST or (unpack is None and not _is_archive(head)):
        yield from look_through(stream, finder, counter)
    elif unpack is not None:
        yield from _look_into(unpack(stream), finder, counter, depth=depth + 1)
    else:
        for name, content in _zip_members(stream) if head.startswith(_ZIP) else _tar_members(stream):
            for found in _look_into(content, finder, counter, depth=depth + 1):
                yield found._replace(member=f"{name}:{found.member}" if found.member else name)


def _is_archive(head: bytes) -> bool:
    return head.startswith(_ZIP) or head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR


def _open_zstd(stream: Any) -> Any:
    import zstandard  # noqa: PLC0415 - for backups only

    return zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)


_PACKED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"BZh": bz2.open,
    b"\x28\xb5\x2f\xfd": _open_zstd,
}


def _tar_members(stream: Any) -> Iterator[tuple[str, Any]]:
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, content


def _zip_members(stream: Any) -> Iterator[tuple[str, Any]]:
    with zipfile.ZipFile(stream if stream.seekable() else io.BytesIO(stream.read())) as archive:
        for member in archive.infolist():
            if member.flag_bits & 1:
                raise OSError(f"{member.filename} in it has a password")
            with archive.open(member) as content:
                yield member.filename, content
