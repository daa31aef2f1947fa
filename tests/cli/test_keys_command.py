"""``thunes keys check``, ``status`` and ``generate`` on an exchange that is served here."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bot_home import BotHome, thunes
from exchange_home import ExchangeHome, exchange_home

from thunes_cli.ledger import api_keys
from thunes_cli.ledger.api_keys import NewKey


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ExchangeHome]:
    with exchange_home(tmp_path) as home:
        yield home


def sim_key(home: ExchangeHome, what: str, **asked: Any) -> Any:
    """What ``thunes sim key`` does, to the exchange of the home."""
    reply = home.served.send("POST", f"/sim/key/{what}", body=json.dumps(asked))
    assert reply.status == 200, reply
    return reply.body


FORBIDDEN = {
    "enableWithdrawals": "may_withdraw",
    "enableFutures": "may_trade_futures",
    "enableInternalTransfer": "may_transfer_internally",
    "permitsUniversalTransfer": "may_transfer_universally",
    "enableMargin": "may_borrow",
    "enableVanillaOptions": "may_trade_options",
}


def test_a_key_that_may_do_what_is_needed(home: ExchangeHome) -> None:
    """Its permissions by the exchange's names, its account, its age; that it is an HMAC key is a warning."""
    answer = home.ask("keys", "check", "--json")

    data = answer.data
    assert (answer.code, data["can_trade"], data["checkable"], data["violations"]) == (0, True, True, [])
    assert data["permissions"]["enableReading"] is True
    assert data["permissions"]["enableWithdrawals"] is False
    assert [each["rule"] for each in data["warnings"]] == ["hmac"]
    assert home.ask("keys", "status", "--json").data["created_at"] == data["created_at"]


def test_each_permission_too_much_is_a_violation(home: ExchangeHome) -> None:
    """Every one is named, with what to do; no address is a warning."""
    sim_key(home, "restrict", key=home.served.key[:8], allow=list(FORBIDDEN), ips=[])

    answer = home.ask("keys", "check", "--json")

    assert answer.code == 3
    assert {each["rule"] for each in answer.data["violations"]} == set(FORBIDDEN.values()) == set(answer.codes)
    assert [each["rule"] for each in answer.data["warnings"]] == ["ip_unrestricted", "hmac"]


def test_a_key_that_may_not_trade_is_a_violation(home: ExchangeHome) -> None:
    """Spot trading is needed."""
    sim_key(home, "restrict", key=home.served.key[:8], deny=["enableSpotAndMarginTrading"])

    answer = home.ask("keys", "check", "--json")

    assert (answer.code, answer.codes) == (3, ["may_not_trade"])


def test_withdrawals_that_were_accepted_are_a_warning(home: ExchangeHome) -> None:
    """The operator's word counts here as it does at the start."""
    sim_key(home, "restrict", key=home.served.key[:8], allow=["enableWithdrawals"])
    home.environ["ACCEPT_KEY_THAT_MAY_WITHDRAW"] = "true"

    answer = home.ask("keys", "check", "--json")

    assert answer.code == 0
    assert "may_withdraw" in [each["rule"] for each in answer.data["warnings"]]


@pytest.mark.parametrize("wrong", ["revoked", "BINANCE_API_KEY", "BINANCE_API_SECRET"])
def test_a_rejected_key_is_12(home: ExchangeHome, wrong: str) -> None:
    """Whether it is dead, unknown, or not its secret's; neither is shown."""
    if wrong == "revoked":
        sim_key(home, "revoke", key=home.served.key[:8])
    else:
        home.environ[wrong] = "Canary7" * 10

    answer = home.ask("keys", "check", "--json")

    assert (answer.code, answer.codes) == (12, ["auth"])
    assert "Canary7" not in answer.out + answer.err
    assert home.served.secret not in answer.out + answer.err


def test_an_exchange_that_is_down_is_13(home: ExchangeHome) -> None:
    """Could not find out is not the same as bad."""
    home.environ["BINANCE_REST_URL"] = "http://127.0.0.1:9"

    assert home.ask("keys", "check", "--json").code == 13


def test_another_accounts_key_is_refused(home: ExchangeHome) -> None:
    """A home belongs to the account that it met first."""
    home.meet()
    with home.desk() as desk, desk.journal.change() as change:
        change.connection.execute("UPDATE identity SET uid = '77'")

    answer = home.ask("keys", "check", "--json")

    assert (answer.code, answer.codes) == (78, ["other_account"])


def test_the_testnet_tells_nobody_what_a_key_may_do(home: ExchangeHome, tmp_path: Path) -> None:
    """Said so; nothing but the account and the clock is asked, and of the testnet's own address alone."""
    testnet = tmp_path / "testnet"
    environ = {
        "ENVIRONMENT": "testnet",
        "BINANCE_REST_URL": home.served.url,
        "BINANCE_TESTNET_API_KEY": home.served.key,
        "BINANCE_TESTNET_API_SECRET": home.served.secret,
        "BINANCE_API_KEY": "of-production",
        "BINANCE_API_SECRET": "of-production",
    }
    assert thunes("--home", str(testnet), "init", "--environment", "testnet").code == 0

    answer = thunes("--home", str(testnet), "keys", "check", "--json", environ=environ)
    shown = thunes("--home", str(testnet), "keys", "check", environ=environ)

    assert (answer.code, answer.data["checkable"], answer.data["permissions"]) == (0, False, {})
    assert answer.data["can_trade"] is True
    assert "not checkable here" in shown.out


