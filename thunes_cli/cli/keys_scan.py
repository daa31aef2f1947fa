"""``thunes keys scan``: is a secret where none belongs?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.reading import read_book, typed
from thunes_cli.cli.result import Problem, Result, Table
from thunes_cli.config.tilde import expanded
from thunes_cli.counts import count
from thunes_cli.errors import ExitCode, NotFound, ThunesError, UsageFault
from thunes_cli.ledger.api_keys import KeyRow, read_keys

if TYPE_CHECKING:
    from thunes_cli.config.settings import Settings
    from thunes_cli.ops.leaks.scan import Leak, Scan

_SHORTEST_VALUE = 12  # of a setting's secret; shorter ones are in every other word
_MOST_PROBLEMS = 20
_BY_LOOK = "there is no home here to compare with: only what looks like a secret is found"
_ROTATE_FIRST = "a key that was seen is no secret any more, deleted or not: replace it first"


class _Known(NamedTuple):
    """What a scan knows beforehand: the keys of the ledger, the settings of this machine, the home if there is one."""

    home: Path | None
    keys: list[KeyRow]
    settings: Settings | None

    @property
    def current(self) -> KeyRow | None:
        return next((key for key in self.keys if key.retired_at is None), None)


@command(
    examples=(
        "thunes keys scan",
        "thunes keys scan ~/bot /var/log/bot.log ~/old-backup.tar.gz",
        "thunes keys scan --staged",
    ),
    exits=(
        (0, "nothing was found"),
        (3, "found: the places are named"),
        5,
        (10, "no such path, or no home and no repository to look at"),
        (13, "git, or the ledger, cannot be asked"),
        (15, "nothing was found, but something could not be read"),
        78,
    ),
)
def keys_scan(
    call: Call,
    *,
    path: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...", help="Repositories, directories, logs, archives; else home and repository."
        ),
    ] = None,
    staged: Annotated[bool, typer.Option("--staged", help="Only what the next commit would hold; for a hook.")] = False,
) -> Result:
    """Is a secret where none belongs?

    Of a git repository every object is looked at, deleted branches included, and what is not ignored in the work tree;
    logs and archives may be compressed. Looked for are the keys of this home, past ones included, by fingerprint, and
    what looks like a key of the exchange, a private key, or a token of Telegram, AWS, Vault or age. Places are
    reported, never a secret. A line with "thunes: not a secret" on it, or on the line before, is believed. The key in
    use found in a history is due for rotation at once.
    """
    if staged and path:
        raise UsageFault("--staged does not go with a path", hint="thunes keys scan --help")
    known = _known(call)
    scan = _scan(call, known)
    if staged:
        scan.look_at_staged(Path.cwd())
    for each in () if staged else path or _usual(call, known, scan):
        if not expanded(each).exists():
            raise NotFound(f"there is no {each}", hint="thunes keys scan PATH...")
        scan.look_at(expanded(each).absolute())
    marked = _mark(call, known.current, scan.leaks)
    return _result(call, scan, known, marked=marked)


def _known(call: Call) -> _Known:
    """Raises: NotFound, when a home was named that is none (10)."""
    from thunes_cli.config.layer import Place
    from thunes_cli.config.load import load_settings
    from thunes_cli.config.settings import NAMES
    from thunes_cli.config.sources import local_sources_of

    try:
        keys = read_book(call, lambda book: read_keys(book.connection))
    except NotFound:  # a developer's machine, or another user's home
        if call.home_option is not None:
            raise
        return _Known(None, [], None)
    settings = None
    with suppress(ThunesError):  # what is wrong with the settings is for `config check` to say
        here = local_sources_of(Place(call.environ, call.home, call.env_file), NAMES)
        settings = load_settings(call.home, call.environ, sources=here, relaxed=True).settings
    return _Known(call.home, keys, settings)


def _scan(call: Call, known: _Known) -> Scan:
    from thunes_cli.ops.leaks.scan import Scan
    from thunes_cli.ops.leaks.shapes import Finder

    fingerprints: dict[str, str] = {}
    for key in known.keys:
        what = "in use" if key.retired_at is None else f"replaced on {key.retired_at:%Y-%m-%d}"
        if key.signer is not None:
            fingerprints[key.signer] = f"what signs for key {key.fingerprint}, {what}"
        fingerprints[key.fingerprint] = f"key {key.fingerprint}, {what}"
    return Scan(Finder(fingerprints, dict(_values(known.settings))), call.environ, tuple(_belongs(call, known)))


def _values(settings: Settings | None) -> Iterator[tuple[bytes, str]]:
    from thunes_cli.config.secrets import Secret
    from thunes_cli.config.settings import SECRETS

    for name in SECRETS if settings is not None else ():
        assert settings is not None
        value = settings.value(name)
        if isinstance(value, Secret) and len(value.reveal()) >= _SHORTEST_VALUE:
            yield value.reveal().encode(), name


def _belongs(call: Call, known: _Known) -> Iterator[Path]:
    """Where secrets belong."""
    from thunes_cli.audit.key import KEY_FILE
    from thunes_cli.config.home import ENV_FILE, SIM
    from thunes_cli.config.settings import NAMES

    if known.home is not None:
        yield from (known.home / name for name in (ENV_FILE, ".env.age", KEY_FILE, SIM))
        yield from known.home.glob("private_key-*.pem")
    if call.env_file is not None:
        yield call.env_file.absolute()
    if call.credentials is not None:
        yield call.credentials
    for name in NAMES if known.settings is not None else ():
        assert known.settings is not None
        value = known.settings.value(name)
        if name.endswith("_FILE") and isinstance(value, Path):
            yield value.absolute()


def _usual(call: Call, known: _Known, scan: Scan) -> list[Path]:
    """What is looked at when nothing is named: the home is looked at here, the repository around us is returned."""
    from thunes_cli.ops.leaks.git import find_repository

    here = Path.cwd()
    if known.home is not None:
        scan.look_at(known.home, as_files=True)
        kept = known.settings.backup_dir if known.settings is not None else None
        if kept is not None and kept.is_dir() and known.home not in kept.absolute().parents:
            scan.look_at(kept.absolute(), as_files=True)
    if find_repository(here, call.environ) is not None:
        return [here]
    if known.home is None:
        raise NotFound(
            "there is nothing to look at: no home, and this directory is in no git repository",
            hint="name what to look at: thunes keys scan PATH...",
        )
    return []


def _mark(call: Call, current: KeyRow | None, leaks: list[Leak]) -> bool:
    """The key in use was in a history: whoever has that has the key, so it is due at once. True when that is news."""
    from thunes_cli.ops.leaks.scan import HISTORY

    if current is None or current.compromised_at is not None:
        return False
    ours = [
        each for each in leaks if each.where == HISTORY and each.fingerprint in {current.fingerprint, current.signer}
    ]
    if not ours:
        return False
    from thunes_cli.alerts.telling import tell_key_trouble
    from thunes_cli.audit.events import Event
    from thunes_cli.audit.journal import Change
    from thunes_cli.cli.actor import read_actor
    from thunes_cli.cli.writing import change_home
    from thunes_cli.ledger.api_keys import mark_compromised

    why = f"it is in a git history, {ours[0].place}"
    actor = read_actor(call)

    def work(change: Change) -> bool:
        if not mark_compromised(change.connection, current.fingerprint, why=why, at=change.at):
            return False
        change.record(Event.KEY_COMPROMISED, fingerprint=current.fingerprint, why=why, actor=actor.name, **actor.facts)
        tell_key_trouble(change, "compromised", what=f"somebody else may have it: {why}", critical=True)
        return True

    return change_home(call, work)[0]


def _result(call: Call, scan: Scan, known: _Known, *, marked: bool) -> Result:
    counter = scan.counter
    looked = f"looked at {count(counter.files, 'file')} and {count(counter.objects, 'object')} of git"
    unread = tuple(Problem("unread", f"{place} could not be read: {why}", "") for place, why in scan.unread)
    rows = tuple((each.place, each.kind, each.known or f"like {each.fingerprint}") for each in scan.leaks)
    passed = f"{count(len(scan.passed_over), 'file')} passed over: encrypted, or where secrets belong"
    hint = f"{_ROTATE_FIRST}: {typed(call, 'keys rotate')}"
    found = tuple(
        Problem("secret_found", f"{each.place}: {each.known or each.kind}", hint)
        for each in scan.leaks[:_MOST_PROBLEMS]
    )
    more = len(scan.leaks) - len(found)
    rest = (Problem("secret_found", f"and {more} more; --json names them all", hint),) if more else ()
    return Result(
        data={
            "leaks": [_leak(each) for each in scan.leaks],
            "scanned": {"files": counter.files, "objects": counter.objects, "bytes": counter.bytes},
            "passed_over": scan.passed_over,
            "by_look_alone": known.home is None,
            "unread": [{"place": place, "why": why} for place, why in scan.unread],
        },
        text=(
            *((Table(("place", "what", "whose"), rows), hint) if rows else ()),
            *((f"the key in use is compromised: {typed(call, 'keys status')}",) if marked else ()),
            *((passed,) if scan.passed_over else ()),
            *((_BY_LOOK,) if known.home is None else ()),
            *(f"warning: {problem.message}" for problem in unread),
            f"{looked}: {count(len(rows), 'secret') if rows else 'no secret'} found",
        ),
        exit_code=ExitCode.ATTENTION if rows else ExitCode.PARTIAL if unread else ExitCode.OK,
        changed=marked,
        problems=(*found, *rest, *unread),
        problems_in_text=True,
    )


def _leak(each: Leak) -> dict[str, Any]:
    return {
        "kind": each.kind,
        "known": each.known,
        "fingerprint": each.fingerprint,
        "where": each.where,
        "place": each.place,
        "path": each.path,
        "line": each.line,
        "commit": each.commit,
        "object": each.object,
    }
