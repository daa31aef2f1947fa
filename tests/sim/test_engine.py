"""The matching engine: what becomes of orders, to the last digit."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from engine_room import FEES, START, limit_order, make_engine, market_order
from hypothesis import given, settings
from hypothesis import strategies as st

from thunes_cli.model import Side
from thunes_cli.sim.bars import MINUTE
from thunes_cli.sim.closures import Closure
from thunes_cli.sim.engine import Engine
from thunes_cli.sim.orders import OrderRequest
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.settlement import Fees

D = Decimal
FLAT = ["60000"] * 30
ZIGZAG = ["60000", "60300", "59700", "60500", "59000", "61000", "60000", "58000", "62000", "60000"]


def now(minute: float = 1) -> int:
    return START + int(minute * MINUTE)


def test_market_buy_by_quote_pays_its_fee_in_base(tmp_path: Path) -> None:
    """12 USDT at an ask of 60006 buy 0.00019 BTC, of which 0.2 % is kept; what the step left over stays USDT."""
    engine = make_engine(tmp_path / "db", FLAT, grant={"USDT": "100"})

    order, trades = engine.place(market_order(Side.BUY, quote="12"), now())

    assert (order.status, order.executed_qty, order.executed_quote) == ("FILLED", D("0.00019"), D("11.40114"))
    assert (order.orig_qty, order.orig_quote_qty) == (D("0.00019"), D(12))
    assert (trades[0].commission, trades[0].commission_asset) == (D("0.00000038"), "BTC")
    assert engine.balances["BTC"].free == D("0.00018962")
    assert engine.balances["USDT"].free == D("88.59886")


def test_market_sell_pays_its_fee_in_quote(tmp_path: Path) -> None:
    """Selling 0.5 BTC at the bid brings quote less the fee."""
    engine = make_engine(tmp_path / "db", FLAT, grant={"BTC": "1"}, depth="2000000")

    order, trades = engine.place(market_order(Side.SELL, quantity="0.5"), now())

    assert order.executed_quote == D("59994") / 2
    assert trades[0].commission == D("59.994")
    assert engine.balances["USDT"].free == D("29997") - D("59.994")


def test_market_order_beyond_the_book_expires_with_what_it_got(tmp_path: Path) -> None:
    """EXPIRED is not nothing: the book's quantity was executed, and booked."""
    engine = make_engine(tmp_path / "db", FLAT, grant={"BTC": "1"}, depth="1200")

    order, trades = engine.place(market_order(Side.SELL, quantity="1"), now())

    assert (order.status, order.expiry_reason) == ("EXPIRED", "INSUFFICIENT_LIQUIDITY")
    assert order.orig_qty == D(1)
    assert 0 < order.executed_qty == sum(each.quantity for each in trades) < D("0.021")
    assert engine.balances["BTC"].free == D(1) - order.executed_qty


def test_quote_order_beyond_the_book_expires_too(tmp_path: Path) -> None:
    """A quote amount the book cannot give asks for more base than it gets."""
    engine = make_engine(tmp_path / "db", FLAT, depth="1200")

    order, _ = engine.place(market_order(Side.BUY, quote="5000"), now())

    assert order.status == "EXPIRED"
    assert 0 < order.executed_qty < order.orig_qty
    assert order.executed_quote < D(1200)


def test_the_book_is_eaten_and_refilled(tmp_path: Path) -> None:
    """A second order in the same second finds what the first left; a second later all is there again."""
    engine = make_engine(tmp_path / "db", FLAT, grant={"USDT": "10000"}, depth="1200")

    first, _ = engine.place(market_order(Side.BUY, quote="60"), now())
    second, _ = engine.place(market_order(Side.BUY, quote="60"), now())
    third, _ = engine.place(market_order(Side.BUY, quote="60"), now() + 1000)

    def price(order: object) -> Decimal:
        return order.executed_quote / order.executed_qty  # type: ignore[attr-defined, no-any-return]

    assert price(first) < price(second)
    assert price(first) == price(third)


def test_a_restart_does_not_refill_the_book(tmp_path: Path) -> None:
    """What was eaten is known again after the engine was made anew from its file."""
    engine = make_engine(tmp_path / "db", FLAT, depth="1200")
    engine.place(market_order(Side.BUY, quote="60"), now())
    left = engine.book(engine.market.listing("BTCUSDT"), now())
    engine.store.close()

    again = make_engine(tmp_path / "db", FLAT, depth="1200")

    assert again.book(again.market.listing("BTCUSDT"), now()) == left


