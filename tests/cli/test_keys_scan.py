"""``thunes keys scan``: secrets are found wherever they got to, and never shown."""

from __future__ import annotations

import gzip
import io
import os
import random
import string
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from bot_home import Answer, BotHome, thunes

from thunes_cli.config.credentials import Credentials
from thunes_cli.config.secrets import Secret
from thunes_cli.exchange.key_book import key_facts
from thunes_cli.exchange.key_pair import new_key_pair, write_new_private_key
from thunes_cli.ledger import api_keys
from thunes_cli.ledger.api_keys import NewKey
from thunes_cli.ops.leaks import pieces
from thunes_cli.ops.leaks.shapes import Finder

# Drawn for these tests. Each line says so:
KEY = "q7TzR2mVb9XcK4wLs8PnD1yHf6GjE3aUo5ItBvCxZkM0NrQpWdYhSgFuJlAe2Oi7"  # thunes: not a secret
SECRET = "Wm4Yp0Qe8RtUi2Oa6Sd1Fg5Hj9KlZx3CvBnM7qAzXsEdCrFvTgByHnUjMiKo0LpP"  # thunes: not a secret
TOKEN = "7654321098:AAF3x9Kq_Lm2Zt-8RwYb5NcVg1HjPd4SoEu"  # thunes: not a secret
ACCESS = "AKIA" + "Q3XZ7WPLM2VNTR5K"
PLAIN = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


class Repository:
    """A git repository of a test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *who, "-C", str(self.path), *words], env=PLAIN, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, name: str, text: str, message: str = "more") -> str:
        (self.path / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def scan(bot: BotHome, *paths: Path | str) -> Answer:
    """Scan; whatever was found, nothing of it is shown."""
    answer = bot.ask("keys", "scan", *map(str, paths), "--json", environ=PLAIN)
    plain = bot.ask("keys", "scan", *map(str, paths), environ=PLAIN)
    assert plain.code == answer.code
    for secret in (KEY, SECRET, TOKEN, ACCESS):
        assert secret not in answer.out + answer.err + plain.out + plain.err
    return answer


def places(answer: Answer) -> list[str]:
    return [each["place"] for each in answer.data["leaks"]]


def kinds(answer: Answer) -> list[str]:
    return [each["kind"] for each in answer.data["leaks"]]


def used(bot: BotHome, key: str, secret: str) -> str:
    """A key of the home is in use; its fingerprint."""
    mark = Secret(key).fingerprint()
    with bot.journal.change() as change:
        new = NewKey(mark, Secret(secret).fingerprint(), "HMAC", "environment")
        api_keys.put_in_use(change.connection, new, at=change.at)
    return mark


def test_what_was_deleted_is_in_the_history(bot: BotHome, repository: Repository) -> None:
    """The commit that brought it, the path and the line; the work tree is clean."""
    brought = repository.commit("bot.env", f"# settings\nBINANCE_API_KEY={KEY}\n")
    repository.commit("bot.env", "# settings\n")

    answer = scan(bot, repository.path)

    assert (answer.code, kinds(answer)) == (3, ["binance_key"])
    assert places(answer) == [f"commit {brought[:12]} bot.env:2"]
    assert answer.data["leaks"][0]["where"] == "history"


def test_what_no_branch_reaches_is_found(bot: BotHome, repository: Repository) -> None:
    """An amended commit, its record of references gone, is still there for who has a copy."""
    repository.commit("notes", "a beginning")
    repository.commit("notes", f"api secret: {SECRET}\n")
    repository.git("reset", "-q", "--hard", "HEAD~1")
    repository.git("reflog", "expire", "--expire=now", "--all")

    (place,) = places(scan(bot, repository.path))

    assert place.startswith("blob ")
    assert "that nothing reaches" in place


def test_a_commits_message_is_looked_at(bot: BotHome, repository: Repository) -> None:
    """People paste them there too."""
    brought = repository.commit("a", "a", message=f"use {KEY}")

    assert places(scan(bot, repository.path)) == [f"commit {brought[:12]} line 5"]


def test_the_work_tree_without_what_it_ignores(bot: BotHome, repository: Repository) -> None:
    """A file not added yet is found; an ignored .env is where keys were always kept."""
    repository.commit(".gitignore", ".env\n")
    (repository.path / ".env").write_text(f"BINANCE_API_KEY={KEY}\n")
    (repository.path / "new file.py").write_text(f'key = "{KEY}"\n')

    answer = scan(bot, repository.path)

    assert places(answer) == [f"{repository.path / 'new file.py'}:1"]


def test_an_ignored_directory_that_is_named_is_looked_at(bot: BotHome, repository: Repository) -> None:
    """Logs lie in the work tree and are ignored: whoever names them wants them read."""
    repository.commit(".gitignore", "logs/\n")
    (repository.path / "logs").mkdir()
    (repository.path / "logs" / "bot.log").write_text(f"signed with {KEY}\n")

    assert places(scan(bot, repository.path / "logs")) == [f"{repository.path}/logs/bot.log:1"]


def test_only_what_is_staged(bot: BotHome, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the hook asks: what is about to be committed, not what lies beside it."""
    repository.commit("a", "a")
    (repository.path / "b.txt").write_text(f"x\n{TOKEN}\n")
    (repository.path / "beside").write_text(KEY)
    repository.git("add", "b.txt")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},a-submodule")
    monkeypatch.chdir(repository.path)

    answer = scan(bot, "--staged")

    assert (answer.code, places(answer), kinds(answer)) == (3, ["b.txt:2"], ["telegram_token"])


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


