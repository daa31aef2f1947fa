"""The start-up gate: what it binds, what it refuses, and that it never refuses while something is held."""

from __future__ import annotations

import itertools
import re
import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from manual_time import ManualTime
from scripted_exchange import ScriptedExchange, rules_of
from trading_room import Room, assemble

from thunes_cli.audit.journal import Journal
from thunes_cli.errors import AuthError, ConfigError, LedgerCorrupt, OtherAccount
from thunes_cli.exchange.failures import AuthFailed, ExchangeDown, Rejected
from thunes_cli.ledger.baseline import baseline_taken, read_baseline
from thunes_cli.ledger.identity import read_identity, save_uid
from thunes_cli.model import Account, Mode
from thunes_cli.trading.gate import AUTH_RETRY, RETRY, Gate, Stopped


@pytest.fixture
def closed(journal: Journal, time: ManualTime, bare_home: Path) -> Room:
    """A room before its first gate."""
    return assemble(journal, ScriptedExchange(journal.clock), time, home=bare_home)


def test_first_contact_binds_account_and_baseline(closed: Room) -> None:
    """The account met first is the home's for good, and what it held then is the baseline."""
    report = closed.gate.open()

    assert report.mode is Mode.TRADING
    with closed.journal.read() as connection:
        assert read_identity(connection).uid == "42"
        assert read_baseline(connection, exchange_epoch=1) == closed.exchange.balances


def test_another_account_is_refused(closed: Room) -> None:
    """A key of another account is not traded with, whatever is held."""
    closed.gate.open()
    closed.exchange.account = lambda: Account(uid="43", can_trade=True, balances={})  # type: ignore[method-assign]

    with pytest.raises(OtherAccount, match="42"):
        closed.gate.open()


def test_another_accounts_balances_are_no_baseline(closed: Room) -> None:
    """A bound home without a baseline takes none of an account that is not its own, and takes its own later."""
    own = closed.exchange.account
    with closed.journal.change() as change:
        save_uid(change.connection, "42")
    closed.exchange.account = lambda: replace(own(), uid="43")  # type: ignore[method-assign]
    with pytest.raises(OtherAccount, match="42"):
        closed.gate.open()
    with closed.journal.read() as connection:
        assert baseline_taken(connection, exchange_epoch=1) is None

    closed.exchange.account = own  # type: ignore[method-assign]
    closed.gate.open()

    with closed.journal.read() as connection:
        assert read_baseline(connection, exchange_epoch=1) == closed.exchange.balances


def test_unknown_symbol_is_refused(closed: Room) -> None:
    """A symbol the exchange does not know is named."""
    closed.exchange.rules.clear()

    with pytest.raises(ConfigError, match="BTCUSDT"):
        closed.gate.open()


def test_amount_that_could_not_be_sold_is_refused(closed: Room) -> None:
    """The smallest good amount is named."""
    closed.exchange.rules["BTCUSDT"] = rules_of(minimum="12")

    with pytest.raises(ConfigError, match=r"smallest good amount is 1[2-9]"):
        closed.gate.open()


def test_holding_something_means_exits_only(holding: Room) -> None:
    """With a position every such reason stops entries and nothing else, and is told once."""
    holding.exchange.rules.clear()

    first = holding.gate.open(problems=[ConfigError("MAX_DAILY_LOSS must be positive")])
    second = holding.gate.open(problems=[ConfigError("MAX_DAILY_LOSS must be positive")])

    assert first.mode is second.mode is Mode.EXITS_ONLY
    assert len(first.reasons) == 2
    with holding.journal.read() as connection:
        rows = connection.execute("SELECT * FROM alerts WHERE kind = 'exits_only'").fetchall()
    assert len(rows) == 1


def test_bad_settings_are_refused_with_nothing_held(closed: Room) -> None:
    """The first problem is raised as it is."""
    with pytest.raises(ConfigError, match="MAX_DAILY_LOSS"):
        closed.gate.open(problems=[ConfigError("MAX_DAILY_LOSS must be positive")])


def test_waits_for_an_exchange_that_cannot_be_reached(closed: Room) -> None:
    """An unreachable exchange is waited for until the operator stops it."""
    closed.exchange.down = True

    with pytest.raises(Stopped):
        closed.gate.open()
    with pytest.raises(ExchangeDown):
        closed.gate.open(patient=False)


def test_rejected_key_with_nothing_held(closed: Room) -> None:
    """A rejected key is said at once (12)."""

    def refuse() -> Account:
        raise AuthFailed("Invalid API-key, IP, or permissions for action.")

    closed.exchange.account = refuse  # type: ignore[method-assign]

    with pytest.raises(AuthError, match="Invalid API-key"):
        closed.gate.open()


def test_positions_that_are_not_their_fills_are_refused(holding: Room) -> None:
    """fold(fills) == positions is checked at every start."""
    with holding.journal.change() as change:
        change.connection.execute("UPDATE positions SET quantity = '7'")

    with pytest.raises(LedgerCorrupt, match="says 7"):
        holding.gate.open()


