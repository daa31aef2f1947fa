"""Where a command sits that talks to the exchange and changes the ledger, beside a running daemon or without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thunes_cli.cli.call import Call

if TYPE_CHECKING:
    from thunes_cli.audit.journal import Journal
    from thunes_cli.config.settings import Settings
    from thunes_cli.daemon.assembly import TradingRoom
    from thunes_cli.daemon.lock import Holder
    from thunes_cli.ledger.identity import Identity


@dataclass(frozen=True, slots=True)
class Desk:
    """A home, its exchange and everything that trades in it; ``daemon`` is who holds the home's lock, if anybody."""

    journal: Journal
    room: TradingRoom
    settings: Settings
    identity: Identity
    daemon: Holder | None


@contextmanager
def at_desk(call: Call) -> Iterator[Desk]:
    """Open the home and reach its exchange while the block runs.

    Bad settings are replaced by safe ones when something is held, as for a daemon's start.

    Raises:
        NotFound: no such home (10). SettingsInvalid, OtherEnvironment, no usable key (78).
        ExchangeFailure: the exchange's clock cannot be read (13; a rejected key 12).
    """
    from thunes_cli.audit.journal import Journal
    from thunes_cli.cli.alerting import send_now
    from thunes_cli.cli.exchange_link import link_to
    from thunes_cli.cli.starting import settings_to_start_with
    from thunes_cli.clock import Clock
    from thunes_cli.config.home import LEDGER, TRAIL
    from thunes_cli.daemon.assembly import assemble, require_environment
    from thunes_cli.daemon.lock import ONCE, read_holder
    from thunes_cli.daemon.start import read_clock, stand_still
    from thunes_cli.exchange.clock_sync import read_anchor
    from thunes_cli.ledger.alerts import last_alert_id
    from thunes_cli.ledger.connection import Ledger
    from thunes_cli.ledger.identity import read_identity
    from thunes_cli.process import this_process

    configured = settings_to_start_with(call, speed=None)
    with closing(Ledger(configured.home / LEDGER)) as ledger:
        with ledger.read() as connection:
            identity, told = read_identity(connection), last_alert_id(connection)
        require_environment(identity.environment, configured.settings.environment)
        holder = read_holder(configured.home)
        if holder is not None and holder.process == this_process():
            holder = None
        daemon = None if holder is None or holder.command == ONCE else holder
        with link_to(configured, speed=None) as link:
            journal = Journal(ledger, configured.home / TRAIL, Clock(identity.anchor))
            room = assemble(journal, configured, link, wait=lambda _: False)
            if holder is None:
                read_clock(room, link)
            else:  # the anchor on the ledger is the daemon's business
                journal.clock.set_anchor(
                    read_anchor(room.exchange, journal.clock, speed=journal.clock.speed, samples=1)
                )
            try:
                yield Desk(journal, room, configured.settings, identity, daemon)
            finally:
                if holder is None and link.ends_with_us():
                    stand_still(journal)
                with journal.read() as connection:
                    raised = last_alert_id(connection) > told
                if raised:
                    send_now(call, journal, home=configured.home)  # what it cannot send waits: thunes alerts list
