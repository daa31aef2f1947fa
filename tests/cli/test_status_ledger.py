"""What the commands that look around say of a ledger that is missing, damaged, newer, busy or read-only."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from bot_home import BotHome, thunes

from thunes_cli.cli.table import COMMANDS

LOOKING = [
    ("status",),
    ("positions", "list", "--all"),
    ("orders", "list", "--since", "all"),
    ("pnl", "--since", "all"),
    ("explain", "1"),
    ("symbols", "list"),
    ("alerts", "list"),
]
looking = pytest.mark.parametrize("command", LOOKING, ids=" ".join)


def checksums(home: Path) -> dict[str, str]:
    """Every file of a home by what it holds and when it was changed."""
    return {
        path.name: f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}"
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def quiet(bot: BotHome) -> BotHome:
    """A home with a past whose daemon has ended: no write-ahead log, nothing open."""
    bot.buy()
    bot.close()
    assert not (bot.path / "thunes.db-wal").exists()
    return bot


@looking
def test_no_home(tmp_path: Path, command: tuple[str, ...]) -> None:
    """10, with the command that would make one; nothing is created."""
    home = tmp_path / "no home"

    answer = thunes("--home", str(home), *command, "--json")

    assert answer.code == 10
    problem = answer.document["problems"][0]
    assert problem["code"] == "home_missing"
    assert problem["hint"] == f"create one: thunes --home '{home}' init"
    assert not home.exists()


@looking
def test_a_home_without_a_ledger(tmp_path: Path, command: tuple[str, ...]) -> None:
    """10 as well."""
    answer = thunes("--home", str(tmp_path), *command, "--json")

    assert answer.code == 10
    assert answer.codes == ["ledger_missing"]
    assert list(tmp_path.iterdir()) == []


@looking
def test_looking_changes_nothing(quiet: BotHome, command: tuple[str, ...]) -> None:
    """Not one byte, not one file, not one time stamp."""
    before = checksums(quiet.path)

    assert quiet.ask(*command).code in {0, 3}
    assert quiet.ask(*command, "--json").code in {0, 3}

    assert checksums(quiet.path) == before


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _run(path: Path, *statements: str) -> None:
    """Change a database from outside, leaving no write-ahead log."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for statement in (*statements, "PRAGMA journal_mode=DELETE"):
            connection.execute(statement)
    finally:
        connection.close()


def _foreign(path: Path) -> None:
    path.unlink()
    _run(path, "CREATE TABLE stranger (x)")


def _tables_gone(path: Path) -> None:
    _run(path, *(f"DROP TABLE {table}" for table in ("fills", "orders", "positions", "known", "identity")))


def _column_gone(path: Path) -> None:
    _run(path, "ALTER TABLE identity DROP COLUMN uid", "ALTER TABLE positions DROP COLUMN exit_problem")


def _no_identity(path: Path) -> None:
    _run(path, "DELETE FROM identity")


def _zeroed_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 : len(data)] = bytes(len(data) - 4096)
    path.write_bytes(data)


def _garbled_money(path: Path) -> None:
    _run(
        path,
        "UPDATE positions SET quantity = '0.0002x', exit_time = 'yesterday'",
        "UPDATE orders SET executed_qty = '?'",
        "UPDATE fills SET realized = 'plenty'",
    )


@looking
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"this is no database at all, " * 300), id="text"),
        pytest.param(_truncated, id="truncated"),
        pytest.param(_foreign, id="another program's"),
        pytest.param(_tables_gone, id="tables gone"),
        pytest.param(_column_gone, id="columns gone"),
        pytest.param(_no_identity, id="no identity"),
        pytest.param(_zeroed_pages, id="zeroed pages"),
    ],
)
def test_a_damaged_ledger(quiet: BotHome, command: tuple[str, ...], damage: object) -> None:
    """5 in one clear line, without a traceback; the file is left as it is."""
    path = quiet.path / "thunes.db"
    assert callable(damage)
    damage(path)
    before = checksums(quiet.path)

    answer = quiet.ask(*command, "--json")
    text = quiet.ask(*command)

    assert answer.code == text.code == 5
    assert answer.codes == ["ledger_corrupt"]
    assert str(path) in answer.document["problems"][0]["message"]
    assert text.err.count("\n") == 2
    assert "Traceback" not in text.err
    assert checksums(quiet.path) == before


@pytest.mark.parametrize("command", LOOKING[:4], ids=" ".join)
def test_a_value_that_cannot_be_read_is_damage(quiet: BotHome, command: tuple[str, ...]) -> None:
    """Money that is no number is 5, not a bug of ours."""
    _garbled_money(quiet.path / "thunes.db")

    assert quiet.ask(*command, "--json").codes == ["ledger_corrupt"]


