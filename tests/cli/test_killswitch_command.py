"""``thunes killswitch``: stop entries from any shell, at once; let them go on with care."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from bot_home import NOON, BotHome, thunes
from frame import Terminal

from thunes_cli.cli.app import run
from thunes_cli.cli.streams import Streams
from thunes_cli.ledger import known

STATUS_KEYS = {
    *("active", "reason", "since", "actor", "daily_pnl", "daily_loss_limit", "daily_loss_utilization_pct"),
    *("counted_loss", "rearms_today"),
}


def trail(bot: BotHome) -> list[dict[str, object]]:
    return [json.loads(line) for line in (bot.path / "audit_trail.jsonl").read_text().splitlines()]


def snapshot(home: Path) -> dict[str, bytes]:
    """Every file of the home but SQLite's shared memory."""
    return {path.name: path.read_bytes() for path in home.iterdir() if path.is_file() and path.suffix != ".db-shm"}


def test_before_anything_happened(bot: BotHome) -> None:
    """Not active; the limit is not known before a daemon has run."""
    answer = bot.ask("killswitch", "status", "--json")

    assert answer.code == 0
    assert set(answer.data) == STATUS_KEYS
    assert answer.data == {
        "active": False,
        "reason": None,
        "since": None,
        "actor": None,
        "daily_pnl": "0",
        "daily_loss_limit": None,
        "daily_loss_utilization_pct": None,
        "counted_loss": "0",
        "rearms_today": 0,
    }


def test_the_counted_loss_and_the_limit_in_force(bot: BotHome) -> None:
    """Money as text, the limit negative, the utilization that of the counted loss."""
    bot.daemon_runs()
    bot.lose(bought="100", sold="50", amount="10")

    data = bot.ask("killswitch", "status", "--json").data

    assert data["daily_loss_limit"] == "-20"
    assert data["daily_pnl"] == f"-{data['counted_loss']}"
    assert data["daily_loss_utilization_pct"] == pytest.approx(float(data["counted_loss"]) / 20 * 100, abs=0.01)


def test_active_is_attention_and_says_why(bot: BotHome) -> None:
    """3, with the reason and what to type next; exits are said to go on."""
    bot.ask("killswitch", "activate", "--reason", "flash crash")

    answer = bot.ask("killswitch", "status", "--json")
    text = bot.ask("killswitch", "status")

    assert (answer.code, answer.codes) == (3, ["kill_switch_active"])
    assert (answer.data["active"], answer.data["reason"]) == (True, "flash crash")
    assert answer.data["since"] == "2026-03-10T12:00:00.000Z"
    assert "exits go on" in text.out
    assert "killswitch deactivate" in text.out


def test_a_used_up_loss_is_attention_too(bot: BotHome) -> None:
    """With a limit that was lowered since, the rule refuses entries although the switch is not active yet."""
    bot.daemon_runs()
    bot.lose(bought="100", sold="50", amount="10")
    with bot.journal.change() as change:
        known.save_known(change.connection, known.LIMITS, {"max_daily_loss": "1"}, at=change.at)

    answer = bot.ask("killswitch", "status", "--json")

    assert (answer.code, answer.codes) == (3, ["daily_loss_limit_exceeded"])


def test_activating_asks_nothing_and_names_who_did_it(bot: BotHome) -> None:
    """No settings, no daemon, no network, nobody to ask; uid, sudo's caller, tty and host are on the trail."""
    (bot.path / ".env").write_text("THIS IS NOT A SETTING\n")

    answer = bot.ask("killswitch", "activate", "--reason", "flash crash", "--json", environ={"SUDO_USER": "alice"})

    assert (answer.code, answer.document["changed"], answer.data["active"]) == (0, True, True)
    assert answer.data["actor"] == "alice (sudo)"
    record = trail(bot)[-1]
    assert record["event"] == "KILL_SWITCH_ACTIVATED"
    assert record["reason"] == "flash crash"
    facts = {name: record[name] for name in ("uid", "sudo_user", "tty", "host")}
    assert facts == {"uid": os.getuid(), "sudo_user": "alice", "tty": None, "host": os.uname().nodename}


def test_a_reason_may_be_missing_in_a_hurry(bot: BotHome) -> None:
    """Quick comes first; the trail says that none was given."""
    answer = bot.ask("killswitch", "activate", "--json")

    assert answer.code == 0
    assert answer.data["reason"] == "by hand, no reason given"


def test_activating_twice_writes_nothing(bot: BotHome) -> None:
    """0, changed false, and not a byte of the home is another."""
    bot.ask("killswitch", "activate", "--reason", "first")
    before = snapshot(bot.path)

    answer = bot.ask("killswitch", "activate", "--reason", "second", "--json")

    assert (answer.code, answer.document["changed"]) == (0, False)
    assert answer.data["reason"] == "first"
    assert snapshot(bot.path) == before


