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
_THREADS = 1  # one that compresses while this one reads and hashes; the ledger's check has the other core
_JOB = 1 << 20
_CHUNK = 1 << 18
_PIECE = 1 << 12  # pages of zeros come out thirty thousand times as long


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
    how = zstandard.ZstdCompressionParameters.from_level(LEVEL, threads=_THREADS, job_size=_JOB, write_checksum=True)
    compressor = zstandard.ZstdCompressor(compression_params=how)
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
                yield SealedReader(source)
                return
            decrypting = _piped(lambda end: _pyrage().decrypt_io(source, end, identities), writing=False)
            with decrypting as pipe:
                yield SealedReader(pipe)
        except zstandard.ZstdError:
            raise BackupDamaged(path.name, "what is compressed is not whole") from None
        except _OtherEndFailed as failed:
            if isinstance(failed.cause, OSError) and failed.cause.errno is not None:
                raise failed.cause from None
            if "matching key" in str(failed.cause):
                raise IdentityWrong(path.name, "this identity does not open it") from None
            raise BackupDamaged(path.name, "what is encrypted is not whole") from None


class SealedReader:
    """A decompressing stream. Its end is the end of the frame, checksum included: less is damage, and so is more.

    (zstandard's own reader takes a frame that lacks its last bytes for a whole one.)
    """

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._ready = bytearray()

    def read(self, size: int) -> bytes:
        """So many bytes, fewer only at the end.

        Raises:
            zstandard.ZstdError: it is not whole.
        """
        while len(self._ready) < size and not self._frame.eof:
            chunk = self._source.read(_PIECE)
            if not chunk:
                raise zstandard.ZstdError("it ends before its end")
            self._ready += self._frame.decompress(chunk)
        found = bytes(self._ready[:size])
        del self._ready[:size]
        return found

    def finish(self) -> None:
        """Read what is left: zeros that fill an archive's last block, and nothing behind the frame.

        Raises:
            zstandard.ZstdError: there is more.
        """
        while chunk := self.read(_CHUNK):
            if chunk.strip(b"\0"):
                raise zstandard.ZstdError("something follows the archive")
        if self._frame.unused_data or self._source.read(1):
            raise zstandard.ZstdError("something follows the frame")


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
