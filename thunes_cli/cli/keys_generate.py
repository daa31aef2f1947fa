"""``thunes keys generate``: an Ed25519 key pair, whose private half never leaves this machine."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.reading import typed
from thunes_cli.cli.result import Result
from thunes_cli.config.tilde import expanded
from thunes_cli.errors import NotFound, Unavailable


@command(
    examples=("thunes keys generate", "thunes keys generate --to ~/keys/next.pem --json | jq -r .data.public_key"),
    exits=((0, "made; the answer holds the public key to register"), 10, 13, (78, "there is a file of that name")),
)
def keys_generate(
    call: Call,
    *,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Where the private key goes, mode 0600; else a file in the home."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Make an Ed25519 key pair for the exchange.

    The private key goes into a file that only you can read, and is shown nowhere; a file that is there is never
    overwritten. The public key is what the exchange wants: register it there, and it names the API key that belongs to
    it. Nothing changes for the bot until `thunes keys rotate`.
    """
    from thunes_cli.config.home import require_home
    from thunes_cli.exchange.key_pair import PrivateKeyThere, new_key_pair, write_new_private_key

    pair = new_key_pair()
    path = _absolute(to) if to is not None else require_home(call.home) / f"private_key-{pair.fingerprint}.pem"
    if dry_run:
        if path.exists():
            raise PrivateKeyThere(path)
        plan = [f"make an Ed25519 key pair, its private half in {path if to is not None else path.parent}"]
        return Result(data={"plan": plan}, text=tuple(plan))
    rotate = "keys rotate --generated" if to is None else f"keys rotate --private-key {shlex.quote(str(path))}"
    try:
        write_new_private_key(path, pair)
    except FileNotFoundError:
        raise NotFound(f"there is no directory {path.parent}", hint=f"mkdir -m 700 {path.parent}") from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror or error}") from error
    return Result(
        data={
            "public_key": pair.public,
            "private_key_file": str(path),
            "kind": "Ed25519",
            "fingerprint": pair.fingerprint,
        },
        text=(
            pair.public.rstrip("\n"),
            f"private key: {path} (only you can read it; it is the secret)",
            f"Next: register the public key above at the exchange, then {typed(call, rotate)}",
        ),
        changed=True,
    )


def _absolute(path: Path) -> Path:
    return expanded(path).absolute()
