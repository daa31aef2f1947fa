"""Where settings come from, in order: the first source that knows a setting decides it.

systemd's credentials, the environment, AWS Secrets Manager, Vault, ``.env.age``, the ``.env`` file. A store is asked
only when a setting of the sources on this machine says where in it the secrets are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from thunes_cli.config import age_file
from thunes_cli.config.age_file import AgeFile
from thunes_cli.config.aws_secret import AwsSecret
from thunes_cli.config.env_sources import EnvFile, ProcessEnvironment
from thunes_cli.config.home import ENV_FILE
from thunes_cli.config.layer import Entry, Place
from thunes_cli.config.source import SecretStoreUnavailable, Source
from thunes_cli.config.systemd_credentials import SystemdCredentials
from thunes_cli.config.tilde import expanded
from thunes_cli.config.vault_secret import VaultAccess, VaultSecret
from thunes_cli.model import Environment

CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
_POINTERS = (  # settings that say where others are
    *("ENVIRONMENT", "AWS_SECRET_ID", "AWS_REGION", "AWS_SECRETS_URL"),
    *("VAULT_SECRET_PATH", "VAULT_ADDR", "VAULT_TOKEN", "VAULT_TOKEN_FILE", "VAULT_NAMESPACE"),
    *("AGE_IDENTITY_FILE", "AGE_RECIPIENTS"),
)


def sources_of(place: Place, names: Collection[str]) -> list[Source]:
    """Every source there is in a place, first hit wins; nothing but this machine is asked yet."""
    directory = place.environ.get(CREDENTIALS_DIRECTORY)
    credentials = Path(directory) if directory else None
    here: list[Source] = [SystemdCredentials(credentials, names), ProcessEnvironment(place.environ)]
    file = _file(place, names)
    said: dict[str, str] = {}
    for source in (*here, *file):
        for name, entry in source.read().entries.items():
            said.setdefault(name, entry.text)
    return [*here, *_stores(said, names), *_age(place, names, said, credentials), *file]


def local_sources_of(place: Place, names: Collection[str]) -> list[Source]:
    """Those on this machine: for who must not wait for a network."""
    return [each for each in sources_of(place, names) if not isinstance(each, AwsSecret | VaultSecret)]


def entry_of(name: str, place: Place) -> Entry | None:
    """One setting as it was written, for a command that needs no other; a store that cannot be asked says nothing.

    What is wrong with it, or with the sources, is not asked here: :func:`thunes_cli.config.load.load_settings` does.
    """
    for source in sources_of(place, (*_POINTERS, name)):
        try:
            entry = source.read().entries.get(name)
        except SecretStoreUnavailable:
            continue
        if entry is not None:
            return entry
    return None


def _file(place: Place, names: Collection[str]) -> list[Source]:
    if place.env_file is not None:
        return [EnvFile(place.env_file, names, named=True)]
    return [EnvFile(place.home / ENV_FILE, names, named=False)] if place.home is not None else []


def _stores(said: Mapping[str, str], names: Collection[str]) -> list[Source]:
    testnet = said.get("ENVIRONMENT", "").lower() == Environment.TESTNET
    prefix = "BINANCE_TESTNET_" if testnet else "BINANCE_"
    stores: list[Source] = []
    if secret_id := said.get("AWS_SECRET_ID"):
        stores.append(
            AwsSecret(secret_id, names, prefix=prefix, region=said.get("AWS_REGION"), url=said.get("AWS_SECRETS_URL"))
        )
    if path := said.get("VAULT_SECRET_PATH"):
        file = said.get("VAULT_TOKEN_FILE")
        access = VaultAccess(
            address=said.get("VAULT_ADDR"),
            token=said.get("VAULT_TOKEN"),
            token_file=expanded(file) if file else None,
            namespace=said.get("VAULT_NAMESPACE"),
        )
        stores.append(VaultSecret(path, names, prefix=prefix, access=access))
    return stores


def _age(place: Place, names: Collection[str], said: Mapping[str, str], credentials: Path | None) -> list[Source]:
    """The home's encrypted file, unless another file was named in place of the home's own."""
    if place.home is None or place.env_file is not None:
        return []
    given = credentials / age_file.CREDENTIAL if credentials is not None else None
    named = said.get("AGE_IDENTITY_FILE")
    identity = given if given is not None and given.is_file() else expanded(named) if named else None
    recipients = tuple(each.strip() for each in said.get("AGE_RECIPIENTS", "").split(",") if each.strip())
    return [AgeFile(place.home / age_file.NAME, names, identity=identity, recipients=recipients)]
