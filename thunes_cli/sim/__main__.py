"""``python -m thunes_cli.sim``: the embedded exchange as a child process; its options are JSON on stdin."""

from __future__ import annotations

import json
import logging
import sys

from thunes_cli.sim.failure import SimError
from thunes_cli.sim.options import SimOptions
from thunes_cli.sim.serve import serve


def main() -> int:
    """Serve with the options of stdin's first line.

    stderr is the log. What prevents serving is told on stdout, as ``{"error": {...}}`` in place of the announcement.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    options = SimOptions.from_json(sys.stdin.readline())
    try:
        serve(options, out=sys.stdout)
    except SimError as error:
        facts = {"message": error.message, "hint": error.hint, "code": error.code, "exit_code": error.exit_code}
        sys.stdout.write(json.dumps({"error": facts}) + "\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
