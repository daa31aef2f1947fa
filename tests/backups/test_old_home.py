"""``backup restore --in-place``: what the new home takes along from the old one, and which home cannot be replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bot_home import BotHome
from exchange_home import ExchangeHome, exchange_home

CONFIRM = ("--in-place", "--confirm", "restore sim", "--json")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ExchangeHome]:
    """A home that trades on a served exchange."""
    with exchange_home(tmp_path) as made:
        yield made


def id_of(backup: Path) -> str:
    return backup.name.split("-", 2)[2].partition(".")[0]


def test_what_lies_there_goes_along(bot: BotHome, backup: Path, tmp_path: Path) -> None:
    """A key's file, a directory of somebody's, links as links; the backups' directory may be one to another disk."""
    disk = tmp_path / "disk"
    backup.parent.rename(disk)
    (bot.path / "backups").symlink_to(disk)
    (bot.path / "private_key-1.pem").write_text("a key")
    (bot.path / "notes").mkdir()
    (bot.path / "notes" / "a").symlink_to("nowhere")
    (bot.path / "age.key").symlink_to(tmp_path / "usb")
    bot.close()

    answer = bot.ask("backup", "restore", id_of(backup), *CONFIRM)

    assert answer.code == 15, answer
    assert (bot.path / "private_key-1.pem").read_text() == "a key"
    assert (bot.path / "notes" / "a").readlink() == Path("nowhere")
    assert (bot.path / "backups").readlink() == disk
    assert (bot.path / "age.key").readlink() == tmp_path / "usb"
    assert bot.ask("backup", "verify", id_of(backup)).code == 0


def test_a_home_behind_a_link(bot: BotHome, backup: Path, tmp_path: Path) -> None:
    """The link stays, what it leads to changes places."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    bot.close()
    bot.path.rename(elsewhere / "real")
    bot.path.symlink_to(elsewhere / "real")

    answer = bot.ask("backup", "restore", id_of(backup), *CONFIRM)

    assert answer.code == 15, answer
    assert bot.path.is_symlink()
    assert Path(answer.data["aside"]).parent == elsewhere
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a bot", "elsewhere"]


def spoiled(ledger: Path) -> None:
    ledger.write_bytes(b"no ledger" * 1000)


@pytest.mark.parametrize("lose", [spoiled, Path.unlink])
def test_a_lost_ledger(bot: BotHome, backup: Path, lose: Callable[[Path], None]) -> None:
    """What a backup is for: it is found by its id, listed and restored all the same."""
    bot.close()
    lose(bot.path / "thunes.db")

    listed = bot.ask("backup", "list", "--json")
    answer = bot.ask("backup", "restore", id_of(backup), *CONFIRM)

    assert [each["id"] for each in listed.data["backups"]] == [id_of(backup)]
    assert answer.code == 15, answer
    assert answer.data["trail"] == "continued"
    assert bot.ask("audit", "validate", "--deep").code == 0


def test_a_home_of_another_environment(bot: BotHome, backup: Path) -> None:
    """A backup of the simulator does not become a live home; nothing is touched."""
    with bot.journal.change() as change:
        change.connection.execute("UPDATE identity SET environment = 'live'")
    bot.close()

    answer = bot.ask("backup", "restore", str(backup), *CONFIRM)

    assert (answer.code, answer.codes) == (78, ["restore_place"])
    assert [path.name for path in bot.path.parent.iterdir()] == ["a bot"]


@pytest.mark.parametrize("lost", [False, True], ids=["known", "by-the-trail"])
def test_the_same_backup_twice(home: ExchangeHome, *, lost: bool) -> None:
    """What was traded in between is ours: it is booked, no other copy's; also when only the trail tells."""
    home.buy()
    file = home.ask("backup", "--json").data["path"]
    first = home.ask("backup", "restore", file, *CONFIRM)
    home.buy("ETHUSDT")
    bought = {order.client_order_id for order in home.orders()}
    if lost:
        spoiled(home.path / "thunes.db")

    second = home.ask("backup", "restore", file, *CONFIRM)

    assert (first.code, second.code) == (0, 0), second
    assert first.data["epoch"] != second.data["epoch"]
    assert {order.client_order_id for order in home.orders()} == bought
    assert home.ask("status", "--json").data["frozen_symbols"] == []


def test_init_makes_no_second_ledger_where_one_was_lost(bot: BotHome, backup: Path) -> None:
    """It would know nothing of what is held; with a backup, the hint brings it back."""
    bot.close()
    for part in bot.path.glob("thunes.db*"):
        part.unlink()

    answer = bot.ask("init", "--json")

    assert answer.code == 78
    assert str(backup) in answer.document["problems"][0]["hint"]
    assert not (bot.path / "thunes.db").exists()
