"""How an operator hands over a new API key: at a prompt that does not show it, in a private file, or on stdin."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from thunes_cli.cli.call import Call
from thunes_cli.cli.reading import typed
from thunes_cli.config.tilde import expanded
from thunes_cli.errors import Cancelled, ConfigError, NotFound, Unavailable, UsageFault

if TYPE_CHECKING:
    from thunes_cli.config.credentials import Credentials

_MOST_BYTES = 64 * 1024
_STDIN = Path("-")


def signer_of(call: Call, private_key: Path | None, *, generated: bool) -> Path | None:
    """The private key's file that is to sign; None: a secret does.

    Raises:
        UsageFault: two were named (2). NotFound: none was generated (10). ConfigError: others can read it (78).
    """
    if generated and private_key is not None:
        raise UsageFault("--generated does not go with --private-key", hint="name one of them")
    if private_key is not None:
        from thunes_cli.config.credentials import check_private

        path = expanded(private_key).absolute()
        check_private(path)
        return path
    if not generated:
        return None
    made = sorted(call.home.glob("private_key-*.pem"), key=lambda path: path.stat().st_mtime_ns)
    if not made:
        raise NotFound(f"there is no generated private key in {call.home}", hint=typed(call, "keys generate"))
    return made[-1]


def read_new_key(call: Call, file: Path | None, signer: Path | None) -> Credentials:
    """The new key, and what signs for it.

    Raises:
        UsageFault: there is no key to be read (2). ConfigError: others can read the file (78).
    """
    from thunes_cli.config.credentials import Credentials
    from thunes_cli.config.secrets import Secret, redact_from_now_on

    streams = call.streams
    if file in {None, _STDIN} and streams.can_prompt:  # typed, it would be shown
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
    new = Credentials(Secret(given[0]), secret, signer, "the new key")
    redact_from_now_on(new.secrets())
    return new


def _prompted(*, secret: bool) -> list[str]:
    try:
        given = [getpass.getpass("New API key (not shown): ").strip()]
        return [*given, getpass.getpass("Its secret (not shown): ").strip()] if secret else given
    except EOFError:
        raise Cancelled from None


def _text_of(file: Path | None) -> str:
    from thunes_cli.config.credentials import check_private

    assert file is not None
    path = expanded(file)
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
