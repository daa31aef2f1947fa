"""``thunes keys rotate`` where the key lives elsewhere: AWS (moto's server), Vault (its HTTP paths), an age file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_vault import FakeVault
from rotating_home import OLD_DELETED, Stored, env_file, new_key, rotate, sim_key, states

from thunes_cli.config.secrets import Secret
from thunes_cli.exchange import key_answers
from thunes_cli.exchange.failures import ExchangeDown
from thunes_cli.ops import rotating


@pytest.fixture(params=["key_in_aws", "key_in_vault", "key_in_age"])
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
    assert home.ask(*OLD_DELETED).code == 3  # it is alive
    assert stored.read()[names["old"]] == home.served.key
    sim_key(home, "revoke", key=home.served.key[:8])
    assert home.ask(*OLD_DELETED).code == 0
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
    key_in_vault: Stored, vault_server: FakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Putting back would overwrite it: the new key stays in force, and that is said (15)."""
    key, secret = new_key(key_in_vault.home)
    fail_the_second_proof(
        monkeypatch, lambda: vault_server.versions.append(vault_server.versions[-1] | {"MAX_POSITIONS": "1"})
    )

    answer = rotate(key_in_vault.home, key, secret)

    assert (answer.code, answer.codes) == (15, ["new_key_stays"])
    message = answer.document["problems"][0]["message"]
    assert "check-and-set" in message
    assert f"The new key {Secret(key).fingerprint()} is in use" in message
    assert key_in_vault.pair() == (key, secret)
    assert key_in_vault.read()["MAX_POSITIONS"] == "1"
    assert states(key_in_vault.home) == ["done"]


def test_an_answer_that_is_lost_proves_nothing(key_in_vault: Stored, vault_server: FakeVault) -> None:
    """It is read which key is there: the new one, for the write had happened."""
    key, secret = new_key(key_in_vault.home)
    vault_server.loses_answers = True

    answer = rotate(key_in_vault.home, key, secret)

    assert (answer.code, answer.codes) == (15, ["new_key_stays"])
    assert key_in_vault.pair() == (key, secret)
    assert states(key_in_vault.home) == ["done"]


def test_a_store_that_closes_in_the_middle_leaves_it_open(
    key_in_vault: Stored, vault_server: FakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """13 and no guess; once it can be asked again whoever starts says which key it is."""
    key, secret = new_key(key_in_vault.home)
    fail_the_second_proof(monkeypatch, lambda: setattr(vault_server, "is_sealed", True))

    answer = rotate(key_in_vault.home, key, secret)

    assert (answer.code, answer.codes) == (13, ["key_in_doubt"])
    assert states(key_in_vault.home) == ["started"]
    vault_server.is_sealed = False
    monkeypatch.undo()
    key_in_vault.home.meet()
    assert key_in_vault.pair() == (key, secret)
    assert states(key_in_vault.home) == ["done"]
