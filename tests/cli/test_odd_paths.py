"""Paths as a shell reads them, and paths that cannot be: in settings and in options."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest
from bot_home import thunes

from thunes_cli.config.tilde import expanded


def test_as_a_shell_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One's own directory, another user's by name; what is no tilde at the front stays."""
    monkeypatch.setenv("HOME", "/home/alice")

    assert expanded("~/key") == Path("/home/alice/key")
    assert expanded("~root/key") == Path(pwd.getpwnam("root").pw_dir) / "key"
    assert expanded("/a/~/key") == Path("/a/~/key")


@pytest.mark.parametrize(
    "words",
    [
        ("keys", "scan", "~nobody-of-that-name/x"),
        ("backup", "restore", "~nobody-of-that-name/x.zst", "--to", "y"),
        ("--env-file", "~nobody-of-that-name/x", "config", "check"),
        ("keys", "rotate", "--from-file", "~nobody-of-that-name/x", "--reason", "x"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_user_nobody_knows_is_no_bug(words: tuple[str, ...], tmp_path: Path) -> None:
    """The path stays as it was typed, and is not there."""
    home = str(tmp_path / "home")
    assert thunes("--home", home, "init").code == 0

    answer = thunes("--home", home, *words)

    assert answer.code in {10, 78}, answer
    assert "internal error" not in answer.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("keys", "scan", "x" * 5000), 10),
        (("audit", "validate", "x" * 5000), 10),
        (("backup", "restore", "x" * 5000 + ".zst", "--to", "y"), 10),
        (("sim", "faults", "--url", "http://[::1"), 2),
        (("sim", "state", "--url", "http://127.0.0.1:99999"), 2),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else None,
)
def test_what_can_be_no_path_or_address_is_no_bug(words: tuple[str, ...], code: int, tmp_path: Path) -> None:
    """A name that no file system takes, half an address."""
    home = str(tmp_path / "home")
    assert thunes("--home", home, "init").code == 0

    answer = thunes("--home", home, *words)

    assert answer.code == code, answer
    assert "internal error" not in answer.err
