"""``backup list`` is a look: it finds the backups where making one puts them, writes nothing, and needs no settings."""

from __future__ import annotations

from pathlib import Path

import pyrage
import pytest
from bot_home import BotHome

from thunes_cli.config.layer import Entry, Place
from thunes_cli.config.load import load_settings
from thunes_cli.config.private_file import write_private_file
from thunes_cli.config.sources import entry_of

TOKEN = "hvs.n0b0dy-l15t3n5"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty directory that may hold secrets."""
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    return path


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_one_setting_comes_from_where_all_of_them_do(home: Path, tmp_path: Path, order: int) -> None:
    """systemd's credentials, the environment, `.env.age`, `.env`: the first that knows it, as for all the settings."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    age = pyrage.x25519.Identity.generate()
    write_private_file(tmp_path / "identity", f"{age}\n")
    write_private_file(home / ".env", f"BACKUP_DIR=/from/file\nAGE_IDENTITY_FILE={tmp_path / 'identity'}\n")
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    if order <= 3:
        (home / ".env.age").write_bytes(pyrage.encrypt(b"BACKUP_DIR=/from/age\n", [age.to_public()]))
    if order <= 2:
        environ["BACKUP_DIR"] = "/from/environment"
    if order == 1:
        (credentials / "backup_dir").write_text("/from/systemd\n")

    alone = entry_of("BACKUP_DIR", Place(environ, home))
    settings = load_settings(home, environ).settings

    assert alone == Entry(str(settings.backup_dir), settings.origin("BACKUP_DIR"))
    assert str(settings.backup_dir) == f"/from/{['systemd', 'environment', 'age', 'file'][order - 1]}"


def test_a_store_that_cannot_be_asked_hides_no_file(home: Path) -> None:
    """The directory stands in the file, whatever became of the store of the secrets."""
    write_private_file(home / ".env", "BACKUP_DIR=/from/file\n")
    store = {"VAULT_ADDR": "http://127.0.0.1:9", "VAULT_SECRET_PATH": "secret/thunes", "VAULT_TOKEN": TOKEN}

    found = entry_of("BACKUP_DIR", Place(store, home))

    assert found is not None
    assert found.text == "/from/file"
    assert entry_of("BACKUP_KEEP_DAILY", Place(store, home)) is None


def test_it_writes_nothing(bot: BotHome, backup: Path) -> None:
    """Neither the ledger nor a file beside it."""
    bot.close()
    before = {path: path.stat().st_mtime_ns for path in [bot.path, *bot.path.rglob("*")]}

    (found,) = bot.ask("backup", "list", "--json").data["backups"]

    assert found["path"] == str(backup)
    assert found["verified"]
    assert {path: path.stat().st_mtime_ns for path in [bot.path, *bot.path.rglob("*")]} == before


@pytest.mark.parametrize("wrong", ["BACKUP_DIR=backups", "BACKUP_DIR=/tmp/\x07", "BINANCE_REST_URL=nonsense", "MAX=+"])
def test_wrong_settings_hide_no_backup(bot: BotHome, backup: Path, wrong: str) -> None:
    """A setting that is wrong falls back to its default, and others are not asked for."""
    write_private_file(bot.path / ".env", f"{wrong}\n")

    answer = bot.ask("backup", "list", "--json")

    assert (answer.code, [each["path"] for each in answer.data["backups"]]) == (0, [str(backup)])
