"""Reading .env files."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from thunes_cli.config.env_file import edit_distance, parse, read_env_file, suggestion
from thunes_cli.config.settings import NAMES

FILE = Path("/h/.env")


def values(text: str) -> dict[str, str]:
    return {name: entry.text for name, entry in parse(text, path=FILE, known=NAMES).entries.items()}


def faults(text: str) -> list[str]:
    return [str(fault) for fault in parse(text, path=FILE, known=NAMES).faults]


@pytest.fixture
def env(tmp_path: Path) -> Path:
    file = tmp_path / ".env"
    file.write_text("FEED=rest\n")
    file.chmod(0o600)
    return file


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("FEED=rest", "rest"),
        ("FEED = rest  # comment", "rest"),
        ("export FEED='rest'", "rest"),
        ('FEED="rest"\r\n', "rest"),
        ("\ufeffFEED=rest", "rest"),
        ("FEED=a#b", "a#b"),
        ("FEED=$HOME/${USER}", "$HOME/${USER}"),
    ],
    ids=["plain", "spaced", "export", "crlf", "bom", "hash inside", "nothing is expanded"],
)
def test_lines_are_read_as_shells_and_dotenv_write_them(text: str, value: str) -> None:
    """Quotes, comments, export, Windows line ends; a dollar sign in a secret stays one."""
    assert values(text) == {"FEED": value}


@pytest.mark.parametrize("text", ["FEED=", "FEED=''", 'FEED="  "', "FEED= # later", "# FEED=rest", "\n\n"])
def test_an_empty_value_means_unset(text: str) -> None:
    """So .env.example can show every key."""
    assert values(text) == {}
    assert faults(text) == []


def test_origins_name_the_line_even_after_blank_lines_and_quoted_ones() -> None:
    """The line that an editor shows."""
    text = "# one\n\n\nFEED=rest\r\n\r\nSTRATEGY='a\nb'\n   SMA_FAST=1\n"

    entries = parse(text, path=FILE, known=NAMES).entries

    assert {name: entry.origin for name, entry in entries.items()} == {
        "FEED": "/h/.env:4",
        "STRATEGY": "/h/.env:6",
        "SMA_FAST": "/h/.env:8",
    }


def test_a_key_given_twice_is_an_error_that_names_both_lines() -> None:
    """Even with the same value, and even a key that is not ours: one of them is not what was meant."""
    assert faults("FEED=rest\n\nFEED=rest\nFOREIGN=1\nFOREIGN=\n") == [
        "FEED: given twice, first in line 1, /h/.env:3",
        "FOREIGN: given twice, first in line 4, /h/.env:5",
    ]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("MAX_DALY_LOSS", "MAX_DAILY_LOSS"),
        ("MAX_DAILYLOSS", "MAX_DAILY_LOSS"),
        ("MAX_DIALY_LOSSS", "MAX_DAILY_LOSS"),
        ("SYMBOL", "SYMBOLS"),
        ("symbols", "SYMBOLS"),
        ("BINANCE_API_SECRETS", "BINANCE_API_SECRET"),
        ("TELEGRAM_BOTTOKEN", "TELEGRAM_BOT_TOKEN"),
    ],
)
def test_a_slip_of_the_pen_is_an_error_with_a_suggestion(key: str, meant: str) -> None:
    """A limit that is silently not in force costs money."""
    assert faults(f"{key}=1") == [f"{key}: no such setting; did you mean {meant}?, /h/.env:1"]


@pytest.mark.parametrize(
    "key", ["PATH", "DATABASE_URL", "POSTGRES_PASSWORD", "TZ", "MAX_TOTAL_LOSS_EVER", "THUNES_HOME"]
)
def test_keys_of_other_programs_are_left_alone(key: str) -> None:
    """An .env may be shared."""
    assert suggestion(key, NAMES) is None
    assert faults(f"{key}=1") == []


def test_no_setting_of_ours_is_taken_for_another() -> None:
    """SIM_MAKER_FEE and SIM_TAKER_FEE are one letter apart, and both are right."""
    assert [name for name in NAMES if suggestion(name, NAMES)] == []


@pytest.mark.parametrize(
    ("left", "right", "distance"),
    [("a", "a", 0), ("ab", "ba", 1), ("abc", "ac", 1), ("abcd", "badc", 2), ("abc", "xyz", 3), ("a", "abcdef", 3)],
)
def test_edit_distance_counts_swaps_as_one(left: str, right: str, distance: int) -> None:
    """Insert, delete, replace, swap neighbours."""
    assert edit_distance(left, right) == edit_distance(right, left) == distance


@pytest.mark.parametrize("line", ["s3cr3t-canary", "'unclosed=s3cr3t-canary", "FEED='s3cr3t-canary"])
def test_a_broken_line_is_located_and_never_shown(line: str) -> None:
    """It may be a secret that lost its key."""
    assert faults(f"\nSMA_FAST=1\n{line}\n") == ["not of the form KEY=value, /h/.env:3"]


def test_bytes_that_are_not_text_are_located(env: Path) -> None:
    """A file saved in another encoding."""
    env.write_bytes(b"FEED=rest\nTELEGRAM_CHAT_ID=\xff\n")

    assert [str(fault) for fault in read_env_file(env, known=NAMES, required=True).faults] == [
        f"not UTF-8 text, {env}:2"
    ]


def test_a_missing_file_is_a_fault_only_when_it_was_named(tmp_path: Path) -> None:
    """The home's own .env is optional, --env-file is not."""
    missing = tmp_path / ".env"

    assert read_env_file(missing, known=NAMES, required=False).faults == ()
    assert [str(fault) for fault in read_env_file(missing, known=NAMES, required=True).faults] == [
        f"{missing}: there is no such file"
    ]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o644])
