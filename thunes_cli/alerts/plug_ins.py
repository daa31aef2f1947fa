"""Channels of somebody else's: found by the entry points of the packages that provide them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from thunes_cli.alerts.notifier import ENTRY_POINT_GROUP, Notifier, NotifierFactory
from thunes_cli.errors import ConfigError

OURS = frozenset({"log", "telegram"})


class NotifierBroken(ConfigError):
    """the channel {0!r} of NOTIFIERS cannot be used: {1}"""

    code = "notifier_broken"
    hint = "repair or reinstall the package that provides it, or take it out of NOTIFIERS"


def load_notifier(
    name: str, params: Mapping[str, str], *, redact: Callable[[str], str] = lambda text: text
) -> Notifier:
    """The channel that an installed package calls ``name``.

    Args:
        name: of the entry point; also what ledger and log call the channel.
        params: the settings that begin with its name.
        redact: takes secrets out of what goes wrong.

    Raises:
        NotifierBroken: there is no such channel, or it cannot be imported or made (78).
    """
    if name in OURS:
        raise NotifierBroken(name, "it is one of ours and needs no NOTIFIERS")
    factory = _load(_point(name))
    try:
        notifier = factory(params)
        usable = callable(notifier.send)
    except ConfigError as error:
        raise NotifierBroken(name, redact(error.message)) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, the daemon runs without it
        raise NotifierBroken(name, redact(repr(error))) from None
    if not usable:
        raise NotifierBroken(name, "it needs a method send(message)")
    return _Named(name, notifier)


class _Named:
    """A channel under the name it was asked for by: it may call itself what it likes."""

    def __init__(self, name: str, notifier: Notifier) -> None:
        self.name = name
        self.longest: int | None = getattr(notifier, "longest", None)
        self.paced: bool = getattr(notifier, "paced", True)
        self.send = notifier.send


def _point(name: str) -> EntryPoint:
    points = {point.value: point for point in entry_points(group=ENTRY_POINT_GROUP) if point.name == name}
    if not points:
        known = sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)})
        raise NotifierBroken(name, f"no installed package provides it ({_listed(known)})")
    if len(points) > 1:
        raise NotifierBroken(name, f"several packages provide it: {', '.join(sorted(points))}")
    return points.popitem()[1]


def _listed(known: Sequence[str]) -> str:
    return f"installed are {', '.join(known)}" if known else "none is installed"


def _load(point: EntryPoint) -> NotifierFactory:
    origin = "an unknown package" if point.dist is None else f"{point.dist.name} {point.dist.version}"
    try:
        factory = point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - third parties' code runs here
        raise NotifierBroken(point.name, f"{point.value} of {origin}: {error!r}") from None
    if not callable(factory):
        raise NotifierBroken(point.name, f"{point.value} of {origin} is not a class or function")
    return cast("NotifierFactory", factory)
