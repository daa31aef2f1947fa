"""The kill switch between processes: the operator's shell on one side, a daemon that trades on the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from daemon_processes import Exchange, Home, make_home, serve, wait_for

# Averages of two and three candles cross every few candles; three symbols make a BUY signal every second or two.
RESTLESS = {"SMA_FAST": "2", "SMA_SLOW": "3", "SYMBOLS": "BTCUSDT,ETHUSDT,BNBUSDT", "COOL_DOWN_MINUTES": "0"}


def numbered(home: Home, *names: str, after: int = 0, **facts: str) -> list[dict[str, Any]]:
    """Records of these events behind a sequence number, with these facts."""
    return [
        record
        for record in home.events
        if record["seq"] > after
        and record["event"] in names
        and all(record.get(name) == value for name, value in facts.items())
    ]


def last(home: Home, name: str) -> int:
    """The sequence number of the newest record of an event."""
    return int(numbered(home, name)[-1]["seq"])


def deactivate_by_script(home: Home, directory: Path) -> subprocess.CompletedProcess[str]:
    """As an operator's shell script does it, with nobody to ask."""
    script = directory / "deactivate.sh"
    command = " ".join(f"'{word}'" for word in home.command("killswitch", "deactivate"))
    script.write_text(f'#!/bin/sh\nset -e\n{command} --reason "cause found" --confirm "deactivate sim"\n')
    environ = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    return subprocess.run(
        ["sh", str(script)],
        env=environ,
        stdin=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_holds_across_processes_and_deaths(home_behind: Callable[..., Home], tmp_path: Path) -> None:
    """Activated in A, B buys no more; both killed, it is still active; a script deactivates it, and B buys again."""
    home = home_behind(**RESTLESS)
    daemon = home.start_daemon()
    wait_for(lambda: numbered(home, "ORDER_SENT", side="BUY"), "first BUY")

    assert home.thunes("killswitch", "activate", "--reason", "flash crash").returncode == 0
    activated = last(home, "KILL_SWITCH_ACTIVATED")
    refused = {"reason": "kill_switch_active"}
    wait_for(lambda: numbered(home, "TRADE_REJECTED", after=activated, **refused), "refused BUY")
    home.end(daemon, signal.SIGKILL)

    assert home.answer("killswitch", "status")["exit_code"] == 3
    assert home.answer("killswitch", "activate")["changed"] is False
    daemon = home.start_daemon()
    started = last(home, "DAEMON_STARTED")
    wait_for(lambda: numbered(home, "TRADE_REJECTED", after=started, **refused), "refused BUY after the restart")
    assert not numbered(home, "ORDER_SENT", after=activated, side="BUY")
    assert home.thunes("run", "--once").returncode == 11

    done = deactivate_by_script(home, tmp_path)

    assert done.returncode == 0, done.stderr
    assert "re-armed      0 times today" in done.stdout
    deactivated = last(home, "KILL_SWITCH_DEACTIVATED")
    wait_for(lambda: numbered(home, "ORDER_SENT", after=deactivated, side="BUY"), "BUY after the deactivation")
    assert len(numbered(home, "KILL_SWITCH_ACTIVATED")) == 1
    assert home.end(daemon) == 0


@pytest.fixture
def costly_market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    """A market whose fees make every round trip lose 2 %, whatever prices do."""
    monkeypatch.setitem(serve.__globals__["_CLEAN"], "SIM_TAKER_FEE", "0.01")
    served = serve(tmp_path / "costly", "--speed", "60")
    yield served
    served.stop()


@pytest.mark.long
def test_losses_trip_it_and_a_deactivation_re_arms_it(costly_market: Exchange, tmp_path: Path) -> None:
    """It trips at MAX_DAILY_LOSS; after the deactivation the old loss does not count, a further one trips it again."""
    limit = Decimal("0.4")
    home = make_home(tmp_path / "home", costly_market.address, MAX_DAILY_LOSS=str(limit), **RESTLESS)
    daemon = home.start_daemon()
    wait_for(lambda: numbered(home, "KILL_SWITCH_ACTIVATED"), "first trip", seconds=60)
    first = numbered(home, "KILL_SWITCH_ACTIVATED")[0]
    assert first["actor"] == "automatic"
    assert Decimal(first["daily_pnl"]) <= -limit
    assert not numbered(home, "ORDER_SENT", after=first["seq"], side="BUY")
    status = home.answer("killswitch", "status")
    assert Decimal(status["data"]["counted_loss"]) >= limit
    assert status["data"]["daily_loss_limit"] == "-0.4"
    assert status["data"]["daily_loss_utilization_pct"] >= 100

    wait_for(lambda: not home.rows("SELECT 1 FROM positions WHERE status = 'OPEN'"), "exits while it is active")
    assert deactivate_by_script(home, tmp_path).returncode == 0
    after = home.answer("killswitch", "status")
    assert (after["exit_code"], after["data"]["counted_loss"], after["data"]["rearms_today"]) == (0, "0", 1)
    rearmed = home.rows("SELECT rearmed_after_fill FROM kill_switch")[0]["rearmed_after_fill"]
    wait_for(lambda: len(numbered(home, "KILL_SWITCH_ACTIVATED")) == 2, "second trip", seconds=60)

    second = numbered(home, "KILL_SWITCH_ACTIVATED")[1]
    home.end(daemon)
    results = [
        Decimal(row["realized"]) for row in home.rows(f"SELECT realized FROM fills WHERE id > {rearmed} ORDER BY id")
    ]
    running, tripping = Decimal(0), None
    for result in results:
        running += result
        if running <= -limit:
            tripping = running
            break
    assert tripping == Decimal(second["daily_pnl"])
    assert "reached the limit 0.4" in second["reason"]
    home.close()


RACER = """
import pathlib, sys
from thunes_cli.cli.app import run
print("ready", flush=True); sys.stdin.readline()
sys.exit(run(sys.argv[1:]))
"""


def race(home: Path, *words: str, count: int = 8) -> list[str]:
    """So many processes run a command at the same moment; what each of them answered."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, "--home", str(home), *words, "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(count)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    answers = [racer.communicate(timeout=60)[0] for racer in racers]
    assert {racer.returncode for racer in racers} == {0}
    return answers


def test_one_record_a_transition_however_many_race(bot) -> None:
    """Eight shells activate at once, then eight deactivate: one change and one record each time."""
    changed = '"changed": true'

    activations = race(bot.path, "killswitch", "activate", "--reason", "race")
    deactivations = race(bot.path, "killswitch", "deactivate", "--reason", "race", "--confirm", "deactivate sim")

    assert sum(changed in answer for answer in activations) == 1
    assert sum(changed in answer for answer in deactivations) == 1
    trail = (bot.path / "audit_trail.jsonl").read_text()
    assert trail.count("KILL_SWITCH_ACTIVATED") == 1
    assert trail.count("KILL_SWITCH_DEACTIVATED") == 1
    with bot.journal.read() as connection:
        assert connection.execute("SELECT count(*) FROM control_history").fetchone()[0] == 2
        assert connection.execute("SELECT count(*) FROM alerts").fetchone()[0] == 2
