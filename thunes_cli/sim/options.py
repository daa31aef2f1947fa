"""What an embedded exchange is made of, as one value that travels to the server process as JSON on its stdin."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from thunes_cli.sim.failure import SimError

DEFAULT_SEED = 7
DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT")
_FASTEST = 1_000_000
_LAST_PORT = 65_535
_WIDEST = 1_000
_A_YEAR = 366 * 86_400
_DECIMALS = (
    "speed",
    "spread_bps",
    "depth_quote",
    "maker_fee",
    "taker_fee",
    "ws_ping_seconds",
    "ws_pong_seconds",
    "ws_life_seconds",
)
DEFAULT_BALANCES = (("USDT", Decimal(10000)), ("BNB", Decimal(0)))


@dataclass(frozen=True, slots=True)
class SimOptions:
    """How to serve.

    Attributes:
        directory: where the exchange keeps its state; a home's ``sim/``.
        host: address to listen on. port: 0 lets the system choose.
        candles: recorded candles to replay; none means the synthetic market of ``seed``.
        speed: market seconds a wall second. step: time stands still but for ``POST /sim/step``.
        now: the last recorded candle (or the synthetic market's start) is moved to this minute.
        start: where trading begins: RFC 3339, ``YYYY-MM-DD``, or a number of candles kept as history.
        spread_bps: distance between best bid and ask. depth_quote: quote value on each side of the book.
        maker_fee, taker_fee: fractions (0.001 is 0.1 %).
        balances: what the account is granted when the directory is made.
        allow_gaps: missing candles are outages of the exchange instead of an error.
        reset: forget what the directory holds. parent_fd: end when this pipe closes.
        ws_ping_seconds, ws_pong_seconds, ws_life_seconds: how often a WebSocket is pinged, how long its pong may take,
            how long it lives; wall seconds, the exchange's own unless a test cannot wait for them.
        ws_queue_bytes: what may wait for a client that reads too slowly, before it is cut.
        weight_limit, raw_limit, order_limit_10s, order_limit_1d: the limits of exchangeInfo, which are enforced.
        bnb_discount: commissions are paid in BNB, at a discount, where the account has some.
    """

    directory: Path
    host: str = "127.0.0.1"
    port: int = 0
    candles: tuple[Path, ...] = ()
    speed: Decimal = Decimal(1)
    step: bool = False
    now: bool = False
    start: str | None = None
    seed: int = DEFAULT_SEED
    symbols: tuple[str, ...] = DEFAULT_SYMBOLS
    balances: tuple[tuple[str, Decimal], ...] = DEFAULT_BALANCES
    spread_bps: Decimal = Decimal(2)
    depth_quote: Decimal = Decimal(200000)
    maker_fee: Decimal = Decimal("0.001")
    taker_fee: Decimal = Decimal("0.001")
    allow_gaps: bool = False
    reset: bool = False
    parent_fd: int | None = None
    ws_ping_seconds: Decimal = Decimal(20)
    ws_pong_seconds: Decimal = Decimal(60)
    ws_life_seconds: Decimal = Decimal(86_400)
    ws_queue_bytes: int = 16 * 1024 * 1024
    weight_limit: int = 6_000
    raw_limit: int = 300_000
    order_limit_10s: int = 50
    order_limit_1d: int = 160_000
    bnb_discount: bool = False

    def check(self) -> None:
        """Refuse values no market can be made of.

        Raises:
            SimError: with the option's name.
        """
        _demand(self.speed.is_finite() and 0 < self.speed <= _FASTEST, "speed", f"above 0 and at most {_FASTEST}")
        _demand(0 <= self.port <= _LAST_PORT, "port", f"between 0 and {_LAST_PORT}")
        _demand(
            self.spread_bps.is_finite() and 0 <= self.spread_bps <= _WIDEST, "spread", f"0 to {_WIDEST} basis points"
        )
        _demand(self.depth_quote.is_finite() and self.depth_quote > 0, "depth", "positive")
        for name, fee in (("maker fee", self.maker_fee), ("taker fee", self.taker_fee)):
            _demand(fee.is_finite() and 0 <= fee < Decimal("0.1"), name, "a fraction from 0 to below 0.1")
        for asset, amount in self.balances:
            _demand(amount.is_finite() and 0 <= amount <= 10**15, f"balance of {asset}", "from 0 to 10^15")
        _demand(bool(self.candles or self.symbols), "symbols", "at least one")
        for seconds in (self.ws_ping_seconds, self.ws_pong_seconds, self.ws_life_seconds):
            _demand(seconds.is_finite() and 0 < seconds <= _A_YEAR, "WebSocket times", "positive and at most a year")
        _demand(self.ws_queue_bytes > 0, "WebSocket queue", "positive")
        limits = (self.weight_limit, self.raw_limit, self.order_limit_10s, self.order_limit_1d)
        _demand(min(limits) > 0, "limits", "positive")

    def to_json(self) -> str:
        """One line of JSON, read back by :meth:`from_json`."""
        return json.dumps({each.name: _plain(getattr(self, each.name)) for each in fields(self)})

    @classmethod
    def from_json(cls, text: str) -> SimOptions:
        """The inverse of :meth:`to_json`."""
        raw: dict[str, Any] = json.loads(text)
        raw["directory"] = Path(raw["directory"])
        raw["candles"] = tuple(Path(each) for each in raw["candles"])
        raw["symbols"] = tuple(raw["symbols"])
        raw["balances"] = tuple((asset, Decimal(amount)) for asset, amount in raw["balances"])
        for name in _DECIMALS:
            raw[name] = Decimal(raw[name])
        return cls(**raw)


def _demand(holds: bool, name: str, rule: str) -> None:  # noqa: FBT001 - reads as the assertion it is
    if not holds:
        raise SimError(f"the simulator's {name} must be {rule}", code="sim_option")


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value
