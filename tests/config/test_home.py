"""Where a home is found, when it counts as one, and how it is made."""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
from pathlib import Path

import pytest

from thunes_cli.config.home import LEDGER, HomeInUse, check_takeable, create_home, find_home, require_home
from thunes_cli.errors import ConfigError, HomeMissing, HomeNotOurs, LedgerMissing, NotFound

NOWHERE = Path("/nonexistent/etc/thunes/home")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's files")


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    file = tmp_path / "etc-home"
    file.write_text("# written by service install\n\n/srv/thunes\n")
    return file


EVERYTHING = {
    "THUNES_HOME": "/from/variable",
    "STATE_DIRECTORY": "/from/systemd:/second",
    "XDG_STATE_HOME": "/from/xdg",
    "HOME": "/from/user",
}


@pytest.mark.parametrize(
    ("option", "missing", "expected"),
    [
        ("/from/option", (), "/from/option"),
        (None, (), "/from/variable"),
        (None, ("THUNES_HOME",), "/from/systemd"),
        (None, ("THUNES_HOME", "STATE_DIRECTORY"), "/srv/thunes"),
    ],
    ids=["option", "THUNES_HOME", "STATE_DIRECTORY", "etc"],
)
def test_first_hit_wins(option: str | None, missing: tuple[str, ...], expected: str, etc: Path) -> None:
    """Option, THUNES_HOME, STATE_DIRECTORY (its first), the installed service's home: in this order."""
    environ = {name: value for name, value in EVERYTHING.items() if name not in missing}

    assert find_home(option, environ, etc=etc) == Path(expected)


def test_xdg_state_home_then_the_user_directory() -> None:
    """Without a service the XDG state directory holds the home, by default below the user's own directory."""
    assert find_home(None, {"XDG_STATE_HOME": "/x", "HOME": "/u"}, etc=NOWHERE) == Path("/x/thunes")
    assert find_home(None, {"HOME": "/u"}, etc=NOWHERE) == Path("/u/.local/state/thunes")
    assert find_home(None, {"XDG_STATE_HOME": "relative", "HOME": "/u"}, etc=NOWHERE) == Path("/u/.local/state/thunes")


def test_empty_variables_count_as_unset() -> None:
    """An empty THUNES_HOME or STATE_DIRECTORY does not turn the current directory into a home."""
    environ = {"THUNES_HOME": "", "STATE_DIRECTORY": "", "XDG_STATE_HOME": "", "HOME": "/u"}

    assert find_home(None, environ, etc=NOWHERE) == Path("/u/.local/state/thunes")
    assert find_home("", environ, etc=NOWHERE) == Path("/u/.local/state/thunes")


def test_never_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home in the current directory is not found unless it is named."""
    (tmp_path / LEDGER).touch()
    monkeypatch.chdir(tmp_path)

    assert find_home(None, {"HOME": "/u"}, etc=NOWHERE) == Path("/u/.local/state/thunes")


def test_named_homes_may_be_relative_or_start_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator types is understood as a shell would, and becomes absolute."""
    monkeypatch.chdir(tmp_path)

    assert find_home("a/../b", {}, etc=NOWHERE) == tmp_path / "b"
    assert find_home("~/bot", {"HOME": "/u"}, etc=NOWHERE) == Path("/u/bot")


def test_without_HOME_the_password_database_is_asked() -> None:  # noqa: N802 - the variable's name
    """cron and systemd start processes without HOME."""
    assert find_home(None, {}, etc=NOWHERE).is_absolute()


def test_a_relative_path_in_etc_is_refused(etc: Path) -> None:
    """The file of the service must not depend on where it is read from."""
    etc.write_text("srv/thunes\n")

    with pytest.raises(ConfigError, match="absolute"):
        find_home(None, {"HOME": "/u"}, etc=etc)


def test_require_home_returns_a_home(tmp_path: Path) -> None:
    """A directory of ours with a ledger is a home."""
    (tmp_path / LEDGER).touch()

    assert require_home(tmp_path) == tmp_path