def test_the_key_in_use_in_a_history_is_due_at_once(bot: BotHome, repository: Repository) -> None:
    """On the ledger, on the trail, in an alert; the second look changes nothing."""
    mark = used(bot, KEY, SECRET)
    repository.commit("old.env", f"BINANCE_API_SECRET={SECRET}\n")

    first = bot.ask("keys", "scan", str(repository.path), "--json", environ=PLAIN)
    again = bot.ask("keys", "scan", str(repository.path), "--json", environ=PLAIN)

    assert (first.code, first.document["changed"], again.document["changed"]) == (3, True, False)
    status = bot.ask("keys", "status", "--json")
    assert (status.code, status.codes) == (3, ["key_compromised"])
    trail = (bot.path / "audit_trail.jsonl").read_text()
    assert trail.count('"KEY_COMPROMISED"') == 1
    assert mark in trail
    assert SECRET not in trail
    assert "key_trouble" in bot.ask("alerts", "list", "--json").out


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


def test_places_where_secrets_belong_are_passed_over(bot: BotHome) -> None:
    """The home's own .env, its private keys, the embedded exchange; a copy of them is not."""
    (bot.path / ".env").write_text(f"BINANCE_API_KEY={KEY}\n")
    (bot.path / ".env").chmod(0o600)
    assert bot.ask("keys", "generate").code == 0
    (bot.path / ".env.bak").write_text(f"BINANCE_API_KEY={KEY}\n")

    answer = scan(bot, bot.path)

    assert places(answer) == [f"{bot.path}/.env.bak:1"]
    assert answer.data["leaks"][0]["known"] == "BINANCE_API_KEY"
    assert len(answer.data["passed_over"]) == 2


def test_nothing_is_cut_in_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever buffers meet in a long stream, a secret is found once, in its line."""
    monkeypatch.setattr(pieces, "_CHUNK", 300)
    monkeypatch.setattr(pieces, "_OVERLAP", 100)
    for before in range(230, 620, 7):
        text = ("x" * 30 + "\n") * (before // 31) + "y" * (before % 31) + f"\n{KEY} z\n" + "tail\n" * 60

        (found,) = pieces.look_through(io.BytesIO(text.encode()), Finder(), pieces.Counter())

        assert found.line == text[: text.index(KEY)].count("\n") + 1


def test_what_cannot_be_read_is_15(bot: BotHome, tmp_path: Path) -> None:
    """Nothing found is only worth something when everything was read."""
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8b\x08\x00 no gzip at all")

    answer = scan(bot, tmp_path / "broken.gz")

    assert (answer.code, answer.codes) == (15, ["unread"])


def test_a_damaged_repository_still_tells_what_it_holds(bot: BotHome, repository: Repository) -> None:
    """Another object of it is broken: what was found counts."""
    repository.commit("a", KEY)
    repository.commit("b", "to be broken")
    broken = repository.git("rev-parse", "HEAD:b")
    file = repository.path / ".git" / "objects" / broken[:2] / broken[2:]
    file.chmod(0o600)
    file.write_bytes(b"garbage")

    answer = scan(bot, repository.path)

    assert answer.code == 3
    assert any(str(repository.path) in each["place"] for each in answer.data["unread"]) or len(places(answer)) == 2


def test_what_is_no_file_is_not_read_for_ever(bot: BotHome) -> None:
    """A device has no end."""
    assert scan(bot, "/dev/zero").code == 15


def test_a_pipe_can_be_named(bot: BotHome, tmp_path: Path) -> None:
    """``thunes keys scan <(journalctl -u thunes)``."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", f"printf 'one\\n{KEY}\\n' > '{pipe}'"]):
        answer = bot.ask("keys", "scan", str(pipe), "--json", environ=PLAIN)

    assert places(answer) == [f"{pipe}:2"]


def test_names_from_outside_steer_no_terminal(bot: BotHome, repository: Repository) -> None:
    """A file may be called anything."""
    repository.commit("a\x1b[2J\nb.env", KEY)

    answer = scan(bot, repository.path)

    assert answer.code == 3
    assert "\x1b" not in bot.ask("keys", "scan", str(repository.path), environ=PLAIN).out


def test_a_path_that_is_not_there_is_10(bot: BotHome, tmp_path: Path) -> None:
    """A look at nothing must not pass for a clean one."""
    assert scan(bot, tmp_path / "nowhere").code == 10


def test_without_a_home_shapes_are_looked_for(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a developer's machine; a home that was named must be there."""
    repository.commit("a", KEY)
    monkeypatch.chdir(repository.path)

    found = thunes("keys", "scan", "--json", environ=PLAIN)
    hook = thunes("keys", "scan", "--staged", environ=PLAIN)

    assert (found.code, found.data["by_look_alone"]) == (3, True)
    assert (hook.code, "no home here" in hook.out) == (0, True)
    assert thunes("--home", "/nonexistent/home", "keys", "scan", "--json", environ=PLAIN).code == 10


def test_a_hostile_repository_runs_nothing(bot: BotHome, repository: Repository, tmp_path: Path) -> None:
    """Its configuration names programs; none of them is started, and none is handed our environment."""
    repository.commit("a", KEY)
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for name in ("core.fsmonitor", "diff.external", "core.pager", "core.sshCommand", "diff.x.textconv"):
        repository.git("config", name, str(trap))
    (repository.path / ".gitattributes").write_text("* diff=x\n")

    assert scan(bot, repository.path).code == 3
    assert not (tmp_path / "sprung").exists()
