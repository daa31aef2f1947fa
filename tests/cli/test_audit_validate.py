"""``thunes audit validate``: what it answers and returns, whatever it is given."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bot_home import BotHome, signal, thunes
from frame import Terminal, clean_environ


def test_validate_a_sound_trail(trading: BotHome) -> None:
    """0, with the keys of the contract."""
    trading.ask("audit", "checkpoint")

    answer = trading.ask("audit", "validate", "--json")

    assert answer.code == 0
    assert answer.data.keys() >= {
        *("valid", "mode", "records", "bytes", "segments", "checkpoints", "first_seq", "last_seq"),
        *("first_bad", "torn_tail", "elapsed_s"),
    }
    assert answer.data["valid"] is True
    assert answer.data["mode"] == "fast"
    assert answer.data["signatures"] == "verified"
    assert answer.data["records"] == 7
    assert answer.data["first_bad"] is None


def test_validate_names_what_is_wrong(trading: BotHome) -> None:
    """5: file, line, byte, problem, expected and found; for people the same and what to do."""
    trading.trail.write_bytes(trading.trail.read_bytes().replace(b"cool_down_active", b"circuit_breaker_open"))

    answer = trading.ask("audit", "validate", "--json")
    text = trading.ask("audit", "validate")

    assert answer.code == text.code == 5
    assert answer.document["status"] == "attention"
    bad = answer.data["first_bad"]
    assert bad["file"] == str(trading.trail)
    assert bad["line"] == 2
    assert bad["offset"] == trading.trail.read_bytes().index(b"\n") + 1
    assert len(bad["expected"]) == len(bad["found"]) == 64
    assert "line 2 (byte" in text.out
    assert "evidence" in text.out


def test_validate_asks_the_ledger(trading: BotHome) -> None:
    """A record cut off at the end is missed by the home, not by a bare copy of the file."""
    lines = trading.trail.read_bytes().splitlines(keepends=True)
    trading.trail.write_bytes(b"".join(lines[:-1]))

    assert trading.ask("audit", "validate").code == 5
    assert trading.ask("audit", "validate", str(trading.trail)).code == 0


def test_validate_without_a_trail(trading: BotHome) -> None:
    """The whole file gone is an integrity matter where the ledger knows of it."""
    trading.trail.unlink()

    answer = trading.ask("audit", "validate", "--json")

    assert answer.code == 5
    assert "the ledger knows of record 5" in answer.data["first_bad"]["problem"]


def test_validate_with_a_damaged_ledger(trading: BotHome) -> None:
    """The trail is evidence of its own: it is validated, and what could not be asked is told."""
    trading.close()
    (trading.path / "thunes.db").write_bytes(b"not a database at all" * 100)
    for name in ("thunes.db-wal", "thunes.db-shm"):
        (trading.path / name).unlink(missing_ok=True)

    answer = trading.ask("audit", "validate", "--json")

    assert answer.code == 3
    assert answer.data["valid"] is True
    assert answer.codes == ["ledger_corrupt"]


def test_validate_a_bare_file(trading: BotHome, tmp_path: Path) -> None:
    """A copied file needs no home; without its checkpoints, which it tells of, it is sound as far as can be seen."""
    copy = tmp_path / "copy.jsonl"
    shutil.copy(trading.trail, copy)
    assert thunes("--home", str(tmp_path / "none"), "audit", "validate", str(copy)).code == 0

    trading.ask("audit", "checkpoint")
    shutil.copy(trading.trail, copy)
    answer = thunes("audit", "validate", str(copy), "--json", environ={"HOME": str(tmp_path)})
    assert answer.code == 3
    assert answer.data["valid"] is True
    assert answer.codes == ["checkpoints_absent"]

    shutil.copy(trading.path / "audit_trail.jsonl.ckpt", tmp_path / "copy.jsonl.ckpt")
    assert thunes("audit", "validate", str(copy), environ={"HOME": str(tmp_path)}).code == 0


def test_validate_a_closed_segment(trading: BotHome) -> None:
    """One segment on its own, named as such."""
    trading.ask("audit", "rotate")
    trading.approve(signal("XRPUSDT"))

    answer = trading.ask("audit", "validate", str(trading.path / "audit_trail-000001.jsonl"), "--json")

    assert answer.code == 0
    assert answer.data["segments"] == 1


@pytest.mark.parametrize("form", ["file", "stdin"])
def test_validate_with_an_anchor(trading: BotHome, tmp_path: Path, form: str) -> None:
    """An anchor from a message is compared; one that the trail does not know is a roll-back."""
    older = tmp_path / "older"
    trading.ask("audit", "checkpoint")
    trading.close()
    shutil.copytree(trading.path, older)
    trading.approve(signal("XRPUSDT"))
    note = trading.ask("audit", "checkpoint", "--json").data["checkpoint"]["note"]
    message = tmp_path / "message.txt"
    message.write_text(f"Day 2026-03-10: realised 0\n\n{note}\nNext: thunes status\n")

    def ask(home: Path) -> int:
        arguments = [sys.executable, "-m", "thunes_cli", "--home", str(home), "audit", "validate", "--anchor"]
        with message.open() as stdin:
            name = "-" if form == "stdin" else str(message)
            done = subprocess.run(
                [*arguments, name], stdin=stdin, capture_output=True, env=clean_environ(), check=False
            )
        return done.returncode

    assert ask(trading.path) == 0
    assert ask(older) == 5
    assert thunes("--home", str(older), "audit", "validate").code == 0


def test_validate_with_the_key_that_was_kept(trading: BotHome, tmp_path: Path) -> None:
    """The redirected answer of `audit checkpoint --public-key` is a key file; another home's key is a foreign one."""
    kept, other = tmp_path / "kept.pub", tmp_path / "other.pub"
    kept.write_text(trading.ask("audit", "checkpoint", "--public-key").out)
    trading.ask("audit", "checkpoint")
    stranger = BotHome(tmp_path / "stranger")
    other.write_text(stranger.ask("audit", "checkpoint", "--public-key").out)
    stranger.close()

    assert trading.ask("audit", "validate", "--public-key", str(kept)).code == 0
    answer = trading.ask("audit", "validate", "--public-key", str(other), "--json")
    assert answer.code == 5
    assert "foreign key" in answer.data["first_bad"]["problem"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["/nowhere/trail.jsonl"], 10),
        (["--anchor", "/nowhere/notes"], 10),
        (["--public-key", "/nowhere/key"], 10),
        (["--anchor", "/dev/null"], 2),
        (["--public-key", "/dev/null"], 78),
    ],
    ids=["no file", "no anchor", "no key", "anchor without a note", "key file without a key"],
)
def test_validate_cannot_begin(trading: BotHome, arguments: list[str], code: int) -> None:
    """What was named and is not there, or holds nothing, is said at once."""
    assert trading.ask("audit", "validate", *arguments).code == code


