"""``thunes audit``: what each command answers, returns and leaves behind."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal as signals
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from bot_home import NOON, BotHome, signal, thunes
from frame import Terminal, clean_environ

from thunes_cli.audit.events import Event
from thunes_cli.cli.audit_rotate import parse_size
from thunes_cli.errors import UsageFault
from thunes_cli.model import Rejection

PROGRAM = [sys.executable, "-m", "thunes_cli"]


@pytest.fixture
def trading(bot: BotHome) -> BotHome:
    """A home with decisions of two days."""
    bot.at(NOON - timedelta(days=2))
    bot.refuse(signal(), Rejection.KILL_SWITCH)
    bot.at(NOON)
    bot.refuse(signal("ETHUSDT"), Rejection.COOL_DOWN)
    bot.approve(signal("SOLUSDT"))
    bot.approve(signal("BNBUSDT"))
    bot.approve(signal("ADAUSDT"))
    return bot


def trail(bot: BotHome) -> Path:
    return bot.path / "audit_trail.jsonl"


# -- validate ----------------------------------------------------------------------------------------------------


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
    trail(trading).write_bytes(trail(trading).read_bytes().replace(b"cool_down_active", b"circuit_breaker_open"))

    answer = trading.ask("audit", "validate", "--json")
    text = trading.ask("audit", "validate")

    assert answer.code == text.code == 5
    assert answer.document["status"] == "attention"
    bad = answer.data["first_bad"]
    assert bad["file"] == str(trail(trading))
    assert bad["line"] == 2
    assert bad["offset"] == trail(trading).read_bytes().index(b"\n") + 1
    assert len(bad["expected"]) == len(bad["found"]) == 64
    assert "line 2 (byte" in text.out
    assert "evidence" in text.out


def test_validate_asks_the_ledger(trading: BotHome) -> None:
    """A record cut off at the end is missed by the home, not by a bare copy of the file."""
    lines = trail(trading).read_bytes().splitlines(keepends=True)
    trail(trading).write_bytes(b"".join(lines[:-1]))

    assert trading.ask("audit", "validate").code == 5
    assert trading.ask("audit", "validate", str(trail(trading))).code == 0


def test_validate_without_a_trail(trading: BotHome) -> None:
    """The whole file gone is an integrity matter where the ledger knows of it."""
    trail(trading).unlink()

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
    shutil.copy(trail(trading), copy)
    assert thunes("--home", str(tmp_path / "none"), "audit", "validate", str(copy)).code == 0

    trading.ask("audit", "checkpoint")
    shutil.copy(trail(trading), copy)
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
        arguments = [*PROGRAM, "--home", str(home), "audit", "validate", "--anchor"]
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


# -- tail and stats --------------------------------------------------------------------------------------------------


def test_tail_filters(trading: BotHome) -> None:
    """Event, reason and time are looked at before the number."""
    assert [r["symbol"] for r in trading.ask("audit", "tail", "-n", "2", "--json").data["records"]] == [
        "BNBUSDT",
        "ADAUSDT",
    ]
    rejected = trading.ask("audit", "tail", "--event", "TRADE_REJECTED", "--json").data["records"]
    assert [record["reason"] for record in rejected] == ["kill_switch_active", "cool_down_active"]
    recent = trading.ask("audit", "tail", "--event", "TRADE_REJECTED", "--since", "today", "--json").data["records"]
    assert [record["reason"] for record in recent] == ["cool_down_active"]
    reason = trading.ask("audit", "tail", "--reason", "kill_switch_active", "--json").data["records"]
    assert len(reason) == 1
    assert trading.ask("audit", "tail", "--event", "NOTHING").out.endswith("no record fits\n")


def test_tail_across_segments_and_what_waits(trading: BotHome) -> None:
    """Closed segments are part of the trail, and so is what is committed but not yet in the file."""
    trading.ask("audit", "rotate")
    with trading.journal.change(drain=False) as change:
        change.record(Event.DAEMON_STOPPED, why="waits")

    events = [record["event"] for record in trading.ask("audit", "tail", "--json").data["records"]]

    assert events[:5] == ["TRADE_REJECTED"] * 2 + ["TRADE_APPROVED"] * 3
    assert "SEGMENT_STARTED" in events
    assert events[-1] == "DAEMON_STOPPED"


def test_tail_text_is_not_obeyed(trading: BotHome) -> None:
    """Control characters from outside are shown, not sent to the terminal."""
    with trading.journal.change() as change:
        change.record(Event.ORDER_UNKNOWN, why="\x1b[2Jgone")

    answer = trading.ask("audit", "tail", "-n", "1")

    assert "\x1b" not in answer.out
    assert "\\x1b[2Jgone" in answer.out


def test_tail_follows(trading: BotHome) -> None:
    """Records come as they are written, through a rotation, one JSON object a line; Ctrl-C ends it with 130."""
    process = subprocess.Popen(
        [*PROGRAM, "--home", str(trading.path), "audit", "tail", "-n", "1", "--follow", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environ(),
    )
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline())["symbol"] == "ADAUSDT"
        trading.approve(signal("XRPUSDT"))
        assert json.loads(process.stdout.readline())["symbol"] == "XRPUSDT"
        trading.ask("audit", "rotate")
        trading.approve(signal("DOTUSDT"))
        events = []
        while "DOTUSDT" not in events:
            record = json.loads(process.stdout.readline())
            events.append(record.get("symbol", record["event"]))
        assert "SEGMENT_STARTED" in events
        assert len(events) == len(set(events)) + events.count("CHECKPOINT_SIGNED") - 1
        process.send_signal(signals.SIGINT)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.communicate()


def test_stats(trading: BotHome) -> None:
    """The runbook's monthly figures."""
    answer = trading.ask("audit", "stats", "--json")

    assert answer.code == 0
    assert answer.data["events"] == {"TRADE_APPROVED": 3, "TRADE_REJECTED": 2}
    assert (answer.data["approved"], answer.data["rejected"]) == (3, 2)
    assert answer.data["rejection_rate_pct"] == 40.0
    assert answer.data["reasons"] == {"kill_switch_active": 1, "cool_down_active": 1}
    assert trading.ask("audit", "stats", "--since", "today", "--json").data["rejection_rate_pct"] == 25.0
    assert "40 %" in trading.ask("audit", "stats").out


