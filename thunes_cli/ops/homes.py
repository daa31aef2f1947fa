"""Making a home: directory, settings file, ledger, and the first record of its trail. Whatever is there stays."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from thunes_cli import __version__
from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.audit.key import announce_key, ensure_audit_key
from thunes_cli.clock import Clock
from thunes_cli.config.home import ENV_FILE, LEDGER, TRAIL, check_takeable, check_unlost, create_home, require_home
from thunes_cli.config.private_file import sync_directory, write_private_file
from thunes_cli.errors import HomeMissing, LedgerMissing, OtherEnvironment, Unavailable
from thunes_cli.ledger.connection import Ledger, open_for_reading, open_migrated
from thunes_cli.ledger.identity import EPOCH_LENGTH, INSTANCE_LENGTH, Identity, draw, read_identity
from thunes_cli.ledger.outbox import read_head
from thunes_cli.model import Environment

_HEAD = """\
# Settings of this THUNES home; `thunes config show` lists all of them, and `thunes config check` tries them.
# Only what differs from the defaults needs to be here. It may hold keys: keep it to yourself (chmod 600).
"""
_TAILS = {
    Environment.SIM: "",
    Environment.TESTNET: """\

# The testnet's API key (https://testnet.binance.vision):
# BINANCE_TESTNET_API_KEY=
# BINANCE_TESTNET_API_SECRET=
""",
    Environment.LIVE: """\

# The API key: spot trading and reading allowed, withdrawals not, bound to this machine's address.
# BINANCE_API_KEY=
# BINANCE_API_SECRET=
""",
}


@dataclass(frozen=True, slots=True)
class Made:
    """A home and what was done for it; nothing when it was complete already."""

    identity: Identity
    steps: tuple[str, ...]


def settings_text(environment: Environment) -> str:
    """What a new home's ``.env`` says."""
    return f"{_HEAD}ENVIRONMENT={environment}\n{_TAILS[environment]}"


def existing_home(home: Path) -> Identity | None:
    """Whose home it is, or None while there is no ledger. Touches nothing unless an older ledger is to be migrated.

    Raises:
        HomeNotOurs: it belongs to another user (10).
        LedgerCorrupt, LedgerTooNew, Unavailable: as the ledger's own.
    """
    path = home / LEDGER
    try:
        require_home(home)
    except (HomeMissing, LedgerMissing):
        return None
    connection = open_migrated(path)
    try:
        return read_identity(connection)
    finally:
        connection.close()


def plan_home(home: Path, *, write_settings: bool) -> tuple[str, ...]:
    """What :func:`make_home` would do, in its order; nothing for a home that is complete.

    Raises:
        HomeInUse, HomeNotOurs: the directory cannot be taken.
    """
    check_takeable(home)
    check_unlost(home)
    steps = []
    if not home.is_dir():
        steps.append(f"create the directory {home}")
    if existing_home(home) is None:
        if write_settings and not (home / ENV_FILE).exists():
            steps.append(f"write {ENV_FILE}")
        steps.append(f"create the ledger {LEDGER}")
    if not _trail_begun(home):
        steps.append(f"begin the trail {TRAIL}")
    return tuple(steps)


def make_home(home: Path, *, environment: Environment, clock: Clock, write_settings: bool = True) -> Made:
    """Create what the home lacks, in an order in which a crash leaves nothing that a second run would not finish.

    Args:
        home: the directory.
        environment: of a new home; an existing one must be of the same.
        clock: for the ledger's first anchor and the trail's first record.
        write_settings: whether the home's own ``.env`` is read at all; an existing one is never touched.

    Raises:
        HomeInUse, HomeNotOurs: the directory cannot be taken. OtherEnvironment: it is another environment's home.
        Unavailable: it could not be written (13).
    """
    steps = plan_home(home, write_settings=write_settings)
    if steps:
        create_home(home)
        try:
            with _alone_in(home):
                _make_members(home, environment, clock, write_settings=write_settings)
        except OSError as error:
            raise Unavailable(f"the home {home} could not be written: {error.strerror or error}") from error
    identity = existing_home(home)
    assert identity is not None
    if identity.environment is not environment:
        raise OtherEnvironment(identity.environment, environment)
    return Made(identity, steps)


@contextmanager
def _alone_in(home: Path) -> Iterator[None]:
    """Two ``init`` at once: the second finds the first one's home."""
    descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_members(home: Path, environment: Environment, clock: Clock, *, write_settings: bool) -> None:
    if not (home / LEDGER).exists():
        from thunes_cli.ledger.schema import create_ledger  # noqa: PLC0415 - sqlite_utils costs 0.2 s, needed once

        if write_settings and not (home / ENV_FILE).exists():
            write_private_file(home / ENV_FILE, settings_text(environment))
        create_ledger(
            home / LEDGER,
            environment=environment,
            instance=draw(INSTANCE_LENGTH),
            epoch=draw(EPOCH_LENGTH),
            wall=clock.wall(),
        )
        sync_directory(home)
    if not _trail_begun(home):
        _begin_trail(home, clock)


def _trail_begun(home: Path) -> bool:
    if not (home / LEDGER).exists():
        return False
    connection = open_for_reading(home / LEDGER)
    try:
        return read_head(connection).seq > 0
    finally:
        connection.close()


def _begin_trail(home: Path, clock: Clock) -> None:
    journal = Journal(Ledger(home / LEDGER), home / TRAIL, clock)
    try:
        with journal.change() as change:
            if read_head(change.connection).seq == 0:
                identity = read_identity(change.connection)
                change.record(
                    Event.HOME_CREATED,
                    environment=identity.environment,
                    instance=identity.instance,
                    epoch=identity.epoch,
                    uid=os.getuid(),
                    thunes=__version__,
                )
                announce_key(change, ensure_audit_key(home, instance=identity.instance))
    finally:
        journal.close()
