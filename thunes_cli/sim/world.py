"""Everything one exchange consists of, opened from its directory: state, symbols, market time, matching engine."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from thunes_cli.sim.accounts import Holding
from thunes_cli.sim.amounts import ZERO
from thunes_cli.sim.book import BookShape
from thunes_cli.sim.candle_files import Recording, read_recording
from thunes_cli.sim.closures import ClosureStore, with_status
from thunes_cli.sim.engine import Engine
from thunes_cli.sim.failure import SimError
from thunes_cli.sim.fault_kinds import FaultKind
from thunes_cli.sim.faults import Faults, LookupLag
from thunes_cli.sim.founding import (
    found_market,
    list_recorded,
    list_synthetic,
    market_identity,
    plan_recorded,
    plan_synthetic,
)
from thunes_cli.sim.keys import ApiKey, KeyRing
from thunes_cli.sim.market import Filter, Listing, Market, PriceRange
from thunes_cli.sim.market_clock import MarketClock
from thunes_cli.sim.options import SimOptions
from thunes_cli.sim.settlement import Fees
from thunes_cli.sim.store import Store
from thunes_cli.sim.streams_prints import Prints, prints_a_candle
from thunes_cli.sim.weights import Bans, Limits, Usage
from thunes_cli.sim.ws_connections import Connections

DATABASE = "exchange.db"
_RESET_HINT = "pass --reset to forget it, or use another directory"


class Refusing(Protocol):
    """What can close the listening socket for a while."""

    def refuse(self, seconds: float) -> None:
        """Refuse connections for so long."""


@dataclass(slots=True)
class World:
    """A served exchange. ``instance`` tells this run of it from every other; ``grant``: balances of the beginning."""

    options: SimOptions
    store: Store
    market: Market
    clock: MarketClock
    engine: Engine
    keys: KeyRing
    uid: int
    usage: Usage
    faults: Faults
    grant: Mapping[str, Holding]
    lag: LookupLag = field(default_factory=LookupLag)
    listener: Refusing | None = None
    connections: Connections = field(default_factory=Connections)
    instance: str = field(default_factory=lambda: secrets.token_hex(8))
    _prints: dict[str, Prints] = field(default_factory=dict)

    @property
    def first_key(self) -> ApiKey:
        """The key that was granted with the account."""
        return next(iter(self.keys))

    @property
    def skew_ms(self) -> int:
        """By how much the server's own clock is ahead of the market's, by order of a fault."""
        fault = self.faults.in_force(FaultKind.CLOCK_SKEW, self.clock.wall_ms())
        return 0 if fault is None else int(fault.details["ms"])

    def prints(self, listing: Listing) -> Prints:
        """The market's trades of a symbol: the same ones for REST and for every stream."""
        symbol = listing.spec.symbol
        if symbol not in self._prints:
            most = prints_a_candle(self.clock, listing.tape.interval)
            self._prints[symbol] = Prints(listing.tape, most=most, step=listing.spec.scaled_step)
        return self._prints[symbol]

    def advance(self, now: int) -> None:
        """Carry out what the walk of the price has meant for open orders."""
        if not self.engine.open:
            return
        for done in self.engine.advance(now):
            for before, _ in done.orders:
                if done.trades and before is not None and not before.executed_qty:
                    as_maker = done.trades[0].is_maker
                    self.usage.first_fill(str(self.uid), self.clock.wall_ms(), as_maker=as_maker)

    def set_status(self, symbol: str, status: str, *, for_ms: int | None = None) -> None:
        """Close a symbol from now on, for some market time or until further notice, or let it trade again.

        Raises:
            ApiError: −1121, there is no such symbol.
        """
        now = self.clock.now()
        self.advance(now)
        listing = self.market.listing(symbol)
        closures = with_status(listing.closures, status, now, None if for_ms is None else now + for_ms)
        ClosureStore(self.store.db).save(symbol, closures)
        listing.closures = closures

    def set_price_range(self, symbol: str, price_range: PriceRange | None) -> None:
        """Give a symbol an execution rule (and with it a reference price), or take it away.

        Raises:
            ApiError: −1121, there is no such symbol.
        """
        listing = self.market.listing(symbol)
        text = "" if price_range is None else f"{price_range.down} {price_range.up}"
        self.store.put_settings({f"price_range:{symbol}": text})
        listing.price_range = price_range

    def set_filters(self, symbol: str | None, changes: Sequence[Filter]) -> None:
        """Change filters by type; see :meth:`Market.set_filters`."""
        self.market.set_filters(symbol, changes)
        own = {each.spec.symbol: each.own_filters for each in self.market if each.own_filters}
        common = [*self.market.exchange_filters, *self.market.asset_filters]
        self.store.put_settings({"filters": json.dumps({"common": common, "symbols": own})})

    def set_bnb_discount(self, *, on: bool) -> None:
        """Let commissions be paid in BNB, or not."""
        self.store.put_settings({"bnb_discount": "1" if on else ""})
        self.engine.fees = replace(self.engine.fees, in_bnb=on)

    def close(self) -> None:
        """Keep market time and close the state."""
        self.clock.stop()
        self.store.close()


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
    identity = market_identity(options, recordings)
    if not settings:
        plan = plan_recorded(options, recordings, identity) if recordings else plan_synthetic(options, identity)
        settings = found_market(options, plan, store)
    elif settings["identity"] != identity:
        raise SimError(
            f"{options.directory} holds the simulator of another market ({settings['identity']}, not {identity})",
            _RESET_HINT,
            code="sim_other_market",
        )
    shift, start = int(settings["shift_ms"]), int(settings["start_ms"])
    end = int(settings["end_ms"]) if settings["end_ms"] else None
    listings = list_recorded(recordings, shift) if recordings else list_synthetic(options, start)
    market = Market(listings, BookShape(options.spread_bps, options.depth_quote))
    _remember(market, settings, store)
    clock = MarketClock(
        int(settings["clock_ms"]), start=start, end=end, speed=options.speed, step=options.step, keep=store.put_clock
    )
    in_bnb = bool(settings.get("bnb_discount", options.bnb_discount))
    return World(
        options=options,
        store=store,
        market=market,
        clock=clock,
        engine=Engine(market, store, Fees(options.maker_fee, options.taker_fee, in_bnb)),
        keys=KeyRing(store.db),
        uid=int(settings["uid"]),
        usage=Usage(Limits.of(options), Bans(store.db)),
        faults=Faults(store.db),
        grant=_granted(settings, options),
    )


def _remember(market: Market, settings: Mapping[str, str], store: Store) -> None:
    """What was changed of symbols by decree."""
    closures = ClosureStore(store.db)
    for listing in market:
        listing.closures = closures.load(listing.spec.symbol)
        bounds = settings.get(f"price_range:{listing.spec.symbol}", "").split()
        if bounds:
            listing.price_range = PriceRange(down=Decimal(bounds[0]), up=Decimal(bounds[1]))
    filters: dict[str, Any] = json.loads(settings.get("filters", "{}"))
    market.set_filters(None, filters.get("common", []))
    for symbol, own in filters.get("symbols", {}).items():
        if market.find(symbol) is not None:
            market.set_filters(symbol, own)


def _granted(settings: Mapping[str, str], options: SimOptions) -> dict[str, Holding]:
    """The balances of the beginning; a directory of an earlier version has not written them down."""
    text = settings.get("grant")
    pairs = options.balances if text is None else [(asset, Decimal(amount)) for asset, amount in json.loads(text)]
    return {asset: Holding(amount, ZERO) for asset, amount in pairs}
