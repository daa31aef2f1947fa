"""Where backups are made and unpacked: cleared after a kill, never under somebody who still works there."""

from __future__ import annotations

from pathlib import Path

from bot_home import BotHome

from thunes_cli.ops.backups.catalog import find_backup
from thunes_cli.ops.backups.verify import unpacked
from thunes_cli.ops.backups.workplace import PARTIAL, clear_left, workplace


def test_what_somebody_works_in_stays(tmp_path: Path) -> None:
    """Another one comes and goes meanwhile; afterwards nothing is left."""
    with workplace(tmp_path) as place:
        (place / "half").write_bytes(b"x")
        clear_left(tmp_path)
        with workplace(tmp_path):
            pass

        assert (place / "half").exists()

    assert list(tmp_path.iterdir()) == []


def test_what_was_left_goes(tmp_path: Path) -> None:
    """Directories of killed processes, and a link of that name, but not where it leads."""
    (tmp_path / f"{PARTIAL}x" / "content").mkdir(parents=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / f"{PARTIAL}y").symlink_to(tmp_path / "mine")

    clear_left(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_backup_beside_a_verification(bot: BotHome, backup: Path) -> None:
    """The one that is being looked into is not taken away by the one that is being made."""
    with unpacked(find_backup(backup.parent, str(backup)), (), place=backup.parent) as (directory, verdict):
        made = bot.ask("backup")

        assert made.code == 0
        assert (directory / "thunes.db").is_file()

    assert verdict.valid
