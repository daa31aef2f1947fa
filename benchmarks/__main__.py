"""``python -m benchmarks``: print what things cost. Nothing is asserted: figures depend on the machine."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks import alerts, audit, backup, daemon, feed, looking, many_symbols, reconcile, restart, simulator
from benchmarks.measure import Cost, measure

Figures = Callable[[Path, Mapping[str, str]], Iterator[str | tuple[str, str]]]
# Each yields names with their figures, or whole lines; the commands of `looking` have a table of their own.
PARTS: dict[str, Figures] = {
    "daemon": daemon.figures,
    "alerts": alerts.figures,
    "feed": feed.figures,
    "many": many_symbols.figures,
    "restart": restart.figures,
    "reconcile": reconcile.figures,
    "simulator": simulator.figures,
    "audit": audit.figures,
    "backup": backup.figures,
}
LOOKING = "looking"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{LOOKING}, {', '.join(PARTS)} (all of them)")
    parser.add_argument("--rounds", type=int, default=15, help="runs of each command of looking (15)")
    options = parser.parse_args()
    wanted = options.parts or [LOOKING, *PARTS]
    unknown = [part for part in wanted if part not in {LOOKING, *PARTS}]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}")
    print(f"load {os.getloadavg()[0]:.1f}")
    for part in wanted:
        with tempfile.TemporaryDirectory(prefix="thunes-bench-") as place:
            if part == LOOKING:
                home = Path(place) / "home"
                looking.make_past(home)
                _print_costs(measure(looking.cases(home), rounds=options.rounds, environ=_environ()))
                continue
            print()
            for told in PARTS[part](Path(place), _environ()):
                print(told if isinstance(told, str) else f"{told[0]:64}{told[1]:>12}", flush=True)


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
