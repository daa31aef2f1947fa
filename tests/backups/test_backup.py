"""``thunes backup``: whole, consistent, without secrets, found damaged by one bit."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import random
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import pyrage
import pytest
import zstandard
from bot_home import BotHome

from thunes_cli.audit.segments import closed_segments
from thunes_cli.ops.backups.create import Wanted

CANARY = "c4n4ry-s3cr3t-n0-b4ckup-m4y-h0ld"


def unpacked(file: Path) -> dict[str, bytes]:
    """The members of a backup that is not encrypted, read by other means than ours."""
    raw = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(file.read_bytes())).read()
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]


def identity(directory: Path) -> tuple[Path, str]:
    """An age identity's file, and its public half."""
    made = pyrage.x25519.Identity.generate()
    file = directory / "age.key"
    file.write_text(f"# made by a test\n{made}\n")
    file.chmod(0o600)
    return file, str(made.to_public())


def test_it_holds_the_home(bot: BotHome, backup: Path) -> None:
    """Ledger, every segment, checkpoints, public key, settings, a signed manifest; each with its size and hash."""
    members = unpacked(backup)
    manifest = json.loads(members["manifest.json"])
    number, closed = closed_segments(bot.path / "audit_trail.jsonl")[0]

    assert set(members) == {
        *("thunes.db", "audit_trail-000001.jsonl", "audit_trail.jsonl", "audit_trail.jsonl.ckpt", "audit_key.pub"),
        *("settings.env", "manifest.json", "manifest.sig"),
    }
    assert (number, members["audit_trail-000001.jsonl"]) == (1, closed.read_bytes())
    assert (bot.path / "audit_trail.jsonl").read_bytes().startswith(members["audit_trail.jsonl"])
    for each in manifest["members"]:
        assert each["sha256"] == hashlib.sha256(members[each["name"]]).hexdigest()
        assert each["bytes"] == len(members[each["name"]])
    assert manifest["rows"]["positions"] == 2
    assert manifest["trail"]["length"] == len(members["audit_trail.jsonl"])
    assert backup.stat().st_mode & 0o777 == 0o600


def test_its_ledger_and_trail_agree(backup: Path, tmp_path: Path) -> None:
    """The ledger's head is the last record of the trail beside it, whatever was written since."""
    members = unpacked(backup)
    (tmp_path / "copy.db").write_bytes(members["thunes.db"])
    ledger = sqlite3.connect(tmp_path / "copy.db")
    seq, length = ledger.execute("SELECT durable_seq, durable_length FROM audit_head").fetchone()
    ledger.close()

    assert json.loads(members["audit_trail.jsonl"].splitlines()[-1])["seq"] == seq
    assert len(members["audit_trail.jsonl"]) == length


def test_the_same_content_is_the_same_archive(backup: Path) -> None:
    """No clock, user or order of a directory shows in members or their headers."""
    raw = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(backup.read_bytes())).read()
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        headers = {(each.mtime, each.uid, each.gid, each.mode, each.uname) for each in tar.getmembers()}

    assert headers == {(0, 0, 0, 0o600, "")}


def test_nothing_secret_unencrypted(bot: BotHome) -> None:
    """Settings are kept, the key is not; asking for secrets without recipients is refused."""
    (bot.path / ".env").write_text(
        f"BINANCE_API_KEY={CANARY}key\nBINANCE_API_SECRET={CANARY}\nTELEGRAM_BOT_TOKEN=1:{CANARY}\n"
        f"# an old one: {CANARY}\nMAX_DAILY_LOSS=33\n"
    )
    (bot.path / ".env").chmod(0o600)

    answer = bot.ask("backup", "--json")
    refused = bot.ask("backup", "--include-secrets", "--json")

    members = unpacked(Path(answer.data["path"]))
    assert "MAX_DAILY_LOSS=33" in members["settings.env"].decode()
    assert not any(CANARY.encode() in raw for raw in members.values())
    assert "audit_key" not in members
    assert (refused.code, refused.codes) == (2, ["usage"])


def test_encrypted(bot: BotHome, tmp_path: Path) -> None:
    """Only the identity opens it; with it secrets may be inside; without it the file as a whole can be looked at."""
    file, recipient = identity(tmp_path)
    (bot.path / ".env").write_text(f"BINANCE_API_SECRET={CANARY}\n")
    (bot.path / ".env").chmod(0o600)
    environ = {"BACKUP_AGE_RECIPIENTS": recipient}

    made = bot.ask("backup", "--include-secrets", "--identity", str(file), "--json", environ=environ)
    path = Path(made.data["path"])
    without = bot.ask("backup", "verify", "--json", environ=environ)
    with_it = bot.ask("backup", "verify", "--identity", str(file), "--json", environ=environ)

    assert (made.code, made.data["encrypted"], made.data["verified"], made.data["quick"]) == (0, True, True, False)
    assert path.name.endswith(".tar.zst.age")
    assert path.read_bytes().startswith(b"age-encryption.org/v1")
    assert CANARY.encode() not in path.read_bytes()
    assert {each["name"] for each in made.data["members"]} >= {"secrets/env", "secrets/audit_key"}
    assert (without.code, without.data["backups"][0]["quick"]) == (0, True)
    assert (with_it.code, with_it.data["backups"][0]["quick"]) == (0, False)