@pytest.mark.parametrize("kind", ["absent", "file", "below a file", "loop"])
def test_missing_homes_name_the_command_that_creates_one(kind: str, tmp_path: Path) -> None:
    """Whatever is in the way, the answer is 10 and what to type, quoted for the shell."""
    path = tmp_path / "my home"
    if kind == "file":
        path.touch()
    elif kind == "below a file":
        path.touch()
        path = path / "deeper"
    elif kind == "loop":
        path.symlink_to(path)

    with pytest.raises(HomeMissing) as raised:
        require_home(path)

    assert raised.value.exit_code == 10
    taken = kind in {"file", "loop"}  # nothing can be created there
    assert raised.value.hint == (
        "name a directory: thunes --home DIR init" if taken else f"create one: thunes --home '{path}' init"
    )


def test_a_relative_home_below_a_directory_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody removed the directory the shell is in: 10, and why."""
    place = tmp_path / "gone"
    place.mkdir()
    monkeypatch.chdir(place)
    place.rmdir()

    with pytest.raises(NotFound, match="current directory is gone"):
        find_home("here", {})
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", ["too long", "below a file", "link to nothing", "loop"])
def test_a_place_where_no_home_can_be_is_refused_by_init(kind: str, tmp_path: Path) -> None:
    """78 before anything is made, in the system's own words."""
    path = tmp_path / "home"
    if kind == "too long":
        path = tmp_path / ("x" * 300)
    elif kind == "below a file":
        path.touch()
        path = path / "deeper"
    else:
        path.symlink_to(path if kind == "loop" else "nowhere")

    with pytest.raises(HomeInUse):
        check_takeable(path)
    with pytest.raises(HomeMissing):
        require_home(path)


def test_a_directory_without_ledger_is_told_apart(tmp_path: Path) -> None:
    """systemd makes the directory before anybody types init."""
    with pytest.raises(LedgerMissing) as raised:
        require_home(tmp_path)

    assert raised.value.exit_code == 10
    assert raised.value.hint == f"thunes --home {shlex.quote(str(tmp_path))} init"


@needs_root
def test_a_home_of_another_user_names_the_sudo_line(tmp_path: Path) -> None:
    """Root does not act on a bot's home by accident: its files would become root's."""
    (tmp_path / LEDGER).touch()
    os.chown(tmp_path, 65534, -1)

    with pytest.raises(HomeNotOurs) as raised:
        require_home(tmp_path)

    assert raised.value.exit_code == 10
    assert raised.value.hint.startswith("sudo -u nobody thunes --home ")


@needs_root
def test_a_private_home_of_another_user_is_not_called_missing() -> None:
    """What we may not look into is somebody else's, not absent."""
    with tempfile.TemporaryDirectory() as public:
        Path(public).chmod(0o755)
        home = Path(public) / "locked" / "home"
        home.mkdir(parents=True)
        home.parent.chmod(0o700)

        os.seteuid(65534)
        try:
            with pytest.raises(HomeNotOurs) as raised:
                require_home(home)
        finally:
            os.seteuid(0)

    assert "sudo -u root" in raised.value.hint


def test_create_home_makes_a_private_directory(tmp_path: Path) -> None:
    """Parents are made, the home is nobody else's business."""
    home = tmp_path / "a" / "b c"

    create_home(home)

    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_create_home_takes_an_empty_or_prepared_directory(tmp_path: Path) -> None:
    """systemd's state directory, or one into which the operator put a .env first."""
    tmp_path.chmod(0o755)
    (tmp_path / ".env").touch()
    (tmp_path / "sim").mkdir()

    create_home(tmp_path)

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_create_home_leaves_an_existing_home_alone(tmp_path: Path) -> None:
    """Doing it twice changes nothing, not even the mode."""
    (tmp_path / LEDGER).touch()
    tmp_path.chmod(0o750)

    create_home(tmp_path)

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


@pytest.mark.parametrize("stranger", ["notes.txt", ".git", "simulation.py"])
def test_create_home_refuses_a_directory_in_use(stranger: str, tmp_path: Path) -> None:
    """A typing slip must not turn somebody's documents into a home."""
    tmp_path.chmod(0o755)
    (tmp_path / stranger).touch()

    with pytest.raises(HomeInUse, match=stranger) as raised:
        create_home(tmp_path)

    assert raised.value.exit_code == 78
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_create_home_refuses_a_file(tmp_path: Path) -> None:
    """A file in the way, or one among the parents, is named."""
    (tmp_path / "file").touch()

    for path in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises(HomeInUse):
            create_home(path)
