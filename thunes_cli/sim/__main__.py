"""``python -m thunes_cli.sim``: the embedded exchange as a child process; its options are JSON on stdin."""

from __future__ import annotations

import logging
import sys

from thunes_cli.sim.failure import SimError
from thunes_cli.sim.options import SimOptions
from thunes_cli.sim.serve import serve


def main() -> int:
    """Serve with the options of stdin's first line; problems are one line on stderr."""
    options = SimOptions.from_json(sys.stdin.readline())
    logging.basicConfig(
        filename=options.directory / "sim.log" if options.directory.is_dir() else None,
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    try:
        serve(options, out=sys.stdout)
    except SimError as error:
        sys.stderr.write(f"{error.code}\t{error.exit_code}\t{error.message}\t{error.hint}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
