"""A command line that cannot be parsed: exit 2, what is wrong, and what was probably meant."""

from __future__ import annotations

import io

import pytest
from frame import invoke

from thunes_cli.cli.app import run
from thunes_cli.cli.streams import Streams
from thunes_cli.cli.synonyms import SYNONYMS
from thunes_cli.cli.table import COMMANDS
from thunes_cli.cli.usage import suggest


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("lok",), "no such command: lok", "did you mean thunes look?"),
        (("thingschange",), "no such command: thingschange", "did you mean thunes things change"),
        (("change",), "no such command: change", "did you mean thunes things change?"),
        (("things", "brake"), "no such command: things brake", "did you mean thunes things break"),
        (("xyzzy",), "no such command: xyzzy", "thunes --help"),
        (("things",), "things needs a command: break, change", "thunes things --help"),
        (("-q",), "thunes needs a command: look, things", "thunes --help"),
        (("look", "--colr", "red"), "no such option: --colr", "did you mean --colour?"),
        (("look", "--xyzzy"), "no such option: --xyzzy", "thunes look --help"),
        (
            ("look", "--home", "/x"),
            "no such option: --home",
            "--home goes before the command: thunes --home … look",
        ),
        (("look", "extra"), "too much: extra", "thunes look --help"),
        (("look", "--colour"), "option '--colour' requires an argument", "thunes look --help"),
        (
            ("look", "--colour", "blue"),
            "invalid value for '--colour': 'blue' is not one of 'red', 'green'",
            "thunes look --help",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_usage_error(arguments: tuple[str, ...], message: str, hint: str) -> None:
    """Two lines on stderr: what is wrong, and the command or option that was probably meant."""
    outcome = invoke(*arguments)

    assert (outcome.code, outcome.out) == (2, "")
    first, second = outcome.err.splitlines()
    assert first == f"thunes: {message}"
    assert second.startswith(f"  hint: {hint}")


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("killswitch deactivate", "--reason is missing", 'say why, it goes to the trail: --reason "..."'),
        ("symbols freeze --reason x", "SYMBOL is missing", "thunes symbols freeze --help"),
        ("reconcile adopt BTCUSDT --reason x", "--quantity is missing", "thunes reconcile adopt --help"),
        (
            "killswitch deactivate --reason x --yes",
            "no such option: --yes",
            '--yes is not enough here; --confirm takes "deactivate ENVIRONMENT", as in "deactivate live".',
        ),
        (
            "killswitch activate --reason flash crash",
            "too much: crash",
            'quote a text of several words: --reason "..."',
        ),
        ("sim fault wsdrop", "there is no fault 'wsdrop'", "did you mean ws_drop? thunes sim faults"),
        ("sim fault xyzzy", "there is no fault 'xyzzy'", "thunes sim faults"),
    ],
)
def test_slips_of_real_commands(line: str, message: str, hint: str) -> None:
    """Words of several and a forgotten reason are told alike by every command, with what to type."""
    streams = Streams(stdin=io.StringIO(), stdout=io.StringIO(), stderr=io.StringIO())

    code = run(line.split(), environ={"HOME": "/nonexistent"}, streams=streams)

    assert code == 2
    assert streams.stderr.getvalue() == f"thunes: {message}\n  hint: {hint}\n"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("statsu", "status"),
        ("position list", "positions list"),
        ("positions ls", "positions list"),
        ("config chek", "config check"),
        ("simserve", "sim serve"),
        ("pln", "pnl"),
        ("daily", "check daily"),
        ("restart", "stop"),
        ("kill", "killswitch activate"),
        ("kill switch", "killswitch activate"),
        ("resume", "killswitch deactivate"),
        ("sell all", "positions close"),
        ("logs", "alerts list"),
    ],
)
def test_real_commands_are_suggested(typed: str, meant: str) -> None:
    """The first suggestion for a likely slip is the command that was meant."""
    assert suggest(typed, COMMANDS)[0] == meant


def test_every_synonym_leads_to_a_command() -> None:
    """None of them is a command's own word, and all they name exists."""
    paths = {entry.path for entry in COMMANDS}

    assert {path for meant in SYNONYMS.values() for path in meant} <= paths
    assert not {entry.words[0] for entry in COMMANDS} & set(SYNONYMS)


def test_control_characters_in_arguments_are_shown() -> None:
    """What was typed comes back harmless."""
    outcome = invoke("\x1b[31mlook")

    assert outcome.code == 2
    assert "\x1b" not in outcome.err
