"""``thunes audit checkpoint`` and ``rotate``: what each answers, returns and leaves behind."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from bot_home import NOON, BotHome, signal, thunes

from thunes_cli.cli.audit_rotate import parse_size
from thunes_cli.errors import UsageFault


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
    sound = trading.trail.read_bytes()
    trading.trail.write_bytes(sound.replace(b"kill_switch_active", b"duplicate_position"))

    assert trading.ask("audit", "checkpoint").code == 5
    assert not (trading.path / "audit_trail.jsonl.ckpt").exists()
    trading.trail.write_bytes(sound)
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
    data = trading.trail.read_bytes()
    trading.trail.write_bytes(data[:-50])
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
    assert thunes("audit", "validate", str(trading.trail)).code == 5
