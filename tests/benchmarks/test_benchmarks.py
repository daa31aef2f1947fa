"""``make bench`` keeps working; what it measures is nobody's promise here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_command_is_measured_beside_the_bare_interpreter() -> None:
    """One round: median, quickest, ratio and peak of each; the interpreter's own ratio is 1."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--rounds", "1", "looking"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.endswith("MiB")]
    assert re.match(r"python -c pass +\d+ ms +\d+ ms +1\.0 +\d+\.\d MiB$", rows[0])
    measured = {line.split("  ")[0] for line in rows}
    assert {"thunes --help", "thunes status", "thunes positions list --json", "thunes pnl --json"} <= measured
