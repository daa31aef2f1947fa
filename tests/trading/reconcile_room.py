"""A trading room that compares itself with its exchange, and an exchange on which others trade too."""

from __future__ import annotations

from decimal import Decimal

from trading_room import Room

from thunes_cli.clock import to_ms
from thunes_cli.ledger import controls, positions
from thunes_cli.ledger.controls import Freeze
from thunes_cli.model import MarketOrder, OrderReport, Side
from thunes_cli.trading.booking import refold
from thunes_cli.trading.findings import Finding
from thunes_cli.trading.reconcile import Reconciler
from thunes_cli.trading.reconcile_look import Look, Scope


def reconciler(room: Room) -> Reconciler:
    """Of a room; it never waits."""
    return Reconciler(
        room.journal,
        room.exchange,
        room.symbols,
        plan=room.plan,
        max_daily_loss=Decimal(20),
        wait=lambda _: None,
    )


def look(room: Room, *, symbol: str | None = None) -> Look:
    """Everything of our time."""
    return reconciler(room).look(Scope(since=None, symbol=symbol))


def findings(room: Room) -> list[Finding]:
    """What a look at everything finds."""
    return list(look(room).comparison.findings)


def kinds(room: Room) -> list[str]:
    """The kinds of what counts."""
    return [str(finding.kind) for finding in findings(room) if finding.counts]


def stranger(
    room: Room, side: Side, amount: str, *, client_order_id: str = "web_7f3a", symbol: str = "BTCUSDT"
) -> OrderReport:
    """Somebody else's market order on this account: quote for a BUY, base for a SELL."""
    quantity, quote = (None, Decimal(amount)) if side is Side.BUY else (Decimal(amount), None)
    order = MarketOrder(symbol, side, client_order_id, quantity=quantity, quote_quantity=quote)  # type: ignore[arg-type]
    return room.exchange.place(order, timestamp_ms=to_ms(room.journal.clock.now()))


def forget_fills(room: Room, *trade_ids: int) -> None:
    """A ledger that never heard of these trades; positions are what the rest says."""
    with room.journal.change() as change:
        for trade_id in trade_ids:
            change.connection.execute("DELETE FROM fills WHERE trade_id = ?", (trade_id,))
        change.connection.execute(
            "UPDATE orders SET executed_qty = '0', executed_quote = '0' WHERE id NOT IN (SELECT order_id FROM fills)"
        )
        for position in positions.all_positions(change.connection):
            refold(change, position.id)


def frozen(room: Room) -> dict[str, Freeze]:
    """Symbols that take no entries."""
    with room.journal.read() as connection:
        return controls.frozen_symbols(connection)
