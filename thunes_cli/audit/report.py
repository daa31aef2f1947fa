"""What a validation found."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from thunes_cli.audit.chunks import Fault


class Mode(enum.StrEnum):
    """How a trail was checked.

    ``fast``: signed checkpoints vouch for the bytes they cover, links are checked behind the last. ``chain``: every
    link. ``deep``: every link, and form and facts of every record. ``original``: a file without a chain.
    """

    FAST = "fast"
    CHAIN = "chain"
    DEEP = "deep"
    ORIGINAL = "original"


class Signatures(enum.StrEnum):
    """What is known of the checkpoints' signatures; ``self-named``: by a key only the trail itself names."""

    NONE = "none"
    VERIFIED = "verified"
    SELF_NAMED = "self-named"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class FirstBad:
    """The first thing that is wrong, and in which file."""

    file: Path
    fault: Fault


@dataclass(frozen=True, slots=True)
class Remark:
    """What a reader must know of a trail that is not broken; ``attention`` when it may hide something."""

    code: str
    message: str
    hint: str = ""
    attention: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """The answer. ``records`` and ``bytes`` count what is sound; ``torn_bytes`` follow the last whole line."""

    mode: Mode
    records: int
    bytes: int
    segments: int
    checkpoints: int
    anchors: int
    signatures: Signatures
    first_seq: int | None
    last_seq: int | None
    torn_bytes: int
    elapsed_s: float
    first_bad: FirstBad | None = None
    remarks: tuple[Remark, ...] = ()

    @property
    def valid(self) -> bool:
        """Nothing is wrong with what is there."""
        return self.first_bad is None
