"""Version 1 of the tables, one statement each. A later version adds a migration; these lines never change."""

from __future__ import annotations

from thunes_cli.ledger.tables.controls import CONTROLS, KEYS
from thunes_cli.ledger.tables.trading import IDENTITY, TRADING
from thunes_cli.ledger.tables.trail import TRAIL
from thunes_cli.ledger.tables.truth import TRUTH
from thunes_cli.ledger.tables.upkeep import DAEMON, UPKEEP

VERSION_1 = (*IDENTITY, *TRADING, *CONTROLS, *KEYS, *TRUTH, *TRAIL, *DAEMON, *UPKEEP)
