"""Writing the units where systemd looks for them, and the file that tells every shell where the home is."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from thunes_cli.errors import ConfigError, Unavailable
from thunes_cli.ops.service.units import UNIT, Place, logrotate, units

UNIT_DIRECTORY = Path("etc/systemd/system")
LOGROTATE = Path("etc/logrotate.d/thunes")
HOME_FILE = Path("etc/thunes/home")
_MODE = 0o644
_RUNNING = Path("/run/systemd/system")


@dataclass(frozen=True, slots=True)
class Installed:
    """Files that were written (those that were so already are left alone), and whether systemd was told."""

    written: tuple[str, ...]
    reloaded: bool


def planned(place: Place, root: Path) -> dict[Path, str]:
    """Every file below ``root`` and its text."""
    files = {root / UNIT_DIRECTORY / name: text for name, text in units(place).items()}
    return {**files, root / LOGROTATE: logrotate(place), root / HOME_FILE: f"{place.home}\n"}


def other_home(place: Place, root: Path) -> str | None:
    """The home that what is installed there serves, when it is another one: there is one daemon's unit a machine."""
    try:
        named = (root / HOME_FILE).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return named if named and named != str(place.home) else None


def changed(files: dict[Path, str]) -> list[Path]:
    """Those that are not so yet."""
    return [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]


def install(place: Place, root: Path) -> Installed:
    """Write what is not so yet, each file whole or not at all; then let systemd read them, if it runs.

    Raises:
        ConfigError: they cannot be written by this user (78). Unavailable: the disk is full, or systemd fails (13).
    """
    files = planned(place, root)
    todo = changed(files)
    for path in todo:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, files[path])
        except PermissionError as error:
            raise ConfigError(f"{path} cannot be written by this user", hint="sudo thunes service install") from error
        except OSError as error:
            raise Unavailable(f"{path} cannot be written: {error.strerror}") from error
    reloaded = bool(todo) and root == Path("/") and _reload()
    return Installed(tuple(str(path) for path in todo), reloaded)


def _write(path: Path, text: str) -> None:
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(draft).chmod(_MODE)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _reload() -> bool:
    """Let systemd read its units anew; False where it does not run."""
    systemctl = shutil.which("systemctl")
    if systemctl is None or not _RUNNING.is_dir():
        return False
    done = subprocess.run([systemctl, "daemon-reload"], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode != 0:
        raise Unavailable(f"systemctl daemon-reload failed: {done.stderr.strip()}", hint=f"systemctl status {UNIT}")
    return True
