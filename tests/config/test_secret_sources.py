"""Every source of secrets: which one wins, what it is called, what it refuses, and how it is changed."""

from __future__ import annotations

import shlex
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pyrage
import pytest

from thunes_cli.config.age_file import AgeFile
from thunes_cli.config.env_text import edit
from thunes_cli.config.faults import SettingsInvalid
from thunes_cli.config.layer import Place
from thunes_cli.config.load import load_settings
from thunes_cli.config.private_file import write_private_file
from thunes_cli.config.settings import NAMES, Settings
from thunes_cli.config.source import SecretStoreUnavailable, Source, SourceFixed
from thunes_cli.config.sources import sources_of

BODY = "MC4CAQAwBQYDK2VwBCIEI" + "A" * 43
PEM = f"-----BEGIN PRIVATE KEY-----\n{BODY}\n-----END PRIVATE KEY-----\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    return path


def load(home: Path, environ: Mapping[str, str] = {}) -> Settings:
    return load_settings(home, environ).settings


def source_named(home: Path, name: str, environ: Mapping[str, str] = {}) -> Source:
    found = sources_of(Place(environ, home), NAMES)
    return next(each for each in found if each.name.endswith(name))


def write_env(home: Path, text: str) -> Path:
    path = home / ".env"
    write_private_file(path, text)
    return path


def write_age(home: Path, text: str) -> Path:
    identity = pyrage.x25519.Identity.generate()
    keys = home.parent / "identity.txt"
    write_private_file(keys, f"# created by hand\n{identity}\n")
    (home / ".env.age").write_bytes(pyrage.encrypt(text.encode(), [identity.to_public()]))
    return keys


def faults(home: Path, environ: Mapping[str, str] = {}) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        load(home, environ)
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_the_first_source_wins_setting_by_setting(home: Path, tmp_path: Path) -> None:
    """systemd's credentials, the environment, `.env.age`, `.env`: each is named where it decided."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "binance_api_key").write_text("from-systemd\n")
    (credentials / "audit_key").write_text("no setting")
    age = write_age(home, "BINANCE_API_KEY=from-age\nBINANCE_API_SECRET=from-age\nTELEGRAM_BOT_TOKEN=age:token\n")
    write_env(home, f"TELEGRAM_BOT_TOKEN=file:token\nTELEGRAM_CHAT_ID=42\nAGE_IDENTITY_FILE={age}\n")

    settings = load(home, {"CREDENTIALS_DIRECTORY": str(credentials), "BINANCE_API_SECRET": "from-env"})

    assert settings.binance_api_key.reveal() == "from-systemd"
    assert settings.binance_api_secret.reveal() == "from-env"
    assert settings.telegram_bot_token.reveal() == "age:token"
    assert [settings.origin(name) for name in ("BINANCE_API_KEY", "BINANCE_API_SECRET", "TELEGRAM_BOT_TOKEN")] == [
        "systemd credential binance_api_key",
        "environment",
        f"{home}/.env.age:3",
    ]
    assert settings.origin("TELEGRAM_CHAT_ID") == f"{home}/.env:2"


def test_a_private_key_of_systemd_is_used_where_it_lies(home: Path, tmp_path: Path) -> None:
    """It is never copied to a disk."""
    (tmp_path / "binance_private_key").write_text(PEM)

    settings = load(home, {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert settings.binance_private_key_file == tmp_path / "binance_private_key"


@pytest.mark.parametrize("named", ["credentials", "environment"])
def test_what_a_command_cannot_change_says_so(home: Path, tmp_path: Path, named: str) -> None:
    """Credentials and the environment belong to whoever starts the process."""
    source = source_named(home, named, {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    with pytest.raises(SourceFixed) as caught:
        source.rewrite({"BINANCE_API_KEY": "new"})

    assert "BINANCE_API_KEY" in caught.value.message
    assert caught.value.hint


def test_a_link_in_the_home_is_refused(home: Path, tmp_path: Path) -> None:
    """Who can place a link decides what is read; a file that was named may be one."""
    elsewhere = tmp_path / "elsewhere"
    write_private_file(elsewhere, "BINANCE_API_KEY=x-key-x\n")
    (home / ".env").symlink_to(elsewhere)

    assert "it is a symbolic link" in faults(home)
    assert load_settings(home, {}, env_file=home / ".env").settings.binance_api_key is not None


def test_a_directory_open_to_all_is_refused(home: Path) -> None:
    """With the command that closes it."""
    write_env(home, "MAX_POSITIONS=2\n")
    home.chmod(0o755)

    assert f"chmod 700 {shlex.quote(str(home))}" in faults(home)


def test_an_age_file_is_opened_by_its_identity_only(home: Path, tmp_path: Path) -> None:
    """No identity, somebody else's, or one that others can read: one line each."""
    age = write_age(home, "MAX_POSITIONS=2\n")
    assert load(home, {"AGE_IDENTITY_FILE": str(age)}).max_positions == 2

    assert "AGE_IDENTITY_FILE does not say" in faults(home)
    other = tmp_path / "other"
    write_private_file(other, f"{pyrage.x25519.Identity.generate()}\n")
    assert "does not open it" in faults(home, {"AGE_IDENTITY_FILE": str(other)})
    write_private_file(other, "nonsense\n")
    assert "holds no age identity" in faults(home, {"AGE_IDENTITY_FILE": str(other)})
    age.chmod(0o644)
    assert "chmod 600" in faults(home, {"AGE_IDENTITY_FILE": str(age)})


