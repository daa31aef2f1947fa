"""The README's tour is what a newcomer sees: its commands are run on a demo's home, and say the same things."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from test_project import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
TOUR = README.partition("## A two-minute tour")[2].partition("\n## ")[0]
BLOCKS = [
    (command, shown)
    for block in re.findall(r"```console\n(.*?)```", TOUR, re.DOTALL)
    for command, shown in re.findall(
        r"^\$ (thunes [^|\n]+?)(?: \|[^\n]*)?\n(.*?)(?=^\$ |\Z)", block, re.MULTILINE | re.DOTALL
    )
]
# What depends on how far the market came.
_SOMETIMES = {"losses, worst first", "jobs", "price", "frozen", "rate limit"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a short demo, so fast that something is bought."""
    place = tmp_path_factory.mktemp("tour") / "demo"
    done = thunes("demo", "--duration", "8", "--speed", "5760", "--home", str(place))
    assert done.returncode == 0, done.stderr
    return place


def thunes(*words: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command, as a newcomer's shell runs it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("THUNES_", "BINANCE_"))}
    if home is not None:
        environ["THUNES_HOME"] = str(home)
    command = [sys.executable, "-m", "thunes_cli", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environ, check=False, timeout=120)


def labels(text: str) -> set[str]:
    """The first column: what a line is about, without what it says."""
    lines = [line for line in text.splitlines() if line and not line.startswith(" ")]
    return {re.split(r"\s{2,}|:", line)[0] for line in lines if re.match(r"[A-Za-z]", line)} - _SOMETIMES


def test_it_has_a_tour() -> None:
    """Demo, status, pnl, explain, JSON."""
    assert [command.split()[1] for command, _ in BLOCKS] == ["demo", "status", "pnl", "explain", "status"]


@pytest.mark.parametrize("command", ["status", "pnl"])
def test_the_tour_says_what_the_commands_say(home: Path, command: str) -> None:
    """Every line's label, in the README as on the terminal."""
    line, shown = next((line, shown) for line, shown in BLOCKS if line.split()[1] == command)

    answer = thunes(*shlex.split(line)[1:], home=home)

    assert answer.returncode in {0, 3}
    verdicts = {label for label in labels(shown) | labels(answer.stdout) if "need" in label or "well" in label}
    assert labels(shown) - verdicts == labels(answer.stdout) - verdicts


def test_the_demo_shows_the_shape_of_its_lines() -> None:
    """Time, side, symbol, amount and price, as in the README."""
    _, shown = BLOCKS[0]
    stamped = [line for line in shown.splitlines() if re.match(r"\d{4}-", line)]
    lines = [line for line in stamped if "refused" not in line and "Z  alert (" not in line]

    assert lines
    assert all(
        re.match(r"\d{4}-\d\d-\d\d \d\d:\d\dZ  (BUY |SELL) [A-Z]+ [\d.]+ at [\d.]+, [\d.]+ USDT \(\w+\)", line)
        for line in lines
    )


def test_a_position_is_explained_as_shown(home: Path) -> None:
    """The ledger's rows first, then the trail: what was decided with every fact, then the order."""
    line, shown = next((line, shown) for line, shown in BLOCKS if line.split()[1] == "explain")
    told = names_in(shown)

    answer = thunes(*shlex.split(line)[1:], home=home)

    _, _, trail = answer.stdout.partition("on the audit trail, ")
    assert answer.returncode == 0, answer.stderr
    assert {"TRADE_APPROVED", "ORDER_INTENT", "quote_amount"} <= told
    assert told <= names_in(trail)


def names_in(text: str) -> set[str]:
    """Records and the names of their facts; how lines are broken depends on the values."""
    records = re.findall(r"^  \d{4}-\S+ \S+Z  (\w+) \(record", text, re.MULTILINE)
    facts = (line.strip().split("  ") for line in text.splitlines() if line.startswith("    "))
    return {*records, *(fact.split(" ")[0] for line in facts for fact in line)}


def test_scripts_get_what_is_shown(home: Path) -> None:
    """The two values that ``jq`` is shown to take from the document of ``status``."""
    line, shown = BLOCKS[-1]

    document = json.loads(thunes(*shlex.split(line)[1:], home=home).stdout)

    assert shown.split() == ["ok", "0"]
    assert document["status"] in {"ok", "attention"}
    assert isinstance(document["data"]["positions"]["open"], int)


def test_commands_it_names_exist() -> None:
    """Nowhere in the README is a command that is not in the table."""
    table = {row.strip("`") for row in re.findall(r"^\| (`[a-z ]+`) \|", README, re.MULTILINE)}
    named = re.findall(r"(?:^\$ |`)thunes (?:--home \S+ )?([a-z]+(?: [a-z]+)?)", README, re.MULTILINE)

    assert named
    assert [each for each in named if each not in table and each.split()[0] not in table] == []
