"""The environment and the ``.env`` file as sources."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from thunes_cli.config.env_file import read_env_file
from thunes_cli.config.env_text import edit
from thunes_cli.config.faults import ENVIRONMENT, Fault
from thunes_cli.config.layer import Entry, Layer
from thunes_cli.config.private_file import write_private_file
from thunes_cli.config.source import ChangedMeanwhile, Changes, SourceFixed, Undo

_WORLD_READ = stat.S_IROTH


class ProcessEnvironment:
    """The process's environment; an empty variable counts as unset, and other programs' variables are their own."""

    name = ENVIRONMENT

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def read(self) -> Layer:
        """Every variable."""
        found = ((name, value.strip()) for name, value in self._environ.items())
        return Layer({name: Entry(text, ENVIRONMENT) for name, text in found if text})

    def rewrite(self, changes: Changes) -> Undo:
        """Whoever started the process said it."""
        raise SourceFixed(
            f"{', '.join(sorted(changes))} come from the environment",
            hint="put the new key where the environment is made and restart, or move the key into the home's .env",
        )


class EnvFile:
    """``--env-file``, which must exist, or the home's own ``.env``, which need not but must be well kept."""

    def __init__(self, path: Path, names: Collection[str], *, named: bool) -> None:
        self.path = path
        self.name = str(path)
        self._names = names
        self._named = named
        self._layer: Layer | None = None

    def read(self) -> Layer:
        """Its entries, read once: it may be a pipe. The home's own is no link, and lies where nobody looks."""
        if self._layer is None:
            self._layer = self._read()
        return self._layer

    def _read(self) -> Layer:
        layer = read_env_file(self.path, known=self._names, required=self._named)
        if self._named or not layer.entries:
            return layer
        fault = in_open_place(self.path)
        return layer if fault is None else replace(layer, faults=(*layer.faults, fault))

    def rewrite(self, changes: Changes) -> Undo:
        """A new file takes the old one's place; where the name is a link, the file it means is replaced."""
        path = self.path.resolve()
        before = path.read_bytes()
        after = edit(before.decode("utf-8"), changes).encode()
        self._layer = None
        write_private_file(path, after)
        return lambda: put_back(path, before, instead_of=after)


def put_back(path: Path, before: bytes, *, instead_of: bytes) -> None:
    """Write what was in a file before we changed it.

    Raises:
        ChangedMeanwhile: it holds something else than what we wrote. OSError: it cannot be written.
    """
    if path.read_bytes() != instead_of:
        raise ChangedMeanwhile(path)
    write_private_file(path, before)


def in_open_place(path: Path) -> Fault | None:
    """What is wrong with where a home keeps its secrets: a link leads elsewhere, a directory open to all."""
    if path.is_symlink():
        return Fault((), f"{path}: refused: it is a symbolic link; put the file itself here, or name it: --env-file")
    mode = path.parent.stat().st_mode
    if mode & _WORLD_READ:
        shown, directory = stat.S_IMODE(mode), shlex.quote(str(path.parent))
        return Fault((), f"{path}: refused: everybody can read its directory (mode {shown:04o}); chmod 700 {directory}")
    return None
