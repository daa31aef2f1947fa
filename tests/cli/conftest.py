"""Homes for tests of commands: without a past, and with a key that lives in one store or another."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pyrage
import pytest
from bot_home import NOON, BotHome, signal
from dotenv import dotenv_values
from exchange_home import ExchangeHome
from fake_vault import TOKEN, FakeVault
from moto.server import ThreadedMotoServer
from rotating_home import Stored, env_file, rotating_home
from scanned_places import Repository

from thunes_cli.config.private_file import write_private_file
from thunes_cli.model import Rejection

_ID = "thunes/binance"
_NAMES = {"key": "BINANCE_API_KEY", "secret": "BINANCE_API_SECRET", "old": "BINANCE_OLD_API_KEY"}


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[BotHome]:
    """A home of a simulated bot, still without a past; its path has a space in it."""
    home = BotHome(tmp_path / "a bot")
    yield home
    home.close()


@pytest.fixture
def trading(bot: BotHome) -> BotHome:
    """A home with decisions of two days."""
    bot.at(NOON - timedelta(days=2))
    bot.refuse(signal(), Rejection.KILL_SWITCH)
    bot.at(NOON)
    bot.refuse(signal("ETHUSDT"), Rejection.COOL_DOWN)
    bot.approve(signal("SOLUSDT"))
    bot.approve(signal("BNBUSDT"))
    bot.approve(signal("ADAUSDT"))
    return bot


@pytest.fixture
def keyless_home(tmp_path: Path) -> Iterator[ExchangeHome]:
    """Its `.env` holds no key."""
    with rotating_home(tmp_path) as home:
        write_private_file(env_file(home), "LOG_LEVEL=INFO\n")
        yield home


@pytest.fixture(scope="session")
def aws_url() -> Iterator[str]:
    """AWS, as far as it is needed here."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def key_in_aws(keyless_home: ExchangeHome, aws_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stored]:
    """The key lives in AWS Secrets Manager, beside another setting."""
    home, ours = keyless_home, {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("secretsmanager", region_name="eu-west-1", endpoint_url=aws_url)
    secret = {"api_key": home.served.key, "api_secret": home.served.secret, "MAX_POSITIONS": 2}
    client.create_secret(Name=_ID, SecretString=json.dumps(secret))
    home.environ |= {"AWS_SECRET_ID": _ID, "AWS_REGION": "eu-west-1", "AWS_SECRETS_URL": aws_url, **ours}

    def read() -> dict[str, Any]:
        return dict(json.loads(client.get_secret_value(SecretId=_ID)["SecretString"]))

    yield Stored(home, read, {"key": "api_key", "secret": "api_secret", "old": "old_api_key"})
    client.delete_secret(SecretId=_ID, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def vault_server(keyless_home: ExchangeHome) -> Iterator[FakeVault]:
    """Vault, with the key of the home in it."""
    served, environ = keyless_home.served, keyless_home.environ
    server = FakeVault({"BINANCE_API_KEY": served.key, "BINANCE_API_SECRET": served.secret, "MAX_POSITIONS": "2"})
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    environ |= {"VAULT_ADDR": server.url, "VAULT_SECRET_PATH": "secret/thunes/binance", "VAULT_TOKEN": TOKEN}
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def key_in_vault(keyless_home: ExchangeHome, vault_server: FakeVault) -> Stored:
    """The key lives in Vault, beside another setting."""
    return Stored(keyless_home, lambda: vault_server.versions[-1], _NAMES)


@pytest.fixture
def key_in_age(keyless_home: ExchangeHome, tmp_path: Path) -> Stored:
    """The key lives in the home's `.env.age`, among what an operator wrote there."""
    home, identity, file = keyless_home, pyrage.x25519.Identity.generate(), keyless_home.path / ".env.age"
    write_private_file(tmp_path / "identity", f"{identity}\n")
    text = f"# ours\nBINANCE_API_KEY={home.served.key}\nBINANCE_API_SECRET={home.served.secret}\nMAX_POSITIONS=2\n"
    write_private_file(file, pyrage.encrypt(text.encode(), [identity.to_public()]))
    home.environ["AGE_IDENTITY_FILE"] = str(tmp_path / "identity")

    def read() -> dict[str, Any]:
        plain = tmp_path / "looked at"
        plain.write_bytes(pyrage.decrypt(file.read_bytes(), [identity]))
        return dict(dotenv_values(plain))

    return Stored(home, read, _NAMES)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty one."""
    return Repository(tmp_path / "repository")