def test_deactivating_needs_the_phrase(bot: BotHome) -> None:
    """7 with nobody to ask, with --yes, or with another environment's phrase; then nothing is touched."""
    bot.ask("killswitch", "activate")
    before = snapshot(bot.path)

    nobody = bot.ask("killswitch", "deactivate", "--reason", "found", "--json")
    other = bot.ask("killswitch", "deactivate", "--reason", "found", "--confirm", "deactivate live", "--json")

    assert (nobody.code, nobody.codes) == (7, ["needs_confirmation"])
    assert "deactivate sim" in nobody.document["problems"][0]["hint"]
    assert (other.code, other.codes) == (7, ["wrong_phrase"])
    assert bot.ask("killswitch", "deactivate", "--reason", "found", "--yes").code == 2
    assert snapshot(bot.path) == before


@pytest.mark.parametrize("words", [[], ["--reason", " "]], ids=["none", "blank"])
def test_deactivating_needs_a_reason(bot: BotHome, words: list[str]) -> None:
    """It is a human judgement: without a reason it is a usage error."""
    bot.ask("killswitch", "activate")

    assert bot.ask("killswitch", "deactivate", *words, "--confirm", "deactivate sim").code == 2
    assert bot.ask("killswitch", "status").code == 3


def test_deactivating_shows_the_day_first_and_re_arms(bot: BotHome) -> None:
    """Today's loss and the re-arms so far come before anything else; afterwards only later losses count."""
    bot.daemon_runs()
    bot.lose(bought="100", sold="50", amount="10")
    for _ in range(2):
        bot.ask("killswitch", "activate", "--reason", "looks odd")
        answer = bot.ask("killswitch", "deactivate", "--reason", "found", "--confirm", "deactivate sim")

    lines = answer.out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:5]] == ["because", "PnL today", "counted loss", "re-armed"]
    assert lines[4].endswith("1 time today")
    data = bot.ask("killswitch", "status", "--json").data
    assert (data["active"], data["counted_loss"], data["rearms_today"]) == (False, "0", 2)
    assert float(data["daily_pnl"]) < 0
    record = trail(bot)[-1]
    assert record["event"] == "KILL_SWITCH_DEACTIVATED"
    assert (record["reason"], record["rearms_before"], record["activated_because"]) == ("found", 1, "looks odd")
    assert record["daily_pnl"] == data["daily_pnl"]


def test_deactivating_twice_writes_nothing(bot: BotHome) -> None:
    """0 without asking anybody; a wrong phrase is wrong all the same."""
    bot.ask("killswitch", "status")
    before = snapshot(bot.path)

    answer = bot.ask("killswitch", "deactivate", "--reason", "found", "--json")

    assert (answer.code, answer.document["changed"]) == (0, False)
    assert bot.ask("killswitch", "deactivate", "--reason", "found", "--confirm", "deactivate live").code == 7
    assert snapshot(bot.path) == before


def test_on_a_terminal_the_day_is_shown_and_the_phrase_is_typed(bot: BotHome) -> None:
    """The question tells what was lost; the typed phrase deactivates, and the terminal is on the trail."""
    bot.daemon_runs()
    bot.lose(bought="100", sold="50", amount="10")
    bot.ask("killswitch", "activate", "--reason", "looks odd")
    program = "import sys; from thunes_cli.cli.app import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "--home", str(bot.path), "killswitch", "deactivate", "--reason", "found"]
    terminal = Terminal(command)

    asked = terminal.until("to go on: ")
    terminal.type("deactivate sim\n")

    assert terminal.wait() == 0
    assert "counted loss" in asked
    assert "re-armed      0 times today" in asked
    assert str(trail(bot)[-1]["tty"]).startswith("/dev/pts/")
    bot.ask("killswitch", "activate")
    mistyped = Terminal(command)
    mistyped.until("to go on: ")
    mistyped.type("yes\n")
    assert mistyped.wait() == 6
    assert bot.ask("killswitch", "status").code == 3


@pytest.mark.parametrize("verb", [("activate",), ("deactivate", "--reason", "x")], ids=["activate", "deactivate"])
def test_a_dry_run_only_tells(bot: BotHome, verb: tuple[str, ...]) -> None:
    """The plan of the real run; nothing is asked and nothing written."""
    if verb[0] == "deactivate":
        bot.ask("killswitch", "activate")
    before = snapshot(bot.path)

    answer = bot.ask("killswitch", *verb, "--dry-run", "--json")

    assert (answer.code, answer.document["changed"]) == (0, False)
    assert verb[0] in answer.data["plan"][0]
    assert snapshot(bot.path) == before


