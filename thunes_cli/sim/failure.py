"""The one error of the simulator's own making: why it could not start, with what to type next."""

from __future__ import annotations

from typing import Final

EXIT_LOCKED: Final = 11
EXIT_UNAVAILABLE: Final = 13
EXIT_TIMEOUT: Final = 14
EXIT_CONFIG: Final = 78


class SimError(Exception):
    """The embedded exchange cannot serve.

    Args:
        message: one line for people: what and why.
        hint: what to type next.
        code: the stable name scripts read.
        exit_code: what the process should return (11 locked, 13 unavailable, 14 timeout, 78 configuration).
    """

    def __init__(self, message: str, hint: str = "", *, code: str = "sim", exit_code: int = EXIT_CONFIG) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
        self.exit_code = exit_code


class CandleFileError(SimError):
    """A recorded candle file cannot be used; the message begins with ``FILE:LINE:``."""

    def __init__(self, where: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{where}: {problem}", hint, code="candle_file")