def keyed(room: Room, *, withdrawals: bool, accepted: bool = False) -> Gate:
    """The room's gate, with a key that may or may not withdraw."""
    return Gate(
        room.journal,
        room.exchange,
        room.symbols,
        room.resolver,
        plan=room.plan,
        wait=lambda _seconds: True,
        key_permissions=lambda: {"enableReading": True, "enableWithdrawals": withdrawals},
        accept_withdrawals=accepted,
    )


def test_key_that_may_withdraw_is_refused(closed: Room) -> None:
    """With nothing held it does not start (12), unless the operator said so."""
    with pytest.raises(AuthError, match="withdraw"):
        keyed(closed, withdrawals=True).open()

    assert keyed(closed, withdrawals=False).open().mode is Mode.TRADING
    assert keyed(closed, withdrawals=True, accepted=True).open().mode is Mode.TRADING


def test_key_that_may_withdraw_still_sells(holding: Room) -> None:
    """With something held it starts exits-only."""
    assert keyed(holding, withdrawals=True).open().mode is Mode.EXITS_ONLY


def test_an_account_that_may_not_trade(closed: Room) -> None:
    """Nothing held: refused (78), with where to look. Its baseline is taken all the same: it is our account."""
    account = closed.exchange.account
    closed.exchange.account = lambda: replace(account(), can_trade=False)  # type: ignore[method-assign]

    with pytest.raises(ConfigError, match="may not trade"):
        closed.gate.open()


def test_permissions_that_cannot_be_asked_for(closed: Room) -> None:
    """What a key may do is said elsewhere than orders are taken: without that answer the bot still starts."""

    def away() -> dict[str, bool]:
        raise ExchangeDown("scripted")

    assert waiting(closed, key_permissions=away).open().mode is Mode.TRADING


def test_a_damaged_ledger_is_refused(closed: Room) -> None:
    """Before anybody is asked anything: 10, with the file."""
    path = closed.journal.ledger.path
    closed.journal.close()
    with sqlite3.connect(path) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'positions'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)

    closed.exchange.down = True  # whoever asks it waits for it
    with pytest.raises(LedgerCorrupt, match=re.escape(path.name)):
        closed.gate.open()


# -- waiting with something held --------------------------------------------------------------------------------------


def waiting(room: Room, **how: Any) -> Gate:
    """The room's gate; a wait lets the time go by and never ends it."""

    def wait(seconds: float) -> bool:
        room.pass_by(timedelta(seconds=seconds))
        return False

    return Gate(room.journal, room.exchange, room.symbols, room.resolver, plan=room.plan, **{"wait": wait} | how)


def refusing(room: Room, error: Exception, *, times: int) -> list[datetime]:
    """The account refuses so often; when it was asked."""
    account, asked = room.exchange.account, []

    def refuse() -> Account:
        asked.append(room.time.wall)
        if len(asked) <= times:
            raise error
        return account()

    room.exchange.account = refuse  # type: ignore[method-assign]
    return asked


def test_a_key_that_is_refused_while_something_is_held(holding: Room) -> None:
    """It is tried again once a minute, not given up: an exit may depend on it."""
    asked = refusing(holding, AuthFailed("Invalid API-key, IP, or permissions for action."), times=2)

    assert waiting(holding).open().mode is Mode.TRADING

    assert [later - earlier for earlier, later in itertools.pairwise(asked)] == [AUTH_RETRY, AUTH_RETRY]


def test_a_key_that_was_rotated_meanwhile_is_used_at_once(holding: Room) -> None:
    """Nobody waits out the minute of a key that was replaced."""
    asked = refusing(holding, AuthFailed("Invalid API-key, IP, or permissions for action."), times=1)
    answers = iter([False, False, True])

    assert waiting(holding, key_renewed=lambda: next(answers)).open().mode is Mode.TRADING

    assert asked[1] - asked[0] == 2 * RETRY


def test_stopping_while_waiting_for_a_key(holding: Room) -> None:
    """The operator's word ends any wait."""
    refusing(holding, AuthFailed("Invalid API-key, IP, or permissions for action."), times=9)

    with pytest.raises(Stopped):
        waiting(holding, wait=lambda _: True).open()


@pytest.mark.parametrize(
    ("refusal", "raised"),
    [
        pytest.param(Rejected("Signature for this request is not valid.", -1022), AuthError, id="wrong secret"),
        pytest.param(Rejected("Illegal characters found in a parameter.", -1100), Rejected, id="anything else"),
    ],
)
def test_a_refusal_that_waiting_does_not_cure(holding: Room, refusal: Exception, raised: type[Exception]) -> None:
    """Said at once, held or not."""
    asked = refusing(holding, refusal, times=9)

    with pytest.raises(raised):
        waiting(holding).open()
    assert len(asked) == 1
