"""``backup restore --in-place`` killed at each of its steps: both homes are whole, the next one settles the rest."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from bot_home import BotHome

from thunes_cli.config.home import TRAIL
from thunes_cli.ledger.reserve import free_bytes

CONFIRM = ("--in-place", "--confirm", "restore sim")
CHILD = """
import os, signal, sys
from thunes_cli.cli.app import run
from thunes_cli.cli.streams import process_streams
from thunes_cli.ops.backups import restore, swapping

module, name, when = {"restore": restore, "swapping": swapping}[sys.argv[1]], sys.argv[2], sys.argv[3]
original = getattr(module, name)

def killed(*values, **named):
    if when == "after":
        original(*values, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(module, name, killed)
run(sys.argv[4:], environ={}, streams=process_streams({}))
"""


def killed_at(module: str, name: str, when: str, *arguments: str) -> int:
    """Run the command until it comes to that function, or has left it."""
    command = [sys.executable, "-c", CHILD, module, name, when, *arguments]
    return subprocess.run(command, check=False, capture_output=True, timeout=120).returncode


def is_restored(home: Path) -> bool:
    """Whether it came from a backup."""
    return b'"RESTORED"' in (home / TRAIL).read_bytes()


@pytest.mark.parametrize(
    ("module", "name", "when", "replaced"),
    [
        ("restore", "find_live_trail", "before", False),
        ("restore", "take_along", "before", False),
        ("restore", "_begin", "before", False),
        ("restore", "_begin", "after", False),
        ("swapping", "_exchange", "before", False),
        ("swapping", "_exchange", "after", True),
    ],
)
def test_a_kill_at_any_step(bot: BotHome, backup: Path, *, module: str, name: str, when: str, replaced: bool) -> None:
    """There is a whole home at any time; the old one is whole, there or beside; and nothing else lies about."""
    (bot.path / ".env").write_text("BINANCE_API_SECRET=keep-me\n")
    (bot.path / ".env").chmod(0o600)
    bot.ask("killswitch", "activate", "--reason", "only here")
    bot.close()
    arguments = ("--home", str(bot.path), "backup", "restore", str(backup), *CONFIRM)

    code = killed_at(module, name, when, *arguments)
    validated = bot.ask("audit", "validate", "--deep").code
    was_replaced = is_restored(bot.path)
    again = bot.ask("backup", "restore", str(backup), *CONFIRM, "--json")

    assert (code, validated, again.code) == (-9, 0, 15), again
    assert was_replaced is replaced
    aside = sorted(bot.path.parent.glob("a bot.before-restore-*"))
    assert len(aside) == 1 + replaced
    assert [is_restored(home) for home in aside].count(False) == 1  # the first home
    assert all(b"only here" in (home / TRAIL).read_bytes() for home in (bot.path, *aside))
    assert {path.name for path in bot.path.parent.iterdir()} == {"a bot", *(path.name for path in aside)}
    assert bot.ask("audit", "validate", "--deep").code == 0


def digests(home: Path) -> dict[str, str]:
    """What is in a home, but for what processes leave."""
    files = [path for path in home.rglob("*") if path.is_file() and not path.name.endswith((".lock", "-shm", "-wal"))]
    return {str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("left_kib", [100, 450, 750, 850, 1000])
def test_a_disk_that_fills_up(small_disk: Path, monkeypatch: pytest.MonkeyPatch, left_kib: int) -> None:
    """Wherever it happens: one line, and the home as it was, or restored; nothing else lies about."""
    monkeypatch.setattr("thunes_cli.ops.backups.create._SPARE", -(2**40))  # or it is refused at once
    bot = BotHome(small_disk / "a bot")
    bot.lose()
    backup = bot.ask("backup", "--json").data["path"]
    bot.close()
    before = digests(bot.path)
    (small_disk / "filler").write_bytes(bytes(free_bytes(small_disk) - left_kib * 1024))

    answer = bot.ask("backup", "restore", backup, *CONFIRM, "--json")

    assert answer.code in {13, 15}, answer
    if answer.code == 13:
        assert digests(bot.path) == before
        assert sorted(path.name for path in small_disk.iterdir()) == ["a bot", "filler"]
    else:
        assert is_restored(bot.path)
        assert digests(Path(answer.data["aside"])) == before


def test_a_second_restore_within_a_second(bot: BotHome, backup: Path) -> None:
    """Two old homes are never one, whatever the clock says."""
    bot.close()

    asides = {bot.ask("backup", "restore", str(backup), *CONFIRM, "--json").data["aside"] for _ in range(3)}

    assert len(asides) == 3
    assert all((Path(aside) / "thunes.db").is_file() for aside in asides)


def test_what_a_killed_restore_unpacked_goes_with_the_next(bot: BotHome, backup: Path, tmp_path: Path) -> None:
    """A ledger, and maybe a key, does not lie about for ever; what somebody works on stays."""
    code = killed_at("restore", "_begin", "before", "backup", "restore", str(backup), "--to", str(tmp_path / "new"))
    left = [path.name for path in tmp_path.iterdir() if path.name.startswith(".thunes-")]

    answer = bot.ask("backup", "restore", str(backup), "--to", str(tmp_path / "new"))

    assert (code, answer.code) == (-9, 15)
    assert len(left) == 2
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".thunes-")] == []
