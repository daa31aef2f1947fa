"""``thunes keys rotate``: another API key in the old one's place, while the bot trades."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.reading import read_book, typed
from thunes_cli.cli.result import Problem, Result
from thunes_cli.errors import Cancelled, ConfigError, ExitCode, NotFound, Unavailable, UsageFault

if TYPE_CHECKING:
    from thunes_cli.cli.asking import Asked
    from thunes_cli.config.credentials import Credentials
    from thunes_cli.ledger.identity import Identity
    from thunes_cli.ops.rotating import Place

_WAIT_S = 30.0
_POLL_S = 0.1
_MOST_BYTES = 64 * 1024
_STDIN = Path("-")


@command(
    examples=(
        'thunes keys rotate --reason "90 days"',
        'thunes keys rotate --from-file ~/new-key --reason "90 days" --confirm "rotate live"',
        'thunes keys rotate --generated --reason "no HMAC any more"',
        "thunes keys rotate --confirm-old-deleted",
    ),
    exits=(
        (0, "the new key is in use, by the daemon too; or the old one is proven dead"),
        (3, "the old key is not dead yet: delete it at the exchange"),
        *(5, 6, 7, 10),
        (11, "another rotation goes on"),
        (12, "the new key does not work, or may do too much; the old one stays"),
        (13, "the exchange or the place of the key cannot be reached; the old key stays"),
        (14, "no answer in time; the old key stays"),
        (15, "the new key is in use, but the running daemon does not use it yet"),
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
    confirm_old_deleted: Annotated[
        bool, typer.Option("--confirm-old-deleted", help="Prove that the key before is dead, and forget it.")
    ] = False,
    phrase: Annotated[
        str | None, typer.Option("--confirm", metavar="PHRASE", help='"rotate ENVIRONMENT", as in "rotate live".')
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Put another API key in the old one's place.

    The new key is asked for without showing it, or read from a file or stdin; never from the command line. It is proven
    on the exchange before anything changes, written to where the old one lives, read back and proven again; whatever
    fails, the old key stays. A running daemon takes it between two steps. Afterwards delete the old key at the
    exchange, then prove that: `thunes keys rotate --confirm-old-deleted`.
    """
    from thunes_cli.cli.asking import asking

    identity = read_book(call, lambda book: book.identity)
    if confirm_old_deleted:
        with asking(call, identity) as asked:
            return _confirm_dead(call, asked)
    why = _reason(reason)
    signer = _signer(call, private_key, generated=generated)
    with asking(call, identity) as asked:
        place = _place(call, asked)
        if dry_run:
            return _plan(asked, place, identity)
        new = _read_new(call, from_file, signer)
        if new.api_key == asked.key.api_key:
            raise UsageFault("that is the key in use", hint="make a new one at the exchange")
        question = f"the API key {asked.key.api_key.fingerprint()} in {place.source.name} is replaced"
        call.confirm_phrase(question, phrase=f"rotate {identity.environment}", given=phrase)
        return _rotate(call, asked, place, new, why)


def _rotate(call: Call, asked: Asked, place: Place, new: Credentials, why: str) -> Result:
    from thunes_cli.cli.actor import read_actor
    from thunes_cli.config.load import load_settings
    from thunes_cli.ops.rotating import Rotation, prove

    accepted = asked.settings.accept_key_that_may_withdraw
    actor = read_actor(call)

    def check(found: Credentials) -> None:
        prove(asked.exchange, found, journal=asked.journal, withdrawals_accepted=accepted)

    check(new)
    rotation = Rotation(asked.journal, place, old=asked.key, new=new)
    rotation.begin(reason=why, actor=actor.name, facts=actor.facts)
    facts = rotation.write(lambda: load_settings(call.home, call.environ, env_file=call.env_file).settings, check)
    daemon, problem = _daemon(call, asked, rotation.id, facts.fingerprint)
    old = asked.key.api_key.fingerprint()
    last = f"Next: delete {old} at the exchange, then {typed(call, 'keys rotate --confirm-old-deleted')}"
    return Result(
        data={
            "rotation": rotation.id,
            "old_fingerprint": old,
            "new_fingerprint": facts.fingerprint,
            "kind": facts.kind,
            "source": facts.source,
            "daemon": daemon,
            "old_dead": False,
        },
        text=(f"key {facts.fingerprint} is in use in place of {old}, in {facts.source}; daemon: {daemon}", last),
        changed=True,
        exit_code=ExitCode.OK if problem is None else ExitCode.PARTIAL,
        problems=() if problem is None else (problem,),
    )


def _daemon(call: Call, asked: Asked, rotation: int, fingerprint: str) -> tuple[str, Problem | None]:
    """Wait for a running daemon to sign with the new key; it looks between two steps."""
    from thunes_cli.daemon.lock import read_holder
    from thunes_cli.ledger.api_keys import last_rotation
    from thunes_cli.ledger.known import KEY, read_known

    ends = time.monotonic() + _WAIT_S
    hint = f"{typed(call, 'status')}; a restart of the daemon takes the new key as well"
    while read_holder(call.home) is not None:
        with asked.journal.read() as connection:
            known, row = read_known(connection, KEY), last_rotation(connection)
        if known is not None and known[0].get("fingerprint") == fingerprint:
            return "took it", None
        if row is not None and row.id == rotation and row.daemon_problem:
            message = f"the daemon does not use the new key yet: {row.daemon_problem}"
            return "does not use it yet", Problem("daemon_keeps_key", message, hint)
        if time.monotonic() > ends:
            return "has not said", Problem("daemon_keeps_key", "the daemon has not said that it uses the new key", hint)
        time.sleep(_POLL_S)
    return "not running", None


