"""The server process: opens the exchange, announces itself on stdout, serves until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from thunes_cli.sim.address import ADDRESS, LOCK, Address, Announcement
from thunes_cli.sim.failure import EXIT_LOCKED, EXIT_UNAVAILABLE, SimError
from thunes_cli.sim.founding import is_local
from thunes_cli.sim.options import SimOptions
from thunes_cli.sim.world import World, open_world

if TYPE_CHECKING:
    from thunes_cli.sim.listening import Listener

_LOG = logging.getLogger(__name__)
_PORT = "port"


def serve(options: SimOptions, *, out: TextIO) -> None:
    """Serve until SIGTERM or SIGINT, or until ``parent_fd`` closes.

    The directory's lock is held throughout, and its address file tells others where to connect. The first line
    written to ``out`` is the :class:`Announcement` as JSON.

    Raises:
        SimError: bad options or candles (78), the directory is being served already (11), the address cannot be
            listened on (13).
    """
    options.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock(options.directory):
        world = open_world(options)
        try:
            asyncio.run(_serve(world, out))
        finally:
            world.close()


@contextlib.contextmanager
def _lock(directory: Path) -> Iterator[None]:
    """Hold the directory's lock; the file stays, for a lock on a removed file would be no lock."""
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SimError(
                f"the simulator in {directory} is being served already",
                f"its address is in {directory / ADDRESS}",
                code="sim_served",
                exit_code=EXIT_LOCKED,
            ) from None
        (directory / ADDRESS).unlink(missing_ok=True)  # left behind by a server that was killed
        yield
    finally:
        os.close(descriptor)


async def _serve(world: World, out: TextIO) -> None:
    # Both import aiohttp, which only the server process needs.
    from thunes_cli.sim.listening import Listener  # noqa: PLC0415
    from thunes_cli.sim.server import RestServer  # noqa: PLC0415

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if world.options.parent_fd is not None:
        loop.add_reader(world.options.parent_fd, _watch_parent, world.options.parent_fd, stop)
    # Bytes that are no HTTP are answered, and not worth a traceback each.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    server = RestServer(world)
    runner = server.runner()
    await runner.setup()
    world.listener = listener = Listener(runner)
    try:
        announcement = announce(world, await _listen(world, listener))
        _warn_if_open(world.options.host)
        speed = Decimal(0) if world.options.step else world.options.speed
        Address(announcement, speed, os.getpid(), world.instance).write(world.options.directory)
        try:
            with contextlib.suppress(BrokenPipeError):
                out.write(announcement.to_json() + "\n")
                out.flush()
            await stop.wait()
        finally:
            (world.options.directory / ADDRESS).unlink(missing_ok=True)
    finally:
        await listener.stop()
        await server.close()
        await runner.cleanup()


async def _listen(world: World, listener: Listener) -> int:
    """Listen, and return the port. Without a wish it is the one of last time, so that clients find us again."""
    host, port = world.options.host, world.options.port
    last = int(world.store.settings().get(_PORT, "0"))
    bound = 0
    for attempt in (port,) if port or not last else (last, 0):
        try:
            bound = await listener.listen(host, attempt)
            break
        except OSError as error:
            if attempt == port:
                raise _cannot_listen(host, port, error) from error
    world.store.put_settings({_PORT: str(bound)})
    return bound


def _warn_if_open(host: str) -> None:
    if not is_local(host):
        _LOG.warning("listening on %s: whoever reaches this machine may use this exchange, unencrypted", host)


def _watch_parent(descriptor: int, stop: asyncio.Event) -> None:
    """The parent's end of the pipe has closed: it is gone, so this process has nothing to live for."""
    if not os.read(descriptor, 1024):
        asyncio.get_running_loop().remove_reader(descriptor)
        stop.set()


def _cannot_listen(host: str, port: int, error: OSError) -> SimError:
    if error.errno == errno.EADDRINUSE:
        reason, hint = "it is in use", "choose another one with --port, or --port 0 for any free one"
    else:
        reason, hint = os.strerror(error.errno) if error.errno else str(error), "choose another --host or --port"
    message = f"cannot listen on {host}:{port}: {reason}"
    return SimError(message, hint, code="port_in_use", exit_code=EXIT_UNAVAILABLE)


def announce(world: World, port: int) -> Announcement:
    """The announcement of a world that listens on a port."""
    host = world.options.host
    shown = "127.0.0.1" if host in {"0.0.0.0", "localhost"} else host  # noqa: S104 - compared, not bound
    if ":" in shown:
        shown = "[::1]" if shown == "::" else f"[{shown}]"
    http, websocket = f"http://{shown}:{port}", f"ws://{shown}:{port}"
    key = world.first_key
    return Announcement(http, websocket, f"{websocket}/ws-api/v3", http, key.api_key, key.secret)
