"""``thunes keys scan``: what is a secret, in any dress, and what only looks like one."""

from __future__ import annotations

import gzip
import io
import os
import random
import string
import tarfile
import zipfile
from pathlib import Path

import pytest
from bot_home import BotHome
from scanned_places import ACCESS, KEY, SECRET, TOKEN, kinds, places, scan, used

from thunes_cli.config.credentials import Credentials
from thunes_cli.config.secrets import Secret
from thunes_cli.exchange.key_book import key_facts
from thunes_cli.exchange.key_pair import new_key_pair, write_new_private_key
from thunes_cli.ledger import api_keys
from thunes_cli.ops.leaks import pieces
from thunes_cli.ops.leaks.shapes import Finder


def test_past_and_present_keys_are_known_by_their_fingerprints(bot: BotHome, tmp_path: Path) -> None:
    """Whatever they look like, marked or not; which one it is, is said."""
    old, new = "an-old-key-of-no-shape-at-all", "another_key_that_has_no_shape"
    old_mark, new_mark = used(bot, old, "the-old-secret-of-it"), used(bot, new, "the-new-secret-of-it")
    log = tmp_path / "bot.log"
    log.write_text(f"begin\nGET /api/v3/account key={old} # thunes: not a secret\nheaders: {{'X': '{new}'}}\n")

    answer = scan(bot, log)

    told = [each["known"] for each in answer.data["leaks"]]
    assert places(answer) == [f"{log}:2", f"{log}:3"]
    assert told[0].startswith(f"key {old_mark}, replaced on ")
    assert told[1] == f"key {new_mark}, in use"
    assert old not in answer.out
    assert answer.document["changed"] is False  # a log is ours alone; a history is everybody's


def test_logs_and_archives_may_be_compressed(bot: BotHome, tmp_path: Path) -> None:
    """The line is that of the text inside; of an archive the member is named. age files hold nothing readable."""
    with gzip.open(tmp_path / "bot.log.1.gz", "wt") as log:
        log.write(f"one\ntwo\n{ACCESS}\n")
    with zipfile.ZipFile(tmp_path / "older.zip", "w") as packed:
        packed.write(tmp_path / "bot.log.1.gz", "logs/bot.log.1.gz")
    with tarfile.open(tmp_path / "old.tar.gz", "w:gz") as archive:
        raw = f"TELEGRAM_BOT_TOKEN={TOKEN}\n".encode()
        info = tarfile.TarInfo("home/.env")
        info.size = len(raw)
        archive.addfile(info, io.BytesIO(raw))
    (tmp_path / "new.tar.zst.age").write_bytes(b"age-encryption.org/v1\n" + os.urandom(64))

    answer = scan(bot, *sorted(tmp_path.glob("*.*z*")))

    assert sorted(places(answer)) == [
        f"{tmp_path}/bot.log.1.gz:3",
        f"{tmp_path}/old.tar.gz:home/.env:1",
        f"{tmp_path}/older.zip:logs/bot.log.1.gz:3",
    ]
    assert answer.data["passed_over"] == [f"{tmp_path}/new.tar.zst.age"]


def test_a_private_key_in_any_dress(bot: BotHome, tmp_path: Path) -> None:
    """As a file, in JSON, cut off; somebody writing about them is none, and a public one neither."""
    pair = new_key_pair()
    pem = pair.private.decode()
    (tmp_path / "a.pem").write_text(f"# mine\n{pem}")
    (tmp_path / "b.json").write_text('{"key": "' + pem.replace("\n", "\\n") + '"}')
    (tmp_path / "c.log").write_text(f"wrote {pem[:100]}")
    (tmp_path / "d.md").write_text("It begins with -----BEGIN PRIVATE KEY----- and so on, until the end of it all.")
    (tmp_path / "e.pub").write_text(pair.public)

    answer = scan(bot, *sorted(tmp_path.glob("?.*")))

    assert places(answer) == [f"{tmp_path}/a.pem:2", f"{tmp_path}/b.json:1", f"{tmp_path}/c.log:1"]
    assert set(kinds(answer)) == {"private_key"}
    assert pem.splitlines()[1] not in answer.out


def test_what_signs_for_a_key_is_known_by_its_fingerprint(bot: BotHome, tmp_path: Path) -> None:
    """A private key is told from another one, with its armour or in JSON, and no mark helps it."""
    pem = tmp_path / "key.pem"
    pair = new_key_pair()
    write_new_private_key(pem, pair)
    key = Credentials(Secret("a key of no shape"), None, pem, "environment")
    with bot.journal.change() as change:
        api_keys.put_in_use(change.connection, key_facts(key), at=change.at)
    text = pair.private.decode().replace("\n", "\\n")
    (tmp_path / "leaked.json").write_text(f'{{"k": "{text}"}} // thunes: not a secret\n')

    answer = scan(bot, pem, tmp_path / "leaked.json")

    assert [each["known"].split(",")[0] for each in answer.data["leaks"]] == [
        f"what signs for key {key.api_key.fingerprint()}"
    ] * 2


def test_a_line_of_a_private_key_is_no_key_of_the_exchange() -> None:
    """One leak is one: also where the block is cut off."""
    (hit,) = Finder().find(f"-----BEGIN PRIVATE KEY-----\n{KEY}\n{SECRET[:30]}".encode())

    assert hit.kind == "private_key"


NOTHING = {
    "hashes": "\n".join(f"{number:064x}" for number in range(10**60, 10**60 + 5)) + "\n" + "Ab1" * 21 + "C",
    "hash list": f"{'9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'}  file.tar\n",
    "base64 block": f"{KEY}\n{SECRET}\n{KEY[::-1]}\nabc=\n",
    "certificate": f"-----BEGIN CERTIFICATE-----\n{KEY}\n-----END CERTIFICATE-----\n",
    "longer": f"x{KEY} {KEY}y {KEY}+ /{KEY} {KEY}==",
    "manual": "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A AKIAIOSFODNN7EXAMPLE",
    "marked": f"KEY = '{KEY}'  # thunes: not a secret\n# thunes: not a secret\n{SECRET}\n",
    "alphabet": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789AB",
    "name": "AWSServiceRoleForAmazonElasticContainerRegistryReplicationRole12",
    "number": "2026-11-28 12345678:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
}


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING)
def test_what_only_looks_like_one(text: str) -> None:
    """Hashes, encoded blocks, examples out of manuals, and lines that say that they hold none."""
    assert Finder().find(text.encode()) == []


def test_every_key_that_is_drawn_is_found() -> None:
    """What is demanded of the look of one costs none."""
    draw = random.Random(11)
    letters = string.ascii_letters + string.digits
    missed = sum(not Finder().find("".join(draw.choices(letters, k=64)).encode()) for _ in range(5000))

    assert missed <= 3


def test_nothing_is_cut_in_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever buffers meet in a long stream, a secret is found once, in its line."""
    monkeypatch.setattr(pieces, "_CHUNK", 300)
    monkeypatch.setattr(pieces, "_OVERLAP", 100)
    for before in range(230, 620, 7):
        text = ("x" * 30 + "\n") * (before // 31) + "y" * (before % 31) + f"\n{KEY} z\n" + "tail\n" * 60

        (found,) = pieces.look_through(io.BytesIO(text.encode()), Finder(), pieces.Counter())

        assert found.line == text[: text.index(KEY)].count("\n") + 1
