"""Every object that a git repository holds, those that no branch reaches any more included; asked of git itself.

git is run with an environment of its own: no secret of ours, no configuration of the user's, no network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from thunes_cli.errors import Unavailable

_PASSED_ON = ("PATH", "HOME")
_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # which repository, and what is being committed
_QUIET = {
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
}
_SAFE = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.quotepath=false")
_TEXTS = frozenset({"blob", "commit", "tag"})


class GitUnavailable(Unavailable):
    """git cannot be asked: {0}"""

    code = "git_unavailable"
    hint = "install git, or name files and directories that are in no repository"


@dataclass(frozen=True, slots=True)
class GitObject:
    """A blob, commit or tag; ``stream`` gives its bytes and must be read before the next object."""

    id: str
    type: str
    stream: Piece


class Piece:
    """So many bytes of a pipe."""

    def __init__(self, pipe: IO[bytes], length: int) -> None:
        self._pipe, self._left = pipe, length

    def read(self, size: int, /) -> bytes:
        """At most so many of what is left."""
        chunk = self._pipe.read(min(size, self._left))
        self._left -= len(chunk)
        return chunk

    def skip(self) -> None:
        """Read the rest and forget it."""
        while self.read(1 << 20):
            pass


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository; ``tree`` is the directory in its work tree that was named, None where it has none."""

    git: str
    directory: Path
    environ: Mapping[str, str] = field(repr=False)
    tree: Path | None

    def objects(self) -> Iterator[GitObject]:
        """Every object with text in it.

        Raises:
            GitUnavailable: git ends with an error.
        """
        with self._piped("cat-file", "--batch", "--batch-all-objects", "--unordered", "--buffer") as pipe:
            while header := pipe.readline():
                fields = header.split()
                if len(fields) != 3:  # noqa: PLR2004 - id, type, length; else it says "missing"
                    continue
                piece = Piece(pipe, int(fields[2]))
                if fields[1].decode() in _TEXTS:
                    yield GitObject(fields[0].decode(), fields[1].decode(), piece)
                piece.skip()
                pipe.read(1)

    def paths_of(self, ids: set[str]) -> dict[str, str]:
        """A path at which each blob was committed; those that nothing reaches are left out."""
        found: dict[str, str] = {}
        with self._piped("rev-list", "--objects", "--all", "--reflog") as pipe:
            for line in pipe:
                name, _, path = line.decode(errors="replace").rstrip("\n").partition(" ")
                if name in ids and path:
                    found.setdefault(name, path)
        return found

    def commit_of(self, blob: str) -> str | None:
        """The oldest commit that brought (or removed) a blob."""
        wanted = f"--find-object={blob}"
        lines = self._asked("log", "--all", "--reflog", "-m", "--no-ext-diff", "--format=%H", wanted, "--").split()
        return lines[-1] if lines else None

    @property
    def is_ignored(self) -> bool:
        """Whether the directory that was named is one that the repository ignores: logs, say."""
        command = self._command(("check-ignore", "-q", "--", str(self.directory)))
        done = subprocess.run(  # noqa: S603 - git, with words of ours
            command, env=dict(self.environ), stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        return done.returncode == 0

    def files(self) -> list[Path]:
        """What of the work tree is in the repository or would be added to it: not what it ignores."""
        assert self.tree is not None
        listed = self._asked("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ".")
        return [self.tree / name for name in sorted(set(listed.split("\0"))) if name]

    def staged(self) -> list[str]:
        """The paths that the next commit would change, from the top of the work tree."""
        how = ("--no-ext-diff", "--ignore-submodules=all", "--name-only", "-z", "--diff-filter=ACMRT")
        listed = self._asked("diff", "--cached", *how)
        return [name for name in listed.split("\0") if name]

    @contextmanager
    def staged_content(self, path: str) -> Iterator[Piece]:
        """What the next commit would hold at a path."""
        size = int(self._asked("cat-file", "-s", f":{path}"))
        with self._piped("cat-file", "blob", f":{path}") as pipe:
            piece = Piece(pipe, size)
            yield piece
            piece.skip()

    def _command(self, words: Sequence[str]) -> list[str]:
        return [self.git, *_SAFE, "-C", str(self.directory), *words]

    def _asked(self, *words: str) -> str:
        return _run(self._command(words), self.environ).decode(errors="surrogateescape")

    @contextmanager
    def _piped(self, *words: str) -> Iterator[IO[bytes]]:
        process = subprocess.Popen(  # noqa: S603 - git, with words of ours
            self._command(words),
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        try:
            with process.stdout as pipe:
                yield pipe
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.wait() != 0:
            raise GitUnavailable(f"git {words[0]} failed in {self.directory}")


def find_repository(directory: Path, environ: Mapping[str, str], *, in_hook: bool = False) -> Repository | None:
    """The repository that a directory is, or is in; None where there is none.

    Args:
        directory: where to look.
        environ: of this process; only where to find git is taken from it.
        in_hook: git may have started us: what it says in the environment counts.

    Raises:
        GitUnavailable: there is one, and no git.
    """
    git = shutil.which("git", path=environ.get("PATH"))
    if git is None:
        if any((each / ".git").exists() for each in (directory, *directory.parents)):
            raise GitUnavailable("it is not installed")
        return None
    names = (*_PASSED_ON, *(_OF_A_HOOK if in_hook else ()))
    passed = {name: environ[name] for name in names if environ.get(name)}
    bare = Repository(git, directory, {**passed, **_QUIET}, None)
    try:
        inside = bare._asked("rev-parse", "--is-inside-work-tree").strip() == "true"  # noqa: SLF001 - our own
    except GitUnavailable:
        return None
    return Repository(git, directory, bare.environ, directory) if inside else bare


def top_of(repository: Repository) -> Repository:
    """The same, from the top of its work tree."""
    top = Path(repository._asked("rev-parse", "--show-toplevel").rstrip("\n"))  # noqa: SLF001 - our own
    return Repository(repository.git, top, repository.environ, top)


def _run(command: list[str], environ: Mapping[str, str]) -> bytes:
    done = subprocess.run(  # noqa: S603 - git, with words of ours
        command, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode != 0:
        why = done.stderr.decode(errors="replace").strip().splitlines()
        raise GitUnavailable(why[-1] if why else f"it ended with {done.returncode}")
    return done.stdout
