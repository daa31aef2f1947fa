"""The exchange's errors: a code, a message and an HTTP status; codes and messages are the published ones."""

from __future__ import annotations

from typing import Any, Final

_UNAUTHORIZED: Final = 401
_BAD_REQUEST: Final = 400
_STATUS: Final = {
    -1002: 401,
    -2014: 401,
    -2015: 401,
    -1003: 429,
    -1015: 429,
    -1008: 503,
    -1000: 500,
    -1001: 500,
    -1006: 504,
    -1007: 504,
}


class ApiError(Exception):
    """An answer with ``code`` and ``msg`` instead of what was asked for.

    ``data`` goes with them where an endpoint says more. ``retry_at_ms`` is the wall time until which the client is to
    be quiet, ``retry_after_s`` the same as seconds from now.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: int | None = None,
        data: dict[str, Any] | None = None,
        retry_after_s: int | None = None,
        retry_at_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status if status is not None else _STATUS.get(code, _BAD_REQUEST)
        self.data = data
        self.retry_after_s = retry_after_s
        self.retry_at_ms = retry_at_ms

    def body(self) -> dict[str, Any]:
        """What the client reads."""
        shown: dict[str, Any] = {"code": self.code, "msg": self.message}
        return shown if self.data is None else shown | {"data": self.data}

    def headers(self) -> dict[str, str]:
        """What the reply's headers say besides."""
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}


def mandatory(name: str) -> ApiError:
    """A parameter that must be there is not, or cannot be read."""
    return ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str, legal: str) -> ApiError:
    """A parameter holds characters it may not hold."""
    return ApiError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def not_required(name: str) -> ApiError:
    """A parameter that does not go with the others."""
    return ApiError(-1106, f"Parameter '{name}' sent when not required.")


def order_rejected(message: str) -> ApiError:
    """The matching engine refuses a new order."""
    return ApiError(-2010, message)


def cancel_rejected(message: str = "Unknown order sent.") -> ApiError:
    """The matching engine refuses a cancel."""
    return ApiError(-2011, message)


def invalid_symbol() -> ApiError:
    """No such symbol."""
    return ApiError(-1121, "Invalid symbol.")
