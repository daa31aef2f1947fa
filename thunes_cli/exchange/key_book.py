"""Which key is in use, on the ledger and the trail: by fingerprint, never more.

The fingerprint that is found where the key lives is the truth. Whoever starts, or finds a rotation whose process is
gone, compares it with what the ledger supposes and ends what was left open.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import TYPE_CHECKING

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.ledger import api_keys
from thunes_cli.ledger.api_keys import KeyRow, NewKey, RotationRow
from thunes_cli.process import is_alive, this_process

if TYPE_CHECKING:
    from thunes_cli.config.credentials import Credentials

FOUND_CHANGED = "found changed outside of thunes keys rotate"
_ARMOUR = re.compile(r"-----[^-]*-----|\s")


def key_facts(credentials: Credentials, *, created_at: datetime | None = None) -> NewKey:
    """What the ledger may know of a key."""
    return NewKey(
        fingerprint=credentials.api_key.fingerprint(),
        signer=signer_fingerprint(credentials),
        kind=credentials.kind,
        source=credentials.source,
        created_at=created_at,
    )


def signer_fingerprint(credentials: Credentials) -> str | None:
    """The fingerprint of what signs, the armour of a private key left away; None when its file cannot be read."""
    if credentials.api_secret is not None:
        return credentials.api_secret.fingerprint()
    if credentials.private_key is not None:
        text = credentials.private_key.reveal()
    else:
        assert credentials.private_key_file is not None
        try:
            text = credentials.private_key_file.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return None
    return hashlib.sha256(_ARMOUR.sub("", text).encode()).hexdigest()[:12]


def settle(change: Change, key: NewKey, *, by: str) -> bool:
    """Make the ledger agree with the key that was found where it lives; True when something changed.

    Args:
        change: the transaction.
        key: found there, and accepted by the exchange.
        by: who found it (``start``, ``daemon``, ``keys``).
    """
    connection = change.connection
    rotation, current = api_keys.last_rotation(connection), api_keys.current_key(connection)
    if rotation is not None and rotation.state == api_keys.STARTED:
        if is_alive(rotation.owner) and rotation.owner != this_process():
            return False  # it is being worked on
        return _end_interrupted(change, rotation, key, by=by)
    if current is not None and current.fingerprint == key.fingerprint:
        api_keys.note_facts(connection, key)
        return False
    if current is None:
        api_keys.put_in_use(connection, key, at=change.at)
        change.record(Event.KEY_IN_USE, fingerprint=key.fingerprint, kind=key.kind, source=key.source, by=by)
        return True
    _note_outside(change, current, key, by=by)
    return True


def _end_interrupted(change: Change, rotation: RotationRow, key: NewKey, *, by: str) -> bool:
    if key.fingerprint == rotation.new_fingerprint:
        complete(change, rotation.id, key, old=rotation.old_fingerprint, by=by)
    elif key.fingerprint == rotation.old_fingerprint:
        why = rotation.problem or "interrupted before the new key was written"
        roll_back(change, rotation.id, key, new=rotation.new_fingerprint, why=why, by=by)
    else:
        roll_back(change, rotation.id, None, new=rotation.new_fingerprint, why="another key was put there", by=by)
        return settle(change, key, by=by)
    return True


def complete(change: Change, rotation: int, key: NewKey, *, old: str | None, by: str) -> None:
    """The new key is written: it is the key from now on."""
    api_keys.put_in_use(change.connection, key, at=change.at)
    api_keys.end_rotation(change.connection, rotation, api_keys.DONE, at=change.at)
    change.record(
        Event.KEY_ROTATED,
        rotation=rotation,
        old_fingerprint=old,
        new_fingerprint=key.fingerprint,
        kind=key.kind,
        source=key.source,
        by=by,
    )


def roll_back(change: Change, rotation: int, old: NewKey | None, *, new: str, why: str, by: str) -> None:
    """The key before is where it was; None: it is not this rotation's business any more."""
    if old is not None:
        api_keys.put_in_use(change.connection, old, at=change.at)
    api_keys.end_rotation(change.connection, rotation, api_keys.ROLLED_BACK, at=change.at, problem=why)
    change.record(
        Event.KEY_ROTATION_ROLLED_BACK,
        rotation=rotation,
        old_fingerprint=old.fingerprint if old is not None else None,
        new_fingerprint=new,
        why=why,
        by=by,
    )


def _note_outside(change: Change, current: KeyRow, key: NewKey, *, by: str) -> None:
    api_keys.add_rotation(
        change.connection,
        old=current.fingerprint,
        new=key.fingerprint,
        source=key.source,
        reason=FOUND_CHANGED,
        actor="unknown",
        owner=this_process(),
        at=change.at,
        state=api_keys.OUTSIDE,
    )
    api_keys.put_in_use(change.connection, key, at=change.at)
    change.record(
        Event.KEY_CHANGED_OUTSIDE,
        old_fingerprint=current.fingerprint,
        new_fingerprint=key.fingerprint,
        kind=key.kind,
        source=key.source,
        by=by,
    )
