"""Every error an operator can meet.

The class docstring is the message (``str.format`` fields), ``code`` is the stable name that scripts
read in ``problems[].code``, ``exit_code`` is what the process returns, ``hint`` is what to type next.
Only ``cli`` turns them into output and exit codes.

::

    ThunesError                     1
    +-- UsageFault                  2
    +-- AttentionError              3
    +-- MismatchError               4
    +-- IntegrityError              5
    |   +-- LedgerCorrupt
    |   +-- AuditTampered
    +-- Cancelled                   6
    +-- NeedsConfirmation           7
    +-- NotFound                   10
    |   +-- HomeMissing / HomeNotOurs / LedgerMissing / LedgerGone
    +-- Locked                     11
    +-- AuthError                  12
    |   +-- KeyMayWithdraw
    +-- Unavailable                13
    +-- Timeout                    14
    +-- Partial                    15
    +-- ConfigError                78
        +-- LedgerTooNew / OtherEnvironment / OtherAccount
"""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """What the process returns; the table of the contract."""

    OK = 0
    BUG = 1
    USAGE = 2
    ATTENTION = 3
    MISMATCH = 4
    INTEGRITY = 5
    CANCELLED = 6
    NEEDS_CONFIRMATION = 7
    NOT_FOUND = 10
    LOCKED = 11
    AUTH = 12
    UNAVAILABLE = 13
    TIMEOUT = 14
    PARTIAL = 15
    CONFIG = 78
    SIGINT = 130
    SIGPIPE = 141
    SIGTERM = 143


class ThunesError(Exception):
    """{0}"""

    code = "error"
    exit_code = ExitCode.BUG
    hint = ""

    def __init__(self, *args: object, hint: str | None = None, **facts: object) -> None:
        super().__init__(*args)
        self.facts = facts
        template = (type(self).__doc__ or "{0}").strip()
        self.message = template.format(*args, **facts)
        self.hint = hint if hint is not None else type(self).hint.format(*args, **facts)

    def __str__(self) -> str:
        return self.message


class UsageFault(ThunesError):
    """{0}"""

    code = "usage"
    exit_code = ExitCode.USAGE


class AttentionError(ThunesError):
    """{0}"""

    code = "attention"
    exit_code = ExitCode.ATTENTION


class MismatchError(ThunesError):
    """{0}"""

    code = "mismatch"
    exit_code = ExitCode.MISMATCH


class IntegrityError(ThunesError):
    """{0}"""

    code = "integrity"
    exit_code = ExitCode.INTEGRITY


class LedgerCorrupt(IntegrityError):
    """the ledger {0} is damaged: {1}"""

    code = "ledger_corrupt"
    hint = "copy the file away as evidence, then restore a backup; nothing has been changed"


class AuditTampered(IntegrityError):
    """the audit trail {0} was changed from outside: {1}"""

    code = "audit_tampered"
    hint = "keep the file as evidence: thunes audit validate"


class Cancelled(ThunesError):
    """cancelled, nothing changed"""

    code = "cancelled"
    exit_code = ExitCode.CANCELLED


class NeedsConfirmation(ThunesError):
    """this needs a confirmation and there is no terminal to ask on"""

    code = "needs_confirmation"
    exit_code = ExitCode.NEEDS_CONFIRMATION


class NotFound(ThunesError):
    """{0}"""

    code = "not_found"
    exit_code = ExitCode.NOT_FOUND


class HomeMissing(NotFound):
    """there is no THUNES home at {0}"""

    code = "home_missing"
    hint = "create one: thunes --home {0} init"


class HomeNotOurs(NotFound):
    """the home {0} belongs to user {1}"""

    code = "home_not_ours"
    hint = "sudo -u {1} thunes --home {0} ..."


class LedgerMissing(NotFound):
    """the home {0} has no ledger"""

    code = "ledger_missing"
    hint = "thunes --home {0} init"


class LedgerGone(NotFound):
    """the ledger {0} is not the file that was opened: somebody removed it or put another one in its place"""

    code = "ledger_gone"
    hint = "put it back where it was, or restore a backup; then: thunes run"


class Locked(ThunesError):
    """locked by pid {pid} ({command}) since {since}"""

    code = "locked"
    exit_code = ExitCode.LOCKED


class AuthError(ThunesError):
    """the exchange rejected the API key: {0}"""

    code = "auth"
    exit_code = ExitCode.AUTH
    hint = "thunes config check --online"


class KeyMayWithdraw(AuthError):
    """the API key may withdraw money; a bot's key must not"""

    code = "key_may_withdraw"
    hint = "take the permission away on the exchange's own pages (or set ACCEPT_KEY_THAT_MAY_WITHDRAW=true)"


class Unavailable(ThunesError):
    """{0}"""

    code = "unavailable"
    exit_code = ExitCode.UNAVAILABLE


class Timeout(ThunesError):
    """{0}"""

    code = "timeout"
    exit_code = ExitCode.TIMEOUT


class Partial(ThunesError):
    """{0}"""

    code = "partial"
    exit_code = ExitCode.PARTIAL


class ConfigError(ThunesError):
    """{0}"""

    code = "config"
    exit_code = ExitCode.CONFIG


class LedgerTooNew(ConfigError):
    """the ledger {0} has schema {1}; this version knows up to {2}"""

    code = "ledger_too_new"
    hint = "use the THUNES version that wrote it; the file was not touched"


class OtherEnvironment(ConfigError):
    """this home belongs to environment {0}, the settings say {1}"""

    code = "other_environment"
    hint = "use a home of its own for each environment: thunes --home DIR init --environment {1}"


class OtherAccount(ConfigError):
    """this home belongs to account {0}, the key to account {1}"""

    code = "other_account"
    hint = "use the key of account {0}, or a home of its own"