# -- status --------------------------------------------------------------------------------------------------------


def used(bot: BotHome, *, age: timedelta) -> None:
    """A key that the exchange says was made so long ago is in use."""
    with bot.journal.change() as change:
        key = NewKey("0123456789ab", None, "Ed25519", "environment", created_at=change.at - age)
        api_keys.put_in_use(change.connection, key, at=change.at)


def test_a_simulator_home_without_a_key(bot: BotHome) -> None:
    """Nothing is known, and nothing overdue."""
    answer = bot.ask("keys", "status", "--json")

    assert (answer.code, answer.data["overdue"], answer.data["fingerprint"]) == (0, False, None)


def test_a_key_that_is_set_and_was_never_used(bot: BotHome) -> None:
    """Where it is and its fingerprint; a store elsewhere is not asked."""
    environ = {"BINANCE_API_KEY": "a-key-that-is-set", "BINANCE_API_SECRET": "Canary7", "VAULT_SECRET_PATH": "kv/x"}

    answer = bot.ask("keys", "status", "--json", environ=environ)

    assert (answer.code, answer.data["source"], answer.data["age_days"]) == (0, "environment", None)
    assert len(answer.data["fingerprint"]) == 12


@pytest.mark.parametrize(
    ("days", "code", "near"), [(0, 0, False), (86, 0, False), (87, 0, True), (90, 3, True), (400, 3, True)]
)
def test_its_age_decides(bot: BotHome, days: int, code: int, *, near: bool) -> None:
    """90 days on the simulator; from three days before it warns, from then on it is 3."""
    used(bot, age=timedelta(days=days))

    answer = bot.ask("keys", "status", "--json")

    data = answer.data
    assert (answer.code, data["age_days"], data["overdue"], data["near"]) == (code, days, code == 3, near)
    assert answer.codes == (["key_overdue"] if code else [])
    assert ("is due soon" in bot.ask("keys", "status").out) is (near and not code)


def test_a_compromised_key_is_due_at_once(bot: BotHome) -> None:
    """However young it is."""
    used(bot, age=timedelta(days=1))
    with bot.journal.change() as change:
        api_keys.mark_compromised(change.connection, "0123456789ab", why="it was pushed", at=change.at)

    answer = bot.ask("keys", "status", "--json")

    assert (answer.code, answer.codes, answer.data["overdue"]) == (3, ["key_compromised"], True)
    assert "it was pushed" in answer.document["problems"][0]["message"]


def test_a_key_left_behind_is_named(bot: BotHome) -> None:
    """Until it is proven dead."""
    used(bot, age=timedelta(days=1))
    with bot.journal.change() as change:
        api_keys.put_in_use(change.connection, NewKey("ba9876543210", None, "HMAC", "environment"), at=change.at)

    assert bot.ask("keys", "status", "--json").data["old_key"]["fingerprint"] == "0123456789ab"
    assert "--confirm-old-deleted" in bot.ask("keys", "status").out


# -- generate ------------------------------------------------------------------------------------------------------


def test_a_pair_that_the_exchange_takes(home: ExchangeHome, tmp_path: Path) -> None:
    """Registered by its public key and set by its file, it signs; its private half is shown nowhere."""
    file = tmp_path / "next.pem"

    made = home.ask("keys", "generate", "--to", str(file), "--json")

    assert (made.code, made.document["changed"], made.data["private_key_file"]) == (0, True, str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().splitlines()[1] not in made.out + made.err
    key = sim_key(home, "add", public_key=made.data["public_key"])["api_key"]
    del home.environ["BINANCE_API_SECRET"]
    home.environ |= {"BINANCE_API_KEY": key, "BINANCE_PRIVATE_KEY_FILE": str(file)}
    checked = home.ask("keys", "check", "--json")
    assert (checked.code, checked.data["kind"]) == (0, "Ed25519")
    assert "hmac" not in [each["rule"] for each in checked.data["warnings"]]


def test_a_private_key_is_never_overwritten(bot: BotHome, tmp_path: Path) -> None:
    """Neither is whatever else is there; nothing half-written stays."""
    file = tmp_path / "mine.pem"
    file.write_text("precious")

    answers = [bot.ask("keys", "generate", "--to", str(file), *more, "--json") for more in ((), ("--dry-run",))]

    assert [(each.code, each.codes) for each in answers] == [(78, ["private_key_there"])] * 2
    assert file.read_text() == "precious"
    assert not list(tmp_path.glob(".mine*"))


def test_in_the_home_each_pair_has_a_name_of_its_own(bot: BotHome) -> None:
    """So that the next one needs no other command line."""
    paths = {bot.ask("keys", "generate", "--json").data["private_key_file"] for _ in range(2)}

    assert len(paths) == 2
    assert {Path(path).parent for path in paths} == {bot.path}


def test_a_directory_that_is_not_there_is_10(bot: BotHome, tmp_path: Path) -> None:
    """And the command that makes it is said."""
    answer = bot.ask("keys", "generate", "--to", str(tmp_path / "no" / "key.pem"), "--json")

    assert answer.code == 10
    assert "mkdir" in answer.document["problems"][0]["hint"]
