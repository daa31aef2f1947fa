"""``<home>/.env.age``: settings at rest only as ciphertext (https://age-encryption.org)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from thunes_cli.config.credentials import check_private
from thunes_cli.config.env_file import parse
from thunes_cli.config.env_sources import put_back
from thunes_cli.config.env_text import edit
from thunes_cli.config.faults import Fault
from thunes_cli.config.layer import Layer
from thunes_cli.config.private_file import write_private_file
from thunes_cli.config.source import Changes, ExtraMissing, Undo
from thunes_cli.errors import ConfigError

NAME = ".env.age"
CREDENTIAL = "age_identity"


class AgeFile:
    """The encrypted settings of a home; none while the file is not there.

    ``identity``: the file of the identity that opens it. ``recipients``: whom it is written for, else that identity.
    """

    def __init__(
        self, path: Path, names: Collection[str], *, identity: Path | None, recipients: Sequence[str] = ()
    ) -> None:
        self.path = path
        self.name = str(path)
        self._names = names
        self._identity = identity
        self._recipients = recipients

    def read(self) -> Layer:
        """Its entries; what keeps it closed is a fault."""
        if not self.path.exists():
            return Layer()
        try:
            text = self._open().decode("utf-8")
        except ConfigError as error:
            return Layer(faults=(Fault((), f"{error.message}{f'; {error.hint}' if error.hint else ''}"),))
        except UnicodeDecodeError:
            return Layer(faults=(Fault((), f"{self.path}: what it holds is not UTF-8 text"),))
        return parse(text, path=self.path, known=self._names)

    def rewrite(self, changes: Changes) -> Undo:
        """A new file takes its place; the plain text is never on the disk."""
        before = self.path.read_bytes()
        text = edit(self._open().decode("utf-8"), changes)
        after = bytes(_pyrage(self.path).encrypt(text.encode(), self._readers()))
        write_private_file(self.path, after)
        return lambda: put_back(self.path, before, instead_of=after)

    def _open(self) -> bytes:
        pyrage = _pyrage(self.path)
        identities = [identity for identity, _ in self._pairs(pyrage)]
        try:
            return bytes(pyrage.decrypt(self.path.read_bytes(), identities))
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be read: {error.strerror}") from None
        except pyrage.DecryptError:
            raise ConfigError(f"{self.path}: the identity {self._identity} does not open it") from None

    def _readers(self) -> list[Any]:
        pyrage = _pyrage(self.path)
        if not self._recipients:
            return [recipient for _, recipient in self._pairs(pyrage)]
        try:
            return [pyrage.x25519.Recipient.from_str(each) for each in self._recipients]
        except pyrage.RecipientError:
            raise ConfigError("AGE_RECIPIENTS: one of them is no age public key") from None

    def _pairs(self, pyrage: Any) -> list[tuple[Any, Any]]:
        """Each identity of the file with its public half."""
        if self._identity is None:
            raise ConfigError(f"{self.path}: AGE_IDENTITY_FILE does not say which identity opens it")
        check_private(self._identity)
        lines = self._identity.read_text(encoding="utf-8", errors="replace").splitlines()
        try:
            found = [
                pyrage.x25519.Identity.from_str(line.strip())
                for line in lines
                if line.strip() and not line.startswith("#")
            ]
        except pyrage.IdentityError:
            raise ConfigError(f"{self._identity} holds no age identity") from None
        return [(identity, identity.to_public()) for identity in found]


def _pyrage(path: Path) -> Any:
    try:
        import pyrage  # noqa: PLC0415 - an extra, only where such a file is
    except ImportError:
        raise ExtraMissing(path, "pyrage", "age") from None
    return pyrage
