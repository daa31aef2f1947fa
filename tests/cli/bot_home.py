"""A home with a past, made by the functions that make real ones, and the command run on it.

Market time stands still (speed 0) so that answers are exact.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from result_schemas import demand_the_promised_form

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.cli.app import run
from thunes_cli.cli.streams import Streams
from thunes_cli.clock import Anchor, Clock, to_ms, to_text
from thunes_cli.ledger import daemon, decisions, known, order_numbers, orders, positions
from thunes_cli.ledger.alerts import Severity, raise_alert
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.fills import FeeValue
from thunes_cli.ledger.identity import read_identity, save_anchor, take_client_order_id
from thunes_cli.ledger.schema import create_ledger
from thunes_cli.model import (
    Decision,
    ExitReason,
    Mode,
    Order,
    OrderReport,
    OrderState,
    Rejection,
    Side,
    Signal,
    SignalId,
    Trade,
)
from thunes_cli.process import ProcessIdentity, boot_id, this_process
from thunes_cli.trading.booking import Evidence, book

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
DEAD = ProcessIdentity(pid=2**22 + 1, boot_id="another boot", started=1)
FEE = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one run of the command gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document; there must be exactly one, of the promised form."""
        assert self.out.count("\n") == 1
        document = json.loads(self.out)
        assert isinstance(document, dict)
        assert document["exit_code"] == self.code
        demand_the_promised_form(document)
        return document

    @property
    def data(self) -> dict[str, Any]:
        """The document's data."""
        data = self.document["data"]
        assert isinstance(data, dict)
        return data

    @property
    def codes(self) -> list[str]:
        """The codes of its problems."""
        return [problem["code"] for problem in self.document["problems"]]


def thunes(*arguments: str, environ: Mapping[str, str] | None = None) -> Answer:
    """Run the command in this process, into texts."""
    streams = Streams(stdin=io.StringIO(), stdout=io.StringIO(), stderr=io.StringIO())
    code = run(arguments, environ=environ or {}, streams=streams)
    assert isinstance(streams.stdout, io.StringIO)
    assert isinstance(streams.stderr, io.StringIO)
    return Answer(code, streams.stdout.getvalue(), streams.stderr.getvalue())


