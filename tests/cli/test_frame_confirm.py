"""Confirmations: what is asked, what counts as an answer, and what happens where nobody can be asked."""

from __future__ import annotations

import pytest
from frame import invoke, on_terminal


@pytest.mark.parametrize(
    ("keys", "code"),
    [("y\n", 0), ("YES\n", 0), ("n\n", 6), ("\n", 6), ("yep\n", 6), ("\x04", 6)],
    ids=["y", "yes", "n", "default", "other", "end-of-file"],
)
def test_mild_change_asks(keys: str, code: int) -> None:
    """Only y or yes goes on; everything else, the bare return included, cancels."""
    terminal = on_terminal("things", "change")

    terminal.until("Change it? [y/N] ")
    terminal.type(keys)

    assert terminal.wait() == code
    assert ("done" in terminal.text) == (code == 0)


@pytest.mark.parametrize(
    ("keys", "code"), [("trade live\n", 0), ("trade testnet\n", 6), ("y\n", 6), ("\n", 6)], ids=repr
)
def test_severe_change_asks_for_the_phrase(keys: str, code: int) -> None:
    """Only the whole phrase goes on; y is not enough."""
    terminal = on_terminal("things", "change", "--severe")

    terminal.until("Type “trade live” to go on: ")
    terminal.type(keys)

    assert terminal.wait() == code
    assert ("done" in terminal.text) == (code == 0)


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        ((), 7, "add --yes"),
        (("--yes",), 0, ""),
        (("--severe",), 7, 'add --confirm "trade live"'),
        (("--severe", "--yes"), 7, "--yes is not enough"),
        (("--severe", "--confirm", "trade testnet"), 7, 'add --confirm "trade live"'),
        (("--severe", "--confirm", "trade live"), 0, ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_without_a_terminal(arguments: tuple[str, ...], code: int, hint: str) -> None:
    """Without a terminal the flag decides; without the right flag it is 7 and nothing was done."""
    outcome = invoke("things", "change", *arguments)

    assert outcome.code == code
    assert hint in outcome.err
    assert ("done" in outcome.out) == (code == 0)


def test_wrong_flag_is_not_asked_about() -> None:
    """A ``--confirm`` with another phrase ends the command on a terminal too: a script's mistake stays a mistake."""
    terminal = on_terminal("things", "change", "--severe", "--confirm", "trade testnet")

    assert terminal.wait() == 7
    assert "Type" not in terminal.text


def test_question_is_not_part_of_the_answer() -> None:
    """Under ``--json`` the question still reaches the person, and the document is still the only answer."""
    terminal = on_terminal("--json", "things", "change")

    terminal.until("Change it? [y/N] ")
    terminal.type("y\n")
    terminal.until('"changed": true')

    assert terminal.wait() == 0


def test_ctrl_c_at_a_question_begins_a_line_of_its_own() -> None:
    """130, and the word for it does not stick to the question."""
    terminal = on_terminal("things", "change")
    terminal.until("[y/N] ")

    terminal.type("\x03")

    assert terminal.wait() == 130
    assert "\r\nthunes: interrupted\r\n" in terminal.text
