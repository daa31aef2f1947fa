"""The notify protocol on a real datagram socket."""

from __future__ import annotations

import os
import socket

import pytest

from thunes_cli.daemon.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def listener(request, tmp_path):
    """A socket as systemd makes it, and its address as NOTIFY_SOCKET names it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"\0thunes-test-{os.getpid()}"
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(name)
    receiver.settimeout(5)
    yield receiver, name.replace("\0", "@")
    receiver.close()


def test_each_message_is_one_datagram(listener):
    """READY with a status line, the watchdog, STOPPING: as sd_notify(3) wants them."""
    receiver, address = listener
    notifier = Notifier(address)

    notifier.waiting("waiting for the exchange")
    notifier.ready("trading")
    notifier.alive()
    notifier.stopping()

    received = [receiver.recv(4096).decode() for _ in range(4)]
    assert received == [
        "STATUS=waiting for the exchange\nEXTEND_TIMEOUT_USEC=60000000",
        "READY=1\nSTATUS=trading",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=stopping",
    ]


@pytest.mark.parametrize("address", [None, "", "/nonexistent/notify"])
def test_without_a_listener_nothing_happens(address):
    """Outside systemd, or when its socket is gone, trading goes on."""
    notifier = Notifier(address)

    said = [notifier.ready("trading"), notifier.alive(), notifier.close(), notifier.stopping()]

    assert said == [None] * 4
    assert notifier._socket is None  # closed for good: stopping() opened no other


def test_a_full_socket_delays_nobody(tmp_path):
    """A listener that does not read must not block the main loop."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(tmp_path / "notify"))
    notifier = Notifier(str(tmp_path / "notify"))

    for _ in range(10_000):
        notifier.alive()

    receiver.setblocking(False)  # noqa: FBT003 - the standard library's signature
    kept = 0
    with pytest.raises(BlockingIOError):
        while receiver.recv(4096) == b"WATCHDOG=1":
            kept += 1
    assert 0 < kept < 10_000  # it was full, and what did not fit was dropped
    receiver.close()
