"""The settings a start goes on with: sound ones, or, when something is held, safe ones that only sell."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from thunes_cli.cli.call import Call
from thunes_cli.errors import ConfigError

if TYPE_CHECKING:
    from thunes_cli.config.settings import Settings
    from thunes_cli.daemon.assembly import HomeSettings


def settings_to_start_with(call: Call, *, speed: Decimal | None) -> HomeSettings:
    """The home's settings.

    A bad setting never keeps a home that holds something from starting: its default stands in, and nothing is bought.

    Raises:
        NotFound: there is no such home (10).
        SettingsInvalid: something is wrong, and nothing is held (78).
        ConfigError: ``--speed`` with a live home (78).
    """
    from thunes_cli.config.faults import SettingsInvalid
    from thunes_cli.config.home import LEDGER, require_home
    from thunes_cli.config.load import load_settings
    from thunes_cli.daemon.assembly import HomeSettings, environment_and_holdings
    from thunes_cli.model import Environment

    home = require_home(call.home)
    try:
        loaded = load_settings(home, call.environ, env_file=call.env_file)
    except SettingsInvalid:
        environment, holds = environment_and_holdings(home / LEDGER)
        if not holds:
            raise
        loaded = load_settings(home, call.environ, env_file=call.env_file, relaxed=True, environment=environment)
    if speed is not None and loaded.settings.environment is Environment.LIVE:
        raise ConfigError("--speed is for simulators: the live exchange's clock runs as ours does", hint="thunes run")

    def reload() -> Settings:
        """As they are now, however bad: only the key is of interest."""
        environment = loaded.settings.environment
        found = load_settings(home, call.environ, env_file=call.env_file, relaxed=True, environment=environment)
        return found.settings

    return HomeSettings(home, loaded.settings, [ConfigError(str(fault)) for fault in loaded.problems], reload)
