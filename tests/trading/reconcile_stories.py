"""Stories of an account for hypothesis: orders of ours and of others, their trades, and the books of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import strategies as st
from manual_time import NOON

from thunes_cli.ledger.external import ExternalOrder, Stranger
from thunes_cli.model import ZERO, ClientOrderId, Environment, Fill, Order, OrderReport, OrderState, Side, Trade
from thunes_cli.trading.accounting import add_effects, trade_effects
from thunes_cli.trading.reconcile_compare import Comparison, compare
from thunes_cli.trading.reconcile_inputs import Books, Listed, Market, Terms, Window

ASSETS = {"BTCUSDT": ("BTC", "USDT"), "ETHBTC": ("ETH", "BTC")}
STEP = Decimal("0.00001")
BEGAN = NOON + timedelta(days=2)
TERMS = Terms(
    slack=timedelta(seconds=10), steps={"BTC": STEP, "ETH": STEP}, main=frozenset({"BTC", "ETH", "USDT", "BNB"})
)
quantities = st.decimals("0.00001", "5", places=5)
prices = st.decimals("0.01", "90000", places=2)


@dataclass(frozen=True)
class Made:
    """One order as both sides have it."""

    order: Order
    report: OrderReport
    trades: tuple[Trade, ...]
    fills: tuple[Fill, ...]
    ours: bool


@dataclass(frozen=True)
class Story:
    """Everything that happened on an account, and what was there before."""

    made: tuple[Made, ...]
    baseline: dict[str, Decimal]

    def market(self, **extra: Decimal) -> Market:
        """What the exchange shows; ``extra`` is what came from nowhere."""
        totals = dict(self.baseline)
        listed = {}
        for symbol, (base, quote) in ASSETS.items():
            here = [each for each in self.made if each.order.symbol == symbol]
            trades = [trade for each in here for trade in each.trades]
            add_effects(totals, trade_effects(trades, base=base, quote=quote))
            listed[symbol] = Listed(Window(symbol, base, quote), tuple(each.report for each in here), tuple(trades))
        add_effects(totals, extra)
        return Market(BEGAN, "42", {asset: amount for asset, amount in totals.items() if amount}, listed)

    def books(self) -> Books:
        """What a ledger says that heard of everything."""
        ours = [each for each in self.made if each.ours]
        strange = [each for each in self.made if not each.ours]
        not_ours = dict(self.baseline)
        for each in strange:
            base, quote = ASSETS[each.order.symbol]
            add_effects(not_ours, trade_effects(each.trades, base=base, quote=quote))
        return Books(
            environment=Environment.TESTNET,
            instance="abcdef",
            epoch="abc",
            epochs=frozenset({"abc"}),
            next_order=len(self.made) + 1,
            entries_from=NOON,
            baseline_at=NOON,
            not_ours=not_ours,
            orders=tuple(each.order for each in ours),
            fills=tuple(fill for each in ours for fill in each.fills),
            positions=(),
            assets=ASSETS,
            external=tuple(known(each) for each in strange),
        )

    def compare(self, **extra: Decimal) -> Comparison:
        """Both sides."""
        return compare(self.market(**extra), self.books(), TERMS)


def known(made: Made) -> ExternalOrder:
    """A stranger's order that the operator knows of."""
    base, quote = ASSETS[made.order.symbol]
    return ExternalOrder(
        symbol=made.order.symbol,
        order_id=made.report.order_id,
        client_order_id=made.report.client_order_id,
        kind=Stranger.EXTERNAL,
        side=made.report.side,
        status=made.report.status,
        requested=made.report.orig_qty,
        executed_qty=made.report.executed_qty,
        executed_quote=made.report.executed_quote,
        trades=tuple(trade.trade_id for trade in made.trades),
        effects=trade_effects(made.trades, base=base, quote=quote),
        placed_at=made.report.time,
        accepted_at=NOON,
    )


@st.composite
def orders(draw: st.DrawFn, number: int) -> Made:
    """An order with up to three trades, fees in any asset; ids grow with the number."""
    symbol = draw(st.sampled_from(sorted(ASSETS)))
    base, quote = ASSETS[symbol]
    side = draw(st.sampled_from(Side))
    ours = draw(st.integers(0, 3)) > 0
    at = NOON + timedelta(minutes=number)
    trades = []
    for place in range(draw(st.integers(0, 3))):
        price, quantity = draw(prices), draw(quantities)
        fee_asset = draw(st.sampled_from([base, quote, "BNB"]))
        trades.append(
            Trade(
                symbol=symbol,
                trade_id=number * 10 + place,
                order_id=number,
                side=side,
                price=price,
                quantity=quantity,
                quote_quantity=price * quantity,
                commission=draw(st.decimals("0", "0.1", places=8)),
                commission_asset=fee_asset,
                time=at,
            )
        )
    executed = sum((trade.quantity for trade in trades), ZERO)
    value = sum((trade.quote_quantity for trade in trades), ZERO)
    requested = executed + draw(quantities)
    status = "EXPIRED"
    name = ClientOrderId(f"thabcdefabc-{side[0]}-{number}" if ours else f"web_{number}")
    order = Order(
        id=number,
        client_order_id=name,
        exchange_epoch=1,
        exchange_order_id=number,
        symbol=symbol,
        base=base,
        quote=quote,
        side=side,
        state=OrderState.EXPIRED,
        strategy="rsi",
        stop_loss_pct=Decimal(3),
        requested_base=requested,
        requested_quote=None,
        executed_qty=executed,
        executed_quote=value,
        signal_id=None,
        position_id=1,
        attempt=None,
        reason=None,
        created_at=at,
        updated_at=at,
        sent_timestamp_ms=0,
        recv_window_ms=5000,
        error=None,
    )
    report = OrderReport(symbol, number, name, side, status, requested, ZERO, executed, value, at)
    return Made(order, report, tuple(trades), tuple(booked(trade, order) for trade in trades), ours)


def booked(trade: Trade, order: Order) -> Fill:
    """A trade as the ledger has it."""
    return Fill(
        id=trade.trade_id,
        exchange_epoch=1,
        symbol=trade.symbol,
        trade_id=trade.trade_id,
        order_id=order.id,
        position_id=1,
        side=trade.side,
        price=trade.price,
        quantity=trade.quantity,
        quote_quantity=trade.quote_quantity,
        fee=trade.commission,
        fee_asset=trade.commission_asset,
        fee_quote=ZERO,
        fee_valued="exact",
        realized=ZERO,
        traded_at=trade.time,
    )


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """A few orders, ours and others', on an account that held something before."""
    made = tuple(draw(orders(number)) for number in range(1, draw(st.integers(1, 6)) + 1))
    baseline = {asset: draw(st.decimals("100", "1000000", places=8)) for asset in ("BTC", "ETH", "USDT", "BNB", "DOGE")}
    return Story(made, baseline)


def without(books: Books, fill: Fill) -> Books:
    """Books that never heard of one fill."""
    kept = tuple(each for each in books.fills if each is not fill)
    mine = [each for each in kept if each.order_id == fill.order_id]
    executed = sum((each.quantity for each in mine), ZERO)
    changed = tuple(
        replace(order, executed_qty=executed) if order.id == fill.order_id else order for order in books.orders
    )
    return replace(books, fills=kept, orders=changed)
