"""What drives the market streams: one timer for all of them, which runs only while somebody listens.

The price moves without anybody computing it; a stream looks at where it stands. So a market nobody listens to costs
nothing, and every listener sees the same one.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import count
from typing import TYPE_CHECKING

from thunes_cli.sim.commits import Committed
from thunes_cli.sim.failure import SimError
from thunes_cli.sim.streams_message import Message
from thunes_cli.sim.streams_names import Topics
from thunes_cli.sim.streams_topics import Topic
from thunes_cli.sim.world import World

if TYPE_CHECKING:
    from thunes_cli.sim.ws_connection import Connection

_LOG = logging.getLogger(__name__)
# So many events of a hurrying market are made before others (REST, writers, pings) get their turn.
_SLICE = 32
# Closer wake-ups would cost more than they tell.
_SHORTEST = 0.005
_ORDERS_PERIOD = 0.1


class Pulse:
    """Keeps the topics, and wakes when one of them has something to say.

    Args:
        watch: whether somebody wants to hear of the account's orders; resting ones are then filled when the price
            reaches them, not when the next request happens to come.
    """

    def __init__(self, world: World, *, watch: Callable[[], bool]) -> None:
        self._world = world
        self._watch = watch
        self._topics = Topics(world)
        self._active: dict[str, Topic] = {}
        self._coming: list[tuple[int, int, Topic]] = []
        self._sequence = count()
        self._next_update: dict[float, float] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        # Market time up to which everything that happened has been told; no update may run ahead of it.
        self._told_to = 0
        world.engine.listeners.append(self._committed)

    def subscribe(self, name: str, connection: Connection) -> None:
        """From now on the connection receives a stream; one that does not exist stays silent."""
        topic = self._active.get(name)
        if topic is None:
            topic = self._topics.make(name, self._world.clock.now())
            if topic is None:
                return
            self._active[name] = topic
            self._schedule(topic)
        topic.subscribers[connection] = None
        self.kick()

    def unsubscribe(self, name: str, connection: Connection) -> None:
        """The connection does not receive a stream any more."""
        topic = self._active.get(name)
        if topic is not None:
            topic.subscribers.pop(connection, None)
            if not topic.subscribers:
                del self._active[name]
                self.kick()

    def snapshot(self, name: str) -> Iterable[Message]:
        """How things stand on a stream somebody is subscribed to."""
        topic = self._active.get(name)
        return () if topic is None else topic.update(self._told_to)

    def kick(self) -> None:
        """Look again: the market was stepped, somebody subscribed or left, an order was placed."""
        self._wake.set()
        if self._task is None and (self._active or self._watch()):
            self._told_to = self._world.clock.now()
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End the timer."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _committed(self, committed: Committed) -> None:
        if committed.orders and (self._active or self._watch()):
            self.kick()

    def _schedule(self, topic: Topic) -> None:
        if len(self._coming) > 2 * len(self._active) + _SLICE:  # most of them belong to streams that were left
            self._coming = [each for each in self._coming if self._active.get(each[2].name) is each[2]]
            heapq.heapify(self._coming)
        due = topic.due()
        if due is not None:
            heapq.heappush(self._coming, (due, next(self._sequence), topic))

    async def _run(self) -> None:
        try:
            while self._active or self._watch():
                self._wake.clear()
                self._fill()
                await self._happen()
                await self._update()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._pause())
        finally:
            self._task = None
            self._coming.clear()
            self._next_update.clear()

    def _fill(self) -> None:
        """Fill resting orders for those who listen to the account."""
        try:
            if self._watch():
                self._world.advance(self._world.clock.now())
        except SimError as error:  # a full disk; the next look may find room
            _LOG.error("%s", error.message)

    def _tell(self, topic: Topic, look: Callable[[int], Iterable[Message]], moment: int) -> None:
        try:
            topic.publish(look(moment))
        except Exception:  # noqa: BLE001 - one stream's mistake must not silence the others
            _LOG.exception("the stream %s has failed", topic.name)
            self._active.pop(topic.name, None)

    async def _happen(self) -> None:
        """Tell what the market did since the last time, in the order in which it did it."""
        now = self._world.clock.now()
        told = 0
        while self._coming and self._coming[0][0] <= now:
            due, _, topic = heapq.heappop(self._coming)
            if self._active.get(topic.name) is not topic:
                continue
            self._tell(topic, topic.happen, due)
            self._schedule(topic)
            told += 1
            if told % _SLICE == 0:
                await asyncio.sleep(0)
        self._told_to = now

    async def _update(self) -> None:
        """Tell how things stand on the streams whose period has passed."""
        moment = asyncio.get_running_loop().time()
        by_period = defaultdict(list)
        for topic in self._active.values():
            if topic.period is not None:
                by_period[topic.period].append(topic)
        for period, topics in by_period.items():
            planned = self._next_update.get(period, 0.0)
            if planned > moment:
                continue
            late = planned + period <= moment
            self._next_update[period] = (moment if late else planned) + period
            for number, topic in enumerate(topics, 1):
                self._tell(topic, topic.update, self._told_to)
                if number % _SLICE == 0:
                    await asyncio.sleep(0)

    def _pause(self) -> float | None:
        """Wall seconds until somebody has something to say."""
        moment = asyncio.get_running_loop().time()
        periods = {topic.period for topic in self._active.values() if topic.period is not None}
        waits = [self._next_update.get(period, moment) - moment for period in periods]
        rate = float(self._world.clock.rate)
        if rate and self._coming:
            waits.append((self._coming[0][0] - self._world.clock.now()) / (1000 * rate))
        if self._world.engine.open and self._watch():
            waits.append(_ORDERS_PERIOD)
        return max(min(waits), _SHORTEST) if waits else None
