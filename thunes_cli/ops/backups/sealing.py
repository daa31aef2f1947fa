"""Compressing and encrypting on the way to the disk, and back: zstd inside age, nothing in between ever on the disk."""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import zstandard

from thunes_cli.config.credentials import check_private
from thunes_cli.errors import ConfigError
from thunes_cli.ops.backups.faults import BackupDamaged, IdentityWrong, RecipientWrong

LEVEL = 3
_THREADS = 2
_CHUNK = 1 << 20


def read_recipients(texts: Sequence[str]) -> list[Any]:
    """age public keys.

    Raises:
        RecipientWrong: one is none, or the package that encrypts is not installed (78).
    """
    if not texts:
        return []
    pyrage = _pyrage()
    try:
        return [pyrage.x25519.Recipient.from_str(text) for text in texts]
    except pyrage.RecipientError:
        raise RecipientWrong("one of them is no age public key") from None


def read_identities(file: Path | None) -> list[Any]:
    """The age identities of a file; none without one.

    Raises:
        ConfigError: it cannot be read, others can read it, or it holds none (78).
    """
    if file is None:
        return []
    pyrage = _pyrage()
    try:
        check_private(file)
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    texts = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    try:
        found = [pyrage.x25519.Identity.from_str(text) for text in texts]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise ConfigError(f"{file} holds no age identity", hint="age-keygen makes one")
    return found


@contextmanager
def sealed_for_writing(out: Any, recipients: Sequence[Any]) -> Iterator[Any]:
    """What is written here arrives compressed, and encrypted when there are recipients, in ``out``.

    Raises:
        OSError: it could not be written.
    """
    compressor = zstandard.ZstdCompressor(level=LEVEL, threads=_THREADS, write_checksum=True)
    if not recipients:
        with compressor.stream_writer(out, closefd=False) as stream:
            yield stream
        return
    encrypting = _piped(lambda end: _pyrage().encrypt_io(end, out, recipients), writing=True)
    try:
        with encrypting as pipe, compressor.stream_writer(pipe, closefd=False) as stream:
            yield stream
    except _OtherEndFailed as failed:
        number = re.search(r"Errno (\d+)", str(failed.cause))  # what pyrage leaves of an error of the file
        code = int(number[1]) if number else errno.EIO
        raise OSError(code, os.strerror(code)) from failed


@contextmanager
def opened(path: Path, identities: Sequence[Any], *, encrypted: bool) -> Iterator[SealedReader]:
    """The archive inside a backup's file, as a stream that is read to its end.

    Raises:
        IdentityWrong: there is no identity, or none that opens it (78).
        BackupDamaged: it is not whole (5). OSError: it cannot be read.
    """
    if encrypted and not identities:
        raise IdentityWrong(path.name, "no identity was given that could open it")
    with path.open("rb") as source:
        try:
            if not encrypted:
                yield SealedReader(zstandard.ZstdDecompressor().stream_reader(source, read_size=_CHUNK))
                return
            decrypting = _piped(lambda end: _pyrage().decrypt_io(source, end, identities), writing=False)
            with decrypting as pipe:
                yield SealedReader(zstandard.ZstdDecompressor().stream_reader(pipe, read_size=_CHUNK))
        except zstandard.ZstdError:
            raise BackupDamaged(path.name, "what is compressed is not whole") from None
        except _OtherEndFailed as failed:
            if isinstance(failed.cause, OSError) and failed.cause.errno is not None:
                raise failed.cause from None
            if "matching key" in str(failed.cause):
                raise IdentityWrong(path.name, "this identity does not open it") from None
            raise BackupDamaged(path.name, "what is encrypted is not whole") from None


class SealedReader:
    """A decompressing stream that is not satisfied with less than whole frames."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer at the end."""
        return bytes(self._stream.read(size))

    def drain(self) -> bytes:
        """What is left; a few zeros after a whole archive."""
        rest = b""
        while chunk := self.read(_CHUNK):
            rest = (rest + chunk)[-_CHUNK:] if chunk.strip(b"\0") else rest
        return rest

    def close(self) -> None:
        """For whoever wants a file."""
        self._stream.close()


class _OtherEndFailed(Exception):
    """What the thread at the pipe's other end raised; it explains whatever we ran into."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


@contextmanager
def _piped(work: Callable[[IO[bytes]], object], *, writing: bool) -> Iterator[IO[bytes]]:
    """A pipe whose other end is worked on by a thread. ``writing``: we write and it reads, else the other way round.

    Raises:
        _OtherEndFailed: it failed, and not only because we left.
    """
    reading_end, writing_end = os.pipe()
    ours, theirs = (writing_end, reading_end) if writing else (reading_end, writing_end)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with os.fdopen(theirs, "rb" if writing else "wb", buffering=_CHUNK) as end:
                work(end)
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits for it
            failed.append(error)

    thread = threading.Thread(target=run, name="age", daemon=True)
    thread.start()
    pipe = os.fdopen(ours, "wb" if writing else "rb", buffering=_CHUNK)
    try:
        yield pipe
    finally:
        with suppress(OSError):
            pipe.close()
        thread.join()
        if failed and not isinstance(failed[0], BrokenPipeError):
            raise _OtherEndFailed(failed[0])


def _pyrage() -> Any:
    try:
        import pyrage  # noqa: PLC0415 - an extra, only where something is encrypted
    except ImportError:
        raise ConfigError("encrypted backups need the package pyrage", hint="pip install 'thunes[age]'") from None
    return pyrage
