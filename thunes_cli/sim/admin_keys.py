"""The simulator's own paths under ``/sim`` that make keys, take them back, and change what they may do."""

from __future__ import annotations

from typing import Any

from thunes_cli.sim.admin import Route, key_json
from thunes_cli.sim.asked import Asked
from thunes_cli.sim.keys import HMAC, KeyProblem, check_addresses, check_permissions, check_public_key, new_key
from thunes_cli.sim.rejection import ApiError
from thunes_cli.sim.world import World


def list_keys(world: World, _: str) -> dict[str, Any]:
    """GET /sim/keys."""
    return {"keys": [key_json(each) for each in world.keys]}


def add_key(world: World, body: str) -> dict[str, Any]:
    """POST /sim/key/add ``{"label", "public_key", "allow", "deny", "ips"}``: the only reply that holds its secret."""
    asked = Asked.parse(body)
    label, public_key = asked.text("label") or "", asked.text("public_key")
    permissions, ips = _permissions(asked), asked.texts("ips") or []
    asked.check_read()
    try:
        kind = HMAC if public_key is None else check_public_key(public_key)
        check_permissions(permissions)
        world.keys.check_label(label)
        key = new_key(
            world.clock.now(),
            ips=check_addresses(ips),
            kind=kind,
            public_key=public_key or "",
            label=label,
            permissions=permissions,
        )
    except KeyProblem as problem:
        raise _refusal(problem) from None
    world.keys.put(key)
    told = key_json(key) | {"api_key": key.api_key}
    return told | ({"api_secret": key.secret} if kind == HMAC else {}) | list_keys(world, "")


def revoke_key(world: World, body: str) -> dict[str, Any]:
    """POST /sim/key/revoke ``{"key"}``: by its first characters or its label."""
    asked = Asked.parse(body)
    named = asked.text("key") or ""
    asked.check_read()
    try:
        key = world.keys.revoke(named)
    except KeyProblem as problem:
        raise _refusal(problem) from None
    return key_json(key) | list_keys(world, "")


def restrict_key(world: World, body: str) -> dict[str, Any]:
    """POST /sim/key/restrict ``{"key", "allow", "deny", "ips"}``: what is not named stays."""
    asked = Asked.parse(body)
    named, permissions, ips = asked.text("key") or "", _permissions(asked), asked.texts("ips")
    asked.check_read()
    try:
        key = world.keys.restrict(named, permissions=permissions, ips=ips)
    except KeyProblem as problem:
        raise _refusal(problem) from None
    return key_json(key) | list_keys(world, "")


def _permissions(asked: Asked) -> dict[str, bool]:
    allowed, denied = asked.texts("allow") or [], asked.texts("deny") or []
    return dict.fromkeys(allowed, True) | dict.fromkeys(denied, False)


def _refusal(problem: KeyProblem) -> ApiError:
    return ApiError(-1130, f"{problem}.")


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/sim/keys"): list_keys,
    ("POST", "/sim/key/add"): add_key,
    ("POST", "/sim/key/revoke"): revoke_key,
    ("POST", "/sim/key/restrict"): restrict_key,
}
