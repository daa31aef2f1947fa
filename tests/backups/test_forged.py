"""Backups that somebody made: refused in one line with the right code, whatever they hold and whoever signed them."""

from __future__ import annotations

import io
import json
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from bot_home import BotHome
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from thunes_cli.audit.key import ensure_audit_key
from thunes_cli.audit.notes import PublicKey, SigningKey
from thunes_cli.ops.backups.archive import ArchiveWriter
from thunes_cli.ops.backups.manifest import sign

Members = dict[str, bytes]


def members_of(backup: Path) -> Members:
    raw = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(backup.read_bytes())).read()
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]


def write(backup: Path, members: Members, manifest: Any, key: SigningKey) -> None:
    """An archive with that manifest, signed, and no checksum beside it."""
    out = io.BytesIO()
    archive = ArchiveWriter(out, lambda _: None)
    for name, raw in members.items():
        if not name.startswith("manifest."):
            archive.add_bytes(name, raw)
    if isinstance(manifest, dict) and isinstance(manifest["members"], list):
        manifest["members"] = [{"name": m.name, "bytes": m.bytes, "sha256": m.sha256} for m in archive.members]
    raw = json.dumps(manifest).encode()
    archive.add_bytes("manifest.json", raw)
    archive.add_bytes("manifest.sig", sign(raw, key))
    archive.close()
    backup.write_bytes(zstandard.ZstdCompressor().compress(out.getvalue()))
    backup.with_name(backup.name + ".sha256").unlink(missing_ok=True)


def forge(backup: Path, key: SigningKey, change: Callable[[Members, dict[str, Any]], Any]) -> None:
    members = members_of(backup)
    manifest = json.loads(members["manifest.json"])
    write(backup, members, change(members, manifest) or manifest, key)


def foreign_key(instance: str) -> SigningKey:
    private = Ed25519PrivateKey.generate()
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return SigningKey(PublicKey(f"thunes/{instance}", raw), private)


def emptied(members: Members, _: dict[str, Any]) -> None:
    """A ledger whose tables have no rows."""
    ledger = sqlite3.connect(":memory:")
    ledger.deserialize(members["thunes.db"])
    ledger.execute("PRAGMA foreign_keys = OFF")
    ledger.execute("DELETE FROM audit_head")
    ledger.execute("DELETE FROM identity")
    ledger.commit()
    members["thunes.db"] = ledger.serialize()


@pytest.mark.parametrize(
    "change",
    [
        lambda _, manifest: manifest.update(schema="1"),
        lambda _, manifest: manifest.update(rows=[]),
        lambda _, manifest: manifest.update(trail=None),
        lambda _, manifest: manifest.update(members={}),
        lambda _, manifest: manifest.update(instance="zzzzzz"),
        lambda _, manifest: manifest.update(v=0),
        lambda *_: ["no object"],
        lambda _, manifest: manifest.update(surprise=1),
        lambda members, _: members.__delitem__("audit_trail.jsonl"),
        emptied,
    ],
    ids=["text", "rows", "no-trail", "members", "whose", "form", "list", "surprise", "member-gone", "no-rows"],
)
def test_a_signed_manifest_that_is_none(
    bot: BotHome, backup: Path, tmp_path: Path, change: Callable[[Members, dict[str, Any]], Any]
) -> None:
    """Our own signature does not make it one."""
    key = ensure_audit_key(bot.path, instance="abcdef")

    forge(backup, key, change)
    answer = bot.ask("backup", "restore", str(backup), "--to", str(tmp_path / "target"), "--json")

    assert (answer.code, answer.codes) == (5, ["backup_damaged"]), answer
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("change", [{"schema": 999}, {"v": 2}])
def test_one_of_a_newer_version(bot: BotHome, backup: Path, tmp_path: Path, change: dict[str, int]) -> None:
    """It is not damaged: 78, update; and the list goes on to call it good."""
    forge(backup, ensure_audit_key(bot.path, instance="abcdef"), lambda _, manifest: manifest.update(change))

    verified = bot.ask("backup", "verify", "--json")
    restored = bot.ask("backup", "restore", str(backup), "--to", str(tmp_path / "target"), "--json")

    assert (verified.code, verified.codes) == (78, ["backup_newer"])
    assert (restored.code, restored.codes) == (78, ["backup_newer"])
    assert bot.ask("backup", "list", "--json").data["backups"][0]["problem"] is None


def test_a_foreign_signature(bot: BotHome, backup: Path) -> None:
    """A backup of this home that another key signed is neither good nor restored in place."""
    forge(backup, foreign_key("abcdef"), lambda *_: None)
    bot.close()

    verified = bot.ask("backup", "verify", "--json")
    restored = bot.ask("backup", "restore", str(backup), "--in-place", "--confirm", "restore sim", "--json")
    drilled = bot.ask("backup", "drill", "--json")

    assert [verified.code, restored.code, drilled.code] == [5, 5, 5]
    assert "foreign key" in verified.data["problems"][0]
    assert [path.name for path in bot.path.parent.iterdir()] == ["a bot"]


def test_a_header_that_announces_more_than_there_is_room_for(bot: BotHome, backup: Path, tmp_path: Path) -> None:
    """It is not read into memory."""
    header = tarfile.TarInfo("audit_trail.jsonl")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    block = header.tobuf(tarfile.USTAR_FORMAT if header.size < 8**11 else tarfile.GNU_FORMAT)
    backup.write_bytes(zstandard.ZstdCompressor().compress(block + bytes(1 << 20)))

    answer = bot.ask("backup", "restore", str(backup), "--to", str(tmp_path / "target"), "--json")

    assert (answer.code, answer.codes) == (5, ["backup_damaged"])


def test_one_that_does_not_end(bot: BotHome, backup: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """How much there is in it, only its end says: the disk is looked at on the way, and is not filled."""
    header = tarfile.TarInfo("thunes.db")
    header.size = 1 << 40
    backup.write_bytes(zstandard.ZstdCompressor().compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 26)))
    room = iter([1 << 40, 1 << 40])
    monkeypatch.setattr("thunes_cli.ops.backups.create.free_bytes", lambda _: next(room, 1 << 20))

    answer = bot.ask("backup", "restore", str(backup), "--to", str(tmp_path / "target"), "--json")

    assert (answer.code, answer.codes) == (13, ["no_room"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a bot"]