def test_any_damage_is_answered_within_the_contract(quiet: BotHome) -> None:
    """Bytes overwritten anywhere: the answer is given, or the ledger is damaged; never a bug of ours."""
    path = quiet.path / "thunes.db"
    whole = path.read_bytes()
    dice = random.Random(20260310)
    for _ in range(60):
        spoilt = bytearray(whole)
        start = dice.randrange(len(whole))
        length = dice.choice([1, 16, 512])
        spoilt[start : start + length] = dice.randbytes(len(spoilt[start : start + length]))
        path.write_bytes(spoilt)

        for command in LOOKING:
            answer = quiet.ask(*command, "--json")
            assert answer.code in {0, 3, 5, 10, 13, 78}, answer.out
            if answer.code == 10:
                assert command[0] == "explain"


@looking
def test_a_newer_ledger(quiet: BotHome, command: tuple[str, ...]) -> None:
    """78, and the file is not touched."""
    _run(quiet.path / "thunes.db", "PRAGMA user_version = 99")
    before = checksums(quiet.path)

    answer = quiet.ask(*command, "--json")

    assert answer.code == 78
    assert answer.codes == ["ledger_too_new"]
    assert checksums(quiet.path) == before


@looking
def test_a_directory_in_its_place(quiet: BotHome, command: tuple[str, ...]) -> None:
    """5: `init` would not help."""
    (quiet.path / "thunes.db").unlink()
    (quiet.path / "thunes.db").mkdir()

    answer = quiet.ask(*command, "--json")

    assert answer.codes == ["ledger_corrupt"]
    assert "not a file" in answer.document["problems"][0]["message"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
@looking
def test_an_unreadable_ledger(quiet: BotHome, command: tuple[str, ...]) -> None:
    """13: could not find out."""
    (quiet.path / "thunes.db").chmod(0)

    assert quiet.ask(*command, "--json").code == 13


_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && ! touch "$0/x" 2>/dev/null && exec "$@"'


@looking
@pytest.mark.parametrize("live", [False, True], ids=["no daemon", "a daemon writes"])
def test_a_read_only_home(bot: BotHome, command: tuple[str, ...], *, live: bool) -> None:
    """Answered from a file system on which nothing can be written, with and without a write-ahead log."""
    bot.buy()
    if not live:
        bot.close()
    mount = ["unshare", "--map-root-user", "--mount", "sh", "-c", _READ_ONLY, str(bot.path)]
    try:
        if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
            pytest.skip("no mounts of one's own here")
    except FileNotFoundError:
        pytest.skip("there is no unshare")

    done = subprocess.run(
        [*mount, sys.executable, "-m", "thunes_cli", "--home", str(bot.path), *command, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode in {0, 3}, done.stdout
    assert done.stdout.count("\n") == 1


@looking
def test_settings_are_not_needed(quiet: BotHome, command: tuple[str, ...]) -> None:
    """A broken ``.env`` and a nonsense environment do not keep anyone from looking."""
    (quiet.path / ".env").write_text("ENVIRONMENT=mars\nMAX_POSITIONS=-1\nthis is no setting\n")

    answer = quiet.ask(*command, "--json", environ={"MAX_DAILY_LOSS": "lots"})

    assert answer.code in {0, 3}


def test_what_was_committed_a_moment_ago_is_seen(bot: BotHome) -> None:
    """The write-ahead log is read, not only the file behind it."""
    bot.buy()
    assert (bot.path / "thunes.db-wal").stat().st_size > 0

    assert bot.ask("positions", "list", "--json").data["positions"][0]["symbol"] == "BTCUSDT"


_WRITER = """
import sys
from pathlib import Path
from datetime import UTC, datetime
from decimal import Decimal
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.known import save_price
ledger = Ledger(Path(sys.argv[1]) / "thunes.db")
print("ready", flush=True)
number = 0
while True:
    number += 1
    with ledger.write() as connection:
        for symbol in ("AAAUSDT", "BBBUSDT"):
            save_price(connection, symbol, Decimal(number), at=datetime.now(UTC))
    if number % 7 == 0:
        ledger.close()  # the last connection: the log is folded into the file and removed
"""


def test_looking_while_somebody_writes_and_comes_and_goes(quiet: BotHome) -> None:
    """Never a half-written state, never an error, whether the write-ahead log exists at that instant or not."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(quiet.path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        for _ in range(120):
            answer = quiet.ask("status", "--json")
            assert answer.code == 3, answer.out
            assert answer.codes == ["daemon_not_running"]
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()


def test_every_looking_command_is_tried_here() -> None:
    """A new one that reads the ledger must be added above; ``balance`` and the checks ask more, two read the trail."""
    others = {"balance", "audit tail", "audit stats", "check daily", "check weekly", "check monthly"}
    looking = {entry.path for entry in COMMANDS if entry.section == "Looking around"} - others

    assert looking == {" ".join(word for word in words if word.isalpha() and word != "all") for words in LOOKING}