def test_stats_of_an_empty_month(bot: BotHome) -> None:
    """Nothing happened: no division by it."""
    answer = bot.ask("audit", "stats", "--since", "30d", "--json")

    assert answer.code == 0
    assert answer.data["records"] == 0
    assert answer.data["rejection_rate_pct"] is None
    assert bot.ask("audit", "stats").code == 0


# -- checkpoint and rotate ---------------------------------------------------------------------------------------------


def test_checkpoint(trading: BotHome) -> None:
    """The note is shown; doing it twice changes nothing."""
    first = trading.ask("audit", "checkpoint", "--json")
    again = trading.ask("audit", "checkpoint", "--json")

    assert first.code == again.code == 0
    assert first.document["changed"] is True
    assert again.document["changed"] is False
    checkpoint = first.data["checkpoint"]
    assert checkpoint.keys() == {"segment", "seq", "length", "sha256", "note"}
    assert checkpoint["seq"] == 5
    assert len(checkpoint["note"].encode()) <= 300
    assert again.data["checkpoint"] == checkpoint
    assert (trading.path / "audit_key").stat().st_mode & 0o777 == 0o600


def test_checkpoint_with_a_systemd_credential(trading: BotHome, tmp_path: Path) -> None:
    """A key given by systemd comes before one in the home, and none is made there."""
    other = BotHome(tmp_path / "other")
    other.ask("audit", "checkpoint", "--public-key")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (other.path / "audit_key").rename(credentials / "audit_key")
    other.close()

    answer = trading.ask("audit", "checkpoint", environ={"CREDENTIALS_DIRECTORY": str(credentials)})

    assert answer.code == 0
    assert not (trading.path / "audit_key").exists()
    assert trading.ask("audit", "validate").code == 0


def test_checkpoint_refuses_an_open_key(trading: BotHome) -> None:
    """A key that others can read signs nothing."""
    trading.ask("audit", "checkpoint", "--public-key")
    (trading.path / "audit_key").chmod(0o644)

    answer = trading.ask("audit", "checkpoint", "--json")

    assert answer.code == 78
    assert "chmod 600" in answer.document["problems"][0]["hint"]


