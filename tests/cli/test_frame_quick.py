"""The way without a parser: the same answers as the long way, for the lines that scripts wait for."""

from __future__ import annotations

import io
import json
import re

import pytest
from bot_home import BotHome
from test_frame_lazy import modules_after

from thunes_cli.cli.app import run
from thunes_cli.cli.quick import read_line
from thunes_cli.cli.streams import Streams
from thunes_cli.cli.table import COMMANDS, Entry, Section

_PASSING = re.compile(r"\d+ MiB free")  # others use the disk meanwhile
QUICK = [entry for entry in COMMANDS if entry.quick]
ENTRIES = (
    Entry("status", "x:x", "Well?", Section.LOOKING, quick=True),
    Entry("positions list", "x:x", "Held.", Section.LOOKING, quick=True),
    Entry("balance", "x:x", "Asks the exchange.", Section.LOOKING),
)


@pytest.mark.parametrize(
    ("line", "path", "flags", "values"),
    [
        ("status", "status", set(), {}),
        ("status --json", "status", {"json"}, {}),
        ("--json positions list -q", "positions list", {"json", "quiet"}, {}),
        ("--home /a --env-file b status", "status", set(), {"--home": "/a", "--env-file": "b"}),
        ("--home --json status", "status", set(), {"--home": "--json"}),
    ],
)
def test_simple_lines(line: str, path: str, flags: set[str], values: dict[str, str]) -> None:
    """The words of a quick command with what every command takes need no parser."""
    found = read_line(line.split(), ENTRIES)

    assert found is not None
    assert (found.entry.path, set(found.flags), found.values) == (path, flags, values)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "balance",
        "positions",
        "positions --json list",
        "positions list --all",
        "status extra",
        "status --help",
        "status --home /a",
        "status --",
        "--home=/a status",
        "--home",
        "-qq status",
        "--nope status",
        "stat",
    ],
)
def test_all_other_lines_are_parsed(line: str) -> None:
    """An option, an extra word, a mistake, a command that is not quick: typer decides."""
    assert read_line(line.split(), ENTRIES) is None


def test_words_are_not_glued() -> None:
    """Two words in one argument are no command."""
    assert read_line(["positions list"], ENTRIES) is None


def ask(bot: BotHome, entry: Entry, *flags: str) -> tuple[int, str, str]:
    """What one entry answers about a home."""
    streams = Streams(stdin=io.StringIO(), stdout=io.StringIO(), stderr=io.StringIO())
    arguments = ["--home", str(bot.path), *entry.words, *flags]
    code = run(arguments, entries=[entry], environ={}, streams=streams)
    assert isinstance(streams.stdout, io.StringIO)
    assert isinstance(streams.stderr, io.StringIO)
    return code, _PASSING.sub("#", streams.stdout.getvalue()), streams.stderr.getvalue()


@pytest.mark.parametrize("entry", QUICK, ids=lambda entry: entry.path)
def test_both_ways_give_the_same_document(bot: BotHome, entry: Entry) -> None:
    """typer's defaults and the function's own are the same: the two documents differ in wall time alone."""
    bot.lose()
    bot.buy("ETHUSDT", price="2000")

    quick, parsed = (ask(bot, each, "--json") for each in (entry, entry._replace(quick=False)))

    documents = [json.loads(out) for _, out, _ in (quick, parsed)]
    for document in documents:
        del document["wall_ts"]
        document["data"].pop("elapsed_s", None)
    assert documents[0] == documents[1]
    assert quick[0] == parsed[0]


@pytest.mark.parametrize("entry", QUICK, ids=lambda entry: entry.path)
def test_both_ways_give_the_same_text(bot: BotHome, entry: Entry) -> None:
    """The same for people, and for silence."""
    bot.buy()

    assert ask(bot, entry) == ask(bot, entry._replace(quick=False))
    assert ask(bot, entry, "-q") == ask(bot, entry._replace(quick=False), "-q")


@pytest.mark.parametrize("entry", QUICK, ids=lambda entry: entry.path)
def test_quick_command_does_without_typer(bot: BotHome, entry: Entry) -> None:
    """Neither the frame nor the command's module imports typer on this way."""
    _, modules = modules_after(*entry.words, "--json", home=str(bot.path))

    assert "typer" not in modules


def test_the_status_commands_are_quick() -> None:
    """What scripts ask every minute takes the short way."""
    assert {"status", "positions list", "pnl"} <= {entry.path for entry in QUICK}
