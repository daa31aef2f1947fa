"""Waiting longer after each exit attempt that did not sell, and telling the operator once when it gets too long."""

from __future__ import annotations

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.counts import count
from thunes_cli.ledger import positions
from thunes_cli.ledger.alert_kinds import Kind
from thunes_cli.ledger.alerts import Severity
from thunes_cli.model import PositionStatus, plain
from thunes_cli.risk.exits import BLOCKED_AFTER, back_off


def delay_exit(change: Change, position_id: int, *, failed: int, why: str, proven: bool = False) -> None:
    """Hold the next attempt back, and say that the exit is blocked from the third failure on.

    Args:
        change: the transaction.
        position_id: whose exit is wanted; one that is closed by now is left alone.
        failed: attempts that did not sell.
        why: what became of the last one.
        proven: it took a proof to know that it did not; that has taken as long as the first wait.
    """
    connection = change.connection
    position = positions.read_position(connection, position_id)
    if position.status is not PositionStatus.OPEN:
        return
    until = change.at_wall + back_off(failed - 1 if proven else failed)
    positions.set_exit_back_off(connection, position_id, next_try_wall=until, problem=why)
    if failed < BLOCKED_AFTER:
        return
    since = f", since {position.exit_wanted_since:%Y-%m-%d %H:%M:%S}Z" if position.exit_wanted_since else ""
    text = (
        f"Exit of {position.symbol} is blocked: {why}. {plain(position.quantity)} {position.base} are still held,"
        f" wanted out ({position.exit_wanted}){since}; {count(failed, 'attempt')} failed, it is tried again."
        f" Next: thunes explain position:{position_id}"
    )
    if change.alert(Kind.EXIT_BLOCKED, text, Severity.CRITICAL, key=position.symbol, lasting=True):
        change.record(Event.EXIT_BLOCKED, symbol=position.symbol, position=position_id, attempts=failed, why=why)
