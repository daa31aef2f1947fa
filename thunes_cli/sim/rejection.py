"""The exchange's errors: a code, a message and an HTTP status; codes and messages are the published ones."""

from __future__ import annotations

from typing import Any, Final

_UNAUTHORIZED: Final = 401
_BAD_REQUEST: Final = 400
_STATUS: Final = {-1002: 401, -2014: 401, -2015: 401, -1003: 429, -1015: 429, -1008: 503, -1000: 500, -1001: 500}


class ApiError(Exception):
    """An answer with ``code`` and ``msg`` instead of what was asked for."""

    def __init__(self, code: int, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status if status is not None else _STATUS.get(code, _BAD_REQUEST)

    def body(self) -> dict[str, Any]:
        """What the client reads."""
        return {"code": self.code, "msg": self.message}


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
