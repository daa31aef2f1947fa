"""``thunes keys scan``: secrets are found wherever they got to, and never shown."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from bot_home import BotHome, thunes
from scanned_places import KEY, PLAIN, SECRET, TOKEN, Repository, kinds, places, scan, used


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