def _plan(asked: Asked, place: Place, identity: Identity) -> Result:
    where = place.source.name
    plan = [
        "read the new key, and prove it: it works, for the same account, and may do nothing worse than trade",
        f"write it to {where} in place of {asked.key.api_key.fingerprint()}, read it back and prove it again",
        "let a running daemon take it between two steps",
    ]
    return Result(data={"plan": plan}, text=(*plan, f'it needs --confirm "rotate {identity.environment}"'))


def _confirm_dead(call: Call, asked: Asked) -> Result:
    from thunes_cli.cli.actor import read_actor
    from thunes_cli.ops.rotating import bury, is_dead

    place = _place(call, asked)
    old = asked.settings.value(f"{place.prefix}OLD_API_KEY")
    if old is None:
        raise NotFound(
            f"no old key is kept in {place.source.name}: there was no rotation, or its old key is proven dead",
            hint=typed(call, "keys history"),
        )
    data = {
        "rotation": None,
        "old_fingerprint": old.fingerprint(),
        "new_fingerprint": asked.key.api_key.fingerprint(),
        "kind": asked.key.kind,
        "source": asked.key.source,
        "daemon": None,
    }
    if not is_dead(asked.exchange, old):
        message = f"the exchange still knows the old key {old.fingerprint()}"
        hint = "delete it on the exchange's own pages, then repeat this"
        problem = Problem("old_key_alive", message, hint)
        return Result(data=data | {"old_dead": False}, exit_code=ExitCode.ATTENTION, problems=(problem,))
    changed = bury(asked.journal, place, old, actor=read_actor(call).name)
    text = f"the old key {old.fingerprint()} is dead; the exchange does not know it any more"
    return Result(data=data | {"old_dead": True}, text=(text,), changed=changed)


def _place(call: Call, asked: Asked) -> Place:
    from thunes_cli.config.layer import Place as Where
    from thunes_cli.config.settings import NAMES
    from thunes_cli.config.source import SourceFixed
    from thunes_cli.config.sources import sources_of
    from thunes_cli.config.systemd_credentials import SystemdCredentials
    from thunes_cli.ops.rotating import place_of

    place = place_of(asked.settings, asked.key, sources_of(Where(call.environ, call.home, call.env_file), NAMES))
    if isinstance(place.source, SystemdCredentials) or place.source.name == "environment":
        place.source.rewrite({f"{place.prefix}API_KEY": None})  # refuses, and says what to do
        raise SourceFixed(f"the API key comes from {place.source.name}")
    return place


def _reason(reason: str | None) -> str:
    from thunes_cli.cli.writing import reason_given

    if reason is None:
        raise UsageFault("--reason is missing", hint='say why, it goes to the trail: --reason "..."')
    return reason_given(reason)


def _signer(call: Call, private_key: Path | None, *, generated: bool) -> Path | None:
    if generated and private_key is not None:
        raise UsageFault("--generated does not go with --private-key", hint="name one of them")
    if private_key is not None:
        from thunes_cli.config.credentials import check_private

        path = private_key.expanduser().absolute()
        check_private(path)
        return path
    if not generated:
        return None
    made = sorted(call.home.glob("private_key-*.pem"), key=lambda path: path.stat().st_mtime_ns)
    if not made:
        raise NotFound(f"there is no generated private key in {call.home}", hint=typed(call, "keys generate"))
    return made[-1]


def _read_new(call: Call, file: Path | None, signer: Path | None) -> Credentials:
    """Raises: UsageFault, when there is no key to be read (2). ConfigError, when others can read the file (78)."""
    from thunes_cli.config.credentials import Credentials
    from thunes_cli.config.secrets import Secret

    streams = call.streams
    if file is None and streams.can_prompt:
        given = _prompted(secret=signer is None)
    else:
        given = _lines(streams.stdin.read(_MOST_BYTES) if file in {None, _STDIN} else _text_of(file))
    wanted = 1 if signer is not None else 2
    if len(given) < wanted or not all(given[:wanted]):
        what = "the new API key" if wanted == 1 else "the new API key and its secret, a line each"
        raise UsageFault(f"{what}: not given", hint="--from-file FILE, or on stdin, or type it at a terminal")
    if any(not part.isascii() or not part.isprintable() or " " in part for part in given[:wanted]):
        raise UsageFault("what was given is no API key: it holds blanks or unprintable characters", hint="copy it anew")
    secret = None if signer is not None else Secret(given[1])
    return Credentials(Secret(given[0]), secret, signer, "the new key")


def _prompted(*, secret: bool) -> list[str]:
    try:
        given = [getpass.getpass("New API key (not shown): ").strip()]
        return [*given, getpass.getpass("Its secret (not shown): ").strip()] if secret else given
    except EOFError:
        raise Cancelled from None


def _text_of(file: Path | None) -> str:
    from thunes_cli.config.credentials import check_private

    assert file is not None
    path = file.expanduser()
    if not path.exists():
        raise NotFound(f"there is no file {file}")
    try:
        check_private(path.absolute())
    except ConfigError as error:
        raise ConfigError(
            error.message.replace("the private key", "the file of the new key"), hint=error.hint
        ) from None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"{file} cannot be read as text: {type(error).__name__}") from None


def _lines(text: str) -> list[str]:
    """A key and its secret, a line each; with names before them (``…API_KEY=``) in any order."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    named = {name.strip().upper(): value.strip().strip("\"'") for name, _, value in (x.partition("=") for x in lines)}
    key = next((value for name, value in named.items() if name.endswith("API_KEY") and value), None)
    if key is None:
        return lines
    return [key, *(value for name, value in named.items() if name.endswith("API_SECRET"))]
