"""The daemon's daily backup: when it is due, what becomes of a failure, and a full disk."""

from __future__ import annotations

import errno
import gc
import io
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from bot_home import BotHome

from thunes_cli.config.load import load_settings
from thunes_cli.config.secrets import redact_by_look
from thunes_cli.daemon.backups import DailyBackup
from thunes_cli.errors import Unavailable
from thunes_cli.ledger.alerts import read_conditions
from thunes_cli.ledger.backups import last_good_backup
from thunes_cli.ops.backups.archive import ArchiveWriter
from thunes_cli.ops.backups.sealing import sealed_for_writing


def job(bot: BotHome, **settings: str) -> DailyBackup:
    """The daemon's job on that home."""
    loaded = load_settings(bot.path, settings).settings
    return DailyBackup(bot.journal, loaded, credentials=None, redact=redact_by_look)


def age(bot: BotHome, by: timedelta) -> None:
    """Let the newest backup be older."""
    with bot.journal.change() as change:
        good = last_good_backup(change.connection)
        assert good is not None
        made = good.made_wall - by
        change.connection.execute("UPDATE backups SET made_wall = ?", (made.isoformat().replace("+00:00", "Z"),))


def conditions(bot: BotHome) -> set[tuple[str, str]]:
    with bot.journal.read() as connection:
        return {(each.kind, each.key) for each in read_conditions(connection)}


def test_once_a_day(bot: BotHome) -> None:
    """The first at once, the next when that is a day old; counted in network time."""
    daily = job(bot)

    first, again = daily.run(), daily.run()
    age(bot, timedelta(hours=24))
    next_day = daily.run()

    assert first is not None
    assert again is None
    assert next_day is not None
    assert len(bot.ask("backup", "list", "--json").data["backups"]) == 2


def test_one_that_is_too_old(bot: BotHome) -> None:
    """26 hours without a good one is told, and its end too."""
    daily = job(bot)
    daily.run()
    age(bot, timedelta(hours=27))
    full = job(bot, BACKUP_DIR="/dev/null/nowhere")

    with pytest.raises(Unavailable):
        full.run()
    told = conditions(bot)
    daily.run()

    assert {("backup", "old"), ("backup", "failed")} <= told
    assert not {kind for kind, _ in conditions(bot)} & {"backup"}


def test_a_full_disk(bot: BotHome, small_disk: Path) -> None:
    """One line, code 13, no half of a backup, and what was there stays."""
    answer = bot.ask("backup", "--json", environ={"BACKUP_DIR": str(small_disk)})
    (small_disk / "filler").write_bytes(bytes(7 * 2**20))
    restored = bot.ask("backup", "--json")
    target = bot.ask("backup", "restore", restored.data["path"], "--to", str(small_disk / "home"), "--json")

    assert (answer.code, answer.codes) == (13, ["no_room"])
    assert (target.code, target.codes) == (13, ["no_room"])
    assert sorted(path.name for path in small_disk.iterdir() if path.name != ".lock") == ["filler"]


def test_a_clock_that_was_wrong(bot: BotHome) -> None:
    """One that seems to come from next year does not keep the next from being made, nor is one made at every look."""
    daily = job(bot)
    daily.run()
    age(bot, -timedelta(days=365))

    made, again = daily.run(), daily.run()

    assert made is not None
    assert again is None


class FillsUp(io.BytesIO):
    """A file on a disk with room for so much."""

    def write(self, _: object, /) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_fills_up_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is told once, by whoever catches it; nothing is said later by what is left of the archive."""
    heard: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)

    with pytest.raises(OSError, match="No space left"), sealed_for_writing(FillsUp(), ()) as stream:
        archive = ArchiveWriter(stream, lambda _: None)
        archive.add_bytes("thunes.db", bytes(range(256)) * 40_000)
        archive.close()
    del archive
    gc.collect()

    assert heard == []
