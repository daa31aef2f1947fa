"""The ways in which a rotation of the API key fails; each says which key is in use afterwards."""

from __future__ import annotations

from thunes_cli.errors import AuthError, ExitCode, Locked, Partial, ThunesError, Unavailable


class KeyUnfit(AuthError):
    """the new API key cannot be used: {0}"""

    code = "key_unfit"
    hint = "correct it at the exchange, or make another one"


class RotationGoesOn(Locked):
    """another process ({0}) is rotating the API key"""

    code = "rotation_goes_on"
    hint = "wait for it, then: thunes keys history"


class RotatedMeanwhile(Locked):
    """the API key was rotated by somebody else just now; nothing was changed"""

    code = "rotation_goes_on"
    hint = "thunes keys history; if it is to be another key all the same, repeat this"


class DaemonRefuses(AuthError):
    """the running daemon refuses the new key: {0}"""

    code = "daemon_refuses_key"
    hint = "thunes status"

    def __init__(self, why: str, exit_code: ExitCode) -> None:
        """``exit_code``: the daemon's own, 12 or 78."""
        super().__init__(why)
        self.exit_code = exit_code


class OldKeyStays(ThunesError):
    """{2}{0}; the old key {1} stays in use"""

    def __init__(self, cause: ThunesError, fingerprint: str, *, what: str = "") -> None:
        """``cause``: what failed; its code and exit code are this one's. ``what``: to be said before."""
        super().__init__(cause.message, fingerprint, what, hint=cause.hint)
        self.code, self.exit_code = cause.code, cause.exit_code


class NewKeyStays(Partial):
    """{0}, and the old key could not be put back: {1}. The new key {2} is in use, from {3}"""

    code = "new_key_stays"
    hint = "thunes keys check; the old key: leave it alive until that is well"


class KeyInDoubt(Unavailable):
    """{0}; which key is in {1} now is not known: {2}"""

    code = "key_in_doubt"
    hint = "thunes keys check as soon as it can be reached; whoever starts next compares, both keys are to stay alive"
