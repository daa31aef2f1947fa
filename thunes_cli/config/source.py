"""What a source of settings is, and how one fails. A source that can be changed is changed whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from thunes_cli.config.layer import Layer
from thunes_cli.errors import ConfigError, Unavailable

Undo = Callable[[], None]
Changes = Mapping[str, str | None]
"""New values by the settings' names; None takes a setting away."""


class SecretStoreUnavailable(Unavailable):
    """{0} cannot be asked: {1}"""

    code = "secret_store_unavailable"


class ChangedMeanwhile(Unavailable):
    """{0} was changed by somebody else meanwhile"""

    code = "changed_meanwhile"
    hint = "look at what stands there now: thunes config show"


class ExtraMissing(ConfigError):
    """{0} needs {1}, which is not installed"""

    code = "extra_missing"
    hint = "pip install 'thunes[{2}]'"


class SourceFixed(ConfigError):
    """{0}; a command cannot change that"""

    code = "source_fixed"


class Source(Protocol):
    """One place where settings are looked for."""

    @property
    def name(self) -> str:
        """For people: a path, ``environment``, a store and what is read there."""

    def read(self) -> Layer:
        """What it says now.

        Raises:
            SecretStoreUnavailable: it cannot be asked, or refuses to answer (13).
        """

    def rewrite(self, changes: Changes) -> Undo:
        """Change settings there, all of them at once; returns what puts back what was there before.

        Putting it back raises ChangedMeanwhile, or what the store says, rather than undo what others did since.

        Raises:
            SourceFixed: nothing here can be changed from within (78).
            SecretStoreUnavailable, OSError: it could not be written; what was there before is unchanged.
        """
