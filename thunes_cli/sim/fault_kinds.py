"""The faults that can be ordered, each with its effect: what ``sim faults`` lists and ``sim fault`` takes."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final


class FaultKind(enum.StrEnum):
    """Every kind of fault. Before and after are said of the order's execution."""

    HTTP_503_BEFORE = "http_503_before"
    HTTP_503_AFTER = "http_503_after"
    TIMEOUT_1007_AFTER = "timeout_1007_after"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    HANG_BEFORE = "hang_before"
    HANG_AFTER = "hang_after"
    SLOW_BODY = "slow_body"
    HTML_403 = "html_403"
    JSON_LIST = "json_list"
    RATE_LIMIT_429 = "rate_limit_429"
    BAN_418 = "ban_418"
    LOOKUP_LAG = "lookup_lag"
    CLOCK_SKEW = "clock_skew"
    PARTIAL_EXPIRE = "partial_expire"
    REFUSE = "refuse"
    HALT = "halt"
    USER_EVENT_TWICE = "user_event_twice"
    USER_EVENT_REORDERED = "user_event_reordered"
    WS_DROP = "ws_drop"
    WS_SILENCE = "ws_silence"
    WS_HALF_OPEN = "ws_half_open"
    WS_GARBAGE = "ws_garbage"
    WS_BURST = "ws_burst"
    WS_SHUTDOWN = "ws_shutdown"
    STRANGER_ORDER = "stranger_order"
    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"
    WIPE = "wipe"


class Waits(enum.Enum):
    """What a fault waits for before it takes effect."""

    REQUEST = enum.auto()
    ORDER = enum.auto()
    NOTHING = enum.auto()


ORDER_PATH: Final = "POST /api/v3/order"
ANY_PATH: Final = "/"


@dataclass(frozen=True, slots=True)
class Nature:
    """What a kind does, what it waits for, and which requests it hits unless told otherwise."""

    effect: str
    waits: Waits = Waits.NOTHING
    path: str = ANY_PATH


def _on_orders(effect: str) -> Nature:
    return Nature(effect, Waits.REQUEST, ORDER_PATH)


def _on_any(effect: str) -> Nature:
    return Nature(effect, Waits.REQUEST, ANY_PATH)


NATURES: Final[dict[FaultKind, Nature]] = {
    FaultKind.HTTP_503_BEFORE: _on_orders("HTTP 503 with -1001; the order was not executed"),
    FaultKind.HTTP_503_AFTER: _on_orders("the same answer, to the byte; the order was executed"),
    FaultKind.TIMEOUT_1007_AFTER: _on_orders("HTTP 504 with -1007, execution status unknown; the order was executed"),
    FaultKind.RESET_BEFORE: _on_orders("the connection is reset; the order was not executed"),
    FaultKind.RESET_AFTER: _on_orders("the connection is reset; the order was executed"),
    FaultKind.HANG_BEFORE: _on_orders("no answer until the client leaves; the order was not executed"),
    FaultKind.HANG_AFTER: _on_orders("no answer until the client leaves; the order was executed"),
    FaultKind.SLOW_BODY: _on_any("the headers at once, the body byte by byte, --ms apart (1000); executed"),
    FaultKind.HTML_403: _on_any("HTTP 403 with an HTML page, as a firewall answers; not executed"),
    FaultKind.JSON_LIST: _on_any("HTTP 400 whose JSON is a list; executed"),
    FaultKind.RATE_LIMIT_429: _on_any("HTTP 429 with -1003 and Retry-After: the rest of --seconds, or of the minute"),
    FaultKind.BAN_418: _on_any("bans the address of the next request for --seconds (120, doubling): HTTP 418, -1003"),
    FaultKind.LOOKUP_LAG: Nature(
        "queries and lists do not know the next order for --ms after it was placed (3000), or --queries times",
        Waits.ORDER,
        ORDER_PATH,
    ),
    FaultKind.CLOCK_SKEW: Nature("the server's time is --ms ahead of the market's (5000; may be negative): -1021"),
    FaultKind.PARTIAL_EXPIRE: Nature(
        "the book runs dry: the next market, IOC or FOK order gets half and expires", Waits.ORDER, ORDER_PATH
    ),
    FaultKind.REFUSE: Nature("connections are cut, and refused for --seconds (5)"),
    FaultKind.HALT: Nature("--symbol (all) gets --status (HALT) for --seconds of market time, or until it is TRADING"),
    FaultKind.USER_EVENT_TWICE: Nature("the account's next --count changes (1) are reported twice"),
    FaultKind.USER_EVENT_REORDERED: Nature("the events of the account's next --count changes (1) come last one first"),
    FaultKind.WS_DROP: Nature("WebSockets fall without a close frame; new ones are refused for --seconds (0)"),
    FaultKind.WS_SILENCE: Nature("no message on any WebSocket for --seconds, or until cleared; pings go on"),
    FaultKind.WS_HALF_OPEN: Nature("nothing moves any more on the WebSockets there are, not even a close"),
    FaultKind.WS_GARBAGE: Nature("--count times (1) frames on every WebSocket that no client can read"),
    FaultKind.WS_BURST: Nature("--count messages (1000) at once, all of them true, on every WebSocket"),
    FaultKind.WS_SHUTDOWN: Nature("serverShutdown on every WebSocket, which is closed --seconds later (1)"),
    FaultKind.STRANGER_ORDER: Nature(
        "somebody else uses the account: a market order on --symbol (BTCUSDT), --side (BUY), --quantity (20 quote)"
    ),
    FaultKind.DEPOSIT: Nature("--quantity (100) of --asset (USDT) arrive from outside"),
    FaultKind.WITHDRAW: Nature("--quantity (100) of --asset (USDT) leave, if they are free"),
    FaultKind.WIPE: Nature("every order and trade is gone and balances are as in the beginning; keys survive"),
}
