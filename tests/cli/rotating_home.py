"""A home whose key lives in its own ``.env``, and the exchange's own page for its keys."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot_home import Answer
from exchange_home import ExchangeHome, exchange_home, wait_for

CONFIRMED = ("--reason", "90 days", "--confirm", "rotate sim")
OLD_DELETED = ("keys", "rotate", "--confirm-old-deleted")
WORD = ("--confirm", "deleted sim")
ELSEWHERE = "203.0.113.7"


@contextmanager
def rotating_home(directory: Path, **settings: str) -> Iterator[ExchangeHome]:
    """Its key stands among what an operator wrote there."""
    with exchange_home(directory, **settings) as home:
        key, secret = home.environ.pop("BINANCE_API_KEY"), home.environ.pop("BINANCE_API_SECRET")
        text = f"# the key of the little bot\nBINANCE_API_KEY={key}\nBINANCE_API_SECRET={secret}\nLOG_LEVEL=INFO\n"
        env_file(home).write_text(text, encoding="utf-8")
        env_file(home).chmod(0o600)
        yield home


def env_file(home: ExchangeHome) -> Path:
    """Where the key lives."""
    return home.path / ".env"


def sim_key(home: ExchangeHome, what: str, **asked: Any) -> Any:
    """What the account's owner does on the exchange's own page."""
    reply = home.served.send("POST", f"/sim/key/{what}", body=json.dumps(asked))
    assert reply.status == 200, reply
    return reply.body


def new_key(home: ExchangeHome, **asked: Any) -> tuple[str, str]:
    """Another key of the account, and its secret."""
    made = sim_key(home, "add", **asked)
    return made["api_key"], made["api_secret"]


def key_file(home: ExchangeHome, *lines: str) -> Path:
    """A private file as ``--from-file`` takes it."""
    path = home.path.parent / "new key"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    path.chmod(0o600)
    return path


def rotate(home: ExchangeHome, *lines: str) -> Answer:
    """Rotate to a key."""
    return home.ask("keys", "rotate", "--from-file", str(key_file(home, *lines)), *CONFIRMED, "--json")


def records(home: ExchangeHome) -> list[dict[str, Any]]:
    """What the trail tells of keys."""
    lines = (home.path / "audit_trail.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["event"].startswith("KEY_")]


def told(home: ExchangeHome) -> list[str]:
    """The events of those."""
    return [each["event"] for each in records(home)]


def await_trading(home: ExchangeHome, daemon: subprocess.Popen[bytes]) -> None:
    """Return when the daemon trades; on a machine that is busy a start takes its time."""
    for _ in range(4):
        with suppress(AssertionError):
            wait_for(
                lambda: daemon.poll() is not None or home.ask("status", "--json").data["daemon"]["mode"] == "trading",
                "daemon that trades",
            )
            break
    assert daemon.poll() is None
    assert home.ask("status", "--json").data["daemon"]["mode"] == "trading"


def states(home: ExchangeHome) -> list[str]:
    """How each change of key ended."""
    return [each["state"] for each in home.ask("keys", "history", "--json").data["rotations"]]


@dataclass
class Stored:
    """A home whose key lives in a store; ``read`` looks into the store as its owner does, ``names`` are those there."""

    home: ExchangeHome
    read: Callable[[], dict[str, Any]]
    names: dict[str, str]

    def pair(self) -> tuple[str, str]:
        """The key and the secret that are stored."""
        stored = self.read()
        return stored[self.names["key"]], stored[self.names["secret"]]
