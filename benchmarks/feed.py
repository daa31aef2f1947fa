"""The price stream at wire rate: from the candle that leaves the exchange to the decision about it.

Thirty and three hundred symbols, one-minute candles, each symbol told of every two seconds as the exchange does; but
candles close every four seconds instead of every minute, so that there are enough to speak of a hundredth of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.feed_wire import Wire

_SPEED = 15
_SECONDS = 24.0


def figures(place: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Name and figure of each measurement."""
    for count in (30, 300):
        home = place / f"feed {count}"
        home.mkdir()
        with Wire(count, speed=_SPEED) as wire:
            command = [sys.executable, "-m", "benchmarks.feed_client", wire.url, str(count), str(_SECONDS)]
            done = subprocess.run(
                [*command, str(_SPEED), str(home)],
                env=dict(environ),
                check=True,
                capture_output=True,
                text=True,
                cwd=Path(__file__).parents[1],
            )
            ended = time.monotonic()
        told = json.loads(done.stdout.splitlines()[-1])
        sent = {candle: at for candle, at in wire.sent.items() if at < ended - 2.0}
        waits = sorted(told["decided"][candle] - at for candle, at in sent.items() if candle in told["decided"])
        name = f"feed: {count} symbols"
        yield f"{name}, messages a second", f"{wire.messages / _SECONDS:.0f}"
        yield f"{name}, closed candles sent / without a decision", f"{len(sent)} / {len(sent) - len(waits)}"
        yield f"{name}, sent to decided, median", f"{1000 * waits[len(waits) // 2]:.1f} ms"
        yield f"{name}, sent to decided, p99", f"{1000 * waits[int(len(waits) * 0.99)]:.1f} ms"
        yield f"{name}, processor", f"{told['cpu_pct']:.1f} %"
        yield f"{name}, resident", f"{told['rss_mib']:.0f} MiB"
