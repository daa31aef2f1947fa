"""The ways in which an exchange fails us, and what each means for the caller.

::

    ExchangeFailure
    +-- Rejected             a known business code: ours to fix; neither trips nor resets the breaker
    |   +-- TimestampRejected    -1021: resync the clock; an order may be sent once more after SENT is committed anew
    +-- RateLimited          429, 418, 403: a ban clock stops all REST
    +-- AuthFailed           401, -1002, -2008, -2014, -2015: entries stop
    +-- ExchangeDown         refused, DNS, timeout, 5xx on a read: trips the breaker
    |   +-- NotSent              no connection came about, so not a byte left: trips, and proves absence
    +-- OutcomeUnknown       an order POST with any other answer: trips the breaker, and must be resolved by asking
    +-- BreakerOpen          not sent: the breaker forbids it
        +-- RateBanned           not sent: a ban forbids it

After an order was placed, everything but ``OutcomeUnknown`` proves that it was not executed.
"""

from __future__ import annotations

from datetime import datetime

from thunes_cli.errors import AuthError, ExitCode, ThunesError, Unavailable


class ExchangeFailure(ThunesError):
    """the exchange failed: {0}"""

    code = "exchange"
    exit_code = ExitCode.UNAVAILABLE


class Rejected(ExchangeFailure):
    """the exchange refused: {0} ({1})"""

    code = "exchange_rejected"

    def __init__(self, message: str, business_code: int, *, hint: str | None = None) -> None:
        super().__init__(message, business_code, hint=hint)
        self.business_code = business_code


class TimestampRejected(Rejected):
    """the exchange refused the time of the request: {0} ({1})"""

    code = "timestamp_rejected"
    hint = "compare the clocks: thunes config check --online"


class RateLimited(ExchangeFailure, Unavailable):
    """the exchange told us to stop sending (HTTP {0}) for {1:.0f} s"""

    code = "rate_limited"
    hint = "wait, nothing lifts it sooner; how long: thunes breaker status"

    def __init__(self, http_status: int, retry_after_s: float, *, told: bool = False) -> None:
        """``told``: the exchange named the time itself; otherwise it is a first guess that repetition doubles."""
        super().__init__(http_status, retry_after_s)
        self.http_status = http_status
        self.retry_after_s = retry_after_s
        self.told = told


class AuthFailed(ExchangeFailure, AuthError):
    """the exchange rejected the API key: {0}"""

    code = "auth"
    exit_code = ExitCode.AUTH

    @property
    def business_code(self) -> int | None:
        """The exchange's own code, if it gave one."""
        return self.facts.get("business_code")  # type: ignore[return-value]  # facts are of any type

    @property
    def http_status(self) -> int | None:
        """The status of the answer, if there was one."""
        return self.facts.get("http_status")  # type: ignore[return-value]  # as above


class ExchangeDown(ExchangeFailure, Unavailable):
    """the exchange cannot be reached: {0}"""

    code = "exchange_unavailable"
    hint = "look at network, proxy and address: thunes config check --online"


class NotSent(ExchangeDown):
    """the exchange cannot be reached, nothing was sent: {0}"""


class OutcomeUnknown(ExchangeFailure):
    """the exchange did not say whether the order was executed: {0}"""

    code = "order_outcome_unknown"

    def __init__(self, message: str, *, underlying: ExchangeFailure | None = None) -> None:
        """``underlying``: what the same answer would have meant for a read; a ban in it binds all the same."""
        super().__init__(message)
        self.underlying = underlying


class BreakerOpen(ExchangeFailure, Unavailable):
    """not sent: {0} until {1}"""

    code = "circuit_breaker_open"
    hint = "why, and for how long: thunes breaker status"

    def __init__(self, what: str, until: str, *, retry_at: datetime | None = None) -> None:
        super().__init__(what, until)
        self.retry_at = retry_at


class RateBanned(BreakerOpen):
    """not sent: {0} until {1}"""

    code = "rate_limit_ban"
