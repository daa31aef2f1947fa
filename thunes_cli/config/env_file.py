"""Reading a ``.env`` file: strict where a slip would cost money, tolerant of keys that are somebody else's."""

from __future__ import annotations

import io
import os
import shlex
import stat
from collections.abc import Collection
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from thunes_cli.config.faults import Fault
from thunes_cli.config.layer import Entry, Layer

_OTHERS = 0o077
_OTHERS_WRITE = 0o022
_TYPO_DISTANCE = 2


def read_env_file(path: Path, *, known: Collection[str], required: bool) -> Layer:
    """The entries of a ``.env`` file; one that is not there is empty unless it is ``required``.

    Faults, never exceptions, so that a start that may only sell can go on with what is sound. A file that others
    could have written is not read at all; one that others can merely read is.

    Args:
        path: the file.
        known: the names of our settings, for telling a slip of the pen from a key of another program.
        required: whether the operator named the file.
    """
    try:
        # Not blocking: a pipe that nobody writes to must not hold up the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        if path.is_symlink():
            return Layer(faults=(Fault((), f"{path}: is a link to nothing"),))
        return Layer(faults=(Fault((), f"{path}: there is no such file"),) if required else ())
    except OSError as error:
        return Layer(faults=(Fault((), f"{path}: cannot be read: {error.strerror}"),))
    try:
        trusted, faults = _check_access(path, os.fstat(descriptor))
        content = _read(descriptor) if trusted else b""
    except OSError as error:
        return Layer(faults=(Fault((), f"{path}: cannot be read: {error.strerror}"),))
    finally:
        os.close(descriptor)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Layer(faults=(*faults, Fault((), "not UTF-8 text", f"{path}:{line}")))
    parsed = parse(text, path=path, known=known)
    return Layer(entries=parsed.entries, faults=(*faults, *parsed.faults))


def _read(descriptor: int) -> bytes:
    os.set_blocking(descriptor, True)
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        return stream.read()


def _check_access(path: Path, opened: os.stat_result) -> tuple[bool, tuple[Fault, ...]]:
    """Whether the file may be believed, and what is wrong with who owns, reads or writes it."""
    ours = {os.geteuid(), 0}
    if path.is_symlink() and path.lstat().st_uid not in ours:
        return False, (Fault((), f"{path}: refused: it is a symbolic link of another user"),)
    if opened.st_uid not in ours:
        return False, (Fault((), f"{path}: refused: it belongs to another user"),)
    if not stat.S_ISREG(opened.st_mode) and not stat.S_ISFIFO(opened.st_mode):
        return False, (Fault((), f"{path}: refused: it is not a file"),)
    mode = stat.S_IMODE(opened.st_mode)
    if mode & _OTHERS:
        verb = "change" if mode & _OTHERS_WRITE else "read"
        fault = Fault(
            (), f"{path}: refused: others can {verb} it (mode {mode:04o}); type: chmod 600 {shlex.quote(str(path))}"
        )
        return not mode & _OTHERS_WRITE, (fault,)
    return True, ()


def parse(text: str, *, path: Path, known: Collection[str]) -> Layer:
    """The entries of the text of a ``.env`` file: ``KEY=value``, quotes, comments, ``export``; nothing is expanded."""
    entries: dict[str, Entry] = {}
    first_seen: dict[str, int] = {}
    faults: list[Fault] = []
    for binding in parse_stream(io.StringIO(text, newline="")):
        where = f"{path}:{_line(binding)}"
        if binding.error or (binding.key is not None and binding.value is None):
            faults.append(Fault((), "not of the form KEY=value", where))
            continue
        if binding.key is None or binding.value is None:
            continue
        key, value = binding.key, binding.value.strip()
        if key in first_seen:
            faults.append(Fault((key,), f"given twice, first in line {first_seen[key]}", where))
        first_seen.setdefault(key, _line(binding))
        if meant := suggestion(key, known):
            faults.append(Fault((key,), f"no such setting; did you mean {meant}?", where))
        elif value:
            entries[key] = Entry(value, where)
    return Layer(entries, tuple(faults))


def _line(binding: Binding) -> int:
    """The line of the key: the parser counts the blank lines before it as part of it."""
    before = binding.original.string
    blank = before[: len(before) - len(before.lstrip())]
    return binding.original.line + len(blank.replace("\r\n", "\n").replace("\r", "\n").split("\n")) - 1


def suggestion(key: str, known: Collection[str]) -> str | None:
    """The setting that ``key`` was surely meant to be: one or two letters off, or in lower case; else None."""
    if key in known:
        return None
    near = [(edit_distance(key.upper(), name), name) for name in known]
    distance, name = min(near, default=(_TYPO_DISTANCE + 1, ""))
    return name if distance <= _TYPO_DISTANCE else None


def edit_distance(left: str, right: str) -> int:
    """Letters to insert, delete, replace or swap with their neighbour; more than three count as three."""
    if abs(len(left) - len(right)) > _TYPO_DISTANCE:
        return _TYPO_DISTANCE + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        before, previous, row = row, before, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, previous[j - 2] + 1)
            row.append(cost)
    return min(row[-1], _TYPO_DISTANCE + 1)