def test_checkpoint_signs_nothing_that_was_tampered_with(trading: BotHome) -> None:
    """5; entries stay stopped until the trail is what it was."""
    sound = trail(trading).read_bytes()
    trail(trading).write_bytes(sound.replace(b"kill_switch_active", b"duplicate_position"))

    assert trading.ask("audit", "checkpoint").code == 5
    assert not (trading.path / "audit_trail.jsonl.ckpt").exists()
    trail(trading).write_bytes(sound)
    assert trading.ask("audit", "checkpoint").code == 0


def test_rotate(trading: BotHome) -> None:
    """Closed, chained, still one trail; doing it twice changes nothing."""
    plan = trading.ask("audit", "rotate", "--dry-run", "--json")
    first = trading.ask("audit", "rotate", "--json")
    again = trading.ask("audit", "rotate", "--json")

    assert plan.document["changed"] is False
    assert plan.data["plan"]
    assert first.document["changed"] is True
    assert again.document["changed"] is False
    assert [row["file"] for row in first.data["segments"]] == ["audit_trail-000001.jsonl", "audit_trail.jsonl"]
    assert trading.ask("audit", "validate", "--deep").code == 0
    assert trading.ask("audit", "validate", "--json").data["segments"] == 2
    started = trading.ask("audit", "tail", "--event", "SEGMENT_STARTED", "--json").data["records"]
    assert started[0]["predecessor"] == "audit_trail-000001.jsonl"
    assert started[0]["uid"] == os.getuid()


def test_rotate_by_size_and_day(trading: BotHome) -> None:
    """Only when it is due."""
    assert trading.ask("audit", "rotate", "--size", "1MiB", "--json").document["changed"] is False
    assert trading.ask("audit", "rotate", "--size", "1k", "--json").document["changed"] is True
    trading.approve(signal("XRPUSDT"))
    assert trading.ask("audit", "rotate", "--day", "--json").document["changed"] is False
    trading.at(NOON + timedelta(days=1))
    assert trading.ask("audit", "rotate", "--day", "--json").document["changed"] is True


@pytest.mark.parametrize(("text", "size"), [("500", 500), ("500k", 512000), ("64MiB", 64 << 20), ("1 GB", 1 << 30)])
def test_sizes(text: str, size: int) -> None:
    """As operators type them."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5M", "many", "5 parsecs"])
def test_no_sizes(text: str) -> None:
    """2, with an example."""
    with pytest.raises(UsageFault, match="--size"):
        parse_size(text)


def test_rotate_despite_damage(trading: BotHome) -> None:
    """Recording goes on behind the damage, by somebody's word; the damage stays visible."""
    data = trail(trading).read_bytes()
    trail(trading).write_bytes(data[:-50])
    trading.approve(signal("XRPUSDT"))
    assert trading.ask("status", "--json").code == 3
    assert trading.ask("audit", "rotate").code == 5
    assert trading.ask("audit", "rotate", "--despite-damage", "--yes").code == 2
    assert trading.ask("audit", "rotate", "--despite-damage", "--reason", "disk failure").code == 7

    answer = trading.ask("audit", "rotate", "--despite-damage", "--reason", "disk failure", "--yes", "--json")

    assert answer.code == 0
    assert answer.document["changed"] is True
    trading.approve(signal("DOTUSDT"))
    assert trading.ask("status", "--json").data["audit"]["problem"] is None
    assert trading.ask("audit", "checkpoint").code == 0
    records = trading.ask("audit", "tail", "--json").data["records"]
    assert [record["reason"] for record in records if record["event"] == "SEGMENT_STARTED"] == ["disk failure"]
    assert {"XRPUSDT", "DOTUSDT"} <= {record.get("symbol") for record in records}
    bad = trading.ask("audit", "validate", "--json")
    assert bad.code == 5
    assert bad.data["first_bad"]["file"].endswith("audit_trail-000001.jsonl")
    assert thunes("audit", "validate", str(trail(trading))).code == 5


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
