"""A bug of ours: one line for the operator, the traceback for us, secrets for nobody."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Mapping
from pathlib import Path

from thunes_cli.cli.result import Problem, Result
from thunes_cli.clock import to_text, utc_now
from thunes_cli.config.secrets import MASK, redact_by_look, spellings_of
from thunes_cli.errors import ExitCode

_SECRET_NAME = re.compile(r"SECRET|TOKEN|API_KEY|PASSWORD|PRIVATE_KEY|HEARTBEAT_URL")
_MINIMUM_SECRET = 6  # shorter values would blank out ordinary words


def redact(text: str, *sources: Mapping[str, str]) -> str:
    """``text`` without the values of secret settings (environment, settings files), signatures and bot tokens."""
    pairs = (pair for source in sources for pair in source.items())
    values = {value for name, value in pairs if _SECRET_NAME.search(name) and len(value) >= _MINIMUM_SECRET}
    for secret in sorted({each for value in values for each in spellings_of(value)}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return redact_by_look(text)


def _settings_of(env_file: Path) -> dict[str, str]:
    try:
        lines = env_file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "unknown place"
    ours = [frame for frame in frames if "thunes_cli" in frame.filename]
    frame = (ours or frames)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def crash_result(
    error: BaseException,
    *,
    home: Path | None,
    command: str,
    environ: Mapping[str, str],
    env_file: Path | None = None,
) -> tuple[Result, str]:
    """The answer when our own code failed, and the redacted traceback if the operator asked to see it.

    It is appended to ``<home>/thunes.log`` when there is a home; without one ``THUNES_DEBUG=1`` shows it.
    """
    message = f"internal error (a bug): {type(error).__name__} at {_place(error)}"
    files = [file for file in (home / ".env" if home is not None else None, env_file) if file is not None]
    trace = redact("".join(traceback.format_exception(error)), environ, *(_settings_of(file) for file in files))
    log = _append(home, f"{to_text(utc_now())} CRITICAL thunes {command}: {message}\n{trace}")
    hint = f"the traceback is in {log}" if log is not None else "THUNES_DEBUG=1 shows the traceback"
    result = Result(exit_code=ExitCode.BUG, problems=(Problem("bug", message, hint),))
    return result, trace if environ.get("THUNES_DEBUG") else ""


def _append(home: Path | None, text: str) -> Path | None:
    if home is None:
        return None
    log = home / "thunes.log"
    try:
        if not home.is_dir():
            return None
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return None
    return log
