"""Who types: what the trail keeps of the person behind a change that rests on a human judgement."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from typing import TextIO

from thunes_cli.cli.call import Call

_LONGEST = 64  # SUDO_USER is whatever the environment says


@dataclass(frozen=True, slots=True)
class Actor:
    """The user this process runs as; ``sudo_user`` is who called sudo, ``tty`` None in a script or cron."""

    uid: int
    user: str | None
    sudo_user: str | None
    tty: str | None
    host: str

    @property
    def name(self) -> str:
        """In a word, for status and history: ``alice (sudo)``, ``trader``, ``uid 1000``."""
        if self.sudo_user is not None:
            return f"{self.sudo_user} (sudo)"
        return self.user or f"uid {self.uid}"

    @property
    def facts(self) -> dict[str, str | int | None]:
        """For the trail."""
        return {"uid": self.uid, "user": self.user, "sudo_user": self.sudo_user, "tty": self.tty, "host": self.host}


def read_actor(call: Call) -> Actor:
    """Who makes this call, as far as the system knows."""
    uid = os.getuid()
    try:
        user: str | None = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user has no entry
        user = None
    sudo_user = call.environ.get("SUDO_USER", "")[:_LONGEST] or None
    streams = call.streams
    ttys = (_tty(stream) for stream in (streams.stdin, streams.stderr, streams.stdout))
    return Actor(uid, user, sudo_user, next((name for name in ttys if name), None), os.uname().nodename)


def _tty(stream: TextIO) -> str | None:
    try:
        return os.ttyname(stream.fileno())
    except (OSError, ValueError):
        return None
