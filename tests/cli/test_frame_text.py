"""Answers for people: where they go, how tables look, and what never reaches a terminal."""

from __future__ import annotations

import re

import pytest
from frame import invoke, on_terminal
from hypothesis import given
from hypothesis import strategies as st

from thunes_cli.cli.plain_text import plain_table, visible
from thunes_cli.cli.result import Table

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def test_first_line_names_environment_and_home() -> None:
    """Every text answer begins with environment and home: the operator may have several."""
    outcome = invoke("look", THUNES_HOME="/somewhere/else")

    assert outcome.out.splitlines()[0] == "environment: none yet   home: /somewhere/else"


def test_home_option_wins() -> None:
    """``--home`` before the command is the home the answer is about."""
    outcome = invoke("--home", "/the/option", "look", THUNES_HOME="/somewhere/else")

    assert "home: /the/option" in outcome.out.splitlines()[0]


def test_errors_go_to_stderr() -> None:
    """A failure says what and what to type next, on stderr; stdout stays empty for the next program."""
    outcome = invoke("things", "break", "--why", "refuse")

    assert outcome == (10, "", "thunes: nothing here\n  hint: thunes init\n")


def test_bad_news_is_an_answer() -> None:
    """Exit 3 is an answer: it is on stdout, with the hint."""
    outcome = invoke("look", "--bad")

    assert outcome.code == 3
    assert outcome.out.endswith("attention: it looks bad\n  hint: thunes look\n")
    assert outcome.err == ""


def test_quiet() -> None:
    """``-q`` prints nothing when all is well, and everything when it is not."""
    assert invoke("-q", "look") == (0, "", "")
    assert invoke("look", "-q") == (0, "", "")
    assert "attention: it looks bad" in invoke("look", "-q", "--bad").out
    assert invoke("-q", "lok").err


def test_help_is_shown_although_quiet() -> None:
    """Help and version are what was asked for."""
    assert "Usage: thunes look" in invoke("-q", "look", "--help").out
    assert invoke("-q", "--version").out.startswith("thunes ")


def test_bare_command_shows_help() -> None:
    """``thunes`` alone is a person looking for the commands: help on stdout and 0."""
    outcome = invoke()

    assert outcome.code == 0
    assert outcome.out == invoke("--help").out
    assert "things change  Change something." in outcome.out


def test_help_page_has_examples_and_exit_status() -> None:
    """Each command's help ends with examples and what its exit codes mean."""
    page = invoke("look", "--help").out

    examples, _, exits = page.partition("Examples:\n")[2].partition("\nExit status:\n")
    assert examples == "  thunes look --colour red\n"
    assert [line.split()[0] for line in exits.splitlines()] == ["0", "1", "2", "3", "10"]
    assert "the look was bad" in exits


def test_pages_of_groups_have_examples_and_exit_status_too() -> None:
    """The root's page says what every code means, a group's where to look."""
    root, group = invoke("--help").out, invoke("things", "--help").out

    for page in (root, group):
        examples, _, exits = page.partition("Examples:\n")[2].partition("\nExit status:\n")
        assert examples.startswith("  thunes ")
        assert exits.split()[0] == "0"
    assert "  78   configuration" in root


def test_pipe_gets_aligned_text() -> None:
    """In a pipe a table is aligned, numbers to the right, without wrapping, colour or rules."""
    table = Table(
        columns=("symbol", "quantity"),
        rows=(("BTCUSDT", "0.5"), ("X" * 300, "12.25")),
    )

    lines = plain_table(table).splitlines()

    assert [line.rsplit(maxsplit=1)[-1] for line in lines] == ["quantity", "0.5", "12.25"]
    assert len({len(line) for line in lines}) == 1


def test_empty_table_says_so() -> None:
    """No rows is an answer too."""
    assert plain_table(Table(columns=("a", "b"), rows=())) == "a  b\n(none)\n"


def test_nothing_from_outside_steers_the_terminal() -> None:
    """An escape sequence in exchange data is shown, not obeyed; brackets are no markup."""
    outcome = invoke("look")

    assert "\\x1b[2J" in outcome.out
    assert "\x1b" not in outcome.out
    assert "[red]x" in outcome.out


@given(st.text())
def test_visible_text_is_printable(text: str) -> None:
    """Whatever a name holds, what is written are printable characters only; printable text is left alone."""
    shown = visible(text)

    assert shown.isprintable()
    assert not text.isprintable() or shown == text


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
    ids=["terminal", "no-color", "no-color-empty", "dumb"],
)
def test_terminal_gets_a_rich_table(environ: dict[str, str], *, coloured: bool) -> None:
    """A person gets a drawn table with the data as it is; ``NO_COLOR`` and a dumb terminal take the colour only."""
    terminal = on_terminal("look", THUNES_HOME="/nonexistent", **environ)

    assert terminal.wait() == 0

    text = ANSI.sub("", terminal.text)
    assert "[red]x" in text
    assert "\\x1b[2J" in text
    assert "───" in text
    assert re.search(r"BTCUSDT +1\.5 ", text)
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-7]m|\x1b\[1m", terminal.text)) == coloured