def test_a_file_that_others_can_read_is_a_fault(mode: int, env: Path) -> None:
    """Said with what to type; the content is still there for a start that may only sell."""
    env.chmod(mode)

    layer = read_env_file(env, known=NAMES, required=True)

    assert [str(fault) for fault in layer.faults] == [
        f"{env}: refused: others can read it (mode {mode:04o}); type: chmod 600 {shlex.quote(str(env))}"
    ]
    assert "FEED" in layer.entries


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_change_is_not_read(mode: int, env: Path) -> None:
    """Its content may be an attacker's."""
    env.chmod(mode)

    layer = read_env_file(env, known=NAMES, required=True)

    assert "others can change it" in str(layer.faults[0])
    assert layer.entries == {}


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_private_files_are_accepted(mode: int, env: Path) -> None:
    """Also through a symbolic link of our own."""
    env.chmod(mode)
    link = env.with_name("link")
    link.symlink_to(env)

    assert read_env_file(env, known=NAMES, required=True).faults == ()
    assert read_env_file(link, known=NAMES, required=True).faults == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's files")
def test_somebody_elses_link_or_file_is_not_read(env: Path) -> None:
    """Whoever owns it decides what it says."""
    link = env.with_name("link")
    link.symlink_to(env)
    os.chown(link, 65534, -1, follow_symlinks=False)

    linked = read_env_file(link, known=NAMES, required=True)
    os.chown(env, 65534, -1)
    owned = read_env_file(env, known=NAMES, required=True)

    assert "symbolic link of another user" in str(linked.faults[0])
    assert "belongs to another user" in str(owned.faults[0])
    assert linked.entries == owned.entries == {}


def test_a_directory_is_not_a_file(tmp_path: Path) -> None:
    """Said in words, not with a traceback."""
    assert "is not a file" in str(read_env_file(tmp_path, known=NAMES, required=True).faults[0])


def test_a_pipe_is_read() -> None:
    """`--env-file <(pass show thunes)` keeps secrets off the disk."""
    reader, writer = os.pipe()
    os.write(writer, b"FEED=rest\n")
    os.close(writer)
    try:
        layer = read_env_file(Path(f"/dev/fd/{reader}"), known=NAMES, required=True)
    finally:
        os.close(reader)

    assert layer.entries["FEED"].text == "rest"
    assert layer.faults == ()
