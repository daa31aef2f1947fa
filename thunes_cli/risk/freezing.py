"""Symbols that take no entries until somebody has looked; exits are never asked."""

from __future__ import annotations

from collections.abc import Mapping

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.ledger import controls

CONTROL = "symbol"


def freeze_symbol(
    change: Change, symbol: str, *, reason: str, actor: str, facts: Mapping[str, str | int | None] | None = None
) -> bool:
    """No entries on a symbol from this commit on; False when it is frozen already."""
    if not controls.freeze_symbol(change.connection, symbol, reason=reason, actor=actor, at=change.at):
        return False
    _note_freeze(change, symbol, frozen=True, reason=reason, actor=actor, facts=facts or {})
    return True


def unfreeze_symbol(
    change: Change, symbol: str, *, reason: str, actor: str, facts: Mapping[str, str | int | None] | None = None
) -> bool:
    """Entries on a symbol again; False when it is not frozen."""
    if not controls.unfreeze_symbol(change.connection, symbol):
        return False
    _note_freeze(change, symbol, frozen=False, reason=reason, actor=actor, facts=facts or {})
    return True


def _note_freeze(
    change: Change, symbol: str, *, frozen: bool, reason: str, actor: str, facts: Mapping[str, str | int | None]
) -> None:
    controls.note_transition(
        change.connection,
        CONTROL,
        symbol,
        before="free" if frozen else "frozen",
        after="frozen" if frozen else "free",
        reason=reason,
        actor=actor,
        at=change.at,
        at_wall=change.at_wall,
        facts={key: str(value) for key, value in facts.items() if value is not None},
    )
    event = Event.SYMBOL_FROZEN if frozen else Event.SYMBOL_UNFROZEN
    change.record(event, symbol=symbol, reason=reason, actor=actor, **facts)
