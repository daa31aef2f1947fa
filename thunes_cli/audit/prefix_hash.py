"""The SHA-256 of a file's beginning, computed beside the checking: hashlib gives up the interpreter's lock."""

from __future__ import annotations

import hashlib
import queue
import threading
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")
_AHEAD = 8  # chunks that wait to be hashed, no more: they are memory


class PrefixHash(Generic[T]):
    """Hashes chunks in the order in which they come; remembers the first expectation that was not met."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._queue: queue.Queue[tuple[bytes, tuple[bytes, T] | None] | None] = queue.Queue(_AHEAD)
        self._missed: tuple[T, bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="sha256", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        self._thread.join()

    def add(self, chunk: bytes) -> None:
        """The next bytes."""
        self._queue.put((chunk, None))

    def expect(self, digest: bytes, subject: T) -> None:
        """What was added so far must have this hash."""
        self._queue.put((b"", (digest, subject)))

    @property
    def missed(self) -> tuple[T, bytes] | None:
        """The subject of the first expectation that was not met, and the hash found instead; as far as computed."""
        return self._missed

    def settled(self) -> bytes:
        """Wait until everything is hashed; the hash of it all."""
        self._queue.join()
        return self._hash.digest()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            chunk, expected = item
            self._hash.update(chunk)
            if expected is not None and self._missed is None:
                found = self._hash.digest()
                if found != expected[0]:
                    self._missed = (expected[1], found)
            self._queue.task_done()
        self._queue.task_done()