@dataclass(slots=True)
class BotHome:
    """A home under a test's hand."""

    path: Path
    market: datetime = NOON
    trades: int = 0
    journal: Journal = field(init=False)

    def __post_init__(self) -> None:
        self.path.mkdir(mode=0o700, parents=True)
        wall = datetime.now(UTC)
        create_ledger(self.path / "thunes.db", environment="sim", instance="abcdef", epoch="abc", wall=wall)
        anchor = Anchor(wall=wall, market=self.market, speed=Decimal(0))
        self.journal = Journal(Ledger(self.path / "thunes.db"), self.trail, Clock(anchor))
        self.at(self.market)

    @property
    def trail(self) -> Path:
        """The audit trail's open segment."""
        return self.path / "audit_trail.jsonl"

    def close(self) -> None:
        """Close the ledger, as a daemon does that ends."""
        self.journal.close()

    def at(self, market: datetime) -> None:
        """Set market time."""
        self.market = market
        anchor = Anchor(wall=datetime.now(UTC), market=market, speed=Decimal(0))
        self.journal.clock.set_anchor(anchor)
        with self.journal.change() as change:
            save_anchor(change.connection, anchor)

    def ask(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Answer:
        """Run ``thunes`` on this home, in a pipe."""
        return thunes("--home", str(self.path), *arguments, environ=environ)

    # -- orders and positions -----------------------------------------------------------------------------------

    def intend(
        self,
        side: Side = Side.BUY,
        *,
        symbol: str = "BTCUSDT",
        amount: str = "12",
        position_id: int | None = None,
        signal_id: str | None = None,
        owner: ProcessIdentity | None = None,
    ) -> Order:
        """An order that is written down: a BUY for quote, a SELL of base."""
        base, quote = symbol[:-4], symbol[-4:]
        with self.journal.change() as change:
            attempt = None if position_id is None else order_numbers.last_attempt(change.connection, position_id) + 1
            wanted = (
                None if position_id is None else positions.read_position(change.connection, position_id).exit_wanted
            )
            order = orders.insert_intent(
                change.connection,
                orders.NewOrder(
                    client_order_id=take_client_order_id(change.connection, side),
                    exchange_epoch=read_identity(change.connection).exchange_epoch,
                    symbol=symbol,
                    base=base,
                    quote=quote,
                    side=side,
                    strategy="rsi",
                    stop_loss_pct=Decimal(3),
                    requested_base=Decimal(amount) if side is Side.SELL else None,
                    requested_quote=Decimal(amount) if side is Side.BUY else None,
                    signal_id=SignalId(signal_id) if signal_id else None,
                    position_id=position_id,
                    attempt=attempt,
                    reason=wanted,
                ),
                at=change.at,
                owner=owner or this_process(),
            )
            change.record(
                Event.ORDER_INTENT,
                symbol=symbol,
                client_order_id=order.client_order_id,
                signal_id=signal_id,
                position=position_id,
            )
        return order

    def send(self, order: Order, *, seconds_ago: float = 0.0) -> Order:
        """Commit SENT, as before the first byte."""
        with self.journal.change() as change:
            assert orders.change_state(
                change.connection,
                order.id,
                expected=[OrderState.INTENT],
                to=OrderState.SENT,
                at=change.at,
                sent_timestamp_ms=to_ms(self.market),
                recv_window_ms=5000,
                sent_mono=time.monotonic() - seconds_ago,
                sent_boot=boot_id(),
            )
            return orders.read_order(change.connection, order.id)

    def doubt(self, order: Order, *, why: str = "the connection was reset") -> Order:
        """Nobody knows what became of it."""
        with self.journal.change() as change:
            assert orders.change_state(
                change.connection, order.id, expected=[OrderState.SENT], to=OrderState.UNKNOWN, at=change.at, error=why
            )
            change.record(Event.ORDER_UNKNOWN, symbol=order.symbol, client_order_id=order.client_order_id, why=why)
            return orders.read_order(change.connection, order.id)

    def fill(
        self, order: Order, *, price: str, quantity: str | None = None, status: str = "FILLED", fee_asset: str = ""
    ) -> Order:
        """The exchange executed it at one price; the fee is kept from what was received, or named otherwise."""
        if order.requested_quote is not None:
            executed = (
                Decimal(quantity) if quantity else (order.requested_quote / Decimal(price)).quantize(Decimal("1e-8"))
            )
        else:
            assert order.requested_base is not None
            executed = Decimal(quantity or order.requested_base)
        value = executed * Decimal(price)
        self.trades += 1
        trade = Trade(
            symbol=order.symbol,
            trade_id=self.trades,
            order_id=1000 + order.id,
            side=order.side,
            price=Decimal(price),
            quantity=executed,
            quote_quantity=value,
            commission=(Decimal("0.0001") if fee_asset else FEE * (executed if order.side is Side.BUY else value)),
            commission_asset=fee_asset or (order.base if order.side is Side.BUY else order.quote),
            time=self.market,
        )
        report = OrderReport(
            symbol=order.symbol,
            order_id=1000 + order.id,
            client_order_id=order.client_order_id,
            side=order.side,
            status=status,
            orig_qty=order.requested_base or executed,
            orig_quote_qty=order.requested_quote or Decimal(0),
            executed_qty=executed,
            executed_quote=value,
            time=self.market,
            trades=(trade,),
        )
        values: Mapping[int, FeeValue] = (
            {trade.trade_id: FeeValue(Decimal("0.06"), "market")} if fee_asset == "BNB" else {}
        )
        with self.journal.change() as change:
            return book(
                change, order.id, Evidence(report, (trade,), values), rules=None, max_daily_loss=Decimal(1_000_000)
            )

    def buy(
        self, symbol: str = "BTCUSDT", *, price: str = "40000", amount: str = "12", signal_id: str | None = None
    ) -> int:
        """Open a position; returns its id."""
        order = self.fill(self.send(self.intend(symbol=symbol, amount=amount, signal_id=signal_id)), price=price)
        assert order.position_id is not None
        return order.position_id

    def sell(self, position_id: int, *, price: str, quantity: str | None = None) -> Order:
        """Sell a position, or a part of it."""
        with self.journal.read() as connection:
            position = positions.read_position(connection, position_id)
        amount = quantity or format(position.quantity, "f")
        order = self.intend(Side.SELL, symbol=position.symbol, amount=amount, position_id=position_id)
        return self.fill(self.send(order), price=price)

    def lose(self, symbol: str = "BTCUSDT", *, bought: str = "40000", sold: str = "38000", amount: str = "12") -> int:
        """A round trip at a loss (or a gain); returns the position's id."""
        position_id = self.buy(symbol, price=bought, amount=amount)
        self.sell(position_id, price=sold)
        return position_id

    def refuse(self, signal: Signal, reason: Rejection, **facts: str) -> None:
        """A BUY signal that the rules refused."""
        self._decide(signal, Decision(approved=False, reason=reason, facts=facts))

    def approve(self, signal: Signal, **facts: str) -> None:
        """A BUY signal that the rules let through."""
        self._decide(signal, Decision(approved=True, facts=facts))

    def _decide(self, signal: Signal, decision: Decision) -> None:
        with self.journal.change() as change:
            decisions.insert_decision(change.connection, signal, decision, at=change.at)
            change.record(
                Event.TRADE_APPROVED if decision.approved else Event.TRADE_REJECTED,
                symbol=signal.symbol,
                signal_id=signal.id,
                reason=decision.reason,
                **decision.facts,
            )

    def want_exit(self, position_id: int, *, problem: str | None = None) -> None:
        """The position is to be sold, and perhaps could not be."""
        with self.journal.change() as change:
            positions.want_exit(change.connection, position_id, ExitReason.STOP_LOSS, since=change.at)
            change.record(Event.EXIT_WANTED, symbol="SOLUSDT", position=position_id, reason="stop_loss")
            positions.set_exit_back_off(change.connection, position_id, next_try_wall=None, problem=problem)

    def price(self, symbol: str, price: str, *, age: timedelta = timedelta(0)) -> None:
        """The last price the daemon recorded."""
        with self.journal.change() as change:
            known.save_price(change.connection, symbol, Decimal(price), at=self.market - age)

    def end(self, order: Order, state: OrderState, *, why: str = "refused") -> None:
        """A SENT order ends without a fill."""
        with self.journal.change() as change:
            assert orders.change_state(
                change.connection, order.id, expected=[OrderState.SENT], to=state, at=change.at, error=why
            )

    # -- the daemon ---------------------------------------------------------------------------------------------

    def daemon_runs(self, process: ProcessIdentity | None = None, *, silent_for: timedelta = timedelta(0)) -> None:
        """A daemon says that it runs; without a process, this one is taken for it."""
        wall = datetime.now(UTC) - silent_for
        with self.journal.change() as change:
            daemon.save_daemon(
                change.connection, process or this_process(), command="run", since=self.market, wall=wall
            )
            daemon.save_mode(change.connection, Mode.TRADING)
            known.save_known(change.connection, known.FEED, {"mode": "rest", "reconnects": 0}, at=self.market)
            limits = {"max_positions": 3, "max_daily_loss": "20", "breaker_fail_max": 5}
            known.save_known(change.connection, known.LIMITS, limits, at=self.market)

    def feed(self, mode: str, *, age: timedelta = timedelta(0)) -> None:
        """Where the daemon has its prices from."""
        with self.journal.change() as change:
            known.save_known(change.connection, known.FEED, {"mode": mode, "reconnects": 2}, at=self.market - age)

    def alert_lasting(self, kind: str, *, key: str, text: str = "look") -> None:
        """The operator was told of a condition that lasts."""
        with self.journal.change() as change:
            raise_alert(
                change.connection,
                kind,
                text,
                severity=Severity.CRITICAL,
                at=change.at,
                at_wall=change.at_wall,
                key=key,
                lasting=True,
            )

    def reconciled(self, *, clean: bool) -> None:
        """Ledger and exchange were compared."""
        with self.journal.change() as change:
            change.connection.execute(
                "INSERT INTO reconcile_runs (at, clean, checked, findings) VALUES (?, ?, '{}', '[]')",
                (to_text(change.at), int(clean)),
            )

    def daemon_stops(self) -> None:
        """The daemon ends in order."""
        with self.journal.change() as change:
            daemon.save_clean_stop(change.connection)


def signal(symbol: str = "BTCUSDT", *, opened: datetime = NOON) -> Signal:
    """A BUY of the rsi strategy."""
    return Signal(
        symbol=symbol,
        strategy="rsi",
        side=Side.BUY,
        candle_open_time=opened,
        candle_close_time=opened + timedelta(hours=1),
        price=Decimal(40000),
    )


def names(rows: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    """One column of a list of rows."""
    return [row[key] for row in rows]
