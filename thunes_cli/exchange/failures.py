"""The five ways in which an exchange fails us, and what each means for the caller.

::

    ExchangeFailure
    +-- Rejected         a known business code: ours to fix; neither trips nor resets the breaker
    +-- RateLimited      429, 418, 403: a ban clock stops all REST
    +-- AuthFailed       401, -1002, -2014, -2015: entries stop
    +-- ExchangeDown     refused, DNS, timeout, 5xx on a read: trips the breaker
    +-- OutcomeUnknown   an order POST with any other answer: trips the breaker, and must be resolved by asking
    +-- BreakerOpen      not sent: the breaker or a ban forbids it
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


class RateLimited(ExchangeFailure, Unavailable):
    """the exchange told us to stop sending (HTTP {0}) for {1:.0f} s"""

    code = "rate_limited"

    def __init__(self, http_status: int, retry_after_s: float) -> None:
        super().__init__(http_status, retry_after_s)
        self.http_status = http_status
        self.retry_after_s = retry_after_s


class AuthFailed(ExchangeFailure, AuthError):
    """the exchange rejected the API key: {0}"""

    code = "auth"
    exit_code = ExitCode.AUTH


class ExchangeDown(ExchangeFailure, Unavailable):
    """the exchange cannot be reached: {0}"""

    code = "exchange_unavailable"


class OutcomeUnknown(ExchangeFailure):
    """the exchange did not say whether the order was executed: {0}"""

    code = "order_outcome_unknown"


class BreakerOpen(ExchangeFailure, Unavailable):
    """not sent: {0} until {1}"""

    code = "circuit_breaker_open"

    def __init__(self, what: str, until: str, *, retry_at: datetime | None = None) -> None:
        super().__init__(what, until)
        self.retry_at = retry_at
