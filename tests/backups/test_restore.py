"""``thunes backup restore`` and ``drill``: a home that trades on, and nothing that is bought twice."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from bot_home import BotHome, thunes
from exchange_home import ExchangeHome, exchange_home

from thunes_cli.daemon.lock import DaemonLock
from thunes_cli.ledger import daemon
from thunes_cli.process import this_process

CONFIRM = ("--in-place", "--confirm", "restore sim")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ExchangeHome]:
    """A home that trades on a served exchange."""
    with exchange_home(tmp_path) as made:
        yield made


def take(home: ExchangeHome | BotHome) -> str:
    """Take a backup; its file."""
    return str(home.ask("backup", "--json").data["path"])


def beside(home: ExchangeHome, directory: Path) -> ExchangeHome:
    """Another home on the same exchange."""
    return ExchangeHome(directory, home.served, SYMBOLS="BTCUSDT,ETHUSDT")


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (path / "audit_trail.jsonl").read_text().splitlines()]


def test_on_an_empty_place_while_the_exchange_moved_on(home: ExchangeHome, tmp_path: Path) -> None:
    """What happened since is booked from the exchange, no client id comes twice, ledger and exchange agree."""
    home.buy()
    file = take(home)
    before = {order.client_order_id for order in home.orders()}
    home.buy("ETHUSDT")
    sold = home.ask("positions", "close", "BTCUSDT", "--reason", "test", "--confirm", "close BTCUSDT sim")
    assert sold.code == 0, sold
    since = {order.client_order_id for order in home.orders()} - before
    restored = beside(home, tmp_path / "restored")

    answer = thunes("backup", "restore", file, "--to", str(restored.path), "--json", environ=home.environ)

    assert (answer.code, answer.data["reconciled"]) == (0, True), answer
    assert {order.client_order_id for order in restored.orders()} == before | since
    assert [each.symbol for each in restored.positions() if each.exit_time is None] == ["ETHUSDT"]
    assert restored.ask("run", "--once").code == 0
    restored.buy()
    assert len({order.client_order_id for order in restored.orders()}) == len(restored.orders())
    assert restored.ask("reconcile").code == 0
    assert restored.ask("audit", "validate", "--deep").code == 0


def test_the_embedded_exchange_stays_behind(backup: Path, tmp_path: Path) -> None:
    """Beside the old home another one would begin, of another account: nobody is sent there, the way is told."""
    answer = thunes("backup", "restore", str(backup), "--to", str(tmp_path / "new"), "--json")
    told = thunes("backup", "restore", str(backup), "--to", str(tmp_path / "newer"))

    (problem,) = answer.document["problems"]
    assert (answer.code, problem["code"]) == (15, "exchange_elsewhere")
    assert "sim/" in problem["hint"]
    assert "--in-place" in problem["hint"]
    assert "next:" not in told.out


def test_an_entry_between_decision_and_sending(home: ExchangeHome, tmp_path: Path) -> None:
    """The original sent it after the backup and traded on: it is asked for and booked, and all that came after too."""
    decided = home.decide()
    file = take(home)
    home.send(decided)
    home.ask("positions", "close", "BTCUSDT", "--reason", "test", "--confirm", "close BTCUSDT sim")
    home.buy()
    restored = beside(home, tmp_path / "restored")

    answer = thunes("backup", "restore", file, "--to", str(restored.path), "--json", environ=home.environ)

    assert (answer.code, answer.data["reconciled"]) == (0, True), answer
    told = [(order.client_order_id, order.state, order.executed_qty) for order in home.orders()]
    assert [(order.client_order_id, order.state, order.executed_qty) for order in restored.orders()] == told
    assert [each.quantity for each in restored.positions()] == [each.quantity for each in home.positions()]
    assert {each["event"] for each in records(restored.path)} >= {"RESTORED", "ORDER_UNKNOWN"}


def test_an_entry_that_was_never_sent(home: ExchangeHome, tmp_path: Path) -> None:
    """It is believed only with proof, also here."""
    home.buy("ETHUSDT")
    decided = home.decide()
    file = take(home)
    home.step()
    restored = beside(home, tmp_path / "restored")
    quick = home.environ | {"NOT_PLACED_MARGIN_SECONDS": "1"}
    home.execute("DELETE FROM orders WHERE id = ?", decided.id)

    answer = thunes("backup", "restore", file, "--to", str(restored.path), "--json", environ=quick)

    assert (answer.code, answer.data["reconciled"]) == (0, True), answer
    order = restored.orders()[-1]
    assert order.client_order_id == decided.client_order_id
    assert order.state == "NOT_PLACED"
    assert order.error is not None
    assert order.error.startswith("proven:")


def test_the_original_started_by_mistake(home: ExchangeHome, tmp_path: Path) -> None:
    """It sees orders of an epoch it does not know: another copy is alive, its entries stop."""
    home.buy()
    file = take(home)
    restored = beside(home, tmp_path / "restored")
    thunes("backup", "restore", file, "--to", str(restored.path), environ=home.environ)
    restored.buy("ETHUSDT")

    answer = home.ask("reconcile", "--json")

    assert answer.code == 4
    assert "other_copy" in {finding["kind"] for finding in answer.data["findings"]}
    home.ask("run", "--once")
    assert set(home.ask("status", "--json").data["frozen_symbols"]) >= {"BTCUSDT", "ETHUSDT"}


def test_only_candles_that_close_afterwards_are_bought(home: ExchangeHome, tmp_path: Path) -> None:
    """A signal of before the restore is too old, however fresh its candle is."""
    file = take(home)
    home.step(2)
    restored = beside(home, tmp_path / "restored")
    thunes("backup", "restore", file, "--to", str(restored.path), environ=home.environ)

    ticks = restored.ask("run", "--once", "--json").data["ticks"]

    assert {tick["decision"] for tick in ticks} <= {"none", "rejected"}
    assert {tick["reason"] for tick in ticks} <= {None, "signal_expired"}


def test_in_place_with_a_trail_that_went_on(bot: BotHome) -> None:
    """The trail is continued, the old home kept whole beside, the key and the settings are those of before."""
    (bot.path / ".env").write_text("BINANCE_API_SECRET=keep-me\n")
    (bot.path / ".env").chmod(0o600)
    file = take(bot)
    bot.ask("killswitch", "activate", "--reason", "after the backup")
    before = (bot.path / "audit_trail.jsonl").read_bytes()
    key = (bot.path / "audit_key").read_bytes()
    bot.close()

    answer = bot.ask("backup", "restore", Path(file).name.split("-", 2)[2].partition(".")[0], *CONFIRM, "--json")

    aside = Path(answer.data["aside"])
    assert answer.code == 15, answer  # no exchange to compare with
    assert answer.data["trail"] == "continued"
    assert (bot.path / "audit_trail.jsonl").read_bytes().startswith(before)
    assert records(bot.path)[-1]["event"] == "RESTORED"
    assert (aside / "audit_trail.jsonl").read_bytes() == before
    assert (bot.path / "audit_key").read_bytes() == key
    assert "keep-me" in (bot.path / ".env").read_text()
    assert bot.ask("audit", "validate", "--deep").code == 0
    assert bot.ask("audit", "checkpoint").code == 0
    assert bot.ask("audit", "validate", "--deep").code == 0
    assert Path(file).exists()


def test_in_place_across_a_rotation(bot: BotHome) -> None:
    """Segments that were closed since the backup are known to the restored ledger."""
    file = take(bot)
    bot.ask("audit", "rotate")
    bot.ask("killswitch", "activate", "--reason", "in another segment")
    bot.close()

    answer = bot.ask("backup", "restore", file, *CONFIRM, "--json")

    assert answer.data["trail"] == "continued"
    assert bot.ask("audit", "validate", "--deep").code == 0
    assert bot.ask("audit", "rotate").code == 0
    assert bot.ask("audit", "validate", "--deep", "--json").data["segments"] == 4


def edited(trail: Path) -> None:
    trail.write_bytes(trail.read_bytes().replace(b"ETHUSDT", b"ETHUSDX", 1))


def shortened(trail: Path) -> None:
    trail.write_bytes(b"".join(trail.read_bytes().splitlines(keepends=True)[:2]))


@pytest.mark.parametrize("spoil", [edited, shortened, Path.unlink])
def test_in_place_with_a_trail_that_does_not_go_on(bot: BotHome, spoil: Callable[[Path], None]) -> None:
    """The backup's trail stands; what was there is evidence, beside."""
    file = take(bot)
    bot.close()
    spoil(bot.path / "audit_trail.jsonl")

    answer = bot.ask("backup", "restore", file, *CONFIRM, "--json")

    assert answer.data["trail"] == "as backed up"
    assert Path(answer.data["aside"]).is_dir()
    assert bot.ask("audit", "validate", "--deep").code == 0


