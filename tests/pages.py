"""Pages whose console blocks are run: every command on them, in order, with what it really prints.

A block begins with ``<!-- scene: NAME -->`` where another home is looked at; those after it go on with that home. With
``<!-- then: NAME -->`` something happens there first, which a reader is told in words. Lines that begin with ``$`` are
run, what follows them is their output; a backup's id in them stands for the home's newest one. With
``THUNES_UPDATE_DOCS=1`` a test that shows a page writes it anew instead of complaining.
"""

from __future__ import annotations

import difflib
import io
import os
import re
import shlex
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from thunes_cli.cli.app import run
from thunes_cli.cli.streams import Streams

_BLOCK = re.compile(
    r"(?:<!-- scene: (?P<scene>[^>]+?) -->\n)?(?:<!-- then: (?P<then>[^>]+?) -->\n)?```console\n(?P<body>.*?)```",
    re.DOTALL,
)
_SHOWN_HOME = "/var/lib/thunes"
_BACKUP_ID = re.compile(r"(?:\bthunes-\w+-)?\b\d{8}T\d{6}Z\b")
# What a daemon has done, written and told by the time it is asked, and how full a disk is, are nobody's business here.
_PASSING = re.compile(
    r"^\njobs\n(?:  .*\n)+|^(?:\w+ +)?disk .*\n|^.* thunes_cli\.alerts\.log_notifier: .*\n"
    r"|; \d+ (?:more on the|on their) way to the file",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A home in some state, the environment commands see there, and texts that a reader should not see.

    ``by_hand``: what somebody does elsewhere once a command was run, by how its line begins. ``acts``: what happens
    before a block, by the name it has on the page.
    """

    home: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, str] = field(default_factory=dict)
    by_hand: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    acts: Mapping[str, Callable[[], object]] = field(default_factory=dict)


Setting = Callable[[Path, ExitStack], Scene]


def shown(page: str, settings: Mapping[str, Setting], directory: Path) -> str:
    """The page with every output made anew."""
    scenes: dict[str, Scene] = {}
    current = ""
    with ExitStack() as stack:

        def render(match: re.Match[str]) -> str:
            nonlocal current
            current = match["scene"] or current
            if current not in scenes:
                place = directory / current.replace(" ", "-")
                place.mkdir()
                scenes[current] = settings[current](place, stack)
            scene = scenes[current]
            if match["then"]:
                scene.acts[match["then"]]()
            commands = [line[2:] for line in match["body"].splitlines() if line.startswith("$ ")]
            outputs = "".join(_shown_line(_of_now(line, scene), scene) for line in commands)
            return match[0].replace(match["body"], outputs)

        return _BLOCK.sub(render, page)


def _of_now(line: str, scene: Scene) -> str:
    """A command line with the id, or the file's name, that this home's newest backup has."""
    if _BACKUP_ID.search(line) is None:
        return line
    newest = max((scene.home / "backups").glob("thunes-*.tar.zst")).name
    name = _BACKUP_ID.search(newest)
    assert name is not None
    return _BACKUP_ID.sub(lambda match: name[0] if match[0].startswith("thunes-") else name[0].rpartition("-")[2], line)


def _shown_line(line: str, scene: Scene) -> str:
    return f"$ {line}\n{_output_of(line, scene)}"


def _output_of(line: str, scene: Scene) -> str:
    """What a shell would show for one line; ``; echo $?`` may follow the command."""
    command, _, echo = line.partition("; ")
    words = [word.replace(_SHOWN_HOME, str(scene.home)) for word in shlex.split(command)]
    assert words[0] == "thunes", line
    streams = Streams(stdin=io.StringIO(), stdout=io.StringIO(), stderr=io.StringIO())
    environ = {"SUDO_USER": "alice", **scene.environ, "THUNES_HOME": str(scene.home)}
    code = run(words[1:], environ=environ, streams=streams)
    assert isinstance(streams.stdout, io.StringIO)
    assert isinstance(streams.stderr, io.StringIO)
    for beginning, act in scene.by_hand.items():
        if command.startswith(beginning):
            act()
    text = _with_shown_home(streams.stdout.getvalue() + streams.stderr.getvalue(), str(scene.home))
    for secret, instead in scene.hidden.items():
        text = text.replace(secret, instead)
    lines = "".join(f"{row.rstrip()}\n" for row in text.splitlines())
    return f"{lines}{code}\n" if echo == "echo $?" else lines


def _with_shown_home(text: str, home: str) -> str:
    """A reader's home in a test's place; a column that was as wide as the test's path is narrowed."""
    if shlex.quote(home) != home:  # the reader's home needs no quotes
        text = re.sub(rf"'({re.escape(home)}[^']*)'", r"\1", text)
    wider = len(home) - len(_SHOWN_HOME)
    in_a_column = wider > 0 and re.search(rf"{re.escape(home)}\S*( \S+)* {{2,}}\S", text)
    lines = text.splitlines(keepends=True)
    if in_a_column:
        lines = [line if home in line else re.sub(rf" {{{wider}}}(?= {{2}})", "", line, count=1) for line in lines]
    return "".join(lines).replace(home, _SHOWN_HOME)


def settled(page: str) -> str:
    """The page without what no two runs have in common: numbers, times, drawn ids and the width they take."""

    def even(match: re.Match[str]) -> str:
        text = _PASSING.sub("", match[0])
        text = re.sub(r"(?<=epoch )( *)\w+, was \w+", r"\1ID, was ID", text)
        text = re.sub(r"\bth[0-9a-z]{6,9}(?=-[BS]-)|(?<=thunes-)[0-9a-z]{6}(?=-\d{8}T)", "ID", text)
        text = re.sub(r"[0-9a-f]{12,}|[A-Za-z0-9+/]{40,}=*", "#", text)
        text = re.sub(r"(?<![A-Za-z])\d+([.,:T-]\d+)*Z?", "#", text)
        return re.sub(r"(# (ms|s|min|h|d) ?)+", "# ", re.sub(r"[ ─━+-]+", " ", text))

    return _BLOCK.sub(even, page)


def difference_from(path: Path, settings: Mapping[str, Setting], directory: Path) -> str:
    """How the page at ``path`` differs from what its commands print, as a diff; numbers may be others."""
    page = path.read_text(encoding="utf-8")
    fresh = shown(page, settings, directory)
    if os.environ.get("THUNES_UPDATE_DOCS") and settled(fresh) != settled(page):
        path.write_text(fresh, encoding="utf-8")
    lines = [settled(text).splitlines() for text in (page, fresh)]
    return "\n".join(difflib.unified_diff(*lines, "as the page shows it", "as it is", n=1, lineterm=""))
