"""What somebody does to the account, the key or the settings, as it arrives in the chat, sent by the command that found
it out: there is no daemon here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from exchange_home import ExchangeHome, exchange_home
from fake_telegram import FakeTelegram

WHY = ("--reason", "test")


@pytest.fixture
def home(tmp_path: Path, telegram: FakeTelegram) -> Iterator[ExchangeHome]:
    """It has met its exchange; its chat is empty."""
    with exchange_home(tmp_path, **telegram.settings()) as home:
        telegram.taken.clear()
        yield home


@pytest.fixture
def heard(home: ExchangeHome, telegram: FakeTelegram) -> Callable[..., str]:
    """The one message that says all of this; it names a command to type."""

    def find(*words: str) -> str:
        home.ask("alerts", "retry")  # a busy machine may have kept a command from sending within its two seconds
        (found,) = [text for text in telegram.texts if all(word in text for word in words)]
        assert "\nNext: " in found
        return found

    return find


def close(home: ExchangeHome) -> int:
    """Sell what is held."""
    return home.ask("positions", "close", "BTCUSDT", "--confirm", "close BTCUSDT sim", *WHY).code


def test_a_loss_comes_near_the_limit_and_reaches_it(home: ExchangeHome, heard: Callable[..., str]) -> None:
    """Real round trips at a real loss: a warning at 80 %, then the switch with the trail's checkpoint."""
    home.buy()
    assert close(home) == 0
    (first,) = home.positions()
    home.environ["MAX_DAILY_LOSS"] = format(-first.realized * Decimal("2.4"), ".8f")
    home.buy()
    assert close(home) == 0
    assert "% of the limit" in heard(
        "WARNING sim: daily_loss_near", "The counted loss of today is", "thunes pnl --losses"
    )
    home.buy()
    assert close(home) == 0

    tripped = heard(
        "CRITICAL sim: kill_switch", "activated by automatic: daily loss", "Trail checkpoint:\nthunes.audit/"
    )

    assert home.ask("killswitch", "status").code == 3
    assert home.environ["MAX_DAILY_LOSS"].rstrip("0") in tripped


def test_coins_that_come_from_nowhere(home: ExchangeHome, heard: Callable[..., str]) -> None:
    """A deposit and its acceptance: a finding with its numbers, and that both agree again."""
    home.move("USDT", "250")
    assert home.ask("reconcile").code == 4
    assert home.ask("reconcile").code == 4

    found = heard("sim: reconcile", "Ledger and exchange differ (1 new)", "exchange_more")
    assert "250" in found
    assert "\nNext: thunes reconcile" in found
    assert home.ask("reconcile", "accept", "USDT", *WHY, "--confirm", "apply sim").code == 0
    assert home.ask("reconcile").code == 0
    heard("INFO sim: reconcile", "agree again")


def test_somebody_else_trades(home: ExchangeHome, heard: Callable[..., str]) -> None:
    """With our key from elsewhere: an external order. With our own numbers: a second copy of this home."""
    home.stranger("BUY", quoteOrderQty="200")
    assert home.ask("reconcile").code == 4
    heard("external_order", "Somebody else uses the account", "thunes orders list --external")

    mine = home.buy()
    ours = next(order for order in home.orders() if order.position_id == mine.id).client_order_id
    home.stranger("BUY", client_order_id=f"{ours[:8]}zzz-B-77", quoteOrderQty="50")
    assert home.ask("reconcile").code == 4
    heard("CRITICAL sim: other_copy", "A second copy of this home trades, entries are stopped")


def test_a_position_that_cannot_be_sold(home: ExchangeHome, heard: Callable[..., str]) -> None:
    """A halted symbol: after three attempts it is told with what is held and since when; then, that it is sold."""
    home.buy()
    home.served.send("POST", "/sim/symbol", body='{"symbol": "BTCUSDT", "status": "HALT"}')
    for _ in range(4):
        assert close(home) == 15
        home.execute("UPDATE positions SET exit_next_try_wall = NULL")  # time goes by

    blocked = heard("CRITICAL sim: exit_blocked", "Exit of BTCUSDT is blocked", "HALT")
    assert "BTC are still held, wanted out (operator), since " in blocked
    home.served.send("POST", "/sim/symbol", body='{"symbol": "BTCUSDT", "status": "TRADING"}')
    assert close(home) == 0
    heard("INFO sim: exit_blocked", "BTCUSDT is sold at", "It lasted")


def test_settings_that_allow_exits_only(home: ExchangeHome, heard: Callable[..., str]) -> None:
    """Something is held and the settings are bad: no entries, until they are mended."""
    home.buy()
    home.environ["DEFAULT_QUOTE_AMOUNT"] = "1"
    assert home.ask("run", "--once").code == 0
    heard("CRITICAL sim: exits_only", "Exits only, no entries", "DEFAULT_QUOTE_AMOUNT")

    del home.environ["DEFAULT_QUOTE_AMOUNT"]
    assert home.ask("run", "--once").code == 0
    heard("INFO sim: exits_only", "Entries are made again", "It lasted")


def test_a_key_that_is_revoked(home: ExchangeHome, heard: Callable[..., str]) -> None:
    """The exchange rejects it: told at once, once, also when the single check ends with 12."""
    home.served.send("POST", "/sim/key/revoke", body=f'{{"key": "{home.served.key}"}}')
    for _ in range(2):
        assert home.ask("run", "--once").code == 12

    heard("CRITICAL sim: key_rejected", "Entries stop, and nothing can be sold", "thunes config check --online")


def test_a_disk_that_gets_short(home: ExchangeHome, heard: Callable[..., str]) -> None:
    """More room is demanded than there is: no entries; and when there is enough again."""
    home.environ["MIN_FREE_MIB"] = "900000000"
    assert home.ask("run", "--once").code == 0
    heard("WARNING sim: disk_low", "MiB are free at", "less than MIN_FREE_MIB 900000000: no entries")

    del home.environ["MIN_FREE_MIB"]
    assert home.ask("run", "--once").code == 0
    heard("INFO sim: disk_low", "MiB are free again", "It lasted")


def test_a_trail_that_was_edited(home: ExchangeHome, heard: Callable[..., str]) -> None:
    """A byte changed from outside is told by whoever writes next."""
    trail = home.path / "audit_trail.jsonl"
    *lines, last = trail.read_bytes().splitlines(keepends=True)
    trail.write_bytes(b"".join(lines) + last.replace(b'"timestamp":"2', b'"timestamp":"3'))
    home.ask("run", "--once")

    told = heard("CRITICAL sim: trail", "was changed from outside: record", "Entries are stopped, exits go on")
    assert told.rstrip().endswith("Next: thunes status")
