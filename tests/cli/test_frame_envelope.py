"""The JSON document: one, always, with the keys of the contract in their order."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from frame import Outcome, invoke

from thunes_cli import __version__
from thunes_cli.cli.result import Problem, Result, Status
from thunes_cli.clock import from_text
from thunes_cli.errors import ExitCode

KEYS = ["schema", "command", "status", "exit_code", "changed", "data", "problems", "ts", "wall_ts", "version"]


def document(outcome: Outcome) -> dict[str, object]:
    """The one document on stdout."""
    assert outcome.out.endswith("\n")
    assert outcome.out.count("\n") == 1
    return json.loads(outcome.out)


def test_keys_and_their_order() -> None:
    """Scripts find the ten keys of ``thunes.result/1``, in the contract's order."""
    answer = document(invoke("look", "--json"))

    assert list(answer) == KEYS
    assert answer["schema"] == "thunes.result/1"
    assert answer["version"] == __version__
    assert from_text(str(answer["ts"])) <= datetime.now(UTC)


def test_problem_keys() -> None:
    """A problem has a code, a message and a hint."""
    answer = document(invoke("look", "--bad", "--json"))

    assert answer["problems"] == [{"code": "bad_look", "message": "it looks bad", "hint": "thunes look"}]
    assert (answer["status"], answer["exit_code"]) == ("attention", 3)


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (("--json", "look"), {}),
        (("look", "--json"), {}),
        (("look",), {"THUNES_FORMAT": "json"}),
        (("--json", "-q", "look"), {}),
    ],
    ids=["before", "after", "environment", "json-wins-over-quiet"],
)
def test_json_can_be_asked_for_in_three_places(arguments: tuple[str, ...], environ: dict[str, str]) -> None:
    """``--json`` works before and after the command, ``THUNES_FORMAT=json`` for a whole script."""
    assert document(invoke(*arguments, **environ))["exit_code"] == 0


@pytest.mark.parametrize(
    ("arguments", "command", "code"),
    [
        (("--json", "lok"), "", 2),
        (("lok", "--json"), "", 2),
        (("--json", "--nope"), "", 2),
        (("--json",), "", 2),
        (("look", "--colour", "blue", "--json"), "look", 2),
        (("look", "--json", "--colour"), "look", 2),
        (("look", "--json", "extra"), "look", 2),
        (("things", "--json"), "things", 2),
        (("--json", "things"), "things", 2),
        (("things", "break", "-n", "0", "--json"), "things break", 2),
        (("things", "break", "--why", "refuse", "--json"), "things break", 10),
        (("things", "break", "--why", "bug", "--json"), "things break", 1),
        (("things", "break", "--why", "interrupt", "--json"), "things break", 130),
        (("things", "change", "--json"), "things change", 7),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_failure_is_json_too(arguments: tuple[str, ...], command: str, code: int) -> None:
    """Whatever goes wrong, usage included, ``--json`` gets the envelope, and nothing is on stderr."""
    outcome = invoke(*arguments, BINANCE_API_SECRET="0123456789")

    answer = document(outcome)

    assert list(answer) == KEYS
    assert (outcome.code, answer["exit_code"], answer["command"], answer["status"]) == (code, code, command, "error")
    assert answer["problems"]
    assert outcome.err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("things", "break", "--why", "--json", "--nope"),
        ("things", "break", "--nope", "--", "--json"),
        ("--home", "--json", "lok"),
    ],
    ids=["value-of-an-option", "after-double-dash", "value-of-a-root-option"],
)
def test_json_as_data_is_not_a_format(arguments: tuple[str, ...]) -> None:
    """``--json`` as the value of an option, or after ``--``, does not change how a usage error is reported."""
    outcome = invoke(*arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("thunes: ")


def test_help_and_version_are_json_too() -> None:
    """Even ``--help`` and ``--version`` give exactly one document."""
    assert "Usage: thunes look" in str(document(invoke("look", "--json", "--help"))["data"])
    assert document(invoke("--json", "--version"))["data"] == {"version": __version__}


def test_unknown_format_is_refused() -> None:
    """A misspelt ``THUNES_FORMAT`` is said, not ignored: a script relies on it."""
    outcome = invoke("look", THUNES_FORMAT="jsn")

    assert outcome.code == 2
    assert "THUNES_FORMAT is 'jsn'" in outcome.err
    assert document(invoke("--json", "look", THUNES_FORMAT="jsn"))["exit_code"] == 2


def test_values_are_plain() -> None:
    """Money is a plain decimal string, without exponent."""
    data = document(invoke("look", "--json"))["data"]

    assert isinstance(data, dict)
    assert data["amount"] == "100"


@pytest.mark.parametrize(
    ("code", "status"),
    [(0, "ok"), (1, "error"), (2, "error"), (3, "attention"), (4, "attention"), (5, "attention")]
    + [(code, "error") for code in (6, 7, 10, 11, 12, 13, 14, 78, 130)]
    + [(15, "partial")],
)
def test_status_follows_from_the_exit_code(code: int, status: str) -> None:
    """3 to 5 are answers, 15 is partial, all else but 0 is an error."""
    assert Result(exit_code=ExitCode(code), problems=(Problem("x", "y"),)).status == Status(status)
