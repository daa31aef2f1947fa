"""Everything one exchange consists of, opened from its directory: state, symbols, market time, matching engine."""

from __future__ import annotations

import functools
import hashlib
import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path

from thunes_cli.clock import from_text, to_ms, utc_now
from thunes_cli.sim.accounts import Holding
from thunes_cli.sim.amounts import ZERO, from_scaled
from thunes_cli.sim.bars import DAY, floor_open
from thunes_cli.sim.book import BookShape
from thunes_cli.sim.candle_files import Recording, common_span, read_recording
from thunes_cli.sim.engine import Engine
from thunes_cli.sim.failure import SimError
from thunes_cli.sim.market import Listing, Market
from thunes_cli.sim.market_clock import MarketClock
from thunes_cli.sim.options import SimOptions
from thunes_cli.sim.settlement import Fees
from thunes_cli.sim.store import ApiKey, Changes, Store
from thunes_cli.sim.streams_prints import Prints, prints_a_candle
from thunes_cli.sim.symbols import spec_of
from thunes_cli.sim.synthetic import FINE_DAYS, SYNTHETIC_VERSION, synthetic_tape
from thunes_cli.sim.tape import Tape
from thunes_cli.sim.weights import Usage
from thunes_cli.sim.ws_connections import Connections

DATABASE = "exchange.db"
# Where a synthetic market begins that is not tied to today: a Monday, so that runs can be repeated.
SYNTHETIC_START = "2025-01-06T00:00:00Z"
_HISTORY = 1_000
_RESET_HINT = "pass --reset to forget it, or use another directory"
PERMISSIONS = {
    "ipRestrict": True,
    "enableReading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "enableMargin": False,
    "enableFutures": False,
    "permitsUniversalTransfer": False,
    "enableVanillaOptions": False,
    "enableFixApiTrade": False,
    "enableFixReadOnly": False,
    "enableSpotAndMarginTrading": True,
    "enablePortfolioMarginTrading": False,
}
_LOOPBACK = ("127.0.0.1", "::1")


@dataclass(slots=True)
class World:
    """A served exchange. ``instance`` tells this run of it from every other."""

    options: SimOptions
    store: Store
    market: Market
    clock: MarketClock
    engine: Engine
    keys: dict[str, ApiKey]
    uid: int
    usage: Usage = field(default_factory=Usage)
    connections: Connections = field(default_factory=Connections)
    instance: str = field(default_factory=lambda: secrets.token_hex(8))
    _prints: dict[str, Prints] = field(default_factory=dict)

    @property
    def first_key(self) -> ApiKey:
        """The key that was granted with the account."""
        return next(iter(self.keys.values()))

    def prints(self, listing: Listing) -> Prints:
        """The market's trades of a symbol: the same ones for REST and for every stream."""
        symbol = listing.spec.symbol
        if symbol not in self._prints:
            most = prints_a_candle(self.clock, listing.tape.interval)
            self._prints[symbol] = Prints(listing.tape, most=most, step=listing.spec.scaled_step)
        return self._prints[symbol]

    def advance(self, now: int) -> None:
        """Fill the resting orders that the price has reached."""
        if self.engine.open:
            for _ in self.engine.advance(now):
                self.usage.order_filled_later(str(self.uid), self.clock.wall_ms())

    def close(self) -> None:
        """Keep market time and close the state."""
        self.clock.stop()
        self.store.close()


@dataclass(frozen=True, slots=True)
class _Plan:
    """A market about to be opened: ``identity`` tells it from others, ``shift`` moves recorded candles in time."""

    identity: str
    start: int
    end: int | None
    shift: int = 0


def open_world(options: SimOptions) -> World:
    """Open (or found) the exchange of a directory.

    Raises:
        SimError: bad options or candle files, or the directory holds the state of another market.
    """
    options.check()
    options.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = options.directory / DATABASE
    if options.reset:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
    recordings = [read_recording(each, allow_gaps=options.allow_gaps) for each in options.candles]
    store = Store(path)
    try:
        return _open(options, recordings, store)
    except BaseException:
        store.close()
        raise