def test_in_place_needs_a_stopped_daemon_and_the_phrase(bot: BotHome) -> None:
    """11 and 7, and nothing is touched."""
    file = take(bot)
    before = (bot.path / "audit_trail.jsonl").read_bytes()
    lock = DaemonLock(bot.path)
    lock.acquire("run")
    running = bot.ask("backup", "restore", file, *CONFIRM, "--json")
    lock.release()
    unasked = bot.ask("backup", "restore", file, "--in-place", "--json")

    assert (running.code, unasked.code) == (11, 7)
    assert (bot.path / "audit_trail.jsonl").read_bytes() == before
    assert [path.name for path in bot.path.parent.iterdir()] == ["a bot"]


def test_nobody_runs_in_a_restored_home(bot: BotHome, tmp_path: Path) -> None:
    """The daemon of the backup never ran there: status does not call it dead."""
    with bot.journal.change() as change:
        daemon.save_daemon(change.connection, this_process(), command="run", since=change.at, wall=change.at_wall)
    file = take(bot)

    thunes("backup", "restore", file, "--to", str(tmp_path / "new"), environ={})

    assert "none ever ran here" in thunes("--home", str(tmp_path / "new"), "status").out


def hostile(name: str, **what: object) -> bytes:
    """A tar with one member that no backup has."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        for field, value in what.items():
            setattr(info, field, value)
        content = b"" if info.type != tarfile.REGTYPE else b"x"
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return zstandard.ZstdCompressor().compress(out.getvalue())


@pytest.mark.parametrize(
    "raw",
    [
        hostile("../outside"),
        hostile("/etc/cron.d/x"),
        hostile("thunes.db/../../x"),
        hostile("audit_trail.jsonl", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        hostile("thunes.db", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
        hostile("thunes.db", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        hostile("thunes.db", type=tarfile.FIFOTYPE),
        hostile("thunes.db", type=tarfile.DIRTYPE),
        hostile(".bashrc"),
        hostile("thunes.db"),
        zstandard.ZstdCompressor().compress(b"no tar at all"),
        b"no zstd at all",
        b"",
    ],
    ids=[
        *("above", "absolute", "detour", "symlink", "hard-link", "device", "fifo", "directory", "stranger"),
        *("no-manifest", "no-tar", "no-zstd", "empty"),
    ],
)
def test_a_hostile_archive(bot: BotHome, tmp_path: Path, raw: bytes) -> None:
    """Refused in one line; the target is not made, nothing lies about."""
    file = bot.path / "backups" / "thunes-abcdef-20260101T000000Z.tar.zst"
    file.parent.mkdir()
    file.write_bytes(raw)
    before = sorted(tmp_path.rglob("*"))

    answer = bot.ask("backup", "restore", str(file), "--to", str(tmp_path / "target"), "--json")

    assert (answer.code, answer.codes) == (5, ["backup_damaged"])
    assert not (tmp_path / "target").exists()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("taken", ["not empty", "a file", "a link"])
def test_a_place_that_is_taken(bot: BotHome, backup: Path, tmp_path: Path, taken: str) -> None:
    """78, and it stays as it is."""
    target = tmp_path / "target"
    if taken == "not empty":
        target.mkdir()
        (target / "x").write_text("mine")
    elif taken == "a file":
        target.write_text("mine")
    else:
        target.symlink_to(bot.path)

    answer = bot.ask("backup", "restore", str(backup), "--to", str(target), "--json")

    assert (answer.code, answer.codes) == (78, ["restore_place"])


def test_a_drill(bot: BotHome, backup: Path) -> None:
    """It restores, says how long it takes, and leaves nothing; a damaged one does not."""
    before = sorted(path.name for path in backup.parent.iterdir())

    answer = bot.ask("backup", "drill", "--json")
    backup.write_bytes(backup.read_bytes()[:-100])
    damaged = bot.ask("backup", "drill", "--json")

    assert (answer.code, answer.data["valid"]) == (0, True)
    assert answer.data["rto_s"] > 0
    assert (damaged.code, damaged.data["valid"]) == (5, False)
    assert sorted(path.name for path in backup.parent.iterdir()) == before
