"""``python -m thunes_cli`` is ``thunes``."""

from __future__ import annotations

import sys

from thunes_cli.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
