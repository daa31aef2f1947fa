"""Where an exchange is reached: what the server announces, and the file that tells other processes."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from pathlib import Path

LOCK = "lock"
ADDRESS = "address"
_CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Announcement:
    """The first line on a server's stdout: where it is reached and with which key."""

    rest_url: str
    stream_url: str
    ws_api_url: str
    sapi_url: str
    api_key: str
    api_secret: str

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    def __repr__(self) -> str:
        return f"Announcement({self.rest_url!r})"


@dataclass(frozen=True, slots=True)
class Address:
    """The address file: the announcement, the nominal speed (0 on a stepped market) and which server wrote it."""

    announcement: Announcement
    speed: Decimal
    pid: int
    instance: str

    def write(self, directory: Path) -> None:
        """Leave the file for others, readable by the owner only, whole or not at all."""
        path = directory / ADDRESS
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            values = asdict(self.announcement) | {
                "speed": format(self.speed, "f"),
                "pid": self.pid,
                "instance": self.instance,
            }
            file.write(json.dumps(values) + "\n")
        temporary.replace(path)

    @classmethod
    def read(cls, directory: Path) -> Address | None:
        """The address left in a directory, or None; whether somebody still listens there is another question."""
        try:
            raw = json.loads((directory / ADDRESS).read_text(encoding="utf-8"))
            announcement = Announcement(**{each.name: str(raw[each.name]) for each in fields(Announcement)})
            return cls(announcement, Decimal(raw["speed"]), int(raw["pid"]), str(raw["instance"]))
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
            return None

    def answers(self) -> bool:
        """Whether the server that wrote this address still serves it (and not another on a port used again)."""
        host, _, port = self.announcement.rest_url.removeprefix("http://").rpartition(":")
        received = bytearray()
        with contextlib.suppress(OSError, ValueError):
            peer = (host.strip("[]"), int(port))
            with socket.create_connection(peer, timeout=_CONNECT_SECONDS) as connection:
                connection.sendall(b"GET /sim/clock HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n")
                while chunk := connection.recv(4096):
                    received += chunk
        return f'"instance":"{self.instance}"'.encode() in received
