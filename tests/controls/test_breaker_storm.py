"""A storm of 503s, a row of 400s, a ban: what processes really send, as the other end of the wire sees it."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from daemon_processes import Exchange, Home, make_home, wait_for
from misbehaving_proxy import MisbehavingProxy, healthy, limiting, refusing, storm

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock
from thunes_cli.ledger import positions
from thunes_cli.ledger.connection import Ledger
from thunes_cli.model import ExitReason

CALLER = Path(__file__).with_name("calling_process.py")
RESET_S = 1.0
BAN_S = 20
PROBE = ("GET", "/api/v3/account")


def want_exit(home: Home) -> int:
    """The operator wants the open position sold, said in another process as far as the daemon can tell; its id."""
    journal = Journal(Ledger(home.path / "thunes.db"), home.path / "audit_trail.jsonl", Clock())
    with journal.change() as change:
        (position,) = positions.open_positions(change.connection)
        if positions.want_exit(change.connection, position.id, ExitReason.OPERATOR, since=position.entry_time):
            change.record(Event.EXIT_WANTED, symbol=position.symbol, position=position.id, reason="operator")
    journal.close()
    return position.id


def hold_through_refusals(home: Home, proxy: MisbehavingProxy) -> None:
    """Until a position is open and everything has been refused for a while, so that it stays open."""
    while True:
        proxy.behaviour = healthy
        wait_for(lambda: home.rows("SELECT 1 FROM positions WHERE status = 'OPEN'"), "open position")
        proxy.behaviour = refusing
        refused = [seen.status for seen in proxy.api_calls()].count(400)
        wait_for(
            lambda before=refused: [seen.status for seen in proxy.api_calls()].count(400) >= before + 6, "refusals"
        )
        if home.rows("SELECT 1 FROM positions WHERE status = 'OPEN'"):
            return


def test_a_daemon_in_a_storm(home_behind: Callable[..., Home], proxy: MisbehavingProxy) -> None:
    """400s do not open it, the fifth 503 does, then silence, one probe a time; the SELL that waited goes out after."""
    home = home_behind(BREAKER_RESET_SECONDS="1", SMA_FAST="2", SMA_SLOW="3", SYMBOLS="BTCUSDT")
    process = home.start_daemon()
    hold_through_refusals(home, proxy)
    assert not home.rows("SELECT 1 FROM breaker")

    proxy.behaviour = storm
    held = want_exit(home)
    wait_for(lambda: home.rows("SELECT 1 FROM breaker WHERE state = 'open'"), "open breaker")
    opened = home.rows("SELECT opened_mono FROM breaker")[0]["opened_mono"]
    answer = home.answer("breaker", "status")
    assert answer["exit_code"] == 3
    assert answer["data"]["breakers"][0]["state"] in {"open", "half-open"}  # a command may take as long as a reset
    assert "HTTP 503" in answer["data"]["breakers"][0]["cause"]
    assert "HTTP 503" in home.thunes("status").stdout
    failures = [seen for seen in proxy.api_calls() if seen.status == 503 and seen.at < opened + RESET_S / 2]
    assert 5 <= len(failures) <= 5 + 1  # the other thread may have a call under way when the fifth failure is counted

    again = "SELECT opened_mono FROM breaker WHERE opened_mono > {}"
    wait_for(lambda: home.rows(again.format(opened)), "second opening")
    probe, *later = proxy.api_calls(since=opened + RESET_S / 2)
    assert {(seen.method, seen.path) for seen in (probe, *later)} == {PROBE}
    assert probe.at - opened >= 1
    assert home.rows("SELECT 1 FROM positions WHERE status = 'OPEN'")

    proxy.behaviour = healthy
    wait_for(lambda: home.rows(f"SELECT 1 FROM positions WHERE id = {held} AND status = 'CLOSED'"), "sale")
    first, *others = (seen for seen in proxy.api_calls(since=opened) if seen.status == 200)
    assert (first.method, first.path) == PROBE
    assert ("POST", "/api/v3/order") in {(seen.method, seen.path) for seen in others}
    assert home.answer("breaker", "history")["data"]["trips_24h"] == 1
    assert home.end(process) == 0


class Six(NamedTuple):
    """A home on which six processes call the exchange as fast as they may, and the proxy they call it through."""

    home: Home
    proxy: MisbehavingProxy


@pytest.fixture(scope="module")
def six(market: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Six]:
    """Started once: each of them imports for a second."""
    proxy = MisbehavingProxy(market.address["rest_url"])
    home = make_home(tmp_path_factory.mktemp("six") / "home", market.address, BINANCE_REST_URL=proxy.url)
    key, secret = market.address["api_key"], market.address["api_secret"]
    command = [sys.executable, str(CALLER), str(home.path), proxy.url, key, secret, str(RESET_S)]
    callers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CALLER.parents[2])
        for _ in range(6)
    ]
    assert [caller.stdout.readline() for caller in callers] == ["ready\n"] * 6
    yield Six(home, proxy)
    for caller in callers:
        caller.stdin.close()
    assert [caller.wait(30) for caller in callers] == [0] * 6
    for caller in callers:
        caller.stdout.close()
    proxy.close()


def test_six_processes_in_a_storm_send_one_probe(six: Six) -> None:
    """Whoever calls: after the fifth failure silence, then one probe from all six together, then silence again."""
    home, proxy = six
    before = time.monotonic()
    wait_for(lambda: len(proxy.api_calls(since=before)) > 20, "calls")
    began = time.monotonic()
    proxy.behaviour = storm
    reopened = "SELECT 1 FROM control_history WHERE from_state = 'half-open' AND to_state = 'open'"
    wait_for(lambda: len(home.rows(reopened)) >= 2, "two probes that failed")
    during = [seen for seen in proxy.api_calls(since=began) if seen.status == 503]
    proxy.behaviour = healthy
    wait_for(lambda: home.rows("SELECT 1 FROM breaker WHERE state = 'closed'"), "closed breaker")

    probes = [seen for seen in during if (seen.method, seen.path) == PROBE]
    wave = sorted(seen.at for seen in during if seen not in probes)
    assert 5 <= len(wave) <= 5 + 6  # six may have a call each under way when the fifth failure is counted
    assert len(probes) >= 2
    assert wave[-1] < probes[0].at
    times = [wave[4], *(seen.at for seen in probes)]
    assert all(later - earlier >= RESET_S for earlier, later in itertools.pairwise(times))
    served = [seen for seen in proxy.api_calls(since=began) if seen.status == 200]
    assert [(seen.method, seen.path) for seen in served].count(PROBE) == 1
    assert len(home.rows("SELECT 1 FROM control_history WHERE from_state = 'closed' AND to_state = 'open'")) == 1


@pytest.mark.long
def test_a_ban_silences_six_processes_and_every_restart(six: Six) -> None:
    """Nobody sends until Retry-After is over, however often somebody starts; then all go on, at the time told."""
    home, proxy = six
    before = time.monotonic()
    wait_for(lambda: len(proxy.api_calls(since=before)) > 20, "calls")
    proxy.behaviour = limiting(418, retry_after_s=BAN_S)
    wait_for(lambda: home.rows("SELECT 1 FROM ban"), "ban")
    proxy.behaviour = healthy
    until = home.rows("SELECT until_mono FROM ban")[0]["until_mono"]
    time.sleep(0.2)  # what was under way arrives
    silent_from = time.monotonic()

    gate = home.answer("breaker", "status")["data"]["rate_gate"]
    restarts = [home.thunes("run", "--once") for _ in range(2)]

    assert gate["http_status"] == 418
    assert 0 < gate["retry_in_s"] <= BAN_S
    assert [done.returncode for done in restarts] == [13, 13], restarts[0].stderr
    wait_for(lambda: proxy.api_calls(since=silent_from), "first call after the ban", seconds=3 * BAN_S)
    first = proxy.api_calls(since=silent_from)[0]
    assert until <= first.at
    assert [row["consecutive"] for row in home.rows("SELECT consecutive FROM ban")] in ([], [1])
