"""``thunes keys rotate --confirm-old-deleted``: the operator saw the old key gone, and the exchange refuses it.

The option is the operator's word. It is enough for a key that this very address could use when it was replaced and
cannot any more; where a refusal says less than that, or the key may be in other hands, the word is asked for in full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thunes_cli.cli.call import Call
from thunes_cli.cli.figures import moment
from thunes_cli.cli.reading import typed
from thunes_cli.cli.result import Problem, Result
from thunes_cli.errors import ExitCode, NeedsConfirmation, NotFound

if TYPE_CHECKING:
    from thunes_cli.cli.asking import Asked
    from thunes_cli.exchange.key_answers import Refusal
    from thunes_cli.ops.old_key import OldKey
    from thunes_cli.ops.rotating import Place

_OPTION = "--confirm-old-deleted"
COMMAND = f"keys rotate {_OPTION}"


class OldKeyRefused(NeedsConfirmation):
    """whether the old key {0} is deleted takes your word: {1}"""

    code = "old_key_refused"


def confirm_old_deleted(call: Call, asked: Asked, *, phrase: str | None, dry_run: bool = False) -> Result:
    """Ask the exchange with the old key; refused, take the operator's word for it that it is deleted.

    Raises:
        NotFound: there is no old key (10). AnswerUnclear and its kin: the exchange does not say (13, 14).
        OldKeyRefused, WrongPhrase: the operator's word is missing (7). Cancelled: it was not given (6).
    """
    from thunes_cli.cli.actor import read_actor
    from thunes_cli.exchange.key_answers import refusal_of
    from thunes_cli.ops.old_key import bury, old_key_of

    place = _place(call, asked)
    with asked.journal.read() as connection:
        old = old_key_of(connection, None if place is None else asked.settings.value(place.old_key_setting))
    if old is None:
        return _nothing_left(call, asked)
    data = _data(asked, old.fingerprint)
    refusal = None
    if old.name is not None:
        refusal = refusal_of(asked.exchange, old.name)
        if refusal is None:
            return _alive(call, old, data)
    if dry_run:
        plan = f"with your word for it, write down that the old key {old.fingerprint} is deleted, and forget its name"
        return Result(data={"plan": [plan]}, text=(*_answer(old, refusal), plan))
    word = _word_of_operator(call, asked, old, refusal, phrase)
    actor = read_actor(call)
    changed = bury(asked.journal, place, old, refusal=refusal, word=word, actor=actor.name, about_actor=actor.facts)
    said = "it could not be asked for any more" if refusal is None else "the exchange refuses it from this address"
    if old.facts.accepted:
        said += ", from which it was good when it was replaced"
    evidence = {
        "business_code": None if refusal is None else refusal.code,
        "http_status": None if refusal is None else refusal.http_status,
        "answer": None if refusal is None else refusal.message,
        "word": word,
        "actor": actor.name,
    }
    return Result(
        data=data | {"old_dead": True, "evidence": evidence},
        text=(f"the old key {old.fingerprint} is taken for deleted, by your word; {said}",),
        changed=changed,
    )


def _place(call: Call, asked: Asked) -> Place | None:
    """Where the old key's name may be kept; None: in a place that no rotation ever wrote to."""
    from thunes_cli.cli.key_place import place_in_use
    from thunes_cli.config.source import SourceFixed

    try:
        return place_in_use(call, asked)
    except SourceFixed:
        return None


def _data(asked: Asked, old: str) -> dict[str, Any]:
    return {
        "rotation": None,
        "old_fingerprint": old,
        "new_fingerprint": asked.key.api_key.fingerprint(),
        "kind": asked.key.kind,
        "source": asked.key.source,
        "daemon": None,
    }


def _alive(call: Call, old: OldKey, data: dict[str, Any]) -> Result:
    message = f"the old key {old.fingerprint} is alive: the exchange knows it"
    hint = f"delete it on the exchange's own pages, then repeat: {typed(call, COMMAND)}"
    problem = Problem("old_key_alive", message, hint)
    return Result(data=data | {"old_dead": False, "evidence": None}, exit_code=ExitCode.ATTENTION, problems=(problem,))


def _nothing_left(call: Call, asked: Asked) -> Result:
    """Said already: 0, and nothing changes. Raises: NotFound, when no key was ever replaced here (10)."""
    from thunes_cli.ledger.api_keys import read_keys

    with asked.journal.read() as connection:
        dead = [key for key in read_keys(connection) if key.retired_at is not None and key.dead_at is not None]
    if not dead:
        raise NotFound("there is no old key: none was ever replaced here", hint=typed(call, "keys history"))
    last = max(dead, key=lambda key: key.dead_at or key.first_seen)
    assert last.dead_at is not None
    text = f"the old key {last.fingerprint} is taken for deleted already, since {moment(last.dead_at)}"
    return Result(data=_data(asked, last.fingerprint) | {"old_dead": True, "evidence": None}, text=(text,))


def _word_of_operator(call: Call, asked: Asked, old: OldKey, refusal: Refusal | None, phrase: str | None) -> str:
    """What the operator said: that the key is gone from the exchange's own page."""
    if phrase is None and refusal is not None and _was_good_from_here(old):
        return _OPTION
    word = f"deleted {asked.settings.environment}"
    answer = _answer(old, refusal)
    if phrase is None and not call.streams.can_prompt:
        command = typed(call, f'{COMMAND} --confirm "{word}"')
        raise OldKeyRefused(
            old.fingerprint, " ".join(answer), hint=f"see on the exchange's own page that it is gone, then: {command}"
        )
    first = f"The old key {old.fingerprint}: {answer[0]}"
    question = "\n".join(
        (first, *answer[1:], "Look at the exchange's own page (API management) now: is it gone there?")
    )
    call.confirm_phrase(question, phrase=word, given=phrase)
    return word


def _was_good_from_here(old: OldKey) -> bool:
    """Whether a refusal means that somebody changed the key since it was replaced, and nothing hangs on who."""
    return old.facts.accepted is True and (old.row is None or old.row.compromised_at is None)


def _answer(old: OldKey, refusal: Refusal | None) -> tuple[str, ...]:
    from thunes_cli.exchange.key_answers import BOUND_OR_DELETED

    if refusal is None:
        return ("what the exchange calls it is not kept here, so it cannot be asked.",)
    alike = "a key that is bound to another address is refused in the same words"
    if refusal.code != BOUND_OR_DELETED:
        alike = "living keys have been seen to be refused like this"
    lines = [
        f"the exchange refuses it from this address: {refusal.message}.",
        f"That does not prove that it is deleted: {alike}.",
    ]
    accepted, bound = old.facts
    if accepted:
        where = {True: ", bound to addresses", False: ", good from every address", None: ""}[bound]
        lines.append(f"When it was replaced it was accepted from here{where}.")
    elif accepted is False:
        lines.append("It was refused already when it was replaced.")
    if old.row is not None and old.row.compromised_at is not None:
        lines.append("Somebody else may have it: until it is gone, it may be good for them.")
    return tuple(lines)
