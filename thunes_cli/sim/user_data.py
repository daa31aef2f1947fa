"""Who listens to the account: passes what the matching engine stored on to every subscription."""

from __future__ import annotations

import logging
from typing import Protocol

from thunes_cli.sim import user_data_events as events
from thunes_cli.sim.commits import Committed
from thunes_cli.sim.keys import ApiKey
from thunes_cli.sim.streams_message import Message
from thunes_cli.sim.world import World

_LOG = logging.getLogger(__name__)
# An order has at most this many reports beside its trades: a beginning, a trigger and an end.
_REPORTS = 3


class Listener(Protocol):
    """A connection with subscriptions to the account."""

    def tell(self, message: Message) -> None:
        """Pass an event on to every subscription."""

    def check_keys(self) -> None:
        """End the subscriptions whose key may not read any more."""


class UserData:
    """The account's event stream."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._listeners: dict[Listener, None] = {}
        orders, trades = world.store.last_ids()
        # Ids go on after a restart.
        self._execution = _REPORTS * sum(orders.values()) + sum(trades.values())
        world.engine.listeners.append(self._committed)

    def __bool__(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def add(self, listener: Listener) -> None:
        """Pass events on to a listener."""
        self._listeners[listener] = None

    def remove(self, listener: Listener) -> None:
        """Do so no more."""
        self._listeners.pop(listener, None)

    def check_keys(self) -> None:
        """A key may have been revoked: whoever listens by it hears that his stream has ended."""
        for listener in list(self._listeners):
            listener.check_keys()

    def may_read(self, api_key: str) -> bool:
        """Whether a key may still hear of the account."""
        key: ApiKey | None = self._world.keys.get(api_key)
        return key is not None and not key.revoked and key.permissions["enableReading"]

    def _committed(self, committed: Committed) -> None:
        if not self._listeners:
            self._execution += _REPORTS * len(committed.orders) + len(committed.trades)
            return
        try:
            self._publish(events.messages(committed, now=self._world.clock.now(), next_execution=self._next_execution))
        except Exception:  # noqa: BLE001 - the change is stored and true, whoever could not be told of it
            _LOG.exception("an account event could not be told")

    def _publish(self, told: list[Message]) -> None:
        connections = self._world.connections
        if connections.reversed:
            connections.reversed -= 1
            told.reverse()
        if connections.twice:
            connections.twice -= 1
            told = [message for message in told for _ in range(2)]
        self.check_keys()
        for listener in list(self._listeners):
            for message in told:
                listener.tell(message)

    def _next_execution(self) -> int:
        self._execution += 1
        return self._execution