def test_a_wrong_identity_is_no_damage(bot: BotHome, tmp_path: Path) -> None:
    """78, and the backup stays good in the list."""
    file, recipient = identity(tmp_path)
    bot.ask("backup", "--identity", str(file), environ={"BACKUP_AGE_RECIPIENTS": recipient})
    other, _ = identity(tmp_path)

    answer = bot.ask("backup", "verify", "--identity", str(other), "--json")

    assert (answer.code, answer.codes) == (78, ["backup_identity"])
    assert bot.ask("backup", "list", "--json").data["backups"][0]["verified"] is True


def flip(file: Path, bit: int) -> None:
    raw = bytearray(file.read_bytes())
    raw[bit // 8] ^= 1 << bit % 8
    file.write_bytes(raw)


def test_a_flipped_bit_anywhere(bot: BotHome, backup: Path) -> None:
    """In the file as a whole, without opening it; and, without its checksum, wherever it changes what is inside."""
    sound, chance = backup.read_bytes(), random.Random(5)
    inside = 0
    for bit in chance.sample(range(len(sound) * 8), 40):
        flip(backup, bit)
        assert bot.ask("backup", "verify", "--quick").code == 5
        checksum = backup.with_name(backup.name + ".sha256").read_bytes()
        backup.with_name(backup.name + ".sha256").unlink()
        answer = bot.ask("backup", "verify", "--json")
        assert answer.code in {0, 5}
        inside += answer.code == 5
        backup.with_name(backup.name + ".sha256").write_bytes(checksum)
        backup.write_bytes(sound)

    assert inside >= 38  # zstd leaves a bit or two of its own headers unused
    assert bot.ask("backup", "verify").code == 0


@pytest.mark.parametrize("left", [0, 1, 100, -1, -4000])
def test_a_truncated_file(bot: BotHome, backup: Path, left: int) -> None:
    """Damaged, in one line, and remembered as such."""
    backup.write_bytes(backup.read_bytes()[:left])

    answer = bot.ask("backup", "verify", "--json")
    backup.with_name(backup.name + ".sha256").unlink()
    opened = bot.ask("backup", "verify", "--json")

    assert (answer.code, answer.codes) == (5, ["backup_damaged"])
    assert (opened.code, opened.codes) == (5, ["backup_damaged"])
    assert bot.ask("backup", "list", "--json").data["backups"][0]["problem"]


def test_what_is_unfinished_is_no_backup(bot: BotHome, backup: Path) -> None:
    """A killed process's remains are not listed, and gone with the next one."""
    (backup.parent / ".thunes-partial-x").mkdir()
    (backup.parent / ".thunes-partial-x" / backup.name).write_bytes(b"half")

    listed = bot.ask("backup", "list", "--json").data["backups"]
    bot.ask("backup")

    assert [each["path"] for each in listed] == [str(backup)]
    assert not (backup.parent / ".thunes-partial-x").exists()


def test_a_damaged_ledger_is_not_taken_for_good(bot: BotHome) -> None:
    """5, nothing is left behind, on the trail and alerted."""
    bot.close()
    raw = bytearray((bot.path / "thunes.db").read_bytes())
    page = 4096 * (len(raw) // 4096 - 2)
    raw[page : page + 64] = b"\xff" * 64
    (bot.path / "thunes.db").write_bytes(raw)

    answer = bot.ask("backup", "--json")

    assert answer.code == 5
    assert list((bot.path / "backups").glob("*.zst*")) == []


def test_a_changed_trail_is_not_taken_for_good(bot: BotHome) -> None:
    """What is in the archive is what was written, or there is no archive."""
    trail = bot.path / "audit_trail.jsonl"
    trail.write_bytes(trail.read_bytes()[:-200])

    answer = bot.ask("backup", "--json")

    assert (answer.code, answer.codes) == (5, ["audit_tampered"])
    assert list((bot.path / "backups").glob("*.zst*")) == []


def test_status_shows_the_newest(bot: BotHome, backup: Path) -> None:
    """When, and whether it was found good."""
    shown: dict[str, Any] = bot.ask("status", "--json").data["last_backup"]
    flip(backup, 4000)
    bot.ask("backup", "verify")

    assert shown["verified"] is True
    assert bot.ask("status", "--json").data["last_backup"] == {"at": shown["at"], "verified": False}


def test_two_at_once(bot: BotHome, backup: Path) -> None:
    """The second one waits for nobody: 11."""
    with (backup.parent / ".lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert bot.ask("backup").code == 11
    assert bot.ask("backup").code == 0


def test_the_plan_changes_nothing(bot: BotHome) -> None:
    """--dry-run."""
    answer = bot.ask("backup", "create", "--dry-run", "--json")

    assert answer.document["changed"] is False
    assert not (bot.path / "backups").exists()


def test_secrets_need_somebody_who_can_decrypt_them(tmp_path: Path) -> None:
    """Whoever asks for it: no file of secrets is even begun without a recipient."""
    with pytest.raises(ValueError, match="never written unencrypted"):
        Wanted(tmp_path, (), "", {"secrets/.env": b"API_SECRET=" + CANARY.encode()})