def _open(options: SimOptions, recordings: list[Recording], store: Store) -> World:
    settings = store.settings()
    identity = _identity(options, recordings)
    if not settings:
        plan = _plan_recorded(options, recordings, identity) if recordings else _plan_synthetic(options, identity)
        settings = _found(options, plan, store)
    elif settings["identity"] != identity:
        raise SimError(
            f"{options.directory} holds the simulator of another market ({settings['identity']}, not {identity})",
            _RESET_HINT,
            code="sim_other_market",
        )
    shift, start = int(settings["shift_ms"]), int(settings["start_ms"])
    end = int(settings["end_ms"]) if settings["end_ms"] else None
    listings = _list_recorded(recordings, shift) if recordings else _list_synthetic(options, start)
    for symbol, status in store.statuses().items():
        if symbol in listings:
            listings[symbol].halted_as = status
    market = Market(listings, BookShape(options.spread_bps, options.depth_quote))
    clock = MarketClock(
        int(settings["clock_ms"]), start=start, end=end, speed=options.speed, step=options.step, keep=store.put_clock
    )
    engine = Engine(market, store, Fees(options.maker_fee, options.taker_fee))
    keys = {each.api_key: each for each in store.api_keys()}
    return World(options, store, market, clock, engine, keys, int(settings["uid"]))


def _identity(options: SimOptions, recordings: list[Recording]) -> str:
    if not recordings:
        return f"synthetic seed {options.seed} v{SYNTHETIC_VERSION}"
    digest = hashlib.sha256("".join(sorted(f"{each.symbol}{each.digest}" for each in recordings)).encode()).hexdigest()
    names = "+".join(sorted(f"{each.symbol}-{each.interval}" for each in recordings))
    return f"recorded {names} {digest[:12]}"


def _plan_synthetic(options: SimOptions, identity: str) -> _Plan:
    tied_to_today = options.now or (options.speed == 1 and not options.step)
    if options.start is not None:
        start = _parse_start(options.start)
    else:
        start = to_ms(utc_now()) if tied_to_today else to_ms(from_text(SYNTHETIC_START))
    return _Plan(identity, start=start, end=None)


def _plan_recorded(options: SimOptions, recordings: list[Recording], identity: str) -> _Plan:
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
    return _Plan(identity, start=start + shift, end=end - 1 + shift, shift=shift)


def _parse_start(text: str) -> int:
    try:
        return to_ms(from_text(text if "T" in text or " " in text else f"{text}T00:00:00Z"))
    except ValueError:
        hint = "give a date (2025-01-31), an RFC 3339 time, or with recorded candles a number of candles"
        raise SimError(f"the start {text!r} is not a time", hint, code="sim_option") from None


def _found(options: SimOptions, plan: _Plan, store: Store) -> dict[str, str]:
    """Grant the account its balances and a key, and write down which market this is."""
    granted = {asset: Holding(amount, ZERO) for asset, amount in options.balances}
    store.apply(Changes(balances=granted))
    local = options.host in {*_LOOPBACK, "localhost"}
    store.put_key(new_key(plan.start, ips=_LOOPBACK if local else ()))
    settings = {
        "identity": plan.identity,
        "shift_ms": str(plan.shift),
        "start_ms": str(plan.start),
        "end_ms": "" if plan.end is None else str(plan.end),
        "clock_ms": str(plan.start),
        "uid": str(100_000_000 + secrets.randbelow(900_000_000)),
    }
    store.put_settings(settings)
    return settings


def new_key(created: int, *, ips: tuple[str, ...] = ()) -> ApiKey:
    """A fresh HMAC key that may read and trade, and nothing else."""
    letters = string.ascii_letters + string.digits
    api_key, secret = ("".join(secrets.choice(letters) for _ in range(64)) for _ in range(2))
    return ApiKey(api_key, secret, PERMISSIONS | {"ipRestrict": bool(ips)}, created, ips=ips)


def _list_synthetic(options: SimOptions, start: int) -> dict[str, Listing]:
    origin = floor_open(start, DAY) - FINE_DAYS * DAY
    listings = {}
    for symbol in options.symbols:
        spec = spec_of(symbol)
        make = functools.partial(
            synthetic_tape, options.seed, symbol, origin=origin, tick=spec.scaled_tick, step=spec.scaled_step
        )
        listings[symbol] = Listing.of(spec, make, recorded=False)
    return listings


def _list_recorded(recordings: list[Recording], shift: int) -> dict[str, Listing]:
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