@pytest.mark.parametrize(
    ("request_", "grant"),
    [
        (market_order(Side.BUY, quote="100.01"), {"USDT": "100"}),
        (market_order(Side.BUY, quantity="0.002"), {"USDT": "100"}),
        (market_order(Side.SELL, quantity="0.1"), {"BTC": "0.09999"}),
        (market_order(Side.SELL, quote="100"), {"BTC": "0.001"}),
        (limit_order(Side.BUY, "50000", "1"), {"USDT": "49999.99"}),
        (limit_order(Side.SELL, "70000", "1"), {"BTC": "0.5"}),
    ],
    ids=["buy-quote", "buy-base", "sell-base", "sell-quote", "limit-buy", "limit-sell"],
)
def test_what_is_not_there_cannot_be_spent(tmp_path: Path, request_: OrderRequest, grant: dict[str, str]) -> None:
    """−2010, and nothing has changed."""
    engine = make_engine(tmp_path / "db", FLAT, grant=grant)
    before = dict(engine.balances)

    with pytest.raises(ApiError, match="insufficient balance") as caught:
        engine.place(request_, now())

    assert caught.value.code == -2010
    assert engine.balances == before == engine.store.balances()
    assert engine.store.orders() == []


def test_client_ids_are_unique_among_open_orders_only(tmp_path: Path) -> None:
    """A filled market order's id may be used again (and is executed twice); a resting order's may not."""
    engine = make_engine(tmp_path / "db", FLAT)
    engine.place(market_order(Side.BUY, quote="12", client_id="same"), now())
    engine.place(market_order(Side.BUY, quote="12", client_id="same"), now())
    engine.place(limit_order(Side.BUY, "50000", "0.01", client_id="rests"), now())

    with pytest.raises(ApiError, match="Duplicate order sent"):
        engine.place(market_order(Side.BUY, quote="12", client_id="rests"), now())

    assert len(engine.store.orders("client_order_id = 'same'")) == 2


def test_limit_order_rests_with_its_funds_locked(tmp_path: Path) -> None:
    """A BUY far below locks price × quantity; cancelling gives it back and frees its client id."""
    engine = make_engine(tmp_path / "db", FLAT)

    order, trades = engine.place(limit_order(Side.BUY, "50000", "0.1", client_id="mine"), now())
    held = engine.balances["USDT"]
    canceled = engine.cancel(order, "cancel-of-mine", now(2))

    assert (order.status, trades) == ("NEW", ())
    assert held == (D(5000), D(5000))
    assert engine.balances["USDT"] == (D(10000), D(0))
    assert (canceled.status, canceled.client_order_id) == ("CANCELED", "cancel-of-mine")
    with pytest.raises(ApiError, match="Unknown order sent"):
        engine.cancel(canceled, None, now(2))


def test_limit_order_takes_what_is_good_enough_and_rests_with_the_rest(tmp_path: Path) -> None:
    """A BUY a little above the best ask eats levels at their better prices as taker, then waits as maker."""
    engine = make_engine(tmp_path / "db", FLAT, depth="20000", grant={"USDT": "100000"})

    order, trades = engine.place(limit_order(Side.BUY, "60012", "1"), now())

    assert order.status == "PARTIALLY_FILLED"
    assert [each.price for each in trades] == [D(60006), D(60012)]
    assert not any(each.is_maker for each in trades)
    assert engine.balances["USDT"].locked == order.left * D(60012)


def test_resting_order_fills_when_the_price_comes(tmp_path: Path) -> None:
    """At its own price, as maker, at the instant the walk reached it, however late anybody looks."""
    engine = make_engine(tmp_path / "db", ZIGZAG, spread_bps="0")
    order, _ = engine.place(limit_order(Side.BUY, "59500", "0.1"), now(0.5))

    assert engine.advance(now(3)) == []
    (done,) = engine.advance(now(9))
    ((_, filled),), (trade,) = done.orders, done.trades

    assert (filled.status, trade.price, trade.is_maker) == ("FILLED", D(59500), True)
    assert now(4) < trade.time < now(5)
    tape = engine.market.listing("BTCUSDT").tape
    assert tape.price(trade.time) <= 59499 * 10**8 + 99 * 10**6
    assert trade.commission == D("0.1") * FEES.maker
    assert engine.balances["USDT"] == (D(10000) - D(5950), D(0))
    assert engine.store.orders("order_id = ?", (order.order_id,))[0] == filled


def test_looking_often_or_once_gives_the_same_fills(tmp_path: Path) -> None:
    """How often the engine is asked does not change what it did."""
    results = []
    for name, looks in (("often", 900), ("once", 1)):
        engine = make_engine(tmp_path / name, ZIGZAG)
        for number, price in enumerate(("59000", "59500", "58500")):
            engine.place(limit_order(Side.BUY, price, "0.01", client_id=f"b{number}"), now(0.5))
        engine.place(limit_order(Side.SELL, "61500", "0.02", client_id="s"), now(0.5))
        for look in range(1, looks + 1):
            engine.advance(now(0.5 + 9 * look / looks))
        results.append((engine.store.orders(), engine.store.trades(), engine.balances))

    assert results[0] == results[1]
    assert len(results[0][1]) == 4


