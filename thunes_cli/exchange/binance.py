"""Binance's REST interface as an :class:`~thunes_cli.exchange.protocol.Exchange`.

python-binance (in :mod:`thunes_cli.exchange.binance_client`) is imported by :func:`connect` only: it takes half a
second. Failures are raised as the kinds of :mod:`thunes_cli.exchange.failures`, decided by
:mod:`thunes_cli.exchange.classify`; nothing is retried, except a signed read once after -1021.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from thunes_cli.clock import Clock, to_ms
from thunes_cli.exchange import classify, replies
from thunes_cli.exchange.classify import Answer
from thunes_cli.exchange.failures import ExchangeDown, NotSent, OutcomeUnknown, Rejected, TimestampRejected
from thunes_cli.exchange.filters import SymbolRules
from thunes_cli.ledger.bans import RateLimits
from thunes_cli.model import Account, Candle, ClientOrderId, KeyRestrictions, MarketOrder, OrderReport, Trade, plain

if TYPE_CHECKING:
    from thunes_cli.config.credentials import Credentials
    from thunes_cli.config.endpoints import Endpoints
    from thunes_cli.exchange.binance_client import RestClient

_T = TypeVar("_T")
_DAY = timedelta(hours=24)
_MOST_ROWS = 1000
_IN_ADDRESS = 200  # symbols of one question: a request's line may have some eight thousand characters


def _ignore(_: object) -> None:
    """Nobody listens."""


def connect(
    endpoints: Endpoints,
    credentials: Credentials,
    *,
    clock: Clock,
    recv_window_ms: int,
    timeout_s: float | Decimal,
    on_clock_skew: Callable[[], None] | None = None,
    on_headers: Callable[[Mapping[str, str]], None] = _ignore,
    on_limits: Callable[[RateLimits], None] = _ignore,
) -> BinanceExchange:
    """An exchange, ready to be asked; nothing is sent yet. The first call in a process takes about half a second.

    Args:
        endpoints: base URLs without ``/api`` and ``/sapi``.
        credentials: an HMAC secret, or the file of an unencrypted Ed25519 or RSA private key (it wins).
        clock: its market time is the timestamp of signed reads.
        recv_window_ms: carried by every signed request, at most 60000.
        timeout_s: how long an answer may take once connected (headers and body); connecting has its own 3.05 s.
        on_clock_skew: called after -1021 on a signed read, which is then sent once more; None: -1021 is raised.
        on_headers: gets the headers of every answer, from whichever thread; must not raise.
        on_limits: gets what the exchange allows whenever exchangeInfo tells it.

    Raises:
        ConfigError: the private key file cannot be used.
    """
    from thunes_cli.exchange.binance_client import make_client  # noqa: PLC0415 - python-binance: half a second

    client = make_client(
        rest_url=endpoints.rest_url,
        sapi_url=endpoints.sapi_url,
        credentials=credentials,
        recv_window_ms=recv_window_ms,
        timeout_s=float(timeout_s),
        timestamp_ms=lambda: to_ms(clock.now()),
        on_headers=on_headers,
    )
    return BinanceExchange(client, on_clock_skew=on_clock_skew, on_limits=on_limits)


class BinanceExchange:
    """See :class:`~thunes_cli.exchange.protocol.Exchange`; may be used by several threads at once."""

    def __init__(
        self,
        client: RestClient,
        *,
        on_clock_skew: Callable[[], None] | None = None,
        on_limits: Callable[[RateLimits], None] = _ignore,
    ) -> None:
        self._client = client
        self._on_clock_skew = on_clock_skew
        self._on_limits = on_limits

    @property
    def recv_window_ms(self) -> int:
        """The recvWindow every signed request really carries."""
        return int(self._client.REQUEST_RECVWINDOW)

    # -- public ------------------------------------------------------------------------------------------------

    def ping(self) -> None:
        """Return when the exchange answers."""
        self._read(self._client.ping)

    def server_time(self) -> datetime:
        """The exchange's clock, one reading."""
        return self._parsed(replies.server_time, self._read(self._client.get_server_time))

    def symbol_rules(self, symbols: Sequence[str]) -> dict[str, SymbolRules]:
        """Rules by symbol. One unknown symbol makes Binance refuse the whole list: then its halves are asked for."""
        if not symbols:
            return {}
        if len(symbols) > _IN_ADDRESS:
            return self._rules_of_halves(symbols)
        try:
            return self._symbol_rules(symbols)
        except Rejected as failure:
            if failure.business_code not in classify.UNKNOWN_SYMBOL:
                raise
            if len(symbols) == 1:
                return {}
        return self._rules_of_halves(symbols)

    def _rules_of_halves(self, symbols: Sequence[str]) -> dict[str, SymbolRules]:
        middle = len(symbols) // 2
        return self.symbol_rules(symbols[:middle]) | self.symbol_rules(symbols[middle:])

    def _symbol_rules(self, symbols: Sequence[str]) -> dict[str, SymbolRules]:
        wanted = json.dumps(list(dict.fromkeys(symbols)), ensure_ascii=False, separators=(",", ":"))
        reply = self._read(lambda: self._client._get("exchangeInfo", data={"symbols": wanted}))  # noqa: SLF001 - its own helper takes no symbols
        self._on_limits(replies.rate_limits(reply))
        rules = self._parsed(replies.symbol_rules, reply)
        return {symbol: rules[symbol] for symbol in symbols if symbol in rules}

    def candles(
        self,
        symbol: str,
        timeframe: str,
        *,
        limit: int = 500,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Candle]:
        """Candles, oldest first; the last one may still be open."""
        params = {
            "symbol": symbol,
            "interval": timeframe,
            "limit": limit,
            "startTime": to_ms(start) if start is not None else None,
            "endTime": to_ms(end) if end is not None else None,
        }
        return self._parsed(replies.candles, self._read(lambda: self._client.get_klines(**params)))

    def last_price(self, symbol: str) -> Decimal:
        """Price of the last trade."""
        return self._parsed(replies.price, self._read(lambda: self._client.get_symbol_ticker(symbol=symbol)))

    def average_price(self, symbol: str) -> Decimal:
        """Average price over the exchange's own window."""
        return self._parsed(replies.price, self._read(lambda: self._client.get_avg_price(symbol=symbol)))

    # -- signed reads ------------------------------------------------------------------------------------------

    def account(self) -> Account:
        """Balances and account id."""
        reply = self._signed_read(lambda: self._client.get_account(omitZeroBalances="true"))
        return self._parsed(replies.account, reply)

    def order(self, symbol: str, client_order_id: ClientOrderId) -> OrderReport | None:
        """The order by client id, or None on -2013."""
        try:
            reply = self._signed_read(lambda: self._client.get_order(symbol=symbol, origClientOrderId=client_order_id))
        except Rejected as failure:
            if failure.business_code == classify.NO_SUCH_ORDER:
                return None
            raise
        return self._parsed(replies.order, reply)

    def orders(
        self, symbol: str, *, from_order_id: int | None = None, start: datetime | None = None
    ) -> list[OrderReport]:
        """Orders of a symbol, oldest first; with neither bound the newest 1000."""
        params = {
            "symbol": symbol,
            "limit": _MOST_ROWS,
            # There is no order 0; as a bound it could be taken for none.
            "orderId": None if from_order_id is None else max(from_order_id, 1),
            "startTime": to_ms(start) if start is not None else None,
            "endTime": to_ms(start + _DAY) if start is not None else None,
        }
        return self._parsed(replies.orders, self._signed_read(lambda: self._client.get_all_orders(**params)))

    def open_orders(self, symbol: str) -> list[OrderReport]:
        """Orders the exchange is still working on."""
        return self._parsed(replies.orders, self._signed_read(lambda: self._client.get_open_orders(symbol=symbol)))

    def trades(self, symbol: str, *, order_id: int | None = None, from_trade_id: int | None = None) -> list[Trade]:
        """Our executions of a symbol, oldest first."""
        params = {"symbol": symbol, "limit": _MOST_ROWS, "orderId": order_id, "fromId": from_trade_id}
        return self._parsed(replies.trades, self._signed_read(lambda: self._client.get_my_trades(**params)))

    def key_restrictions(self) -> KeyRestrictions | None:
        """What the key may do, and its dates; None where there is no sapi to ask (testnet)."""
        if not self._client.MARGIN_API_URL:
            return None
        return self._parsed(replies.key_restrictions, self._signed_read(self._client.get_account_api_permissions))

    # -- orders ------------------------------------------------------------------------------------------------

    def place(self, order: MarketOrder, *, timestamp_ms: int) -> OrderReport:
        """Send a market order once, on a connection opened for it.

        Raises:
            OutcomeUnknown: it may have been executed: ask, never resend.
            NotSent, Rejected, RateLimited, AuthFailed: it was not executed.
            TimestampRejected: not executed; after a resync it may be sent with a new timestamp, committed first.
            ValueError: not one of quantity and quote quantity; nothing was sent.
        """
        params = {**_order_params(order), "newOrderRespType": "FULL", "timestamp": timestamp_ms}
        self._client.open_fresh_connection()
        try:
            answer = self._send(lambda: self._client.create_order(**params))
        except NotSent:
            raise
        except ExchangeDown as failure:
            raise OutcomeUnknown(str(failure.args[0]), underlying=failure) from None
        except Exception as error:  # whatever it is, bytes may have left
            raise OutcomeUnknown(f"{type(error).__name__} while sending") from error
        refusal = classify.order_failure(answer)
        if refusal is not None:
            raise refusal
        try:
            report = replies.placed_order(classify.payload(answer))
        except (replies.MalformedReply, ArithmeticError) as error:
            raise OutcomeUnknown(f"the reply is not an order: {error}") from None
        if (report.symbol, report.side, report.client_order_id) != (order.symbol, order.side, order.client_order_id):
            raise OutcomeUnknown(f"the reply is about another order, {report.client_order_id}")
        return report

    def test_place(self, order: MarketOrder) -> None:
        """Let the exchange validate an order without executing it."""
        self._signed_read(lambda: self._client.create_test_order(**_order_params(order)))

    # -- the wire ----------------------------------------------------------------------------------------------

    def _send(self, call: Callable[[], Any]) -> Answer:
        from thunes_cli.exchange.binance_client import TRANSPORT_ERRORS, describe, never_sent  # noqa: PLC0415 - as above

        try:
            answer = call()
        except TRANSPORT_ERRORS as error:
            # "from None": the original's text holds the request line, and with it the signature.
            kind = NotSent if never_sent(error) else ExchangeDown
            raise kind(describe(error, self._client)) from None
        assert isinstance(answer, Answer)
        return answer

    def _read(self, call: Callable[[], Any]) -> Any:
        answer = self._send(call)
        failure = classify.read_failure(answer)
        if failure is not None:
            raise failure
        return classify.payload(answer)

    def _signed_read(self, call: Callable[[], Any]) -> Any:
        try:
            return self._read(call)
        except TimestampRejected:
            if self._on_clock_skew is None:
                raise
        self._on_clock_skew()
        return self._read(call)

    def _parsed(self, parse: Callable[[Any], _T], reply: Any) -> _T:
        try:
            return parse(reply)
        except replies.MalformedReply as error:
            raise ExchangeDown(f"{self._client.host}: the answer makes no sense: {error}") from None


def _order_params(order: MarketOrder) -> dict[str, str]:
    if (order.quantity is None) == (order.quote_quantity is None):
        raise ValueError("a market order names either its quantity or its quote quantity")
    params = {
        "symbol": order.symbol,
        "side": order.side.value,
        "type": "MARKET",
        "newClientOrderId": str(order.client_order_id),
    }
    if order.quantity is not None:
        params["quantity"] = plain(order.quantity)
    elif order.quote_quantity is not None:
        params["quoteOrderQty"] = plain(order.quote_quantity)
    return params
