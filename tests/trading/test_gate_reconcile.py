"""The comparison at the start-up gate: after resolution, before trading, and never a reason to stay down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from manual_time import ManualTime
from reconcile_room import reconciler
from scripted_exchange import ScriptedExchange
from trading_room import HOUR, SELL_NOW, Room, assemble

from thunes_cli.audit.journal import Journal
from thunes_cli.errors import AuthError
from thunes_cli.exchange.classify import WRONG_SIGNATURE
from thunes_cli.exchange.failures import AuthFailed, ExchangeDown, Rejected
from thunes_cli.ledger.reconcile import last_run
from thunes_cli.model import Mode, OrderState
from thunes_cli.trading.reconcile_reading import NeverStill


@pytest.fixture
def starting(journal: Journal, time: ManualTime, bare_home: Path) -> Room:
    """A room in front of its gate."""
    return assemble(journal, ScriptedExchange(journal.clock), time, home=bare_home)


def failing(*errors: Exception) -> Callable[[], None]:
    """Fails with each of these once, then goes well."""
    left = list(errors)

    def reconcile() -> None:
        if left:
            raise left.pop(0)

    return reconcile


def test_it_comes_after_resolution(holding: Room) -> None:
    """What resolution settles is no finding any more."""
    holding.exchange.script.append("unknown_after")
    holding.show(SELL_NOW)
    holding.engine.signal_check()
    holding.pass_by(HOUR)
    states: list[OrderState] = []

    holding.gate.open(reconcile=lambda: states.extend(order.state for order in holding.orders()))

    assert states == [OrderState.FILLED, OrderState.FILLED]


def test_its_verdict_is_written_down(starting: Room) -> None:
    """A first start has nothing to find."""
    starting.gate.open(reconcile=lambda: reconciler(starting).routine(by="start"))

    with starting.journal.read() as connection:
        run = last_run(connection)
    assert run is not None
    assert run.clean


def test_an_exchange_that_fails_is_waited_for(starting: Room) -> None:
    """The gate stays shut until it was compared."""
    waits: list[float] = []
    starting.gate._wait = lambda seconds: bool(waits.append(seconds))

    report = starting.gate.open(reconcile=failing(ExchangeDown("once"), ExchangeDown("twice")))

    assert (report.mode, len(waits)) == (Mode.TRADING, 2)


@pytest.mark.parametrize("error", [NeverStill(10), Rejected("Too many parameters.", -1101)], ids=["busy", "refused"])
def test_what_waiting_cannot_mend_keeps_nobody_down(starting: Room, error: Exception) -> None:
    """Stops must work; the hourly comparison tries again."""
    assert starting.gate.open(reconcile=failing(error)).mode is Mode.TRADING


@pytest.mark.parametrize(
    "error", [AuthFailed("revoked"), Rejected("Signature for this request is not valid.", WRONG_SIGNATURE)], ids=str
)
def test_a_key_that_does_not_work_is_said(starting: Room, error: Exception) -> None:
    """As everywhere at the gate, when nothing is held."""
    with pytest.raises(AuthError):
        starting.gate.open(reconcile=failing(error))


def test_an_impatient_start_fails_at_once(starting: Room) -> None:
    """``run --once`` leaves waiting to cron."""
    with pytest.raises(ExchangeDown):
        starting.gate.open(patient=False, reconcile=failing(ExchangeDown("once")))
