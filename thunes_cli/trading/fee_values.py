"""What a fee in a third asset (BNB) was worth in the quote asset: the price of its time, or the last known, marked.

A rough value is corrected once, as soon as the price of the time can be had; what was realised changes with it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Journal
from thunes_cli.exchange.failures import ExchangeFailure, Rejected
from thunes_cli.exchange.protocol import Exchange
from thunes_cli.ledger import fills
from thunes_cli.ledger.fills import FeeValue
from thunes_cli.ledger.known import read_prices
from thunes_cli.ledger.positions import read_position
from thunes_cli.model import ZERO, Fill, Trade
from thunes_cli.risk import kill_switch
from thunes_cli.trading.accounting import EXACT, fee_in_quote
from thunes_cli.trading.booking import refold

_log = logging.getLogger(__name__)

CORRECTED_AT_ONCE = 50
_MINUTE = timedelta(minutes=1)
_BRIDGE = "USDT"
_VALUE_UNIT = Decimal("1e-12")
UNKNOWN = FeeValue(ZERO, "unknown")


class FeePrices:
    """Prices of fee assets, each minute asked for once."""

    def __init__(self, exchange: Exchange, journal: Journal) -> None:
        self._exchange = exchange
        self._journal = journal
        self._seen: dict[tuple[str, str, datetime], FeeValue] = {}

    def value(self, trade: Trade | Fill, *, base: str, quote: str) -> FeeValue:
        """A trade's fee in the quote asset; ``exact`` where the trade itself tells it."""
        if isinstance(trade, Trade):
            fee, asset, at = trade.commission, trade.commission_asset, trade.time
        else:
            fee, asset, at = trade.fee, trade.fee_asset, trade.traded_at
        inside = fee_in_quote(fee, asset, price=trade.price, base=base, quote=quote)
        if inside is not None:
            return FeeValue(inside, "exact")
        price = self._price(asset, quote, at)
        value = EXACT.multiply(fee, price.quote).quantize(_VALUE_UNIT, context=EXACT)
        return FeeValue(value, price.how)

    def _price(self, asset: str, quote: str, at: datetime) -> FeeValue:
        minute = at.replace(second=0, microsecond=0)
        known = self._seen.get((asset, quote, minute))
        if known is None:
            known = self._seen[asset, quote, minute] = self._ask(asset, quote, at)
        return known

    def _ask(self, asset: str, quote: str, at: datetime) -> FeeValue:
        try:
            for price in self._routes(asset, quote, at):
                if price is not None:
                    return FeeValue(price, "market")
        except ExchangeFailure as error:
            _log.warning("no price for the fee: asset=%s quote=%s error=%s", asset, quote, error)
        with self._journal.read() as connection:
            last = read_prices(connection).get(f"{asset}{quote}")
        return UNKNOWN if last is None else FeeValue(last[0], "last_known")

    def _routes(self, asset: str, quote: str, at: datetime) -> Iterator[Decimal | None]:
        yield self._traded_at(f"{asset}{quote}", at)
        turned = self._traded_at(f"{quote}{asset}", at)
        yield None if turned is None else EXACT.divide(Decimal(1), turned)
        if _BRIDGE in {asset, quote}:
            return
        over, under = self._traded_at(f"{asset}{_BRIDGE}", at), self._traded_at(f"{quote}{_BRIDGE}", at)
        yield None if over is None or under is None else EXACT.divide(over, under)

    def _traded_at(self, symbol: str, at: datetime) -> Decimal | None:
        """The price of that minute; None where the symbol, or its candle, does not exist."""
        minute = at.replace(second=0, microsecond=0)
        try:
            if self._journal.clock.now() - at < _MINUTE:
                return self._exchange.last_price(symbol)
            found = self._exchange.candles(symbol, "1m", limit=1, start=minute)
        except Rejected:
            return None
        price = found[0].close if found and found[0].open_time == minute else ZERO
        return price if price > 0 else None


def value_fees(
    exchange: Exchange, journal: Journal, trades: Sequence[Trade], *, base: str, quote: str
) -> dict[int, FeeValue]:
    """The value of each trade's fee, by trade id."""
    prices = FeePrices(exchange, journal)
    return {trade.trade_id: prices.value(trade, base=base, quote=quote) for trade in trades}


def correct_fee_values(exchange: Exchange, journal: Journal, *, max_daily_loss: Decimal) -> int:
    """Replace rough values by the price of the time where it can be had now; returns how many were."""
    with journal.read() as connection:
        rough = fills.fills_valued_roughly(connection, limit=CORRECTED_AT_ONCE)
        assets = {fill.position_id: read_position(connection, fill.position_id) for fill in rough}
    prices = FeePrices(exchange, journal)
    corrected = 0
    for fill in rough:
        position = assets[fill.position_id]
        value = prices.value(fill, base=position.base, quote=position.quote)
        if value.how == "market":
            corrected += _correct(journal, fill, value, max_daily_loss=max_daily_loss)
    return corrected


def _correct(journal: Journal, fill: Fill, value: FeeValue, *, max_daily_loss: Decimal) -> bool:
    with journal.change() as change:
        if not fills.correct_fee_value(change.connection, fill, value):
            return False
        refold(change, fill.position_id)
        change.record(
            Event.FEE_VALUED,
            symbol=fill.symbol,
            position=fill.position_id,
            trade_id=fill.trade_id,
            fee=fill.fee,
            fee_asset=fill.fee_asset,
            before=fill.fee_quote,
            valued=fill.fee_valued,
            after=value.quote,
        )
        kill_switch.trip_if_due(change, max_daily_loss=max_daily_loss)
        return True