@pytest.mark.parametrize(
    ("force", "reason"), [("IOC", "UNFILLED_IOC_QUANTITY_EXPIRED"), ("FOK", "UNFILLED_FOK_ORDER_EXPIRED")]
)
def test_immediate_orders_do_not_rest(tmp_path: Path, force: str, reason: str) -> None:
    """IOC keeps what it got and expires; FOK gets all or nothing."""
    engine = make_engine(tmp_path / "db", FLAT, depth="20000", grant={"USDT": "100000"})

    order, trades = engine.place(limit_order(Side.BUY, "60012", "1", force=force), now())

    assert (order.status, order.expiry_reason, bool(trades)) == ("EXPIRED", reason, force == "IOC")
    assert engine.balances["USDT"].locked == 0
    assert engine.open == {}


def test_limit_maker_never_takes(tmp_path: Path) -> None:
    """One that would match is refused, one that would not rests."""
    engine = make_engine(tmp_path / "db", FLAT)

    with pytest.raises(ApiError, match="Order would immediately match and take"):
        engine.place(limit_order(Side.BUY, "60012", "0.01", force=None, kind="LIMIT_MAKER"), now())

    assert engine.place(limit_order(Side.BUY, "60000", "0.01", force=None, kind="LIMIT_MAKER"), now())[0].open


def test_no_trading_in_a_halt(tmp_path: Path) -> None:
    """A halted symbol refuses orders and fills none that rest."""
    engine = make_engine(tmp_path / "db", ZIGZAG)
    engine.place(limit_order(Side.BUY, "59500", "0.1"), now(0.5))
    engine.market.listing("BTCUSDT").closures = [Closure(now(0.5) + 1, None, "HALT")]

    assert engine.advance(now(9)) == []
    with pytest.raises(ApiError, match="Market is closed"):
        engine.place(market_order(Side.BUY, quote="12"), now(9))


Step = tuple[str, Side, int, int]
operations = st.lists(
    st.tuples(
        st.sampled_from(["market-quote", "market-base", "limit", "ioc", "cancel", "wait"]),
        st.sampled_from([Side.BUY, Side.SELL]),
        st.integers(1, 400),
        st.integers(-40, 40),
    ),
    min_size=1,
    max_size=25,
)


def carry_out(engine: Engine, step: Step, moment: int) -> None:
    """One operation of the property test; refusals are part of the game."""
    kind, side, size, distance = step
    quantity = D(size) / 10_000
    price = D(60000) + D(distance) * 100
    if kind == "market-quote":
        engine.place(market_order(side, quote=str(D(size) * 20)), moment)
    elif kind == "market-base":
        engine.place(market_order(side, quantity=str(quantity)), moment)
    elif kind in {"limit", "ioc"}:
        force = "GTC" if kind == "limit" else "IOC"
        engine.place(limit_order(side, str(price), str(quantity), force=force), moment)
    elif kind == "cancel" and engine.open:
        engine.cancel(
            sorted(engine.open.values(), key=lambda each: each.order_id)[size % len(engine.open)], None, moment
        )


@settings(max_examples=60, deadline=None)
@given(operations, st.sampled_from(["0", "0.001", "0.00075", "0.0123"]))
def test_money_is_conserved_to_the_last_digit(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step], fee: str
) -> None:
    """Whatever is done: balances = grant + received − paid − fees, locked = what open orders need, nothing negative."""
    grant = {"USDT": "5000", "BTC": "0.08"}
    engine = make_engine(
        tmp_path_factory.mktemp("money") / "db", ZIGZAG * 3, grant=grant, depth="9000", fees=Fees(D(fee), D(fee) * 2)
    )
    moment = now(0.25)

    for step in steps:
        moment += step[2] * 200
        engine.advance(moment)
        try:
            carry_out(engine, step, moment)
        except ApiError as error:
            assert error.code in {-2010, -2011}  # noqa: PT017 - part of the game

    expected: dict[str, Decimal] = defaultdict(Decimal, {asset: D(amount) for asset, amount in grant.items()})
    executed: dict[int, Decimal] = defaultdict(Decimal)
    for trade in engine.store.trades():
        sign = 1 if trade.is_buyer else -1
        expected["BTC"] += sign * trade.quantity
        expected["USDT"] -= sign * trade.quote
        expected[trade.commission_asset] -= trade.commission
        executed[trade.order_id] += trade.quantity
    locked = {
        "USDT": sum((each.price * each.left for each in engine.open.values() if each.side is Side.BUY), D(0)),
        "BTC": sum((each.left for each in engine.open.values() if each.side is Side.SELL), D(0)),
    }
    for asset, held in engine.balances.items():
        assert held.free >= 0
        assert held.locked == locked[asset]
        assert held.free + held.locked == expected[asset]
    assert engine.balances == engine.store.balances()
    for order in engine.store.orders():
        assert order.executed_qty == executed[order.order_id] <= order.orig_qty
        assert (order.executed_qty == order.orig_qty) == (order.status == "FILLED")
    engine.store.close()
