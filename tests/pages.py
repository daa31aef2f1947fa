"""Pages whose console blocks are run: every command on them, in order, with what it really prints.

A block begins with ``<!-- scene: NAME -->`` where another home is looked at; those after it go on with that home. Lines
that begin with ``$`` are run, what follows them is their output. With ``THUNES_UPDATE_DOCS=1`` a test that shows a page
writes it anew instead of complaining.
"""

from __future__ import annotations

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

_BLOCK = re.compile(r"(?:<!-- scene: (?P<scene>[^>]+?) -->\n)?```console\n(?P<body>.*?)```", re.DOTALL)
_SHOWN_HOME = "/var/lib/thunes"


@dataclass(frozen=True, slots=True)
class Scene:
    """A home in some state, the environment commands see there, and texts that a reader should not see.

    ``by_hand``: what somebody does elsewhere once a command was run, by how its line begins.
    """

    home: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, str] = field(default_factory=dict)
    by_hand: Mapping[str, Callable[[], None]] = field(default_factory=dict)


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
            commands = [line for line in match["body"].splitlines() if line.startswith("$ ")]
            outputs = "".join(f"{line}\n{_output_of(line[2:], scenes[current])}" for line in commands)
            return match[0].replace(match["body"], outputs)

        return _BLOCK.sub(render, page)


def _output_of(line: str, scene: Scene) -> str:
    """What a shell would show for one line; ``; echo $?`` may follow the command."""
    command, _, echo = line.partition("; ")
    words = shlex.split(command)
    assert words[0] == "thunes", line
    streams = Streams(stdin=io.StringIO(), stdout=io.StringIO(), stderr=io.StringIO())
    environ = {"SUDO_USER": "alice", **scene.environ, "THUNES_HOME": str(scene.home)}
    code = run(words[1:], environ=environ, streams=streams)
    assert isinstance(streams.stdout, io.StringIO)
    assert isinstance(streams.stderr, io.StringIO)
    for beginning, act in scene.by_hand.items():
        if command.startswith(beginning):
            act()
    text = streams.stdout.getvalue() + streams.stderr.getvalue()
    for secret, instead in {str(scene.home): _SHOWN_HOME, **scene.hidden}.items():
        text = text.replace(secret, instead)
    lines = "".join(f"{row.rstrip()}\n" for row in text.splitlines())
    return f"{lines}{code}\n" if echo == "echo $?" else lines


def settled(page: str) -> str:
    """The page without what no two runs have in common: numbers, times, drawn ids and the width they take."""

    def even(match: re.Match[str]) -> str:
        text = re.sub(r"\bth[0-9a-z]{6,9}(?=-[BS]-)", "ID", match[0])
        text = re.sub(r"[0-9a-f]{12,}|[A-Za-z0-9+/]{40,}=*", "#", text)
        text = re.sub(r"(?<![A-Za-z])\d+([.,:T-]\d+)*Z?", "#", text)
        return re.sub(r"(# (ms|s|min|h|d) ?)+", "# ", re.sub(r"[ ─━-]+", " ", text))

    return _BLOCK.sub(even, page)


def demand_as_shown(path: Path, settings: Mapping[str, Setting], directory: Path) -> None:
    """The page at ``path`` shows what its commands print; numbers may be others."""
    page = path.read_text(encoding="utf-8")
    fresh = shown(page, settings, directory)
    if os.environ.get("THUNES_UPDATE_DOCS"):
        path.write_text(fresh, encoding="utf-8")
    assert settled(fresh) == settled(page)
