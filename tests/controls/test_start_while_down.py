"""A daemon that starts while the exchange is unwell becomes ready by itself once it is well again."""

from __future__ import annotations

import pytest
from daemon_processes import wait_for
from misbehaving_proxy import Behaviour, healthy, only, storm, unauthorized

QUICK = {"BREAKER_FAIL_MAX": "1", "BREAKER_RESET_SECONDS": "1"}  # it opens before the start has asked twice


@pytest.mark.parametrize(
    "sick",
    [
        pytest.param(storm, id="while it waits for the clock", marks=pytest.mark.long),
        pytest.param(only(("/api/v3/account",), storm), id="at the gate"),
        pytest.param(
            only(("/api/v3/account", "/api/v3/exchangeInfo"), storm),
            id="at the gate, rules too",
            marks=pytest.mark.long,
        ),
    ],
)
def test_it_becomes_ready_although_the_breaker_opened(home_behind, proxy, sick: Behaviour):
    """The breaker opens before anything trades; the start sends its probe, and goes on when it is answered."""
    home = home_behind(**QUICK)
    proxy.behaviour = sick
    process = home.start("run")
    wait_for(lambda: home.rows("SELECT 1 FROM breaker WHERE state <> 'closed'"), "open breaker")
    failed_probe = "SELECT 1 FROM control_history WHERE from_state = 'half-open' AND to_state = 'open'"
    wait_for(lambda: home.rows(failed_probe), "probe that failed")
    assert home.daemon_row()["mode"] == "starting"

    proxy.behaviour = healthy

    wait_for(lambda: home.daemon_row()["mode"] == "trading", "readiness")
    assert home.rows("SELECT state FROM breaker")[0]["state"] == "closed"
    assert home.end(process) == 0


@pytest.mark.long
def test_a_key_that_was_rejected_meanwhile_is_said(home_behind, proxy):
    """When the exchange is back and refuses the key, the start ends with that (12), not with an open breaker."""
    home = home_behind(**QUICK)
    proxy.behaviour = only(("/api/v3/account",), storm)
    process = home.start("run")
    wait_for(lambda: home.rows("SELECT 1 FROM breaker WHERE state <> 'closed'"), "open breaker")

    proxy.behaviour = unauthorized

    assert process.wait(30) == 12, home.stderr
    assert "rejected the API key" in home.stderr
