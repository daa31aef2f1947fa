"""``thunes balance``: what the exchange says, beside what the ledger says of it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from bot_home import BotHome, names, thunes

from thunes_cli.cli.balance import compare
from thunes_cli.ledger.baseline import save_baseline
from thunes_cli.ledger.identity import read_identity
from thunes_cli.ledger.view_holdings import HoldingRows, read_holdings
from thunes_cli.model import Account, Balance


def holdings(bot: BotHome) -> HoldingRows:
    """What the ledger holds for the comparison."""
    with bot.journal.read() as connection:
        return read_holdings(connection, exchange_epoch=read_identity(connection).exchange_epoch)


def account(**free: str) -> Account:
    """What an exchange answers."""
    return Account(
        "1", can_trade=True, balances={name: Balance(name, Decimal(v), Decimal(0)) for name, v in free.items()}
    )


@pytest.fixture
def bound(bot: BotHome) -> BotHome:
    """A home that met its account when it held 100 USDT and half a bitcoin of the operator's own."""
    with bot.journal.change() as change:
        save_baseline(change.connection, account(USDT="100", BTC="0.5").balances, exchange_epoch=1, at=change.at)
    return bot


def test_ours_is_told_from_what_was_there(bound: BotHome) -> None:
    """Bought net of the fee in base, paid in quote; nothing is unexplained, to the last digit."""
    bound.buy(price="40000", amount="12")

    btc, usdt = compare(account(BTC="0.5002997", USDT="88"), holdings(bound), asset=None)

    assert (btc.bot, btc.baseline, btc.unexplained) == (Decimal("0.0002997"), Decimal("0.5"), 0)
    assert (usdt.bot, usdt.baseline, usdt.unexplained) == (-12, 100, 0)


def test_a_round_trip_leaves_its_result(bound: BotHome) -> None:
    """What the bot holds of the quote asset is its net cash flow, fees included."""
    bound.lose(bought="40000", sold="38000", amount="12")

    btc, usdt = compare(account(BTC="0.5", USDT="99.3771"), holdings(bound), asset=None)

    assert btc.bot == 0
    assert usdt.bot == Decimal(-12) + Decimal("0.0002997") * 38000 * (1 - Decimal("0.001"))


def test_a_fee_in_a_third_asset_counts(bound: BotHome) -> None:
    """BNB that went to fees is ours to explain."""
    bound.fill(bound.send(bound.intend(amount="12")), price="40000", fee_asset="BNB")

    bnb, *_ = compare(account(), holdings(bound), asset=None)

    assert (bnb.balance.asset, bnb.bot, bnb.baseline) == ("BNB", Decimal("-0.0001"), 0)


def test_somebody_else_shows(bound: BotHome) -> None:
    """What neither our fills nor the baseline explain is named."""
    (usdt,) = compare(account(USDT="150"), holdings(bound), asset="usdt")

    assert usdt.unexplained == 50


def test_deposits_belong_to_the_baseline(bound: BotHome) -> None:
    """Known flows are not somebody else."""
    with bound.journal.change() as change:
        change.connection.execute(
            "INSERT INTO flows (exchange_epoch, asset, quantity, kind, reason, actor, at)"
            " VALUES (1, 'USDT', '50', 'accepted', 'more', 'op', '2026-03-10T12:00:00.000Z')"
        )

    (usdt,) = compare(account(USDT="150"), holdings(bound), asset="USDT")

    assert (usdt.baseline, usdt.unexplained) == (150, 0)


def test_without_first_contact_there_is_no_baseline(bot: BotHome) -> None:
    """Unknown is not zero."""
    (usdt,) = compare(account(USDT="150"), holdings(bot), asset=None)

    assert usdt.baseline is None
    assert usdt.unexplained is None


def test_from_the_embedded_exchange(tmp_path: Path) -> None:
    """No settings, no daemon: the exchange in the home answers; after a first check everything is explained."""
    home = ("--home", str(tmp_path / "a home"))
    environ = {"SIGNAL_INTERVAL_SECONDS": "60"}
    assert thunes(*home, "init").code == 0

    before = thunes(*home, "balance", "--json", environ=environ)

    assert before.code == 0, before.out
    assert before.data["balances"][0].keys() >= {"asset", "free", "locked", "bot", "baseline"}
    assert set(names(before.data["balances"], "baseline")) == {None}

    done = subprocess.run(
        [sys.executable, "-m", "thunes_cli", *home, "run", "--once", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout)["exit_code"] == 0, done.stdout
    after = thunes(*home, "balance", "usdt", "--json", environ=environ)

    (usdt,) = after.data["balances"]
    assert usdt["asset"] == "USDT"
    assert Decimal(usdt["unexplained"]) == 0
    assert Decimal(usdt["free"]) + Decimal(usdt["locked"]) == Decimal(usdt["baseline"]) + Decimal(usdt["bot"])


def test_an_exchange_that_is_not_there(bot: BotHome) -> None:
    """13: could not find out. The answer is not a balance of nothing."""
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{placeholder.getsockname()[1]}"
        environ = {"BINANCE_REST_URL": url, "BINANCE_API_KEY": "k" * 20, "BINANCE_API_SECRET": "s" * 20}

        answer = bot.ask("balance", "--json", environ=environ)

    assert answer.code == 13
    assert answer.codes == ["exchange_unavailable"]


def test_settings_of_another_environment(bot: BotHome) -> None:
    """78: the home's coins are not there."""
    environ = {"ENVIRONMENT": "testnet", "BINANCE_TESTNET_API_KEY": "k" * 20, "BINANCE_TESTNET_API_SECRET": "s" * 20}

    answer = bot.ask("balance", "--json", environ=environ)

    assert answer.code == 78
    assert answer.codes == ["other_environment"]


def test_without_a_home(tmp_path: Path) -> None:
    """10, and nothing is made."""
    assert thunes("--home", str(tmp_path / "none"), "balance", "--json").code == 10
    assert list(tmp_path.iterdir()) == []
