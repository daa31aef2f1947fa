"""Completions in real shells: static scripts that offer commands, options and values, and start no Python."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from frame import ROOT, Terminal
from sample_commands import ENTRIES

from thunes_cli.cli.completion_bash import bash_script
from thunes_cli.cli.completion_fish import fish_script
from thunes_cli.cli.completion_zsh import zsh_script
from thunes_cli.cli.shape import read_tree


def shell(name: str) -> str:
    """Where a shell is, or a skipped test."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """The three scripts for the sample commands, and some files to complete."""
    shapes = read_tree(ENTRIES)
    (tmp_path / "thunes.bash").write_text(bash_script(shapes))
    (tmp_path / "_thunes").write_text(zsh_script(shapes))
    (tmp_path / "thunes.fish").write_text(fish_script(shapes))
    (tmp_path / "candles one.csv").touch()
    (tmp_path / "homes").mkdir()
    return tmp_path


CASES = [
    ("thunes ", ["look", "things"]),
    ("thunes lo", ["look"]),
    ("thunes things ", ["break", "change"]),
    ("thunes --json things b", ["break"]),
    ("thunes --home look things b", ["break"]),
    ("thunes look --co", ["--colour"]),
    ("thunes look --colour ", ["green", "red"]),
    ("thunes look --colour r", ["red"]),
    ("thunes look --all --colour g", ["green"]),
    ("thunes things change --", ["--confirm", "--help", "--json", "--quiet", "--severe", "--yes"]),
    ("thunes things change --confirm ", []),
]


@pytest.mark.parametrize(("line", "offered"), CASES, ids=[line for line, _ in CASES])
def test_bash_words(scripts: Path, line: str, offered: list[str]) -> None:
    """The function offers what fits, in a bash that can find no program at all: TAB starts no Python."""
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    program = (
        f"source {shlex.quote(str(scripts / 'thunes.bash'))}; COMP_WORDS=({shlex.join(words)}); "
        f"COMP_CWORD={len(words) - 1}; _thunes; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )

    done = subprocess.run(
        [shell("bash"), "--norc", "-c", program],
        env={"PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == ""
    assert sorted(done.stdout.split()) == offered


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("thunes thi\t", "thunes things "),
        ("thunes things ch\t", "thunes things change "),
        ("thunes look --colour=r\t", "thunes look --colour=red "),
        ("thunes things break --file cand\t", r"thunes things break --file candles\ one.csv "),
        ("thunes --home ho\t", "thunes --home homes/"),
    ],
    ids=["group", "command", "joined-value", "file-with-a-space", "directory"],
)
def test_bash_on_a_terminal(scripts: Path, typed: str, shown: str) -> None:
    """TAB in an interactive bash writes the rest of the word."""
    terminal = Terminal(
        [shell("bash"), "--norc", "--noprofile", "-i"], PS1="$ ", INPUTRC="/dev/null", HOME="/nonexistent"
    )
    terminal.type(f"cd {shlex.quote(str(scripts))}; source thunes.bash; echo re''ady\n")
    terminal.until("ready\r\n")

    terminal.type(typed)

    assert terminal.until(shown).count(shown) == 1
    terminal.close()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("thunes thi\t", "ngs "),
        ("thunes things ch\t", "ange "),
        ("thunes --json look --colour r\t", "ed "),
        ("thunes things break --file cand\t", "les\\ one.csv "),
    ],
    ids=["group", "command", "value", "file-with-a-space"],
)
def test_zsh_on_a_terminal(scripts: Path, typed: str, shown: str) -> None:
    """TAB in an interactive zsh writes the rest of the word."""
    terminal = Terminal([shell("zsh"), "-f", "-i"], HOME=str(scripts), TERM="dumb", ZDOTDIR=str(scripts))
    terminal.type(
        f"cd {shlex.quote(str(scripts))}; fpath=({shlex.quote(str(scripts))} $fpath); PS1='$ ';"
        " autoload -Uz compinit; compinit -u -D; echo re''ady\n"
    )
    terminal.until("ready\r\n")

    terminal.type(typed)
    word = typed.rstrip("\t")[-2:] + shown

    assert terminal.until(word).count(word) == 1
    terminal.close()


@pytest.mark.parametrize(("line", "offered"), CASES, ids=[line for line, _ in CASES])
def test_fish_words(scripts: Path, line: str, offered: list[str]) -> None:
    """fish offers the same."""
    program = f"source {shlex.quote(str(scripts / 'thunes.fish'))}; complete -C {shlex.quote(line)}"

    done = subprocess.run(
        [shell("fish"), "--no-config", "-c", program],
        env={"PATH": "/nonexistent", "HOME": str(scripts), "XDG_CONFIG_HOME": str(scripts)},
        cwd=scripts,
        capture_output=True,
        text=True,
        check=True,
    )

    assert sorted(answer.split("\t")[0] for answer in done.stdout.splitlines()) == offered


def test_fish_files(scripts: Path) -> None:
    """fish offers files where a file is wanted, and only there."""
    for line, offered in (("thunes things break --file cand", "candles one.csv"), ("thunes look cand", "")):
        program = f"source {shlex.quote(str(scripts / 'thunes.fish'))}; complete -C {shlex.quote(line)}"
        done = subprocess.run(
            [shell("fish"), "--no-config", "-c", program],
            env={"PATH": "/nonexistent", "HOME": str(scripts)},
            cwd=scripts,
            capture_output=True,
            text=True,
            check=True,
        )

        assert done.stdout.strip() == offered


@pytest.mark.parametrize(("name", "script"), [("bash", "thunes.bash"), ("zsh", "_thunes"), ("fish", "thunes.fish")])
def test_checked_in_script_is_sound(name: str, script: str) -> None:
    """Each shell can parse the script that is handed out."""
    path = ROOT / "completions" / script

    done = subprocess.run([shell(name), "-n", str(path)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
