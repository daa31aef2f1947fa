"""Secrets drawn for tests, places to hide them in, and a scan that never shows them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bot_home import Answer, BotHome

from thunes_cli.config.secrets import Secret
from thunes_cli.ledger import api_keys
from thunes_cli.ledger.api_keys import NewKey

# Drawn for these tests. Each line says so:
KEY = "q7TzR2mVb9XcK4wLs8PnD1yHf6GjE3aUo5ItBvCxZkM0NrQpWdYhSgFuJlAe2Oi7"  # thunes: not a secret
SECRET = "Wm4Yp0Qe8RtUi2Oa6Sd1Fg5Hj9KlZx3CvBnM7qAzXsEdCrFvTgByHnUjMiKo0LpP"  # thunes: not a secret
TOKEN = "7654321098:AAF3x9Kq_Lm2Zt-8RwYb5NcVg1HjPd4SoEu"  # thunes: not a secret
ACCESS = "AKIA" + "Q3XZ7WPLM2VNTR5K"
PLAIN = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


class Repository:
    """A git repository of a test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *who, "-C", str(self.path), *words], env=PLAIN, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, name: str, text: str, message: str = "more") -> str:
        (self.path / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")


def scan(bot: BotHome, *paths: Path | str) -> Answer:
    """Scan; whatever was found, nothing of it is shown."""
    answer = bot.ask("keys", "scan", *map(str, paths), "--json", environ=PLAIN)
    plain = bot.ask("keys", "scan", *map(str, paths), environ=PLAIN)
    assert plain.code == answer.code
    for secret in (KEY, SECRET, TOKEN, ACCESS):
        assert secret not in answer.out + answer.err + plain.out + plain.err
    return answer


def places(answer: Answer) -> list[str]:
    """Where something was found."""
    return [each["place"] for each in answer.data["leaks"]]


def kinds(answer: Answer) -> list[str]:
    """What was found, in the same order."""
    return [each["kind"] for each in answer.data["leaks"]]


def used(bot: BotHome, key: str, secret: str) -> str:
    """A key of the home is in use; its fingerprint."""
    mark = Secret(key).fingerprint()
    with bot.journal.change() as change:
        new = NewKey(mark, Secret(secret).fingerprint(), "HMAC", "environment")
        api_keys.put_in_use(change.connection, new, at=change.at)
    return mark
