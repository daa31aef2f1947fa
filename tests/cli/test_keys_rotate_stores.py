"""``thunes keys rotate`` where the key lives elsewhere: AWS (moto's server), Vault (its HTTP paths), an age file."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pyrage
import pytest
from dotenv import dotenv_values
from exchange_home import ExchangeHome
from fake_vault import TOKEN, FakeVault
from moto.server import ThreadedMotoServer
from rotating_home import ELSEWHERE, OLD_DELETED, WORD, env_file, new_key, rotate, rotating_home, sim_key, states

from thunes_cli.config.private_file import write_private_file
from thunes_cli.config.secrets import Secret
from thunes_cli.exchange import key_answers
from thunes_cli.exchange.failures import ExchangeDown
from thunes_cli.ops import rotating

_ID = "thunes/binance"


@dataclass
class Stored:
    """A home whose key lives in a store; ``read`` looks into the store as its owner does."""

    home: ExchangeHome
    read: Callable[[], dict[str, Any]]
    names: dict[str, str]

    def pair(self) -> tuple[str, str]:
        """The key and the secret that are stored."""
        stored = self.read()
        return stored[self.names["key"]], stored[self.names["secret"]]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ExchangeHome]:
    """Its `.env` holds no key."""
    with rotating_home(tmp_path) as home:
        write_private_file(env_file(home), "LOG_LEVEL=INFO\n")
        yield home


@pytest.fixture(scope="module")
def aws_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def aws(home: ExchangeHome, aws_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stored]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = boto3.client("secretsmanager", region_name="eu-west-1", endpoint_url=aws_url)
    secret = {"api_key": home.served.key, "api_secret": home.served.secret, "MAX_POSITIONS": 2}
    client.create_secret(Name=_ID, SecretString=json.dumps(secret))
    home.environ |= {"AWS_SECRET_ID": _ID, "AWS_REGION": "eu-west-1", "AWS_SECRETS_URL": aws_url}

    def read() -> dict[str, Any]:
        return dict(json.loads(client.get_secret_value(SecretId=_ID)["SecretString"]))

    yield Stored(home, read, {"key": "api_key", "secret": "api_secret", "old": "old_api_key"})
    client.delete_secret(SecretId=_ID, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def vault_server(home: ExchangeHome) -> Iterator[FakeVault]:
    secret = {"BINANCE_API_KEY": home.served.key, "BINANCE_API_SECRET": home.served.secret, "MAX_POSITIONS": "2"}
    server = FakeVault(secret)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    home.environ |= {"VAULT_ADDR": server.url, "VAULT_SECRET_PATH": "secret/thunes/binance", "VAULT_TOKEN": TOKEN}
    yield server
    server.shutdown()
    server.server_close()


_NAMES = {"key": "BINANCE_API_KEY", "secret": "BINANCE_API_SECRET", "old": "BINANCE_OLD_API_KEY"}


@pytest.fixture
def vault(home: ExchangeHome, vault_server: FakeVault) -> Stored:
    return Stored(home, lambda: vault_server.versions[-1], _NAMES)


@pytest.fixture
def age(home: ExchangeHome, tmp_path: Path) -> Stored:
    identity, file = pyrage.x25519.Identity.generate(), home.path / ".env.age"
    write_private_file(tmp_path / "identity", f"{identity}\n")
    text = f"# ours\nBINANCE_API_KEY={home.served.key}\nBINANCE_API_SECRET={home.served.secret}\nMAX_POSITIONS=2\n"
    write_private_file(file, pyrage.encrypt(text.encode(), [identity.to_public()]))
    home.environ["AGE_IDENTITY_FILE"] = str(tmp_path / "identity")

    def read() -> dict[str, Any]:
        plain = tmp_path / "looked at"
        plain.write_bytes(pyrage.decrypt(file.read_bytes(), [identity]))
        return dict(dotenv_values(plain))

    return Stored(home, read, _NAMES)


@pytest.fixture(params=["aws", "vault", "age"])
def stored(request: pytest.FixtureRequest) -> Stored:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Stored)
    return found


def test_the_whole_of_it(stored: Stored) -> None:
    """Written where the old one was, and nowhere else; what stands beside it is kept; the old name goes at the end."""
    home, names = stored.home, stored.names
    key, secret = new_key(home)
    beside = stored.read()["MAX_POSITIONS"]

    answer = rotate(home, key, secret)

    assert answer.code == 0, answer
    assert stored.pair() == (key, secret)
    assert stored.read()[names["old"]] == home.served.key
    assert stored.read()["MAX_POSITIONS"] == beside
    assert env_file(home).read_text(encoding="utf-8") == "LOG_LEVEL=INFO\n"
    checked = home.ask("keys", "check", "--json")
    assert (checked.code, checked.data["fingerprint"]) == (0, answer.data["new_fingerprint"])
    sim_key(home, "restrict", key=home.served.key[:8], ips=[ELSEWHERE])
    assert home.ask(*OLD_DELETED).code == 7
    assert stored.read()[names["old"]] == home.served.key
    sim_key(home, "revoke", key=home.served.key[:8])
    assert home.ask(*OLD_DELETED, *WORD).code == 0
    assert names["old"] not in stored.read()
    home.meet()
    for shown in (answer, checked, home.ask("keys", "history"), home.ask("config", "show")):
        assert not any(part in shown.out + shown.err for part in (key, secret, home.served.key, home.served.secret))


def fail_the_second_proof(monkeypatch: pytest.MonkeyPatch, before: Callable[[], object] = lambda: None) -> None:
    """The exchange goes away once the new key is written, after something else happened."""
    proofs = 0
    real = key_answers.account_of

    def account_of(exchange: Any, **options: Any) -> Any:
        nonlocal proofs
        proofs += 1
        if proofs > 1:
            before()
            raise ExchangeDown("it went away")
        return real(exchange, **options)

    monkeypatch.setattr(rotating, "account_of", account_of)


def test_what_was_there_is_put_back(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """13: the exchange went away between writing and the second proof."""
    before = stored.read()
    fail_the_second_proof(monkeypatch)

    answer = rotate(stored.home, *new_key(stored.home))

    assert answer.code == 13
    assert "stays in use" in answer.document["problems"][0]["message"]
    assert stored.read() == before
    assert states(stored.home) == ["rolled_back"]


def test_what_somebody_else_wrote_in_between_is_not_lost(
    vault: Stored, vault_server: FakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Putting back would overwrite it: the new key stays in force, and that is said (15)."""
    key, secret = new_key(vault.home)
    fail_the_second_proof(
        monkeypatch, lambda: vault_server.versions.append(vault_server.versions[-1] | {"MAX_POSITIONS": "1"})
    )

    answer = rotate(vault.home, key, secret)

    assert (answer.code, answer.codes) == (15, ["new_key_stays"])
    message = answer.document["problems"][0]["message"]
    assert "check-and-set" in message
    assert f"The new key {Secret(key).fingerprint()} is in use" in message
    assert vault.pair() == (key, secret)
    assert vault.read()["MAX_POSITIONS"] == "1"
    assert states(vault.home) == ["done"]


def test_an_answer_that_is_lost_is_no_proof_that_nothing_was_written(vault: Stored, vault_server: FakeVault) -> None:
    """It is read which key is there: the new one, for the write had happened."""
    key, secret = new_key(vault.home)
    vault_server.loses_answers = True

    answer = rotate(vault.home, key, secret)

    assert (answer.code, answer.codes) == (15, ["new_key_stays"])
    assert vault.pair() == (key, secret)
    assert states(vault.home) == ["done"]


def test_a_store_that_closes_in_the_middle_leaves_it_open(
    vault: Stored, vault_server: FakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """13 and no guess; once it can be asked again whoever starts says which key it is."""
    key, secret = new_key(vault.home)
    fail_the_second_proof(monkeypatch, lambda: setattr(vault_server, "is_sealed", True))

    answer = rotate(vault.home, key, secret)

    assert (answer.code, answer.codes) == (13, ["key_in_doubt"])
    assert states(vault.home) == ["started"]
    vault_server.is_sealed = False
    monkeypatch.undo()
    vault.home.meet()
    assert vault.pair() == (key, secret)
    assert states(vault.home) == ["done"]
