"""HashiCorp Vault, KV version 2: one secret, replaced only while it is still the version that was read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from thunes_cli.config.credentials import check_private
from thunes_cli.config.faults import Fault
from thunes_cli.config.json_secret import changed, settings_in
from thunes_cli.config.layer import Layer
from thunes_cli.config.source import Changes, ExtraMissing, SecretStoreUnavailable, Undo
from thunes_cli.errors import ConfigError

_TIMEOUT_S = 5
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class VaultAccess:
    """Where Vault is, and the token it knows us by."""

    address: str | None
    token: str | None = field(repr=False, default=None)
    token_file: Path | None = None
    namespace: str | None = None


class VaultSecret:
    """A secret by its mount and path, ``secret/thunes/binance``."""

    def __init__(self, path: str, names: Collection[str], *, prefix: str, access: VaultAccess) -> None:
        self._mount, _, rest = path.strip("/").partition("/")
        self._path = rest.removeprefix("data/")
        self._names = names
        self._prefix = prefix
        self._access = access
        self.name = f"Vault {self._mount}/{self._path}"

    def read(self) -> Layer:
        """Its entries; a secret that is not there is a fault."""
        try:
            document, _ = self._document()
        except ConfigError as error:
            text = f"{error.message}{f'; {error.hint}' if error.hint else ''}"
            return Layer(faults=(Fault(("VAULT_SECRET_PATH",), text),))
        return settings_in(document, names=self._names, prefix=self._prefix, origin=self.name)

    def rewrite(self, changes: Changes) -> Undo:
        """A new version, provided nobody wrote one in between."""
        before, version = self._document()
        written = self._put(changed(before, changes, prefix=self._prefix), cas=version)

        def undo() -> None:
            self._put(before, cas=written)

        return undo

    def _document(self) -> tuple[dict[str, Any], int]:
        answer = self._ask(
            lambda client: client.secrets.kv.v2.read_secret_version(
                path=self._path, mount_point=self._mount, raise_on_deleted_version=True
            )
        )
        return dict(answer["data"]["data"]), int(answer["data"]["metadata"]["version"])

    def _put(self, document: dict[str, Any], *, cas: int) -> int:
        answer = self._ask(
            lambda client: client.secrets.kv.v2.create_or_update_secret(
                path=self._path, secret=document, cas=cas, mount_point=self._mount
            )
        )
        return int(answer["data"]["version"])

    def _ask(self, question: Any) -> Any:
        try:
            import hvac  # noqa: PLC0415 - an extra
            import requests  # noqa: PLC0415 - hvac's own
            from hvac.exceptions import InvalidPath, VaultError  # noqa: PLC0415 - as above
        except ImportError:
            raise ExtraMissing(self.name, "hvac", "vault") from None
        token = self._token()
        client = hvac.Client(
            url=self._address(),
            token=token,
            namespace=self._access.namespace,
            timeout=_TIMEOUT_S,
            allow_redirects=False,
        )
        try:
            return question(client)
        except InvalidPath:
            raise ConfigError(f"{self.name}: there is no such secret") from None
        except VaultError as error:
            # Vault's own words say what is missing; the address in them is enough to find where.
            raise SecretStoreUnavailable(self.name, _first_line(error), hint="vault token lookup") from None
        except (requests.RequestException, KeyError, TypeError, ValueError) as error:
            why = "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__
            raise SecretStoreUnavailable(self.name, why, hint="vault status") from None

    def _address(self) -> str:
        address = self._access.address
        if address is None:
            raise ConfigError("VAULT_SECRET_PATH needs VAULT_ADDR beside it")
        parts = urlsplit(address)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ConfigError("VAULT_ADDR must be https, or everybody on the way could read the secrets")
        return address

    def _token(self) -> str:
        if self._access.token is not None:
            return self._access.token
        file = self._access.token_file
        if file is None:
            raise ConfigError("VAULT_SECRET_PATH needs VAULT_TOKEN or VAULT_TOKEN_FILE beside it")
        check_private(file)
        return file.read_text(encoding="utf-8").strip()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
