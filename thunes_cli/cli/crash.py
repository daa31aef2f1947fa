"""A bug of ours: one line for the operator, the traceback for us, secrets for nobody."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Mapping
from pathlib import Path

from thunes_cli.cli.result import Problem, Result
from thunes_cli.clock import to_text, utc_now
from thunes_cli.errors import ExitCode

_SECRET_NAME = re.compile(r"SECRET|TOKEN|API_KEY|PASSWORD|PRIVATE_KEY|HEARTBEAT_URL")
_SIGNED = re.compile(r"((?:signature|apiKey|X-MBX-APIKEY)['\"]?\s*[=:]\s*['\"]?)[\w%+/=-]+", re.IGNORECASE)
_BOT = re.compile(r"bot\d+:[\w-]+")
_MINIMUM_SECRET = 6  # shorter values would blank out ordinary words


def redact(text: str, environ: Mapping[str, str]) -> str:
    """``text`` without the values of secret settings, signatures and bot tokens."""
    secrets = [value for name, value in environ.items() if _SECRET_NAME.search(name) and len(value) >= _MINIMUM_SECRET]
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _BOT.sub("bot***", _SIGNED.sub(r"\1***", text))


def _settings_of(home: Path) -> dict[str, str]:
    try:
        lines = (home / ".env").read_text(encoding="utf-8", errors="replace").splitlines()
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
    error: BaseException, *, home: Path | None, command: str, environ: Mapping[str, str]
) -> tuple[Result, str]:
    """The answer when our own code failed, and the redacted traceback if the operator asked to see it.

    It is appended to ``<home>/thunes.log`` when there is a home; without one ``THUNES_DEBUG=1`` shows it.
    """
    message = f"internal error (a bug): {type(error).__name__} at {_place(error)}"
    known = dict(environ) | (_settings_of(home) if home is not None else {})
    trace = redact("".join(traceback.format_exception(error)), known)
    log = _append(home, f"{to_text(utc_now())} CRITICAL thunes {command}: {message}\n{trace}")
    hint = f"the traceback is in {log}" if log is not None else "THUNES_DEBUG=1 shows the traceback"
    result = Result(exit_code=ExitCode.BUG, problems=(Problem("bug", message, hint),))
    return result, trace if environ.get("THUNES_DEBUG") else ""


def _append(home: Path | None, text: str) -> Path | None:
    if home is None or not home.is_dir():
        return None
    log = home / "thunes.log"
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return None
    return log
