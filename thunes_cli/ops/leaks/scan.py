"""Looking for secrets in all that was named; what is found is a list of places, never a secret."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from thunes_cli.ops.leaks.git import GitUnavailable, Repository, find_repository, top_of
from thunes_cli.ops.leaks.pieces import Counter, Encrypted, Found, Unreadable, look_through, look_through_file
from thunes_cli.ops.leaks.shapes import Finder

HISTORY, STAGED, FILE = "history", "staged", "file"
_MOST_TRACED = 50  # leaks whose commit is looked for: that walks the whole history each time


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret where none belongs. ``commit`` and ``object`` are of a history; ``known`` which of ours it is."""

    kind: str
    where: str
    place: str
    path: str | None
    line: int
    fingerprint: str
    known: str | None
    commit: str | None = None
    object: str | None = None


@dataclass(slots=True)
class Scan:
    """One look. ``passed_over``: what belongs where it is; ``unread``: what could not be looked at, and why."""

    finder: Finder
    environ: Mapping[str, str] = field(repr=False)
    belongs: Collection[Path] = ()
    leaks: list[Leak] = field(default_factory=list)
    counter: Counter = field(default_factory=Counter)
    passed_over: list[str] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)

    def look_at(self, path: Path, *, as_files: bool = False) -> None:
        """A file; or a directory: the history and work tree of its repository, or (``as_files``) the files below it.

        Raises:
            GitUnavailable: it is in a repository, and git is not there.
        """
        if not path.is_dir():
            if path.is_char_device() or path.is_block_device() or path.is_socket():
                self.unread.append((str(path), "it is no file"))
            else:
                self._file(path)
            return
        repository = None if as_files else find_repository(path, self.environ)
        if repository is None or (repository.tree is not None and repository.is_ignored):
            self._files(_below(path, self.unread))
            return
        try:
            self._history(repository)
            if repository.tree is not None:
                self._files(each for each in repository.files() if _is_plain(each))
        except GitUnavailable as error:
            self.unread.append((str(path), error.message))

    def look_at_staged(self, directory: Path) -> None:
        """What the next commit of a repository would hold.

        Raises:
            GitUnavailable: it is in none, or git is not there.
        """
        found = find_repository(directory, self.environ, in_hook=True)
        if found is None or found.tree is None:
            raise GitUnavailable(f"{directory} is in no work tree of a repository")
        repository = top_of(found)
        for name in repository.staged():
            self.counter.files += 1
            try:
                with repository.staged_content(name) as content:
                    for each in look_through(content, self.finder, self.counter):
                        self._add(each, STAGED, name)
            except GitUnavailable as error:
                self.unread.append((name, error.message))

    def _history(self, repository: Repository) -> None:
        found: list[tuple[str, str, Found]] = []
        try:
            for each in repository.objects():
                self.counter.objects += 1
                found += [(each.id, each.type, hit) for hit in look_through(each.stream, self.finder, self.counter)]
        except GitUnavailable as error:  # damaged: what was found until then counts
            self.unread.append((str(repository.directory), error.message))
        if not found:
            return
        paths = repository.paths_of({name for name, kind, _ in found if kind == "blob"})
        commits: dict[str, str | None] = {}
        for name, kind, hit in found:
            path = paths.get(name)
            if path is not None and name not in commits and len(commits) < _MOST_TRACED:
                commits[name] = repository.commit_of(name)
            commit = name if kind == "commit" else commits.get(name)
            self._add(hit, HISTORY, path, commit=commit, object_id=name, kind=kind)

    def _files(self, files: Iterable[Path]) -> None:
        for path in files:
            self._file(path)

    def _file(self, path: Path) -> None:
        if any(path == each or each in path.parents for each in self.belongs):
            self.passed_over.append(_printable(str(path)))
            return
        try:
            for each in look_through_file(path, self.finder, self.counter):
                self._add(each, FILE, f"{path}:{each.member}" if each.member else str(path))
        except Encrypted:
            self.passed_over.append(_printable(str(path)))
        except Unreadable as error:
            self.unread.append((_printable(str(path)), str(error)))

    def _add(
        self,
        found: Found,
        where: str,
        path: str | None,
        *,
        commit: str | None = None,
        object_id: str | None = None,
        kind: str = "blob",
    ) -> None:
        place = f"{path}:{found.line}"
        if where == HISTORY:
            begin = f"commit {commit[:12]} " if commit else f"{kind} {(object_id or '')[:12]} "
            ending = f"line {found.line}" if path is None else place
            place = f"{begin}{ending}" if commit or path else f"{begin}that nothing reaches, {ending}"
        hit = found.hit
        shown = None if path is None else _printable(path)
        self.leaks.append(
            Leak(hit.kind, where, _printable(place), shown, found.line, hit.fingerprint, hit.known, commit, object_id)
        )


def _printable(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _is_plain(path: Path) -> bool:
    """Whether it is a file here and now: no link, no pipe, not deleted."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _below(directory: Path, unread: list[tuple[str, str]]) -> Iterator[Path]:
    """Every plain file, directories in order; links are not followed."""

    def note(error: OSError) -> None:
        unread.append((str(error.filename), error.strerror or str(error)))

    for root, directories, names in os.walk(directory, onerror=note):
        directories.sort()
        for name in sorted(names):
            if _is_plain(Path(root, name)):
                yield Path(root, name)
