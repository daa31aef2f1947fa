"""Wherever the key comes from, a rotation and a crash tell nobody: no answer, file, argument or child's environment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from canaries import Canaries
from exchange_home import ExchangeHome
from rotating_home import CONFIRMED, OLD_DELETED, WORD, Stored, await_trading, new_key, rotating_home, sim_key

from thunes_cli.config.private_file import write_private_file

_ANSWERS = (
    ("keys", "check"),
    ("keys", "status"),
    ("keys", "history"),
    ("config", "show"),
    ("config", "check", "--online"),
    ("audit", "tail", "-n", "50"),
    ("status",),
    ("balance",),
)
# Where nothing of ours can write: the operator is told what to do instead.
_FIXED = {"environment", "systemd"}


_LATER = [pytest.param(each, marks=pytest.mark.long) for each in ("systemd", "vault", "age")]


@pytest.fixture(params=["file", "environment", "aws", *_LATER])
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def home(request: pytest.FixtureRequest, place: str, tmp_path: Path) -> Iterator[ExchangeHome]:
    """The key comes from there, and from nowhere else."""
    if place == "file":
        with rotating_home(tmp_path) as made:
            yield made
    elif place in _FIXED:
        made = request.getfixturevalue("keyless_home")
        given = {"BINANCE_API_KEY": made.served.key, "BINANCE_API_SECRET": made.served.secret}
        if place == "environment":
            made.environ |= given
        else:
            directory = tmp_path / "credentials"
            directory.mkdir(mode=0o700)
            for name, value in given.items():
                write_private_file(directory / name.lower(), value)
            made.environ["CREDENTIALS_DIRECTORY"] = str(directory)
        yield made
    else:
        stored = request.getfixturevalue(f"key_in_{place}")
        assert isinstance(stored, Stored)
        yield stored.home


def start(home: ExchangeHome, *words: str, **pipes: int) -> subprocess.Popen[bytes]:
    """A command as a process of its own."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(home.path.parent), **home.environ}
    return subprocess.Popen(
        [sys.executable, "-m", "thunes_cli", "--home", str(home.path), *words],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **pipes,
    )


@pytest.fixture
def git_that_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bytes]:
    """The program that `keys scan` runs writes down what it was started with."""
    real, place, seen = shutil.which("git"), tmp_path / "bin", tmp_path / "git's environment"
    assert real is not None
    place.mkdir()
    (place / "git").write_text(f'#!/bin/sh\nenv >> "{seen}"\nexec {real} "$@"\n')
    (place / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    return seen.read_bytes


def test_no_secret_gets_anywhere(
    home: ExchangeHome, place: str, tmp_path: Path, git_that_looks: Callable[[], bytes]
) -> None:
    """A daemon that logs all it can, a rotation that waits for its key, a crash and its record, every answer."""
    key, secret = new_key(home)
    canaries = Canaries({"old key": home.served.key, "old secret": home.served.secret, "key": key, "secret": secret})
    home.environ |= {"LOG_LEVEL": "DEBUG", "PATH": os.environ["PATH"]}
    daemon = start(home, "run", "--speed", "1")
    await_trading(home, daemon)

    rotation = start(home, "keys", "rotate", *CONFIRMED, "--json", stdin=subprocess.PIPE)
    given = set() if place != "environment" else {daemon.pid, rotation.pid}
    canaries.look_at_processes()
    canaries.look_at_environments(but={*given, os.getpid()})
    out, err = rotation.communicate(f"{key}\n{secret}\n".encode(), timeout=60)
    canaries.look("keys rotate", out + err)
    assert rotation.returncode == (78 if place in _FIXED else 0), err
    for words in (*_ANSWERS, *((*words, "--json") for words in _ANSWERS)):
        answer = home.ask(*words)
        canaries.look(" ".join(words), answer.out + answer.err)
    if place not in _FIXED:
        sim_key(home, "revoke", key=home.served.key[:8])
        buried = home.ask(*OLD_DELETED, *WORD, "--json")
        assert buried.code == 0, buried
        canaries.look("old key", buried.out + buried.err)
    daemon.send_signal(signal.SIGSEGV)
    out, err = daemon.communicate(timeout=30)
    canaries.look("daemon", out + err)
    again = start(home, "run", "--duration", "1s")
    out, err = again.communicate(timeout=60)
    canaries.look("daemon after the crash", out + err)
    assert again.returncode == 0, err
    (tmp_path / "work").mkdir()
    subprocess.run(["git", "init", "-q", str(tmp_path / "work")], check=True)
    scanned = home.ask("keys", "scan", str(tmp_path / "work"), "--json")
    canaries.look("keys scan", scanned.out + scanned.err)
    canaries.look("git's environment", git_that_looks())
    canaries.look_at_files(home.path)

    assert canaries.found() == [], "\n".join(canaries.found())
    places = {where for where, _ in canaries.seen}
    assert {"thunes.log", "audit_trail.jsonl", "thunes.db", "ps"} <= places
    assert any("traceback" in where for where in places), places
