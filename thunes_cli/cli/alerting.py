"""A command's own alerts: handed to the outbox with the change, and sent at once when nobody else will.

A running daemon sends within a second, so it is left to it. Without one the command tries, for two seconds at most;
what it cannot send waits in the ledger. Nothing heavy is imported before there is something to send and somewhere to.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from thunes_cli.cli.call import Call
from thunes_cli.cli.result import Problem
from thunes_cli.ledger.daemon import read_daemon
from thunes_cli.process import is_alive

if TYPE_CHECKING:
    from thunes_cli.alerts.channels import Channels
    from thunes_cli.alerts.outbox import Courier
    from thunes_cli.audit.journal import Journal

SECONDS = 2.0
_NAMES = ("TELEGRAM_BOT_TOKEN", "NOTIFIERS")


def send_now(call: Call, journal: Journal, *, home: Path) -> tuple[Problem, ...]:
    """Try once to send what waits; a problem when it still does. Never fails: the change stands, the alert waits."""
    try:
        with journal.read() as connection:
            daemon = read_daemon(connection)
            if daemon is not None and is_alive(daemon.process):
                return ()
    except sqlite3.Error:
        return ()
    if not _asked_for(call, home):
        return ()
    return _send(call, journal, home)


def _asked_for(call: Call, home: Path) -> bool:
    """Whether somebody set up a channel, as far as can be told without reading the settings properly."""
    if any(call.environ.get(name) for name in _NAMES):
        return True
    try:
        text = (call.env_file or home / ".env").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(line.lstrip().removeprefix("export ").startswith(_NAMES) for line in text.splitlines())


def _send(call: Call, journal: Journal, home: Path) -> tuple[Problem, ...]:
    import time

    began = time.monotonic()
    from thunes_cli.alerts.handing import hand_over
    from thunes_cli.errors import ThunesError
    from thunes_cli.ledger.alert_delivery import read_holds

    try:
        channels = channels_of(call, home, timeout_s=SECONDS - 0.5)
        couriers = couriers_of(call, journal, channels)
        in_time = hand_over(journal, couriers, seconds=max(SECONDS - (time.monotonic() - began), 0.5))
        with journal.read() as connection:
            failing = [hold for hold in read_holds(connection) if hold.channel in {each.channel for each in couriers}]
    except (ThunesError, sqlite3.Error) as error:
        return (_waits(getattr(error, "message", str(error))),)
    if not in_time:
        return (_waits(f"no answer within {SECONDS:g} s"),)
    return (_waits(failing[0].problem),) if failing else ()


def _waits(why: str) -> Problem:
    return Problem(
        "alert_not_delivered", f"done, but the alert could not be sent yet: {why}; it waits", "thunes alerts retry"
    )


def channels_of(call: Call, home: Path, *, timeout_s: float) -> Channels:
    """The channels of the home's settings, however bad the rest of them is.

    Raises:
        SettingsInvalid: the exchange's address is wrong (78). Unavailable and its kin: a source cannot be read.
    """
    from thunes_cli.alerts.channels import open_channels
    from thunes_cli.config.load import load_settings

    return open_channels(
        load_settings(home, call.environ, env_file=call.env_file, relaxed=True).settings, timeout_s=timeout_s
    )


def couriers_of(call: Call, journal: Journal, channels: Channels) -> list[Courier]:
    """Who delivers on these channels; the trail's checkpoint goes with what matters most."""
    import logging

    from thunes_cli.alerts.outbox import Courier
    from thunes_cli.alerts.witness import anchor_of

    logging.getLogger("thunes_cli.alerts").addHandler(logging.NullHandler())  # the answer says it; a command has no log
    anchor = anchor_of(journal, call.credentials)
    return [Courier(journal, notifier, anchor=anchor, redact=channels.redact) for notifier in channels.notifiers]
