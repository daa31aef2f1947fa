"""``python -m benchmarks``: print what the commands cost. Nothing is asserted: figures depend on the machine."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path

from benchmarks import alerts, audit, daemon, looking, reconcile
from benchmarks.measure import Cost, measure


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="runs of each command (15)")
    parser.add_argument("--no-daemon", action="store_true", help="leave out the daemon: commands only")
    parser.add_argument("--no-alerts", action="store_true", help="leave out decisions while Telegram hangs")
    parser.add_argument("--no-audit", action="store_true", help="leave out the audit trail of a million records")
    parser.add_argument("--no-reconcile", action="store_true", help="leave out the account of 10,000 orders")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}")
    with tempfile.TemporaryDirectory(prefix="thunes-bench-") as place:
        home = Path(place) / "home"
        looking.make_past(home)
        _print_costs(measure(looking.cases(home), rounds=options.rounds, environ=_environ()))
        if not options.no_daemon:
            print()
            for name, figure in daemon.figures(Path(place), _environ()):
                print(f"{name:42}{figure:>12}")
        if not options.no_alerts:
            print()
            for name, figure in alerts.figures(Path(place), _environ()):
                print(f"{name:42}{figure:>12}")
        if not options.no_reconcile:
            print()
            for name, figure in reconcile.figures(Path(place), _environ()):
                print(f"{name:60}{figure:>10}")
        if not options.no_audit:
            print()
            for line in audit.figures(Path(place), _environ()):
                print(line)


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("THUNES_", "BINANCE_", "PYTHON"))}


def _print_costs(costs: dict[str, Cost]) -> None:
    bare, *_ = costs.values()
    print(f"\n{'warm, interleaved, to /dev/null':42}{'median':>10}{'quickest':>10}{'ratio':>8}{'peak':>10}")
    for name, cost in costs.items():
        times = f"{cost.wall_ms:>7.0f} ms{cost.quickest_ms:>7.0f} ms{cost.wall_ms / bare.wall_ms:>8.1f}"
        print(f"{name:42}{times}{cost.peak_mib:>6.1f} MiB")


if __name__ == "__main__":
    main()