@pytest.mark.parametrize("words", [["validate"], ["tail"], ["stats"]], ids=lambda words: words[0])
def test_what_is_no_file_keeps_nobody_waiting(tmp_path: Path, words: list[str]) -> None:
    """A pipe, a directory, a compressed file, a pipe among the segments: 13 at once, and what to type."""
    pipe, place, packed = tmp_path / "pipe.jsonl", tmp_path / "place.jsonl", tmp_path / "audit_trail.jsonl.gz"
    os.mkfifo(pipe)
    place.mkdir()
    packed.write_bytes(gzip.compress(b"{}\n"))
    plain = tmp_path / "plain.jsonl"
    plain.write_bytes(b"")
    os.mkfifo(tmp_path / "plain-000001.jsonl")

    answers = [thunes("audit", *words, str(path), "--json") for path in (pipe, place, packed, plain)]

    assert [answer.code for answer in answers] == [13] * 4
    assert [answer.document["problems"][0]["hint"] for answer in answers][2].startswith("zcat ")


def test_an_empty_file_shows_nothing(tmp_path: Path) -> None:
    """It is not called sound without a word: 3, there was nothing to look at."""
    file = tmp_path / "audit_trail.jsonl"
    file.touch()

    answer = thunes("audit", "validate", str(file), "--json")

    assert (answer.code, answer.data["valid"], answer.codes) == (3, True, ["no_record"])


def test_validate_the_original_system(tmp_path: Path) -> None:
    """Files without a chain are recognised, checked for what they can show, and called what they are."""
    file = tmp_path / "audit_trail.jsonl"
    lines = [
        {"timestamp": "2025-10-03T14:00:00.123456", "event": "TRADE_APPROVED", "symbol": "BTCUSDT", "price": 61000.5},
        {"timestamp": "2025-10-03T14:10:00", "event": "TRADE_REJECTED", "reason": "max_position_limit_reached"},
        {"timestamp": "2025-10-03T14:20:00", "event": "TRADE_REJECTED", "reason": "cool_down_active"},
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))

    answer = thunes("audit", "validate", str(file), "--json")
    text = thunes("audit", "validate", str(file), "--deep")
    stats = thunes("audit", "stats", str(file), "--json")
    tail = thunes("audit", "tail", str(file), "--event", "TRADE_REJECTED", "-n", "1", "--json")

    assert answer.code == text.code == 0
    assert answer.data["mode"] == "original"
    assert answer.data["records"] == 3
    assert "no chain" in text.out
    assert stats.data["rejection_rate_pct"] == 66.67
    assert [record["reason"] for record in tail.data["records"]] == ["cool_down_active"]
    file.write_text(file.read_text().replace('"event": "TRADE_APPROVED"', '"event": 7'))
    assert thunes("audit", "validate", str(file)).code == 5


def test_validate_shows_progress_on_a_terminal(trading: BotHome) -> None:
    """A long validation shows how far it is, and leaves nothing of it behind; in a pipe there is none."""
    program = (
        "import time, sys; from thunes_cli.cli.progress import ByteProgress; from thunes_cli.cli.app import "
        "process_streams\nwith ByteProgress(process_streams({}), 'validating') as bar:\n"
        " for done in range(20):\n  bar.show(done, 20); time.sleep(0.05)\n"
    )
    shown = Terminal([sys.executable, "-c", program])
    assert shown.wait() == 0

    assert "validating [" in shown.text
    assert "MiB/s" in shown.text
    assert shown.text.endswith("\r")
    assert trading.ask("audit", "validate").err == ""


def test_validating_is_quick_to_start(trading: BotHome) -> None:
    """It imports neither settings nor exchange nor rich: what it needs is msgspec and, with notes, cryptography."""
    code = "import sys; from thunes_cli.cli.main import main\ntry:\n main()\nfinally:\n print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code, "--home", str(trading.path), "-q", "audit", "validate"],
        capture_output=True,
        text=True,
        env=clean_environ(),
        check=False,
    )

    modules = set(done.stdout.replace("'", "").strip("[]\n").split(", "))
    assert "msgspec" in modules
    assert not modules & {"pydantic", "rich", "binance", "sqlite_utils", "asyncio", "apscheduler", "requests"}
