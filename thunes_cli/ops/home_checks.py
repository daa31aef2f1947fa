"""Checks of a home that need no network: who can read it, is there room, do the settings make sense."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from thunes_cli.config.credentials import credentials
from thunes_cli.config.endpoints import endpoints
from thunes_cli.config.home import ENV_FILE, LEDGER, LOG, TRAIL
from thunes_cli.config.settings import DEFAULT_ORIGIN, Settings
from thunes_cli.errors import ConfigError
from thunes_cli.market.strategies import load_strategy
from thunes_cli.ops.check import Check, CheckStatus

_OK, _WARN, _FAIL, _SKIP = CheckStatus.OK, CheckStatus.WARN, CheckStatus.FAIL, CheckStatus.SKIP
_LINE = re.compile(r":\d+$")
_OTHERS = 0o077
_OTHERS_WRITE = 0o022
_MIB = 1024 * 1024


def home_checks(home: Path, settings: Settings) -> Iterator[Check]:
    """Every check that looks at this machine only."""
    yield _check_directory(home)
    yield _check_files(home)
    yield _check_disk(home, settings)
    yield _check_settings(settings)
    yield _check_strategy(settings)
    yield _check_key(settings)


def _check_directory(home: Path) -> Check:
    mode = stat.S_IMODE(home.stat().st_mode)
    hint = f"chmod 700 {shlex.quote(str(home))}"
    if mode & _OTHERS_WRITE:
        return Check("home", _FAIL, f"others can change it (mode {mode:04o})", "mode 0700", hint)
    if mode & _OTHERS:
        return Check("home", _WARN, f"others can look into it (mode {mode:04o})", "mode 0700", hint)
    return Check("home", _OK, f"mode {mode:04o}", "mode 0700")


def _check_files(home: Path) -> Check:
    present = [path for name in (ENV_FILE, LEDGER, TRAIL, LOG) if (path := home / name).exists()]
    exposed = [path for path in present if _is_exposed(path)]
    if exposed:
        names = ", ".join(path.name for path in exposed)
        hint = "chmod 600 " + " ".join(shlex.quote(str(path)) for path in exposed)
        return Check("files", _FAIL, f"not private: {names}", "mode 0600, this user's", hint)
    return Check("files", _OK, f"{len(present)} private", "mode 0600, this user's")


def _is_exposed(path: Path) -> bool:
    found = path.stat()
    return bool(found.st_mode & _OTHERS) or found.st_uid not in {os.geteuid(), 0}


def _check_disk(home: Path, settings: Settings) -> Check:
    free = shutil.disk_usage(home).free // _MIB
    expected = f"at least {settings.min_free_mib} MiB"
    if free < settings.min_free_mib:
        return Check("disk", _FAIL, f"{free} MiB free", expected, "entries stop until there is more room")
    return Check("disk", _OK, f"{free} MiB free", expected)


def _check_settings(settings: Settings) -> Check:
    files = (_LINE.sub("", origin) for origin in settings.origins.values())
    counted = Counter(file for file in files if file != DEFAULT_ORIGIN)
    given = ", ".join(f"{count} from {source}" for source, count in counted.items()) or "none given"
    return Check("settings", _OK, f"{given}, the others by default", "valid and consistent")


def _check_strategy(settings: Settings) -> Check:
    source = load_strategy(settings.strategy, settings.symbols[0], settings.strategy_params)
    return Check("strategy", _OK, f"{settings.strategy}, needs {source.history_needed} candles", "can be loaded")


def _check_key(settings: Settings) -> Check:
    if endpoints(settings) is None:
        return Check("key", _OK, "the embedded exchange's own", "an API key")
    try:
        found = credentials(settings)
    except ConfigError as error:
        return Check("key", _FAIL, error.message, "an API key and what signs with it", error.hint)
    return Check("key", _OK, f"{found.kind} key {found.api_key.fingerprint()} from {found.source}", "an API key")


def skipped(names: Iterable[str], why: str) -> Iterator[Check]:
    """Checks that were not made."""
    return (Check(name, _SKIP, why) for name in names)
