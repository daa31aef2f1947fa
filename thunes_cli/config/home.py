"""Where state lives: the one directory that holds a bot's settings, ledger, trail, log and backups.

Only the standard library is imported: every command passes here, the quick ones included.
"""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from thunes_cli.errors import ConfigError, HomeMissing, HomeNotOurs, LedgerMissing, NotFound

ENV_FILE = ".env"
LEDGER = "thunes.db"
TRAIL = "audit_trail.jsonl"
LOG = "thunes.log"
BACKUPS = "backups"
CRASHES = "crashes"
SIM = "sim"
RESERVE = ".reserve"

MODE = 0o700  # the home holds keys and what the account owns
_MEMBERS = frozenset(
    {ENV_FILE, BACKUPS, CRASHES, SIM, RESERVE, "daemon.lock", "audit.lock", "audit_key", "audit_key.pub", "lost+found"}
)
_MEMBER_PREFIXES = ("thunes.", "audit_trail", "alerts-", ".env.", "private_key-")  # with -wal, .ckpt, segments, .age


class HomeInUse(ConfigError):
    """{0} cannot become a THUNES home: {1}"""

    code = "home_in_use"
    hint = "choose an empty directory: thunes --home DIR init"


def find_home(option: str | None, environ: Mapping[str, str], *, etc: Path = Path("/etc/thunes/home")) -> Path:
    """The home this process is about; it need not exist. Never the current directory by default.

    Args:
        option: what ``--home`` says; it wins.
        environ: the process's environment; an empty variable counts as unset.
        etc: the file in which ``service install`` names the daemon's home.

    Raises:
        ConfigError: ``etc`` names something that is not an absolute path.
        NotFound: the path is relative to a directory that was removed (10).
    """
    chosen = option or environ.get("THUNES_HOME")
    if chosen:
        return _absolute(chosen, environ)
    if state := environ.get("STATE_DIRECTORY", "").split(":")[0]:  # systemd joins several with colons
        return _absolute(state, environ)
    if installed := _installed(etc):
        return installed
    xdg = environ.get("XDG_STATE_HOME", "")
    if xdg.startswith("/"):  # the XDG specification has relative ones ignored
        return Path(xdg, "thunes")
    return _user_directory(environ) / ".local" / "state" / "thunes"


def _absolute(text: str, environ: Mapping[str, str]) -> Path:
    if text == "~" or text.startswith("~/"):
        return _user_directory(environ) / text[2:]
    try:
        return Path(os.path.abspath(text))  # noqa: PTH100 - Path.absolute() would keep "a/../b" in every message
    except FileNotFoundError:
        gone = "the current directory is gone, and this home is relative to it"
        raise NotFound(f"{gone}: {text}", hint="cd to one that is there") from None


def _user_directory(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME", "")
    return Path(home) if home.startswith("/") else Path(pwd.getpwuid(os.geteuid()).pw_dir)


def _installed(etc: Path) -> Path | None:
    try:
        lines = etc.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    line = next((text.strip() for text in lines if text.strip() and not text.lstrip().startswith("#")), "")
    if not line:
        return None
    if not line.startswith("/"):
        raise ConfigError(f"{etc} must hold an absolute path", hint="thunes service install writes it")
    return Path(line)


def require_home(path: Path) -> Path:
    """The home itself, once it is known to be a home of this user.

    Raises:
        HomeMissing: there is no directory, or somebody else's that is no home (10).
        HomeNotOurs: it is another user's home; the hint says whose (10).
        LedgerMissing: the directory is ours and holds no ledger (10).
    """
    command = f"thunes --home {shlex.quote(str(path))} init"
    try:
        owner = _directory_owner(path)
        has_ledger = owner is not None and _exists(path / LEDGER)
    except PermissionError:
        raise _not_ours(path) from None
    if owner is None:
        taken = os.path.lexists(path)
        raise HomeMissing(path, hint="name a directory: thunes --home DIR init" if taken else f"create one: {command}")
    if owner == os.geteuid():
        if not has_ledger:
            raise LedgerMissing(path, hint=_restore_of(path) or command)
        return path
    if has_ledger:
        raise _not_ours(path)
    raise HomeMissing(path, hint="name another directory: thunes --home DIR init")


def _restore_of(path: Path) -> str:
    """What to type where a ledger was lost and backups were not."""
    found = [each for ending in ("", ".age") for each in (path / BACKUPS).glob(f"thunes-*.tar.zst{ending}")]
    if not found:
        return ""
    return f"from the newest backup: thunes backup restore {shlex.quote(str(max(found)))} --in-place"


def check_unlost(path: Path) -> None:
    """Return unless this is a home whose ledger was lost: one made anew there would know of no position and no order.

    Raises:
        HomeInUse: its trail is still there (78).
    """
    trail = path / TRAIL
    if not (path / LEDGER).exists() and trail.is_file() and trail.stat().st_size:
        anew = "move it away, then: thunes init, and thunes reconcile --rebuild"
        raise HomeInUse(path, "it lost its ledger, the audit trail is still there", hint=_restore_of(path) or anew)


def _directory_owner(path: Path) -> int | None:
    try:
        found = path.stat()
    except PermissionError:
        raise
    except OSError:  # absent, below a file, a loop of links
        return None
    return found.st_uid if stat.S_ISDIR(found.st_mode) else None


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _not_ours(path: Path) -> HomeNotOurs:
    user = _owner(path)
    return HomeNotOurs(path, user, hint=f"sudo -u {user} thunes --home {shlex.quote(str(path))} ...")


def _owner(path: Path) -> str:
    """The owner of a path, or of the nearest directory above it that we may look at."""
    for place in (path, *path.parents):
        try:
            uid = place.stat().st_uid
        except OSError:
            continue
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return f"#{uid}"  # what sudo -u takes for a user without a name
    return "root"


def create_home(path: Path) -> None:
    """Make the directory, private to this user, with its parents; an empty one or a home is taken as it is.

    Raises:
        HomeInUse: it holds other things, is not a directory, or cannot be made (78).
        HomeNotOurs: it belongs to another user (10).
    """
    try:
        check_takeable(path)
        path.mkdir(mode=MODE, parents=True, exist_ok=True)
        if not (path / LEDGER).exists():
            path.chmod(MODE)
    except PermissionError as error:
        if path.exists():
            raise _not_ours(path) from None
        raise HomeInUse(path, f"{error.strerror} ({error.filename})") from None
    except OSError as error:
        raise HomeInUse(path, f"{error.strerror} ({error.filename})") from None


def check_takeable(path: Path) -> None:
    """Return when :func:`create_home` may take this place: nothing is there, or a home, or what may become one.

    Raises:
        HomeInUse: it holds other things (78). HomeNotOurs: it belongs to another user (10).
    """
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            path.lstat()
        found = next((each for each in (path, *path.parents) if os.path.lexists(each)), path)
        if not stat.S_ISDIR(found.stat().st_mode):
            raise HomeInUse(path, f"{'it' if found == path else found} is no directory")
    except PermissionError:
        raise
    except OSError as error:  # a link to nothing, a loop of links, a name that is too long
        raise HomeInUse(path, error.strerror or str(error)) from None
    if found != path:
        return
    if path.stat().st_uid != os.geteuid():
        raise _not_ours(path)
    names = sorted(entry.name for entry in path.iterdir())
    strangers = [name for name in names if name not in _MEMBERS and not name.startswith(_MEMBER_PREFIXES)]
    if strangers and LEDGER not in names:
        raise HomeInUse(path, f"it holds other things, {strangers[0]!r} among them")
