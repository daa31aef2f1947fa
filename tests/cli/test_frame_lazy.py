"""The command table: true, complete, and enough for every help page that names commands."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest
from frame import clean_environ

from thunes_cli.cli.command import command
from thunes_cli.cli.exits import MEANINGS
from thunes_cli.cli.table import COMMANDS, GROUPS, Entry, Section
from thunes_cli.cli.tree import load_command
from thunes_cli.errors import ExitCode

_MODULES = """
import sys
from thunes_cli.cli.main import main
code = main(sys.argv[1:])
modules = sorted(sys.modules)
import json
sys.stderr.write(json.dumps([code, modules]))
"""


def modules_after(*arguments: str, home: str = "/nonexistent/home") -> tuple[int, set[str]]:
    """Exit code and imported modules of a run of the real command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _MODULES, *arguments],
        env=clean_environ(THUNES_HOME=home),
        capture_output=True,
        text=True,
        check=True,
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    return code, set(modules)


COMMAND_MODULES = {entry.target.partition(":")[0] for entry in COMMANDS}


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("positions", "--help"), ("config", "--help"), ()],
    ids=" ".join,
)
def test_help_imports_no_command(arguments: tuple[str, ...]) -> None:
    """Root and group help, and the version, are answered from the table alone."""
    code, modules = modules_after(*arguments)

    assert code == 0
    assert not modules & COMMAND_MODULES


def test_only_the_invoked_command_is_imported() -> None:
    """A command's help imports its own module and no other command's."""
    code, modules = modules_after("stop", "--help")

    assert code == 0
    assert modules & COMMAND_MODULES == {"thunes_cli.cli.stop"}


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.path)
def test_table_tells_the_truth(entry: Entry) -> None:
    """Each entry names a function that exists, is described, has examples of itself, and whose group is described."""
    assert importlib.util.find_spec(entry.target.partition(":")[0]) is not None

    loaded = load_command(entry)

    assert loaded.help
    assert entry.summary.endswith((".", "?"))
    assert any(f"thunes {entry.path}" in example for example in loaded.spec.examples)
    leaders = {each.path for each in COMMANDS}
    assert all(word in GROUPS or word in leaders for word in entry.words[:-1])


def test_table_has_no_command_twice() -> None:
    """One path, one function; a command that leads others comes before them and needs no word as a group."""
    paths = [entry.words for entry in COMMANDS]

    assert len(set(paths)) == len(paths)
    for leader in {words[:1] for words in paths if len(words) > 1} & set(paths):
        assert leader[0] not in GROUPS
        assert paths.index(leader) == min(place for place, words in enumerate(paths) if words[:1] == leader)


def test_every_exit_code_has_a_meaning() -> None:
    """Help pages can explain every code there is."""
    assert set(MEANINGS) == set(ExitCode)


def test_command_needs_an_example() -> None:
    """A command that shows no example is not taken."""
    with pytest.raises(ValueError, match="example"):
        command(examples=())


def test_plain_function_is_refused() -> None:
    """A function without ``@command`` in the table is a mistake of ours, said clearly."""
    with pytest.raises(TypeError, match="not made with @command"):
        load_command(Entry("x", "json:dumps", "X.", Section.UPKEEP))
