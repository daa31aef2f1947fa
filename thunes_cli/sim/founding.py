"""How a market begins: which one it is, when it starts and ends, what its symbols are, what the account is granted."""

from __future__ import annotations

import functools
import hashlib
import json
import secrets
from dataclasses import dataclass

from thunes_cli.clock import from_text, to_ms, utc_now
from thunes_cli.sim.accounts import Holding
from thunes_cli.sim.amounts import ZERO, from_scaled
from thunes_cli.sim.bars import DAY, floor_open
from thunes_cli.sim.candle_files import Recording, common_span
from thunes_cli.sim.failure import SimError
from thunes_cli.sim.keys import LOOPBACK, KeyRing, new_key
from thunes_cli.sim.market import Listing
from thunes_cli.sim.options import SimOptions
from thunes_cli.sim.store import Changes, Store
from thunes_cli.sim.symbols import spec_of
from thunes_cli.sim.synthetic import FINE_DAYS, SYNTHETIC_VERSION, synthetic_tape
from thunes_cli.sim.tape import Tape

# Where a synthetic market begins that is not tied to today: a Monday, so that runs can be repeated.
SYNTHETIC_START = "2025-01-06T00:00:00Z"
_HISTORY = 1_000


@dataclass(frozen=True, slots=True)
class Plan:
    """A market about to be opened: ``identity`` tells it from others, ``shift`` moves recorded candles in time."""

    identity: str
    start: int
    end: int | None
    shift: int = 0


def market_identity(options: SimOptions, recordings: list[Recording]) -> str:
    """Which market these options make: candles by what they hold, a synthetic one by its seed."""
    if not recordings:
        return f"synthetic seed {options.seed} v{SYNTHETIC_VERSION}"
    digest = hashlib.sha256("".join(sorted(f"{each.symbol}{each.digest}" for each in recordings)).encode()).hexdigest()
    names = "+".join(sorted(f"{each.symbol}-{each.interval}" for each in recordings))
    return f"recorded {names} {digest[:12]}"


def plan_synthetic(options: SimOptions, identity: str) -> Plan:
    """A market without an end, from today or from the same day as ever."""
    tied_to_today = options.now or (options.speed == 1 and not options.step)
    if options.start is not None:
        start = _parse_start(options.start)
    else:
        start = to_ms(utc_now()) if tied_to_today else to_ms(from_text(SYNTHETIC_START))
    return Plan(identity, start=start, end=None)


def plan_recorded(options: SimOptions, recordings: list[Recording], identity: str) -> Plan:
    """A market as long as its recordings have in common, less what is kept as history.

    Raises:
        SimError: the start lies outside of them.
    """
    begin, end = common_span(recordings)
    interval = min(each.columns.interval for each in recordings)
    count = (end - begin) // interval
    if options.start is None:
        # Enough history for any indicator, and never most of a short recording.
        start = begin + max(count // 5, min(_HISTORY, count // 2)) * interval
    elif options.start.isdigit():
        start = begin + int(options.start) * interval
    else:
        start = _parse_start(options.start)
    if not begin <= start < end:
        raise SimError(f"the start {options.start!r} lies outside the recorded candles", code="sim_option")
    shift = 0
    if options.now:
        longest = max(each.columns.interval for each in recordings)
        last = max(each.columns.open_time[-1] for each in recordings)
        shift = (to_ms(utc_now()) - last) // longest * longest
    return Plan(identity, start=start + shift, end=end - 1 + shift, shift=shift)


def _parse_start(text: str) -> int:
    try:
        return to_ms(from_text(text if "T" in text or " " in text else f"{text}T00:00:00Z"))
    except ValueError:
        hint = "give a date (2025-01-31), an RFC 3339 time, or with recorded candles a number of candles"
        raise SimError(f"the start {text!r} is not a time", hint, code="sim_option") from None


def found_market(options: SimOptions, plan: Plan, store: Store) -> dict[str, str]:
    """Grant the account its balances and a key, and write down which market this is."""
    granted = {asset: Holding(amount, ZERO) for asset, amount in options.balances}
    store.apply(Changes(balances=granted))
    KeyRing(store.db).put(new_key(plan.start, ips=LOOPBACK if is_local(options.host) else ()))
    settings = {
        "identity": plan.identity,
        "shift_ms": str(plan.shift),
        "start_ms": str(plan.start),
        "end_ms": "" if plan.end is None else str(plan.end),
        "clock_ms": str(plan.start),
        "uid": str(100_000_000 + secrets.randbelow(900_000_000)),
        "grant": json.dumps([[asset, format(amount, "f")] for asset, amount in options.balances]),
        "bnb_discount": "1" if options.bnb_discount else "",
    }
    store.put_settings(settings)
    return settings


def is_local(host: str) -> bool:
    """Whether only this machine can reach what listens on a host."""
    return host in {*LOOPBACK, "localhost"}


def list_synthetic(options: SimOptions, start: int) -> dict[str, Listing]:
    """The symbols of a synthetic market."""
    origin = floor_open(start, DAY) - FINE_DAYS * DAY
    listings = {}
    for symbol in options.symbols:
        spec = spec_of(symbol)
        make = functools.partial(
            synthetic_tape, options.seed, symbol, origin=origin, tick=spec.scaled_tick, step=spec.scaled_step
        )
        listings[symbol] = Listing.of(spec, make, recorded=False)
    return listings


def list_recorded(recordings: list[Recording], shift: int) -> dict[str, Listing]:
    """The symbols of recorded candles.

    Raises:
        SimError: one is recorded twice.
    """
    listings: dict[str, Listing] = {}
    for each in recordings:
        if each.symbol in listings:
            raise SimError(f"{each.symbol} is recorded in more than one file", "give one file a symbol")
        if shift:
            each.columns.shift(shift)
        price = from_scaled(each.columns.close[-1])
        spec = spec_of(each.symbol, price=price, decimals=each.decimals)
        tape = Tape(each.columns, tick=spec.scaled_tick)
        listings[each.symbol] = Listing.of(spec, functools.partial(_same, tape), recorded=True)
    return listings


def _same(tape: Tape) -> Tape:
    return tape
