"""Ordering faults from an exchange over HTTP, as a drill does."""

from __future__ import annotations

import json
from typing import Any

from served_here import ServedHere
from serving import Reply, Serving


def fault_post(here: Serving, where: str, /, **asked: Any) -> dict[str, Any]:
    """Ask the exchange's director; what it answers."""
    reply = here.send("POST", where, body=json.dumps(asked))
    assert reply.status == 200, reply
    return dict(reply.body)


def order(here: Serving, kind: str, /, **asked: Any) -> dict[str, Any]:
    """Order a fault."""
    return fault_post(here, "/sim/fault", kind=kind, **asked)


def found(here: ServedHere, client_id: str) -> Reply:
    """Ask for an order by our own id."""
    return here.signed("GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId=client_id)