def test_history(bot: BotHome) -> None:
    """Every transition, oldest first, with who and why; --since looks at market time."""
    bot.ask("killswitch", "activate", "--reason", "crash")
    bot.at(NOON + timedelta(days=2))
    bot.ask("killswitch", "deactivate", "--reason", "found", "--confirm", "deactivate sim")

    rows = bot.ask("killswitch", "history", "--json").data["transitions"]
    recent = bot.ask("killswitch", "history", "--since", "24h", "--json").data["transitions"]
    text = bot.ask("killswitch", "history").out

    assert [(row["from"], row["to"], row["reason"]) for row in rows] == [
        ("inactive", "active", "crash"),
        ("active", "inactive", "found"),
    ]
    assert [row["at"] for row in rows] == ["2026-03-10T12:00:00.000Z", "2026-03-12T12:00:00.000Z"]
    assert recent == rows[1:]
    assert "crash" in text


def test_a_trail_that_cannot_be_written_stops_nobody(bot: BotHome) -> None:
    """The switch is active and the record waits; the answer is 0 and says so."""
    path = bot.path / "audit_trail.jsonl"
    path.unlink(missing_ok=True)
    path.mkdir()

    answer = bot.ask("killswitch", "activate", "--json")

    assert (answer.code, answer.document["changed"]) == (0, True)
    assert answer.codes == ["audit_unavailable"]
    assert bot.ask("killswitch", "status").code == 3


def test_a_ledger_that_cannot_be_written_is_could_not(bot: BotHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """13, never an answer that looks like success."""
    monkeypatch.setattr("thunes_cli.ledger.connection.BUSY_SECONDS", 0.05)
    bot.journal.ledger.connection.execute("BEGIN IMMEDIATE")

    answer = bot.ask("killswitch", "activate", "--json")

    bot.journal.ledger.connection.execute("ROLLBACK")
    assert (answer.code, answer.codes) == (13, ["unavailable"])
    assert bot.ask("killswitch", "status").code == 0


@pytest.mark.parametrize("verb", ["status", "activate", "history"])
def test_without_a_home(tmp_path: Path, verb: str) -> None:
    """10, and none is made."""
    answer = thunes("--home", str(tmp_path / "nowhere"), "killswitch", verb, "--json")

    assert answer.code == 10
    assert not (tmp_path / "nowhere").exists()


def test_quiet(bot: BotHome) -> None:
    """Nothing on success; what needs attention is said all the same."""
    assert bot.ask("-q", "killswitch", "status").out == ""
    assert bot.ask("-q", "killswitch", "activate").out == ""
    assert "kill switch is active" in bot.ask("-q", "killswitch", "status").out


def test_a_reason_is_shown_not_obeyed(bot: BotHome) -> None:
    """Control characters in it steer no terminal and forge no line."""
    bot.ask("killswitch", "activate", "--reason", "a\x1b[2Jb\nKILL")

    out = bot.ask("killswitch", "status").out
    streams = Streams(stdin=io.StringIO(), stdout=io.StringIO(), stderr=io.StringIO())
    run(["--home", str(bot.path), "killswitch", "history"], environ={}, streams=streams)

    assert "\x1b" not in out + streams.stdout.getvalue()
    assert "b KILL" in out


@pytest.mark.parametrize(
    "words",
    [("killswitch", "status"), ("killswitch", "activate"), ("killswitch", "history"), ("breaker", "status")],
    ids=" ".join,
)
@pytest.mark.parametrize(
    ("damage", "code"),
    [
        pytest.param(lambda _: b"", 5, id="empty"),
        pytest.param(lambda _: b"not a database" * 100, 5, id="something else"),
        pytest.param(lambda data: data[:60] + (99).to_bytes(4, "big") + data[64:], 78, id="newer schema"),
    ],
)
def test_a_damaged_ledger(bot: BotHome, words: tuple[str, ...], damage: Callable[[bytes], bytes], code: int) -> None:
    """Never "not active" and never "stopped": 5 or 78, and the file is left as it is."""
    bot.close()
    path = bot.path / "thunes.db"
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    for log in bot.path.glob("thunes.db-*"):
        log.unlink()

    answer = bot.ask(*words, "--json")

    assert answer.code == code
    assert path.read_bytes() == damaged


def test_a_reason_typed_on_another_terminal(bot: BotHome) -> None:
    """Bytes that are no UTF-8 do not keep the switch from being thrown."""
    answer = bot.ask("killswitch", "activate", "--reason", b"caf\xe9 ferm\xe9".decode("utf-8", "surrogateescape"))

    assert answer.code == 0
    assert trail(bot)[-1]["reason"] == "caf\ufffd ferm\ufffd"
