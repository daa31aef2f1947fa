"""``thunes sim key``: API keys of the simulated exchange, each with permissions of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.result import Result, Table
from thunes_cli.cli.sim_link import DirOption, UrlOption, find_exchange
from thunes_cli.config.tilde import expanded
from thunes_cli.errors import UsageFault

# An operator's words for the exchange's; both are taken.
_WORDS = {
    "reading": "enableReading",
    "spot": "enableSpotAndMarginTrading",
    "withdrawals": "enableWithdrawals",
    "internal-transfer": "enableInternalTransfer",
    "universal-transfer": "permitsUniversalTransfer",
    "margin": "enableMargin",
    "futures": "enableFutures",
    "options": "enableVanillaOptions",
}
_EXITS = ((2, "no such key or permission"), 10, 13)

AllowOption = Annotated[
    list[str] | None, typer.Option("--allow", metavar="WHAT", help=f"{', '.join(_WORDS)}; repeatable.")
]
DenyOption = Annotated[list[str] | None, typer.Option("--deny", metavar="WHAT", help="The same words; repeatable.")]
IpOption = Annotated[list[str] | None, typer.Option("--ip", metavar="IP", help="Only from there; repeatable.")]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Its label, or its first four characters or more.")]


@command(
    examples=(
        "thunes sim key add",
        "thunes sim key add --label next --ip 127.0.0.1",
        "thunes sim key add --label greedy --allow withdrawals",
        "thunes sim key add --public-key key.pub",
    ),
    exits=((0, "made; the answer holds its secret, once"), *_EXITS),
)
def sim_key_add(
    call: Call,
    *,
    label: Annotated[str, typer.Option("--label", metavar="NAME", help="A name for people.")] = "",
    public_key: Annotated[
        Path | None,
        typer.Option("--public-key", metavar="FILE", help="An Ed25519 or RSA public key, PEM; else an HMAC key."),
    ] = None,
    allow: AllowOption = None,
    deny: DenyOption = None,
    ip: IpOption = None,
    url: UrlOption = None,
    directory: DirOption = None,
) -> Result:
    """Make an API key. It may read and trade, unless told otherwise.

    The secret of an HMAC key is shown this once. It is worth nothing outside the simulated exchange.
    """
    asked: dict[str, Any] = {
        "label": label or None,
        "public_key": None if public_key is None else _pem(public_key),
        "allow": _permissions(allow),
        "deny": _permissions(deny),
        "ips": ip or None,
    }
    answer = find_exchange(call, url=url, directory=directory).post("/sim/key/add", asked)
    data = {"api_key": answer["api_key"], "api_secret": answer.get("api_secret"), "keys": answer["keys"]}
    secret = (f"secret  {answer['api_secret']}",) if "api_secret" in answer else ()
    return Result(data=data, text=(f"key     {answer['api_key']}", *secret, _table(answer["keys"])), changed=True)


@command(
    examples=("thunes sim key revoke old", "thunes sim key revoke Ab3d"),
    exits=((0, "revoked, or it was already"), *_EXITS),
)
def sim_key_revoke(call: Call, *, key: KeyArgument, url: UrlOption = None, directory: DirOption = None) -> Result:
    """Let a key do nothing any more, for good: what deleting it at the exchange does."""
    return _changed(find_exchange(call, url=url, directory=directory).post("/sim/key/revoke", {"key": key}))


@command(
    examples=("thunes sim key restrict next --deny spot", "thunes sim key restrict next --ip 127.0.0.1"),
    exits=((0, "changed"), *_EXITS),
)
def sim_key_restrict(
    call: Call,
    *,
    key: KeyArgument,
    allow: AllowOption = None,
    deny: DenyOption = None,
    ip: IpOption = None,
    anywhere: Annotated[bool, typer.Option("--any-ip", help="From everywhere again.")] = False,
    url: UrlOption = None,
    directory: DirOption = None,
) -> Result:
    """Change what a key may do, and from where; what is not named stays as it is."""
    if anywhere and ip:
        raise UsageFault("--any-ip does not go with --ip", hint="thunes sim key restrict --help")
    asked = {
        "key": key,
        "allow": _permissions(allow),
        "deny": _permissions(deny),
        "ips": [] if anywhere else ip or None,
    }
    return _changed(find_exchange(call, url=url, directory=directory).post("/sim/key/restrict", asked))


@command(examples=("thunes sim key list",), exits=((0, "listed"), 10, 13))
def sim_key_list(call: Call, *, url: UrlOption = None, directory: DirOption = None) -> Result:
    """The keys of the simulated exchange, revoked ones included."""
    keys = find_exchange(call, url=url, directory=directory).get("/sim/keys")["keys"]
    return Result(data={"keys": keys}, text=(_table(keys),))


def _changed(answer: dict[str, Any]) -> Result:
    return Result(data={"keys": answer["keys"]}, text=(_table(answer["keys"]),), changed=True)


def _permissions(words: list[str] | None) -> list[str] | None:
    return [_WORDS.get(word, word) for word in words] if words else None


def _pem(path: Path) -> str:
    try:
        return expanded(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no PEM file"
        raise UsageFault(f"--public-key {path}: {why}", hint="thunes keys generate makes one") from error


def _table(keys: list[dict[str, Any]]) -> Table:
    rows = tuple(
        (
            f"{each['key']}...",
            each["label"],
            each["kind"],
            "revoked" if each["revoked"] else ", ".join(each["allowed"]),
            ", ".join(each["ips"]) or "anywhere",
        )
        for each in keys
    )
    return Table(("key", "label", "kind", "may", "from"), rows)
