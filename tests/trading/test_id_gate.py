"""Whether an answer is about the order that we sent: everything must fit, each at its boundary."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from manual_time import NOON

from thunes_cli.clock import to_ms
from thunes_cli.model import ClientOrderId, Order, OrderReport, OrderState, Side, Trade
from thunes_cli.trading.order_fit import is_ours, order_in_doubt

SLACK = timedelta(seconds=10)
MS = timedelta(milliseconds=1)
STEP = Decimal("0.00000001")
BUY = Order(
    id=1,
    client_order_id=ClientOrderId("thabcdefabc-B-1"),
    exchange_epoch=1,
    exchange_order_id=None,
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    side=Side.BUY,
    state=OrderState.UNKNOWN,
    strategy="sma",
    stop_loss_pct=Decimal(3),
    requested_base=None,
    requested_quote=Decimal(12),
    executed_qty=Decimal(0),
    executed_quote=Decimal(0),
    signal_id=None,
    position_id=None,
    attempt=None,
    reason=None,
    created_at=NOON - timedelta(hours=1),
    updated_at=NOON,
    sent_timestamp_ms=to_ms(NOON),
    recv_window_ms=5000,
    error=None,
)
SELL = replace(BUY, side=Side.SELL, requested_base=Decimal("0.5"), requested_quote=None)
BOUGHT = OrderReport(
    symbol="BTCUSDT",
    order_id=77,
    client_order_id=BUY.client_order_id,
    side=Side.BUY,
    status="FILLED",
    orig_qty=Decimal("0.0006"),
    orig_quote_qty=Decimal(12),
    executed_qty=Decimal("0.0006"),
    executed_quote=Decimal(12),
    time=NOON,
)
SOLD = replace(BOUGHT, side=Side.SELL, orig_qty=Decimal("0.5"), orig_quote_qty=Decimal(0))
UNREPEATED = {"orig_quote_qty": Decimal(0)}

CASES: list[tuple[str, Order, OrderReport, dict[str, Any], bool]] = [
    ("as it was sent", BUY, BOUGHT, {}, True),
    ("another symbol", BUY, BOUGHT, {"symbol": "ETHUSDT"}, False),
    ("another side", BUY, BOUGHT, {"side": Side.SELL}, False),
    ("another client id", BUY, BOUGHT, {"client_order_id": ClientOrderId("thabcdefabc-B-2")}, False),
    ("as early as clocks may differ", BUY, BOUGHT, {"time": NOON - SLACK}, True),
    ("earlier than that", BUY, BOUGHT, {"time": NOON - SLACK - MS}, False),
    ("any time later", BUY, BOUGHT, {"time": NOON + timedelta(days=9)}, True),
    ("another quote amount", BUY, BOUGHT, {"orig_quote_qty": Decimal(12) + STEP}, False),
    ("the amount is not repeated, all was spent", BUY, BOUGHT, UNREPEATED, True),
    ("the amount is not repeated, more was spent", BUY, BOUGHT, UNREPEATED | {"executed_quote": 12 + STEP}, False),
    ("sold as it was sent", SELL, SOLD, {}, True),
    ("another quantity", SELL, SOLD, {"orig_qty": Decimal("0.5") - STEP}, False),
    ("a purchase for a sale", SELL, BOUGHT, {"orig_qty": Decimal("0.5")}, False),
]


@pytest.mark.parametrize(("order", "report", "changes", "ours"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_fits(order: Order, report: OrderReport, changes: dict[str, Any], ours: bool) -> None:  # noqa: FBT001 - a table
    """An answer that differs in anything we said is another order's."""
    assert is_ours(order, replace(report, **changes), slack=SLACK) is ours


def test_the_exchanges_number_decides_once_it_is_known() -> None:
    """A cancelled order carries its cancel's client id; another order's number is another order."""
    known = replace(BUY, exchange_order_id=77)
    renamed = replace(BOUGHT, client_order_id=ClientOrderId("cancel-1"))

    assert is_ours(known, renamed, slack=SLACK)
    assert not is_ours(known, replace(BOUGHT, order_id=78), slack=SLACK)
    assert not is_ours(BUY, renamed, slack=SLACK)


def test_an_order_never_stamped_is_as_old_as_its_making() -> None:
    """Until it was sent there is no other time to hold an answer against."""
    unsent = replace(BUY, sent_timestamp_ms=None)

    assert is_ours(unsent, replace(BOUGHT, time=unsent.created_at - SLACK), slack=SLACK)
    assert not is_ours(unsent, replace(BOUGHT, time=unsent.created_at - SLACK - MS), slack=SLACK)


# -- trades that are listed before their order ------------------------------------------------------------------------

TRADE = Trade("BTCUSDT", 5, 77, Side.BUY, Decimal(20000), Decimal("0.0003"), Decimal(6), Decimal(0), "BNB", NOON)
HALF_SOLD = replace(TRADE, side=Side.SELL, quantity=Decimal("0.25"))

DOUBTED = [
    (BUY, [TRADE], {}, True),
    (BUY, [TRADE, TRADE], {}, True),
    (BUY, [TRADE, replace(TRADE, quote_quantity=Decimal(6) + STEP)], {}, False),
    (SELL, [HALF_SOLD, HALF_SOLD], {}, True),
    (SELL, [HALF_SOLD, replace(HALF_SOLD, quantity=Decimal("0.25") + STEP)], {}, False),
    (BUY, [TRADE], {"state": OrderState.SENT}, True),
    (BUY, [TRADE], {"state": OrderState.NOT_PLACED}, False),
    (BUY, [TRADE], {"exchange_order_id": 76}, False),
    (BUY, [TRADE], {"sent_timestamp_ms": None}, False),
    (BUY, [replace(TRADE, symbol="ETHUSDT")], {}, False),
    (BUY, [HALF_SOLD], {}, False),
    (BUY, [TRADE, HALF_SOLD], {}, False),
    (BUY, [replace(TRADE, time=NOON - SLACK)], {}, True),
    (BUY, [replace(TRADE, time=NOON - SLACK - MS)], {}, False),
]


@pytest.mark.parametrize(("order", "trades", "changes", "may_be"), DOUBTED)
def test_whose_trades_they_may_be(order: Order, trades: list[Trade], changes: dict[str, Any], may_be: bool) -> None:  # noqa: FBT001 - a table
    """An order that was sent, has no number yet and no end, and that the trades do not exceed."""
    doubted = replace(order, **changes)
    other = replace(BUY, symbol="BNBUSDT")

    assert order_in_doubt([other, doubted], trades, slack=SLACK) == (doubted if may_be else None)
