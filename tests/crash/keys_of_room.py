"""The API key of a home that is killed: as the exchange's own page, the file and the ledger have it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from crash_room import Room
from fork_server import ALIVE, Ended, Killing, Run

from thunes_cli.config.secrets import Secret

CONFIRMED = ("--reason", "test", "--confirm", "rotate sim")


class Pair(NamedTuple):
    """A key and its secret."""

    key: str
    secret: str


class Keys:
    """The key of one home, as its owner sees it on the exchange's page and in the file."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.file = room.home.path / ".env"

    def rotate(self, killing: Killing = ALIVE) -> tuple[Pair, Pair, Ended]:
        """Rotate to a new key; the old one, the new one, and how it ended."""
        made, old = self.room.post("/sim/key/add", {}), self.in_file
        new = Pair(made["api_key"], made["api_secret"])
        return old, new, self.room.spawner.run(self.command(self.write_key(new), killing))

    def write_key(self, pair: Pair) -> Path:
        """A private file as ``--from-file`` takes it; not on the home's disk."""
        path = self.room.output.with_name("new key")
        path.write_text(f"{pair.key}\n{pair.secret}\n")
        path.chmod(0o600)
        return path

    def command(self, path: Path, killing: Killing = ALIVE) -> Run:
        """The command line of a rotation."""
        return self.room.command("keys", "rotate", "--from-file", str(path), *CONFIRMED, killing=killing)

    @property
    def in_file(self) -> Pair:
        """The pair that stands in the file; there is one of each."""
        text = self.file.read_text()
        key, secret = (re.findall(rf"^BINANCE_{name}=(\w+)$", text, re.MULTILINE) for name in ("API_KEY", "API_SECRET"))
        assert (len(key), len(secret)) == (1, 1), text
        return Pair(key[0], secret[0])

    @property
    def drafts(self) -> list[Path]:
        """What a killed writer left."""
        return [path for path in self.file.parent.iterdir() if ".draft-" in path.name]

    def states(self) -> list[str]:
        """How each rotation ended."""
        return [row["state"] for row in self.room.home.rows("SELECT state FROM key_rotations ORDER BY id")]

    def prove(self, old: Pair, new: Pair) -> None:
        """One of the two is there, whole; the next start says which, tidies up and trades with it."""
        found = self.in_file
        assert found in {old, new}
        assert self.room.once().code == 0, self.room.said
        assert self.in_file == found
        assert self.drafts == []
        assert self.file.stat().st_mode & 0o777 == 0o600
        assert "started" not in self.states()
        assert self.room.spawner.run(self.room.command("keys", "check")).code == 0, self.room.said
        last = self.room.home.rows("SELECT * FROM key_rotations ORDER BY id DESC LIMIT 1")
        if last and last[0]["new_fingerprint"] == _fingerprint(new):
            assert last[0]["state"] == ("done" if found == new else "rolled_back")
        else:
            assert found == old  # killed before it was written down


def _fingerprint(pair: Pair) -> str:
    return Secret(pair.key).fingerprint()
