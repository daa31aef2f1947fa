"""``thunes keys rotate``: another API key in the old one's place, while the bot trades."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.reading import read_book, typed
from thunes_cli.cli.result import Problem, Result
from thunes_cli.errors import ExitCode, ThunesError, UsageFault

if TYPE_CHECKING:
    from thunes_cli.cli.asking import Asked
    from thunes_cli.cli.reading import Book
    from thunes_cli.config.credentials import Credentials
    from thunes_cli.exchange.key_answers import OldKeyFacts
    from thunes_cli.ledger.api_keys import NewKey
    from thunes_cli.ledger.identity import Identity
    from thunes_cli.ops.rotating import Place, Rotation
    from thunes_cli.ops.rotation_failures import DaemonRefuses

_WAIT_S = 30.0
_POLL_S = 0.1
_NOT_YET = "does not use it yet"
_REFUSALS = frozenset({ExitCode.AUTH, ExitCode.CONFIG})  # what a daemon says of a key that waiting does not mend


@command(
    examples=(
        'thunes keys rotate --reason "90 days"',
        'thunes keys rotate --from-file ~/new-key --reason "90 days" --confirm "rotate live"',
        'thunes keys rotate --generated --reason "no HMAC any more"',
        "thunes keys rotate --confirm-old-deleted",
        'thunes keys rotate --confirm-old-deleted --confirm "deleted live"',
    ),
    exits=(
        (0, "the new key is in use, by the daemon too; or the old one is taken for deleted"),
        (3, "the old key is alive: delete it at the exchange"),
        *(5, 6),
        (7, "--confirm is needed: the exchange's refusal alone does not prove that the old key is deleted"),
        10,
        (11, "another rotation goes on"),
        (12, "the new key does not work, or may do too much, or the daemon refuses it; the old one stays"),
        (13, "the exchange or the place of the key cannot be reached; the old key stays, unless the message doubts it"),
        (14, "no answer in time; the old key stays"),
        (15, "the new key is in use, but the running daemon does not use it yet, or something else is unfinished"),
        (78, "another account's key, or one that no command can change; the old one stays"),
    ),
)
def keys_rotate(
    call: Call,
    *,
    from_file: Annotated[
        Path | None,
        typer.Option("--from-file", metavar="FILE", help="The new key and its secret, a line each; - is stdin."),
    ] = None,
    private_key: Annotated[
        Path | None,
        typer.Option("--private-key", metavar="FILE", help="An Ed25519 private key signs, instead of a secret."),
    ] = None,
    generated: Annotated[
        bool, typer.Option("--generated", help="The private key that `keys generate` made last signs.")
    ] = False,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; it goes to the trail.")] = None,
    old_deleted: Annotated[
        bool, typer.Option("--confirm-old-deleted", help="You deleted the key before: check that, and forget it.")
    ] = False,
    phrase: Annotated[
        str | None,
        typer.Option("--confirm", metavar="PHRASE", help='"rotate live"; for an old key, "deleted live".'),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Put another API key in the old one's place.

    The new key is asked for without showing it, or read from a file or stdin; never from the command line. It is proven
    on the exchange before anything changes, written to where the old one lives, read back and proven again; whatever
    fails, the old key is put back. A running daemon takes it between two steps; if it refuses it, the old one is put
    back too. Afterwards delete the old key at the exchange, then `thunes keys rotate --confirm-old-deleted`: a key that
    the exchange still knows is told. It refuses a key that is bound to another address as it refuses a deleted one: of
    a key that was not good from here before, or may be in other hands, you are asked whether you saw it gone.
    """
    from thunes_cli.cli.asking import asking
    from thunes_cli.cli.key_place import place_in_use
    from thunes_cli.cli.keys_old import confirm_old_deleted
    from thunes_cli.cli.new_key import read_new_key, signer_of

    # Before the settings: a rotation that ends in between is noticed by its number.
    identity, after = read_book(call, _read)
    if old_deleted:
        with asking(call, identity) as asked:
            return confirm_old_deleted(call, asked, phrase=phrase, dry_run=dry_run)
    why = _reason(reason)
    signer = signer_of(call, private_key, generated=generated)
    with asking(call, identity) as asked:
        place = place_in_use(call, asked)
        if dry_run:
            return _plan(asked, place, identity)
        new = read_new_key(call, from_file, signer)
        if new.api_key == asked.key.api_key:
            raise UsageFault("that is the key in use", hint="make a new one at the exchange")
        question = f"the API key {asked.key.api_key.fingerprint()} in {place.source.name} is replaced"
        call.confirm_phrase(question, phrase=f"rotate {identity.environment}", given=phrase)
        return _rotate(call, asked, place, new, why=why, after=after)


def _read(book: Book) -> tuple[Identity, int | None]:
    from thunes_cli.ledger.api_keys import last_rotation

    last = last_rotation(book.connection)
    return book.identity, None if last is None else last.id


