"""Which simulated exchange a command means, and talking to it: plain HTTP on its own paths under ``/sim``."""

from __future__ import annotations

import http.client
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from thunes_cli.cli.call import Call
from thunes_cli.config.home import SIM
from thunes_cli.config.tilde import expanded
from thunes_cli.errors import NotFound, ThunesError, Unavailable, UsageFault
from thunes_cli.sim.address import Address

TEMPORARY_PREFIX = "thunes-sim-"
_TIMEOUT_S = 10.0
_REST_URL = "BINANCE_REST_URL"

UrlOption = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="The exchange's REST address; else the one that is found.")
]
DirOption = Annotated[
    Path | None, typer.Option("--dir", metavar="DIR", help="The directory it was served from, if not the home's sim/.")
]


class NoExchangeServed(NotFound):
    """no simulated exchange is being served here"""

    code = "no_simulator"
    hint = "thunes sim serve   or, for one elsewhere: --url http://127.0.0.1:PORT"


class SimulatorRefused(UsageFault):
    """the simulated exchange refuses: {0}"""

    code = "simulator_refused"


class SimLink:
    """A simulated exchange that is being served."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname, parts.port or 80
        except ValueError:  # no port, or half an IPv6 address
            host, port, parts = None, 0, urlsplit("")
        if parts.scheme != "http" or not host:
            raise UsageFault(
                f"--url {url!r} is not a simulator's address", hint="for example: --url http://127.0.0.1:8080"
            )
        self._host, self._port = host, port

    def get(self, path: str) -> dict[str, Any]:
        """Ask for something. Raises: as :meth:`post`."""
        return self._talk("GET", path, "")

    def post(self, path: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Order something; members that are None are left out.

        Raises:
            SimulatorRefused: it does not understand, or cannot do it (2).
            Unavailable: it does not answer, or is no simulator of ours (13).
        """
        return self._talk("POST", path, json.dumps({name: value for name, value in asked.items() if value is not None}))

    def _talk(self, method: str, path: str, body: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            connection.request(method, path, body or None)
            reply = connection.getresponse()
            answer = json.loads(reply.read())
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unavailable(
                f"the simulated exchange at {self.url} does not answer: {why}", hint="thunes sim serve"
            ) from error
        except ValueError as error:
            raise Unavailable(f"what answers at {self.url} is no simulated exchange", hint="look at --url") from error
        finally:
            connection.close()
        if not isinstance(answer, dict):
            raise Unavailable(f"what answers at {self.url} is no simulated exchange", hint="look at --url")
        if reply.status == http.HTTPStatus.NOT_FOUND:
            raise Unavailable(f"what answers at {self.url} is no simulated exchange of ours", hint="look at --url")
        if reply.status != http.HTTPStatus.OK:
            raise SimulatorRefused(str(answer.get("msg", answer)), hint="thunes sim faults   thunes sim state")
        return answer


def find_exchange(call: Call, *, url: str | None, directory: Path | None) -> SimLink:
    """The exchange a command means: named by an option, by the settings, served for the home, or the only one there is.

    Raises:
        NoExchangeServed: there is none (10). UsageFault: an option is no address, or several are served (2).
    """
    if url is not None:
        return SimLink(url)
    if directory is not None:
        return _served_in(expanded(directory))
    named = _named_by_settings(call)
    if named:
        return SimLink(named)
    home = call.home
    return _served_in(home / SIM) if home.is_dir() else _only_one()


def _named_by_settings(call: Call) -> str:
    """``BINANCE_REST_URL``, where it names this machine."""
    from thunes_cli.config.load import load_settings

    value = call.environ.get(_REST_URL, "")
    if not value:
        try:
            value = load_settings(call.home, {}, env_file=call.env_file, relaxed=True).settings.binance_rest_url or ""
        except ThunesError:
            return ""
    host = urlsplit(str(value)).hostname or ""
    return str(value) if host == "localhost" or host.startswith("127.") or host == "::1" else ""


def _served_in(directory: Path) -> SimLink:
    address = Address.read(directory)
    if address is None or not address.answers():
        raise NoExchangeServed
    return SimLink(address.announcement.rest_url)


def _only_one() -> SimLink:
    """One that was served without a home: its directory is a temporary one."""
    found = {address.announcement.rest_url for address in _temporary() if address.answers()}
    if not found:
        raise NoExchangeServed
    if len(found) > 1:
        raise UsageFault(
            f"{len(found)} simulated exchanges are being served", hint=f"--url {'   --url '.join(sorted(found))}"
        )
    return SimLink(found.pop())


def _temporary() -> Iterator[Address]:
    for directory in Path(tempfile.gettempdir()).glob(f"{TEMPORARY_PREFIX}*"):
        try:
            ours = directory.stat().st_uid == os.getuid()
        except OSError:
            continue
        address = Address.read(directory) if ours else None
        if address is not None:
            yield address
