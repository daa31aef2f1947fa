"""API keys: what each may do, from where, and how it signs. They are kept for good, revoked ones included."""

from __future__ import annotations

import ipaddress
import json
import secrets
import sqlite3
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

HMAC = "HMAC"
ED25519 = "ED25519"
RSA = "RSA"
LENGTH = 64
# What a key may do in the words of the exchange's own answer; a fresh key may read and trade, and nothing else.
PERMISSIONS: Mapping[str, bool] = {
    "ipRestrict": True,
    "enableReading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "enableMargin": False,
    "enableFutures": False,
    "permitsUniversalTransfer": False,
    "enableVanillaOptions": False,
    "enableFixApiTrade": False,
    "enableFixReadOnly": False,
    "enableSpotAndMarginTrading": True,
    "enablePortfolioMarginTrading": False,
}
LOOPBACK = ("127.0.0.1", "::1")
_LETTERS = string.ascii_letters + string.digits
_SHORTEST_PREFIX = 4


class KeyProblem(Exception):
    """A key cannot be found, made or changed as asked; the message is one line for people."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of the account. ``secret`` is the HMAC secret or the public key in PEM; ``ips`` empty: any address."""

    api_key: str
    secret: str = field(repr=False)
    permissions: Mapping[str, bool]
    created_ms: int
    kind: str = HMAC
    ips: tuple[str, ...] = ()
    revoked: bool = False
    label: str = ""

    def allows(self, permission: str, address: str) -> bool:
        """Whether it may be used for something from an address."""
        return not self.revoked and bool(self.permissions[permission]) and (not self.ips or address in self.ips)


def new_key(
    created: int,
    *,
    ips: Iterable[str] = (),
    kind: str = HMAC,
    public_key: str = "",
    label: str = "",
    permissions: Mapping[str, bool] = MappingProxyType({}),
) -> ApiKey:
    """A fresh key that may read and trade, unless told otherwise; of an HMAC key the secret is drawn too."""
    addresses = tuple(ips)
    secret = public_key if kind != HMAC else _draw()
    allowed = {**PERMISSIONS, **permissions, "ipRestrict": bool(addresses)}
    return ApiKey(_draw(), secret, allowed, created, kind, addresses, label=label)


def _draw() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(LENGTH))


class KeyRing:
    """The account's keys, in the order in which they were made. Every change is stored before it is true."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        rows = db.execute(
            "SELECT api_key, secret, permissions, created_ms, kind, ips, revoked, label FROM keys ORDER BY rowid"
        )
        self._keys = {row[0]: _read(row) for row in rows}

    def __iter__(self) -> Iterator[ApiKey]:
        return iter(self._keys.values())

    def get(self, api_key: str) -> ApiKey | None:
        """The key that is named like this."""
        return self._keys.get(api_key)

    def put(self, key: ApiKey) -> None:
        """Add a key, or replace what one may do."""
        self._db.execute(
            "INSERT INTO keys (api_key, kind, secret, permissions, ips, created_ms, revoked, label)"
            " VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (api_key) DO UPDATE SET permissions = excluded.permissions,"
            " ips = excluded.ips, revoked = excluded.revoked",
            (
                key.api_key,
                key.kind,
                key.secret,
                json.dumps(dict(key.permissions)),
                json.dumps(list(key.ips)),
                key.created_ms,
                int(key.revoked),
                key.label,
            ),
        )
        self._keys[key.api_key] = key

    def find(self, prefix: str) -> ApiKey:
        """The one key that begins with some characters, or bears them as its label.

        Raises:
            KeyProblem: none does, or more than one.
        """
        labelled = [each for each in self if each.label == prefix]
        found = labelled or [each for each in self if each.api_key.startswith(prefix)]
        if not labelled and len(prefix) < _SHORTEST_PREFIX:
            raise KeyProblem(f"name a key by its label or by its first {_SHORTEST_PREFIX} characters or more")
        if len(found) != 1:
            raise KeyProblem(f"{'no key begins' if not found else 'more than one key begins'} with {prefix!r}")
        return found[0]

    def check_label(self, label: str) -> None:
        """Refuse a label that another key bears; none is as good as any.

        Raises:
            KeyProblem: one does.
        """
        if label and any(each.label == label for each in self):
            raise KeyProblem(f"there is a key labelled {label!r} already")

    def revoke(self, prefix: str) -> ApiKey:
        """Let a key do nothing any more, for good.

        Raises:
            KeyProblem: see :meth:`find`.
        """
        key = replace(self.find(prefix), revoked=True)
        self.put(key)
        return key

    def restrict(self, prefix: str, *, permissions: Mapping[str, bool], ips: Iterable[str] | None = None) -> ApiKey:
        """Change what a key may do, and from where (``ips`` empty: anywhere; None: as before).

        Raises:
            KeyProblem: no such key or permission, or not an address.
        """
        key = self.find(prefix)
        check_permissions(permissions)
        addresses = key.ips if ips is None else tuple(check_addresses(ips))
        changed = {**key.permissions, **permissions, "ipRestrict": bool(addresses)}
        key = replace(key, permissions=changed, ips=addresses)
        self.put(key)
        return key


def check_permissions(permissions: Iterable[str]) -> None:
    """Refuse names that are no permissions.

    Raises:
        KeyProblem: the first such name; ``ipRestrict`` follows from the addresses.
    """
    for name in permissions:
        if name not in PERMISSIONS or name == "ipRestrict":
            known = ", ".join(sorted(set(PERMISSIONS) - {"ipRestrict"}))
            raise KeyProblem(f"there is no permission {name!r}; there are {known}")


def check_addresses(ips: Iterable[str]) -> list[str]:
    """IP addresses as the server will see them.

    Raises:
        KeyProblem: one of them is none.
    """
    try:
        return [str(ipaddress.ip_address(each)) for each in ips]
    except ValueError as error:
        raise KeyProblem(f"not an IP address: {error}") from None


def check_public_key(pem: str) -> str:
    """The kind of key a public key in PEM is for.

    Raises:
        KeyProblem: it is neither an Ed25519 nor an RSA public key.
    """
    # Both are heavy, and only an exchange that is given such a key needs them.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise KeyProblem("not a public key in PEM: it begins with -----BEGIN PUBLIC KEY-----") from None
    if isinstance(key, Ed25519PublicKey):
        return ED25519
    if isinstance(key, RSAPublicKey):
        return RSA
    raise KeyProblem("neither an Ed25519 nor an RSA public key")


def _read(row: tuple[str, str, str, int, str, str, int, str]) -> ApiKey:
    return ApiKey(
        api_key=row[0],
        secret=row[1],
        permissions={**PERMISSIONS, **json.loads(row[2])},
        created_ms=row[3],
        kind=row[4],
        ips=tuple(json.loads(row[5])),
        revoked=bool(row[6]),
        label=row[7],
    )
