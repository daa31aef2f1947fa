"""What one source of settings says, before anybody asks whether it makes sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from thunes_cli.config.faults import Fault


@dataclass(frozen=True, slots=True)
class Entry:
    """One value as it was written, never empty, and where: ``<path>:<line>``, ``environment``, a store's name."""

    text: str = field(repr=False)
    origin: str


@dataclass(frozen=True, slots=True)
class Layer:
    """Values by name, those of other programs included, and what is wrong with the source itself."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where sources may look. ``environ`` holds secrets, hence it is not part of the repr."""

    environ: Mapping[str, str] = field(repr=False)
    home: Path | None = None
    env_file: Path | None = None
