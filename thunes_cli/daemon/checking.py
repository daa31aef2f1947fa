"""One signal check as a job: what it found, in words and in the ledger, and whether anything could be found at all."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from thunes_cli.clock import to_text
from thunes_cli.daemon.assembly import TradingRoom
from thunes_cli.daemon.records import record_feed
from thunes_cli.errors import Unavailable
from thunes_cli.exchange.failures import ExchangeFailure
from thunes_cli.ledger.known import read_prices, save_price
from thunes_cli.model import Candle
from thunes_cli.trading.engine import Tick

_log = logging.getLogger(__name__)


class CheckFailed(Unavailable):
    """no symbol could be checked: {0}"""

    code = "check_failed"
    hint = "thunes config check --online"


def failed(tick: Tick) -> bool:
    """Whether nothing could be found out about a symbol."""
    return tick.candle_open_time is None and tick.decision == "none" and tick.reason is not None


def check_signals(room: TradingRoom) -> list[Tick]:
    """Check every symbol once, log what it found, and write down how the feed stands."""
    ticks = room.engine.signal_check()
    for tick in ticks:
        _log_tick(tick)
    down = bool(ticks) and all(failed(tick) for tick in ticks)
    closes = _last_closes(room, [tick.symbol for tick in ticks if not failed(tick)])
    with room.journal.ledger.write() as connection:
        record_feed(connection, room.feed, room.journal.clock, down=down)
        known = read_prices(connection)
        for candle_symbol, candle in closes.items():
            if candle_symbol not in known or known[candle_symbol][1] < candle.close_time:
                save_price(connection, candle_symbol, candle.close, at=candle.close_time)
    return ticks


def check_candle(room: TradingRoom, symbol: str) -> Tick:
    """Check a symbol whose candle has closed just now."""
    tick = room.engine.candle_check(symbol)
    _log_tick(tick)
    return tick


def _log_tick(tick: Tick) -> None:
    acted = tick.decision != "none" or tick.client_order_id is not None  # what failed was logged where it failed
    _log.log(
        logging.INFO if acted else logging.DEBUG,
        "signal check: symbol=%s candle=%s signal=%s decision=%s reason=%s order=%s state=%s",
        tick.symbol,
        to_text(tick.candle_open_time) if tick.candle_open_time else "-",
        *(tick.signal or "-", tick.decision, tick.reason or "-", tick.client_order_id or "-"),
        tick.order_state or "-",
    )


def _last_closes(room: TradingRoom, symbols: Sequence[str]) -> dict[str, Candle]:
    """The newest closed candle of each symbol, as the check has just read it."""
    found = {}
    for symbol in symbols:
        try:
            candles = room.feed.closed_candles(symbol, needed=1)
        except ExchangeFailure:  # a candle has closed meanwhile, and it could not be read: the next check will
            continue
        if candles:
            found[symbol] = candles[-1]
    return found


def require_answers(ticks: Sequence[Tick]) -> None:
    """Refuse a check in which no symbol could be checked.

    Raises:
        CheckFailed: with the failures' codes (13).
    """
    if ticks and all(failed(tick) for tick in ticks):
        raise CheckFailed(", ".join(sorted({str(tick.reason) for tick in ticks})))
