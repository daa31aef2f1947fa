"""Round trips that lose (or earn) exactly what a test says, booked as the trading room books them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import to_ms
from thunes_cli.ledger import order_numbers, orders
from thunes_cli.ledger.identity import read_identity, take_client_order_id
from thunes_cli.model import Order, OrderReport, OrderState, Side, Trade
from thunes_cli.process import this_process
from thunes_cli.trading.booking import Evidence, book

ENTRY = Decimal(100)


@dataclass
class Losses:
    """Books whole positions of one coin bought at 100, without fees."""

    journal: Journal
    limit: Decimal = Decimal(20)
    trades: int = 0

    def lose(self, amount: str, *, traded_at: datetime | None = None) -> None:
        """Buy and sell so that ``amount`` is lost (negative: earned); booked now, traded then."""
        sell = self.sent_sell(traded_at=traded_at)
        self.fill(sell, price=ENTRY - Decimal(amount), traded_at=traded_at)

    def sent_sell(self, *, traded_at: datetime | None = None) -> Order:
        """A position, and a SELL of it whose outcome is not known yet."""
        bought = self.fill(self._sent(Side.BUY), price=ENTRY, traded_at=traded_at)
        return self._sent(Side.SELL, position_id=bought.position_id)

    def fill(self, order: Order, *, price: Decimal, traded_at: datetime | None = None) -> Order:
        """The exchange executed the whole order at this time; booked now."""
        self.trades += 1
        when = traded_at or self.journal.clock.now()
        trade = Trade(
            symbol=order.symbol,
            trade_id=self.trades,
            order_id=order.id,
            side=order.side,
            price=price,
            quantity=Decimal(1),
            quote_quantity=price,
            commission=Decimal(0),
            commission_asset="USDT",
            time=when,
        )
        report = OrderReport(
            symbol=order.symbol,
            order_id=order.id,
            client_order_id=order.client_order_id,
            side=order.side,
            status="FILLED",
            orig_qty=Decimal(1),
            orig_quote_qty=Decimal(0),
            executed_qty=Decimal(1),
            executed_quote=price,
            time=when,
            trades=(trade,),
        )
        with self.journal.change() as change:
            return book(change, order.id, Evidence(report, (trade,), {}), rules=None, max_daily_loss=self.limit)

    def _sent(self, side: Side, *, position_id: int | None = None) -> Order:
        with self.journal.change() as change:
            connection = change.connection
            order = orders.insert_intent(
                connection,
                orders.NewOrder(
                    client_order_id=take_client_order_id(connection, side),
                    exchange_epoch=read_identity(connection).exchange_epoch,
                    symbol="BTCUSDT",
                    base="BTC",
                    quote="USDT",
                    side=side,
                    strategy="rsi",
                    stop_loss_pct=Decimal(3),
                    requested_base=Decimal(1) if side is Side.SELL else None,
                    requested_quote=ENTRY if side is Side.BUY else None,
                    position_id=position_id,
                    attempt=None if position_id is None else order_numbers.last_attempt(connection, position_id) + 1,
                ),
                at=change.at,
                owner=this_process(),
            )
            sent = {"sent_timestamp_ms": to_ms(change.at), "recv_window_ms": 5000}
            assert orders.change_state(
                connection, order.id, expected=[OrderState.INTENT], to=OrderState.SENT, at=change.at, **sent
            )
            return orders.read_order(connection, order.id)
