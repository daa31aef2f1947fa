"""Somebody takes the home, or the ledger, away under a running daemon: it does not go on as if nothing were lost."""

from __future__ import annotations

import re
import shutil

from daemon_processes import make_home, wait_for

from thunes_cli.clock import Clock
from thunes_cli.model import Environment
from thunes_cli.ops.homes import make_home as found_home

BOUGHT = re.compile(r"signal=BUY decision=approved .*order=(\S+)")


def test_without_its_home_it_ends_and_says_why(exchange, tmp_path):
    """``rm -r`` of the home of a daemon that holds nothing: an error in one line, and an end that systemd leaves be."""
    home = make_home(tmp_path / "home", exchange.address, SIGNAL_INTERVAL_SECONDS="86400", SMA_FAST="98", SMA_SLOW="99")
    process = home.start_daemon()

    home.path.rename(tmp_path / "gone")  # at once: a file that is made meanwhile would keep a directory from going
    shutil.rmtree(tmp_path / "gone", ignore_errors=True)

    assert process.wait(30) == 10
    assert "was removed" in home.stderr or "somebody removed it" in home.stderr
    assert "Traceback" not in home.stderr
    assert not home.path.exists()
    home.close()


def test_a_ledger_put_in_its_place_is_not_written_to(exchange, tmp_path):
    """The home is removed and made anew: the daemon of the old one ends, the new one is as it was made."""
    home = make_home(tmp_path / "home", exchange.address, SIGNAL_INTERVAL_SECONDS="86400", SMA_FAST="98", SMA_SLOW="99")
    process = home.start_daemon()

    home.path.rename(tmp_path / "old")
    found_home(home.path, environment=Environment.SIM, clock=Clock())

    assert process.wait(30) == 10
    assert home.rows("SELECT count(*) FROM orders")[0][0] == 0
    assert home.rows("SELECT count(*) FROM job_runs")[0][0] == 0
    home.close()


def test_what_is_held_is_sold_and_nothing_is_bought(exchange, tmp_path):
    """The ledger's file is removed while there is a position: exits go on, entries do not, and then it ends."""
    home = make_home(tmp_path / "home", exchange.address, SMA_FAST="2", SMA_SLOW="3")
    process = home.start_daemon()
    wait_for(lambda: home.rows("SELECT 1 FROM positions WHERE status = 'OPEN'"), "position", seconds=60)

    placed = {row["client_order_id"] for row in home.rows("SELECT client_order_id FROM orders")}
    for path in home.path.glob("thunes.db*"):
        path.unlink()

    assert process.wait(90) == 10
    assert set(BOUGHT.findall(home.log)) <= placed
    assert "Traceback" not in home.log
    home.close()
