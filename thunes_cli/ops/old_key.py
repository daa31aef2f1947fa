"""The key that was replaced: what is known of it, and writing down that it is deleted.

No answer of the exchange proves that (:mod:`thunes_cli.exchange.key_answers`). What counts is the word of somebody who
saw it gone on the exchange's own page; the exchange's refusal must not contradict it, and both are kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.config.secrets import Secret
from thunes_cli.exchange.key_answers import NOTHING_KNOWN, OldKeyFacts, Refusal
from thunes_cli.ledger import api_keys
from thunes_cli.ledger.api_keys import KeyRow
from thunes_cli.ops.rotating import Place


class OldKey(NamedTuple):
    """The key before. ``name``: what the exchange knows it by, None when nobody here does any more.

    ``row``: the ledger's, if it has one. ``facts``: what the exchange said of it when it was replaced.
    """

    fingerprint: str
    name: Secret | None
    row: KeyRow | None
    facts: OldKeyFacts = NOTHING_KNOWN


def old_key_of(connection: sqlite3.Connection, name: Secret | None) -> OldKey | None:
    """The key that is to be deleted at the exchange; None: there is none, or all are taken for deleted.

    Args:
        connection: to the ledger.
        name: what is kept of the old key where the key in use lives.
    """
    if name is not None:
        fingerprint = name.fingerprint()
        row = next((each for each in api_keys.read_keys(connection) if each.fingerprint == fingerprint), None)
    else:
        row = api_keys.undead_key(connection)
        if row is None:
            return None
        fingerprint = row.fingerprint
    rotation = next(
        (each for each in reversed(api_keys.read_rotations(connection)) if each.old_fingerprint == fingerprint), None
    )
    facts = NOTHING_KNOWN if rotation is None else OldKeyFacts(rotation.old_accepted, rotation.old_bound)
    return OldKey(fingerprint, name, row, facts)


def bury(
    journal: Journal,
    place: Place | None,
    key: OldKey,
    *,
    refusal: Refusal | None,
    word: str,
    actor: str,
    about_actor: Mapping[str, str | int | None],
) -> bool:
    """Write down that the old key is deleted, and forget its name where the settings are; False: that was known.

    Args:
        journal: the ledger and the trail.
        place: where its name is kept, if anywhere.
        key: the key.
        refusal: how the exchange refused it; None: nobody knew its name any more to ask with.
        word: what the operator said.
        actor: who that is, and ``about_actor`` facts about them.
        about_actor: see there.
    """
    answer = None if refusal is None else refusal.message
    with journal.change() as change:
        news = api_keys.mark_dead(change.connection, key.fingerprint, by=actor, answer=answer, at=change.at)
        if news or key.row is None:  # a ledger that was made anew does not know it
            change.record(
                Event.KEY_OLD_DEAD,
                fingerprint=key.fingerprint,
                actor=actor,
                word=word,
                answer=answer,
                business_code=None if refusal is None else refusal.code,
                http_status=None if refusal is None else refusal.http_status,
                old_accepted=key.facts.accepted,
                old_bound=key.facts.bound,
                **about_actor,
            )
    if key.name is not None and place is not None:
        place.source.rewrite({place.old_key_setting: None})
    return news or key.name is not None
