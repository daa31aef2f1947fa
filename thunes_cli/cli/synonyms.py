"""Words that an operator may reach for in a hurry, and the commands that do what they mean.

Without them a word is taken for a slip of the pen, and ``restart`` would be answered with ``backup restore``.
"""

from __future__ import annotations

_STOP_ENTRIES = ("killswitch activate", "killswitch status")
_SELL = ("positions close",)
_LOOK = ("status", "check daily")
_RECORDS = ("alerts list", "audit tail", "explain")

SYNONYMS: dict[str, tuple[str, ...]] = {
    "start": ("run",),
    "restart": ("stop", "run"),
    "quit": ("stop",),
    "kill": _STOP_ENTRIES,
    "halt": _STOP_ENTRIES,
    "pause": _STOP_ENTRIES,
    "panic": ("killswitch activate", "positions close"),
    "emergency": ("killswitch activate", "positions close"),
    "resume": ("killswitch deactivate",),
    "continue": ("killswitch deactivate",),
    "sell": _SELL,
    "exit": _SELL,
    "liquidate": _SELL,
    "health": _LOOK,
    "doctor": ("check daily", "config check"),
    "ps": _LOOK,
    "log": _RECORDS,
    "logs": _RECORDS,
    "errors": _RECORDS,
    "events": _RECORDS,
    "circuit": ("breaker status",),
    "ban": ("breaker status",),
    "desync": ("reconcile",),
    "sync": ("reconcile",),
    "trades": ("orders list", "positions list"),
    "profit": ("pnl",),
    "loss": ("pnl",),
    "losses": ("pnl",),
    "fees": ("pnl",),
    "env": ("config show",),
    "settings": ("config show",),
}
