"""A matching engine on a market of known minutes, without a server around it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from thunes_cli.model import Side
from thunes_cli.sim.accounts import Holding
from thunes_cli.sim.amounts import ZERO, to_scaled
from thunes_cli.sim.bars import MINUTE, BarColumns
from thunes_cli.sim.book import BookShape
from thunes_cli.sim.engine import Engine
from thunes_cli.sim.market import Listing, Market
from thunes_cli.sim.orders import OrderRequest
from thunes_cli.sim.settlement import Fees
from thunes_cli.sim.store import Changes, Store
from thunes_cli.sim.symbols import spec_of
from thunes_cli.sim.tape import Tape

START = 1_700_000_040_000
FEES = Fees(maker=Decimal("0.001"), taker=Decimal("0.002"))


def tape_of(closes: list[str], *, tick: Decimal = Decimal("0.01")) -> Tape:
    """Minutes that open at the close before and touch nothing beyond open and close."""
    columns = BarColumns(MINUTE)
    before = to_scaled(Decimal(closes[0]))
    for number, text in enumerate(closes):
        close = to_scaled(Decimal(text))
        columns.append(START + number * MINUTE, (before, max(before, close), min(before, close), close), 10**9)
        before = close
    return Tape(columns, tick=to_scaled(tick))


def make_engine(
    path: Path,
    closes: list[str],
    *,
    symbol: str = "BTCUSDT",
    grant: dict[str, str] | None = None,
    spread_bps: str = "2",
    depth: str = "200000",
    fees: Fees = FEES,
) -> Engine:
    """An engine with granted balances; the state is stored in a real file."""
    tape = tape_of(closes)
    listing = Listing.of(spec_of(symbol), lambda: tape, recorded=True)
    store = Store(path)
    if not store.balances():
        granted = {"USDT": "10000", "BTC": "1"} if grant is None else grant
        store.apply(Changes(balances={asset: Holding(Decimal(amount), ZERO) for asset, amount in granted.items()}))
    return Engine(Market({symbol: listing}, BookShape(Decimal(spread_bps), Decimal(depth))), store, fees)


def market_order(
    side: Side, *, quantity: str | None = None, quote: str | None = None, client_id: str = ""
) -> OrderRequest:
    """A market order on BTCUSDT."""
    return OrderRequest(
        "BTCUSDT",
        side,
        "MARKET",
        client_id,
        quantity=None if quantity is None else Decimal(quantity),
        quote_quantity=None if quote is None else Decimal(quote),
    )


def limit_order(
    side: Side, price: str, quantity: str, *, force: str | None = "GTC", kind: str = "LIMIT", client_id: str = ""
) -> OrderRequest:
    """A limit order on BTCUSDT."""
    return OrderRequest(
        "BTCUSDT",
        side,
        kind,
        client_id,
        time_in_force=force,
        quantity=Decimal(quantity),
        price=Decimal(price),
    )
