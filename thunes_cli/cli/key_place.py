"""Where the API key in use lives, as ``keys rotate`` needs it: in a place that a command can write to, or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thunes_cli.config.layer import Place as Where
from thunes_cli.config.settings import NAMES
from thunes_cli.config.source import SourceFixed
from thunes_cli.config.sources import sources_of
from thunes_cli.config.systemd_credentials import SystemdCredentials
from thunes_cli.ops.rotating import Place, place_of

if TYPE_CHECKING:
    from thunes_cli.cli.asking import Asked
    from thunes_cli.cli.call import Call


def place_in_use(call: Call, asked: Asked) -> Place:
    """Where the key in use lives, if a command can change it there.

    Raises:
        SourceFixed: none can (78).
    """
    place = place_of(asked.settings, asked.key, sources_of(Where(call.environ, call.home, call.env_file), NAMES))
    if isinstance(place.source, SystemdCredentials) or place.source.name == "environment":
        place.source.rewrite({f"{place.prefix}API_KEY": None})  # refuses, and says what to do
        raise SourceFixed(f"the API key comes from {place.source.name}")
    return place