def test_an_age_file_is_changed_without_showing_its_text(home: Path) -> None:
    """Ciphertext before and after; the comment inside stays; undone it is what it was, to the byte."""
    age = write_age(home, "# ours\nBINANCE_API_KEY=old-key-old-key\nBINANCE_API_SECRET=old\n")
    environ = {"AGE_IDENTITY_FILE": str(age)}
    before = (home / ".env.age").read_bytes()

    undo = source_named(home, ".env.age", environ).rewrite({"BINANCE_API_KEY": "new-key-new-key"})

    after = (home / ".env.age").read_bytes()
    assert load(home, environ).binance_api_key.reveal() == "new-key-new-key"
    assert b"# ours" in pyrage.decrypt(after, [pyrage.x25519.Identity.from_str(age.read_text().split("\n")[1])])
    assert b"new-key" not in after
    assert stat.S_IMODE((home / ".env.age").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == [".env.age"]
    undo()
    assert (home / ".env.age").read_bytes() == before


@pytest.mark.parametrize(
    ("module", "environ", "extra"),
    [
        ("pyrage", {}, "age"),
        ("boto3", {"AWS_SECRET_ID": "thunes/binance"}, "aws"),
        ("hvac", {"VAULT_SECRET_PATH": "secret/x", "VAULT_ADDR": "https://v", "VAULT_TOKEN": "t" * 20}, "vault"),
    ],
)
def test_a_missing_extra_is_one_clear_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, module: str, environ: dict[str, str], extra: str
) -> None:
    """What is missing, and what to type."""
    if not environ:
        environ = {"AGE_IDENTITY_FILE": str(write_age(home, "MAX_POSITIONS=2\n"))}
    monkeypatch.setitem(sys.modules, module, None)

    said = faults(home, environ)

    assert said.count("\n") == 0
    assert f"needs {module}, which is not installed; pip install 'thunes[{extra}]'" in said


# -- the text of a .env file ---------------------------------------------------------------------------------------

TEXT = """\
# our keys
export BINANCE_API_KEY = 'old'   # made in spring

BINANCE_API_SECRET="old secret"
# BINANCE_API_KEY=commented
MAX_POSITIONS=2"""


def test_only_what_is_changed_changes() -> None:
    """Comments, blank lines, order and everything else stay as they are."""
    changes = {"BINANCE_API_KEY": "new", "BINANCE_API_SECRET": None, "BINANCE_OLD_API_KEY": "old"}

    assert edit(TEXT, changes) == (
        "# our keys\nexport BINANCE_API_KEY=new   # made in spring\nBINANCE_OLD_API_KEY=old\n"
        "# BINANCE_API_KEY=commented\nMAX_POSITIONS=2"
    )


def test_a_setting_that_was_not_there_comes_last() -> None:
    """On a line of its own, whatever the end of the file is like; with the file's line ends."""
    assert edit(TEXT, {"HEARTBEAT_URL": "x y#z"}) == TEXT + '\nHEARTBEAT_URL="x y#z"\n'
    assert edit("A=1\r\nB=2\r\n", {"A": "3", "C": "4"}) == "A=3\r\nC=4\r\nB=2\r\n"
    assert edit("", {"A": "1"}) == "A=1\n"


def test_a_private_key_survives_the_way_through_a_file(home: Path) -> None:
    """Its lines are written in one."""
    write_env(home, edit("", {"BINANCE_PRIVATE_KEY": PEM, "BINANCE_API_KEY": "k" * 64}))

    assert load(home).binance_private_key.reveal() == PEM


def test_a_full_disk_leaves_the_file_as_it_was(home: Path, full_disk: Callable[[], None]) -> None:
    """No half-written file, no draft beside it."""
    path = write_env(home, TEXT)
    full_disk()

    with pytest.raises(OSError, match="No space left"):
        source_named(home, str(path)).rewrite({"BINANCE_API_KEY": "new"})

    assert path.read_text() == TEXT
    assert [each.name for each in home.iterdir()] == [".env"]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on what is synced to the disk finds no room."""

    def fill() -> None:
        def fsync(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", fsync)

    return fill


def test_the_age_file_of_a_home_without_one_says_nothing(home: Path) -> None:
    """No identity is needed where there is nothing to open."""
    assert AgeFile(home / ".env.age", NAMES, identity=None).read().entries == {}


def test_a_store_that_is_down_is_no_wrong_setting(home: Path) -> None:
    """13, with the store named; a start that may only sell goes on with what it has."""
    environ = {
        "VAULT_SECRET_PATH": "secret/thunes",
        "VAULT_ADDR": "http://127.0.0.1:1",
        "VAULT_TOKEN": "hvs.canary-token-canary",
    }

    with pytest.raises(SecretStoreUnavailable) as caught:
        load(home, environ)

    assert caught.value.exit_code == 13
    assert caught.value.message == "Vault secret/thunes cannot be asked: no connection"
    relaxed = load_settings(home, environ, relaxed=True)
    assert "Vault secret/thunes" in str(relaxed.problems[0])
