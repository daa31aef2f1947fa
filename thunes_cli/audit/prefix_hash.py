"""The SHA-256 of a file's beginning, compared at each mark.

It is computed where the ranges are accepted, not in a thread: children do most of the decoding, and a thread would
wait for the interpreter's lock after each range, longer than hashing it takes.
"""

from __future__ import annotations

import hashlib
import os
from typing import Generic, TypeVar

T = TypeVar("T")


class PrefixHash(Generic[T]):
    """Hashes a file from its first byte on; remembers the first expectation that was not met."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._hash = hashlib.sha256()
        self.missed: tuple[T, bytes] | None = None
        """Its subject, and the hash found instead."""

    def add(self, start: int, end: int) -> None:
        """The next bytes."""
        self._hash.update(os.pread(self._descriptor, end - start, start))

    def expect(self, digest: bytes, subject: T) -> None:
        """What was added so far must have this hash."""
        found = self._hash.digest()
        if found != digest and self.missed is None:
            self.missed = subject, found

    def digest(self) -> bytes:
        """The hash of what was added."""
        return self._hash.digest()
