"""AWS Secrets Manager (moto's server) and Vault's KV version 2 (a fake of its HTTP paths): read, changed, undone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from fake_vault import TOKEN, FakeVault
from moto.server import ThreadedMotoServer

from thunes_cli.config.faults import SettingsInvalid
from thunes_cli.config.layer import Place
from thunes_cli.config.load import load_settings
from thunes_cli.config.settings import NAMES, Settings
from thunes_cli.config.source import ChangedMeanwhile, SecretStoreUnavailable, Source
from thunes_cli.config.sources import sources_of

KEY, SECRET, NEW = "k" * 64, "s" * 64, "n" * 64
ID = "thunes/binance"


def settings_of(environ: dict[str, str]) -> Settings:
    return load_settings(None, environ).settings


def store(environ: dict[str, str], name: str) -> Source:
    return next(each for each in sources_of(Place(environ), NAMES) if each.name.startswith(name))


# -- AWS -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def aws_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def aws(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = boto3.client("secretsmanager", region_name="eu-west-1", endpoint_url=aws_url)
    client.create_secret(Name=ID, SecretString=json.dumps({"api_key": KEY, "api_secret": SECRET, "MAX_POSITIONS": 2}))
    yield client
    client.delete_secret(SecretId=ID, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def aws_environ(aws_url: str) -> dict[str, str]:
    return {"AWS_SECRET_ID": ID, "AWS_REGION": "eu-west-1", "AWS_SECRETS_URL": aws_url, "ENVIRONMENT": "testnet"}


@pytest.mark.usefixtures("aws")
def test_a_secret_of_aws_is_a_source(aws_environ: dict[str, str]) -> None:
    """Short names mean this environment's key; the store is named with what was read there."""
    settings = settings_of(aws_environ)

    assert settings.binance_testnet_api_key.reveal() == KEY
    assert settings.binance_testnet_api_secret.reveal() == SECRET
    assert settings.max_positions == 2
    assert settings.origin("BINANCE_TESTNET_API_KEY") == f"AWS Secrets Manager {ID}"


def test_a_secret_of_aws_is_changed_as_a_whole(aws: Any, aws_environ: dict[str, str]) -> None:
    """One version replaces another, names kept; undoing it is a third."""
    undo = store(aws_environ, "AWS").rewrite(
        {"BINANCE_TESTNET_API_KEY": NEW, "BINANCE_TESTNET_API_SECRET": None, "BINANCE_TESTNET_OLD_API_KEY": KEY}
    )

    document = json.loads(aws.get_secret_value(SecretId=ID)["SecretString"])
    assert document == {"api_key": NEW, "old_api_key": KEY, "MAX_POSITIONS": 2}
    undo()
    assert settings_of(aws_environ).binance_testnet_api_key.reveal() == KEY


def test_what_somebody_else_put_into_aws_is_not_undone(aws: Any, aws_environ: dict[str, str]) -> None:
    """Undoing would lose it."""
    undo = store(aws_environ, "AWS").rewrite({"BINANCE_TESTNET_API_KEY": NEW})
    theirs = json.dumps({"api_key": "t" * 64, "api_secret": SECRET})
    aws.put_secret_value(SecretId=ID, SecretString=theirs)

    with pytest.raises(ChangedMeanwhile):
        undo()

    assert aws.get_secret_value(SecretId=ID)["SecretString"] == theirs


@pytest.mark.parametrize("text", ["not json", '["a"]', "null"])
def test_a_secret_of_aws_that_is_no_object_is_a_fault(aws: Any, aws_environ: dict[str, str], text: str) -> None:
    """With the shape that it must have, and without what it holds."""
    aws.put_secret_value(SecretId=ID, SecretString=text)

    with pytest.raises(SettingsInvalid) as caught:
        settings_of(aws_environ)

    assert "must be a JSON object such as" in caught.value.message
    assert text not in caught.value.message


