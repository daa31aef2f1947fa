"""What an endpoint is and what it is given: the seam between HTTP and the exchange's answers."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from thunes_cli.sim.keys import ApiKey
from thunes_cli.sim.params import Params
from thunes_cli.sim.world import World

# Signed requests may carry these whatever the endpoint.
SIGNED_PARAMS = frozenset({"timestamp", "recvWindow", "signature"})


class Security(enum.StrEnum):
    """Who may call."""

    NONE = "NONE"
    USER_DATA = "USER_DATA"
    TRADE = "TRADE"


@dataclass(slots=True)
class Call:
    """One request as an endpoint sees it. ``now`` is market time; ``headers`` are added to the reply."""

    world: World
    params: Params
    now: int
    wall: int
    key: ApiKey | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """What limits of the account are counted under."""
        return str(self.world.uid)

    @property
    def server_time(self) -> int:
        """The server's own clock: market time, unless a fault has put it wrong."""
        return self.now + self.world.skew_ms


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it arrived, whatever carried it.

    ``payload`` is the text that must have been signed; None where the connection itself has been authenticated.
    ``unit`` is what times in the answer are multiplied by.
    """

    params: Params
    address: str
    api_key: str = ""
    payload: str | None = ""
    unit: int = 1


Answer = Callable[[Call], Any]
Weight = int | Callable[[Params], int]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route: what it costs, who may call it, which parameters it reads (``required`` ones included).

    ``free_on_success``: order endpoints cost their weight only when they fail.
    """

    method: str
    path: str
    answer: Answer
    weight: Weight = 1
    security: Security = Security.NONE
    reads: frozenset[str] = frozenset()
    required: tuple[str, ...] = ()
    free_on_success: bool = False

    def cost(self, params: Params) -> int:
        """Request weight of a call with these parameters."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)


def reads(*names: str) -> frozenset[str]:
    """A set of parameter names."""
    return frozenset(names)
