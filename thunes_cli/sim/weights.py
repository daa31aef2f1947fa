"""What clients have used of their limits, in fixed windows of wall time: minutes start at :00, days at midnight UTC."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from thunes_cli.sim.bars import DAY, MINUTE, SECOND

WEIGHT_LIMIT: Final = 6000
RAW_LIMIT: Final = 300_000
ORDERS_10S: Final = 50
ORDERS_1D: Final = 160_000
_MAKER_CREDIT: Final = 5


class FixedWindow:
    """Counts per key that fall back to zero whenever a new window begins."""

    def __init__(self, span: int) -> None:
        self.span = span
        self._slot = -1
        self._counts: dict[str, int] = {}

    def add(self, key: str, amount: int, wall: int) -> int:
        """Add to (or, negative, take from) a count; it never falls below zero. Returns the new count."""
        count = max(self.count(key, wall) + amount, 0)
        self._counts[key] = count
        return count

    def count(self, key: str, wall: int) -> int:
        """The count in the window that holds wall time ``wall`` (ms)."""
        slot = wall // self.span
        if slot != self._slot:
            self._slot, self._counts = slot, {}
        return self._counts.get(key, 0)


class Usage:
    """Request weight by IP address, unfilled orders by account; ``requests`` counts calls by method and path."""

    def __init__(self) -> None:
        self.weight = FixedWindow(MINUTE)
        self.raw = FixedWindow(5 * MINUTE)
        self._orders = (FixedWindow(10 * SECOND), FixedWindow(DAY))
        self.requests: Counter[str] = Counter()

    def charge(self, address: str, weight: int, wall: int) -> None:
        """Count one request of a weight."""
        self.raw.add(address, 1, wall)
        self.weight.add(address, weight, wall)

    def refund(self, address: str, weight: int, wall: int) -> None:
        """Take a weight back: a successful order costs none."""
        self.weight.add(address, -weight, wall)

    def order_placed(self, account: str, wall: int, *, filled: bool) -> None:
        """Count a new order; a first fill as taker takes it off again."""
        for window in self._orders:
            window.add(account, 0 if filled else 1, wall)

    def order_filled_later(self, account: str, wall: int) -> None:
        """A first fill as maker is rewarded with more than the order itself."""
        for window in self._orders:
            window.add(account, -_MAKER_CREDIT, wall)

    def weight_headers(self, address: str, wall: int) -> dict[str, str]:
        """What every reply carries."""
        used = str(self.weight.count(address, wall))
        return {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}

    def order_headers(self, account: str, wall: int) -> dict[str, str]:
        """What the reply to a successful order carries."""
        seconds, day = (str(window.count(account, wall)) for window in self._orders)
        return {"X-MBX-ORDER-COUNT-10S": seconds, "X-MBX-ORDER-COUNT-1D": day}

    def order_counts(self, account: str, wall: int) -> list[dict[str, Any]]:
        """The reply to ``GET rateLimit/order``."""
        return [
            limit | {"count": window.count(account, wall)}
            for limit, window in zip(ORDER_LIMITS, self._orders, strict=True)
        ]


ORDER_LIMITS: Final[tuple[dict[str, Any], ...]] = (
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDERS_10S},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": ORDERS_1D},
)
RATE_LIMITS: Final[tuple[dict[str, Any], ...]] = (
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": WEIGHT_LIMIT},
    *ORDER_LIMITS,
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": RAW_LIMIT},
)
