"""What a command function is handed: where its home is, how to talk to the operator, nothing global."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from thunes_cli.cli.streams import Streams


@dataclass(frozen=True, slots=True)
class Call:
    """One invocation. ``environ`` holds secrets, hence it is not part of the repr."""

    command: str
    streams: Streams
    environ: Mapping[str, str] = field(repr=False)
    home_option: str | None = None
    env_file_option: Path | None = None
    json: bool = False
    quiet: bool = False

    @property
    def home(self) -> Path:
        """The home this call is about, whether it exists or not; found by the rules of the contract."""
        from thunes_cli.config.home import find_home

        return find_home(self.home_option, self.environ)

    @property
    def env_file(self) -> Path | None:
        """``--env-file`` or ``THUNES_ENV_FILE``; None means the home's own ``.env``."""
        from thunes_cli.config.tilde import expanded

        if self.env_file_option is not None:
            return expanded(self.env_file_option)
        named = self.environ.get("THUNES_ENV_FILE")
        return expanded(named) if named else None

    @property
    def credentials(self) -> Path | None:
        """Where systemd puts its credentials."""
        directory = self.environ.get("CREDENTIALS_DIRECTORY")
        return Path(directory) if directory else None

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask y/N before a mild change; see :mod:`thunes_cli.cli.confirm`."""
        from thunes_cli.cli.confirm import confirm

        confirm(self.streams, question, yes=yes)

    def confirm_phrase(self, question: str, *, phrase: str, given: str | None) -> None:
        """Ask for a typed phrase before a severe change; ``given`` is the value of ``--confirm``."""
        from thunes_cli.cli.confirm import confirm_phrase

        confirm_phrase(self.streams, question, phrase=phrase, given=given)