def _rotate(call: Call, asked: Asked, place: Place, new: Credentials, *, why: str, after: int | None) -> Result:
    from thunes_cli.cli.actor import read_actor
    from thunes_cli.config.load import load_settings
    from thunes_cli.config.private_file import remove_drafts
    from thunes_cli.exchange.key_answers import facts_of_old
    from thunes_cli.ops.rotating import Rotation, prove
    from thunes_cli.ops.rotation_failures import OldKeyStays

    accepted = asked.settings.accept_key_that_may_withdraw
    actor = read_actor(call)
    old = asked.key.api_key.fingerprint()

    def check(found: Credentials) -> None:
        prove(asked.exchange, found, journal=asked.journal, withdrawals_accepted=accepted)

    remove_drafts(call.home)
    try:
        check(new)
    except ThunesError as error:
        raise OldKeyStays(error, old, what="the new key was not taken: ") from error
    of_old = facts_of_old(asked.exchange, asked.key)
    rotation = Rotation(
        asked.journal,
        place,
        old=asked.key,
        new=new,
        reload=lambda: load_settings(call.home, call.environ, env_file=call.env_file).settings,
    )
    rotation.begin(reason=why, actor=actor.name, facts=actor.facts, after=after, of_old=of_old)
    facts = rotation.write(check)
    said = _await_daemon(call, asked, rotation.id, facts.fingerprint)
    if said.refused is not None and of_old.accepted is not False:
        raise rotation.take_back(said.refused)
    return _rotated(call, rotation, facts, said, of_old=of_old)


def _rotated(call: Call, rotation: Rotation, facts: NewKey, said: _DaemonSaid, *, of_old: OldKeyFacts) -> Result:
    old = rotation.old_fingerprint
    do = f"delete {old} at the exchange"
    if of_old.accepted is False:
        do = f"see at the exchange that {old}, which it refuses already, is deleted"
    last = f"Next: {do}, then {typed(call, 'keys rotate --confirm-old-deleted')}"
    return Result(
        data={
            "rotation": rotation.id,
            "old_fingerprint": old,
            "new_fingerprint": facts.fingerprint,
            "kind": facts.kind,
            "source": facts.source,
            "daemon": said.word,
            "old_dead": False,
            "evidence": None,
        },
        text=(
            f"key {facts.fingerprint} is in use in place of {old}, in {facts.source}; daemon: {said.word}",
            *((last,) if said.problem is None else ()),
        ),
        changed=True,
        exit_code=ExitCode.OK if said.problem is None else ExitCode.PARTIAL,
        problems=() if said.problem is None else (said.problem,),
    )


class _DaemonSaid(NamedTuple):
    """What a running daemon says of the new key. ``refused``: it cannot use it, and will not by waiting.

    ``final``: waiting changes nothing any more.
    """

    word: str
    problem: Problem | None = None
    refused: DaemonRefuses | None = None
    final: bool = True


def _await_daemon(call: Call, asked: Asked, rotation: int, fingerprint: str) -> _DaemonSaid:
    """Wait for a running daemon to sign with the new key; it looks between two steps. Ctrl-C ends the waiting alone."""
    said = _DaemonSaid("has not said", _keeps(call, fingerprint, "the daemon was not waited for"), final=False)
    try:
        from thunes_cli.cli.progress import Waiting

        ends = time.monotonic() + _WAIT_S
        with Waiting(call.streams, "written; the daemon is to take it:") as waiting:
            while True:
                said = _ask_daemon(call, asked, rotation, fingerprint)
                if said.final or time.monotonic() >= ends:
                    return said
                waiting.tick()
                time.sleep(_POLL_S)
    except KeyboardInterrupt:
        return said


def _ask_daemon(call: Call, asked: Asked, rotation: int, fingerprint: str) -> _DaemonSaid:
    from thunes_cli.daemon.lock import read_holder
    from thunes_cli.ledger.api_keys import last_rotation
    from thunes_cli.ledger.known import KEY, read_known
    from thunes_cli.ops.rotation_failures import DaemonRefuses

    holder = read_holder(call.home)
    if holder is None:
        return _DaemonSaid("not running")
    with asked.journal.read() as connection:
        known, row = read_known(connection, KEY), last_rotation(connection)
    signs = None if known is None else known[0].get("fingerprint")
    if signs == fingerprint:
        return _DaemonSaid("took it")
    keeps = f"the daemon (pid {holder.process.pid}) goes on with {signs or 'the key it has'}"
    if row is None or row.id != rotation or not row.daemon_problem:
        told = f"{keeps} as far as it said, and has not answered yet"
        return _DaemonSaid("has not said", _keeps(call, fingerprint, told), final=False)
    trouble, code = row.daemon_problem, row.daemon_code
    if code in _REFUSALS:
        told = f"{keeps}, for it refuses the new one: {trouble}"
        return _DaemonSaid(_NOT_YET, _keeps(call, fingerprint, told), DaemonRefuses(trouble, ExitCode(code)))
    told = f"{keeps} until it can use it, and tries again: {trouble}"
    return _DaemonSaid(_NOT_YET, _keeps(call, fingerprint, told), final=False)


def _keeps(call: Call, fingerprint: str, what: str) -> Problem:
    hint = f"{typed(call, 'status')}; a restart of the daemon takes the new key as well; delete no key before"
    return Problem("daemon_keeps_key", f"the new key {fingerprint} is written and good; {what}", hint)


def _plan(asked: Asked, place: Place, identity: Identity) -> Result:
    where = place.source.name
    plan = [
        "read the new key, and prove it: it works, for the same account, and may do nothing worse than trade",
        f"write it to {where} in place of {asked.key.api_key.fingerprint()}, read it back and prove it again",
        "let a running daemon take it between two steps",
    ]
    return Result(data={"plan": plan}, text=(*plan, f'it needs --confirm "rotate {identity.environment}"'))


def _reason(reason: str | None) -> str:
    from thunes_cli.cli.writing import reason_given

    if reason is None:
        raise UsageFault("--reason is missing", hint='say why, it goes to the trail: --reason "..."')
    return reason_given(reason)
