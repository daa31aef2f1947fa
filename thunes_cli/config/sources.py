"""Where settings come from, in order: the first source that knows a setting decides it.

A store of secrets is one more function here: it is handed the :class:`Place`, and answers a :class:`Layer` whose
entries name the store as their origin.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from thunes_cli.config.env_file import read_env_file
from thunes_cli.config.faults import ENVIRONMENT
from thunes_cli.config.home import ENV_FILE
from thunes_cli.config.layer import Entry, Layer, Place

Source = Callable[[Place, Collection[str]], Layer]


def from_environment(place: Place, names: Collection[str]) -> Layer:
    """The process's environment; an empty variable counts as unset, and other programs' variables are their own."""
    del names
    found = ((name, value.strip()) for name, value in place.environ.items())
    return Layer({name: Entry(text, ENVIRONMENT) for name, text in found if text})


def from_file(place: Place, names: Collection[str]) -> Layer:
    """``--env-file``, which must exist, else the home's own ``.env``, which need not."""
    if place.env_file is not None:
        return read_env_file(place.env_file, known=names, required=True)
    if place.home is not None:
        return read_env_file(place.home / ENV_FILE, known=names, required=False)
    return Layer()


SOURCES: tuple[Source, ...] = (from_environment, from_file)