def test_a_slip_in_a_store_is_found_like_one_in_a_file(aws: Any, aws_environ: dict[str, str]) -> None:
    """A setting that nobody reads would be a surprise in a bad hour."""
    aws.put_secret_value(SecretId=ID, SecretString='{"MAX_POSITION": "1", "nested": {"a": 1}}')

    with pytest.raises(SettingsInvalid) as caught:
        settings_of(aws_environ)

    assert "did you mean MAX_POSITIONS?" in caught.value.message
    assert "NESTED: must be a text" in caught.value.message


def test_no_such_secret_is_a_fault_no_answer_is_unavailable(aws_environ: dict[str, str], aws: Any) -> None:
    """78 against 13."""
    del aws
    with pytest.raises(SettingsInvalid, match="there is no such secret"):
        settings_of(aws_environ | {"AWS_SECRET_ID": "none"})
    with pytest.raises(SecretStoreUnavailable, match="no connection"):
        settings_of(aws_environ | {"AWS_SECRETS_URL": "http://127.0.0.1:1"})


# -- Vault ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def vault() -> Iterator[FakeVault]:
    server = FakeVault({"BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def vault_environ(vault: FakeVault) -> dict[str, str]:
    return {"VAULT_ADDR": vault.url, "VAULT_SECRET_PATH": "secret/thunes/binance", "VAULT_TOKEN": TOKEN}


def test_a_secret_of_vault_is_a_source(vault_environ: dict[str, str], tmp_path: Path) -> None:
    """By a token, or by a file that Vault's agent keeps fresh."""
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    token.chmod(0o600)

    settings = settings_of(vault_environ)
    by_file = settings_of({**vault_environ, "VAULT_TOKEN": "", "VAULT_TOKEN_FILE": str(token)})

    assert settings.binance_api_key.reveal() == by_file.binance_api_key.reveal() == KEY
    assert settings.origin("BINANCE_API_KEY") == "Vault secret/thunes/binance"


def test_a_secret_of_vault_is_changed_by_a_new_version(vault: FakeVault, vault_environ: dict[str, str]) -> None:
    """Undone by one more."""
    undo = store(vault_environ, "Vault").rewrite({"BINANCE_API_KEY": NEW, "BINANCE_OLD_API_KEY": KEY})

    assert vault.versions[-1] == {"BINANCE_API_KEY": NEW, "BINANCE_API_SECRET": SECRET, "BINANCE_OLD_API_KEY": KEY}
    undo()
    assert vault.versions[-1] == vault.versions[0]


def test_a_version_written_in_between_is_not_overwritten(vault: FakeVault, vault_environ: dict[str, str]) -> None:
    """Undoing would lose what somebody else wrote meanwhile: check-and-set refuses."""
    undo = store(vault_environ, "Vault").rewrite({"BINANCE_API_KEY": NEW})
    vault.versions.append({"BINANCE_API_KEY": "theirs"})

    with pytest.raises(SecretStoreUnavailable, match="check-and-set"):
        undo()

    assert vault.versions[-1] == {"BINANCE_API_KEY": "theirs"}


@pytest.mark.parametrize(
    ("change", "exit_code", "said"),
    [
        ({"VAULT_TOKEN": "hvs.another-token"}, 13, "permission denied"),
        ({"VAULT_SECRET_PATH": "secret/none"}, 78, "there is no such secret"),
        ({"VAULT_ADDR": "http://vault.example"}, 78, "must be https"),
        ({"VAULT_ADDR": ""}, 78, "needs VAULT_ADDR"),
        ({"VAULT_TOKEN": ""}, 78, "needs VAULT_TOKEN or VAULT_TOKEN_FILE"),
    ],
    ids=["denied", "no-secret", "not-encrypted", "no-address", "no-token"],
)
def test_what_keeps_vault_closed(
    vault_environ: dict[str, str], change: dict[str, str], exit_code: int, said: str
) -> None:
    """A wrong setting is 78, a store that does not answer 13; the token is in no message."""
    with pytest.raises((SettingsInvalid, SecretStoreUnavailable)) as caught:
        settings_of(vault_environ | change)

    assert caught.value.exit_code == exit_code
    assert said in caught.value.message
    assert "hvs." not in caught.value.message
