"""Where backups are made and unpacked: cleared after a kill, never under somebody who still works there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from bot_home import BotHome

from thunes_cli.ops.backups.catalog import find_backup
from thunes_cli.ops.backups.swapping import STAGING, staging_beside
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
    """Directories of killed processes; a link or a file of that name is somebody's."""
    (tmp_path / f"{PARTIAL}x" / "content").mkdir(parents=True)
    (tmp_path / f"{PARTIAL}y").symlink_to(tmp_path)
    (tmp_path / f"{PARTIAL}z").write_text("mine")

    clear_left(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{PARTIAL}y", f"{PARTIAL}z"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay something there as somebody else")
def test_what_others_lay_there_is_not_ours(tmp_path: Path) -> None:
    """In /tmp a stranger's note must not have his directory moved to where he could not write."""
    place = tmp_path / f"{STAGING}x"
    (place / "content").mkdir(parents=True)
    (place / "swap.json").write_text(json.dumps({"new": 1, "aside": str(tmp_path / "stolen")}))
    os.chown(place, 65534, 65534)

    with staging_beside(tmp_path / "home"):
        pass

    assert [path.name for path in tmp_path.iterdir()] == [place.name]


def test_a_note_names_nothing_elsewhere(tmp_path: Path) -> None:
    """An old home goes beside, whatever stands in the note."""
    place = tmp_path / "here" / f"{STAGING}x"
    (place / "content").mkdir(parents=True)
    (place / "swap.json").write_text(json.dumps({"new": 1, "aside": str(tmp_path / "stolen")}))

    with staging_beside(tmp_path / "here" / "home"):
        pass

    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_backup_beside_a_verification(bot: BotHome, backup: Path) -> None:
    """The one that is being looked into is not taken away by the one that is being made."""
    with unpacked(find_backup(backup.parent, str(backup)), (), place=backup.parent) as (directory, verdict):
        made = bot.ask("backup")

        assert made.code == 0
        assert (directory / "thunes.db").is_file()

    assert verdict.valid
