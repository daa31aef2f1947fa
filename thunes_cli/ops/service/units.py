"""The text of every unit: a hardened daemon, offline jobs that see no network, and timers. Pure.

The daemon needs the network and its home, nothing else; jobs that only read and write the home have no network at all.
``ProcSubset=pid`` is left out for all of them: the boot id in ``/proc/sys`` tells whether a process of the ledger can
still be alive.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

UNIT = "thunes"
FAILURE = f"{UNIT}-failure@.service"
# Codes after which a restart would only fail again: usage, integrity, no home, locked, key refused, configuration.
NO_RESTART = "2 5 10 11 12 78"
_HIDDEN_HOMES = ("/home", "/root", "/run/user")

_HARDENING = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=tmpfs
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
PrivateUsers=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
KeyringMode=private
DevicePolicy=closed
CapabilityBoundingSet=
AmbientCapabilities=
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0077
"""
_ONLINE = "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\n"
_OFFLINE = "RestrictAddressFamilies=AF_UNIX\nPrivateNetwork=yes\nIPAddressDeny=any\n"


@dataclass(frozen=True, slots=True)
class Place:
    """What the units are made for: the home, its user, how the command is started, and where it is installed."""

    home: Path
    user: str
    command: tuple[str, ...]
    program: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Timed:
    """A job on a timer. ``calendar`` as systemd writes it, UTC; ``cron`` the same for cron."""

    name: str
    what: str
    words: tuple[str, ...]
    calendar: str
    cron: str
    exits: str = ""
    online: bool = False


TIMED = (
    Timed("check-daily", "daily check", ("-q", "check", "daily"), "*-*-* 09:00:00 UTC", "0 9 * * *"),
    Timed("check-weekly", "weekly check", ("-q", "check", "weekly"), "Mon *-*-* 10:00:00 UTC", "0 10 * * 1"),
    Timed("check-monthly", "monthly check", ("-q", "check", "monthly"), "Mon *-*-1..7 14:00:00 UTC", "0 14 1-7 * *"),
    Timed("audit", "validation of the audit trail", ("-q", "audit", "validate"), "*-*-* 04:30:00 UTC", "30 4 * * *"),
    Timed("backup", "backup", ("-q", "backup"), "*-*-* 03:00:00 UTC", "0 3 * * *"),
)


def units(place: Place) -> dict[str, str]:
    """File name and text of every unit."""
    made = {f"{UNIT}.service": _daemon(place), FAILURE: _failure(place)}
    for job in TIMED:
        made[f"{UNIT}-{job.name}.service"] = _job(place, job)
        made[f"{UNIT}-{job.name}.timer"] = _timer(job)
    return made


def _daemon(place: Place) -> str:
    return f"""\
[Unit]
Description=THUNES, a trading bot on Binance spot ({_escaped(str(place.home))})
Wants=network-online.target
After=network-online.target time-sync.target
OnFailure={UNIT}-failure@%n.service
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
User={place.user}
ExecStart={_command(place, "run")}
Restart=on-failure
RestartSec=5
RestartPreventExitStatus={NO_RESTART}
SuccessExitStatus=0
TimeoutStartSec=120
TimeoutStopSec=60
WatchdogSec=60
KillMode=mixed
{_paths(place)}{_HARDENING}{_ONLINE}
[Install]
WantedBy=multi-user.target
"""


def _job(place: Place, job: Timed) -> str:
    return f"""\
[Unit]
Description=THUNES: {job.what} ({_escaped(str(place.home))})
OnFailure={UNIT}-failure@%n.service

[Service]
Type=oneshot
User={place.user}
ExecStart={_command(place, *job.words)}
Nice=10
{_paths(place)}{_HARDENING}{_ONLINE if job.online else _OFFLINE}"""


def _timer(job: Timed) -> str:
    return f"""\
[Unit]
Description=THUNES: {job.what}, on time

[Timer]
OnCalendar={job.calendar}
Persistent=yes
RandomizedDelaySec=30

[Install]
WantedBy=timers.target
"""


def _failure(place: Place) -> str:
    """What runs when a unit fails: alerts that wait are sent, so that somebody hears of it."""
    return f"""\
[Unit]
Description=THUNES: tell that %i failed

[Service]
Type=oneshot
User={place.user}
ExecStart=-{_command(place, "status")}
ExecStart=-{_command(place, "-q", "alerts", "retry")}
{_paths(place)}{_HARDENING}{_ONLINE}"""


def _command(place: Place, *words: str) -> str:
    parts = (*place.command, "--home", str(place.home), *words)
    return " ".join(_quoted(part) for part in parts)


def _paths(place: Place) -> str:
    """The home may be written, the program be read, wherever they are; nothing else of anybody's home is seen."""
    lines = []
    if _is_hidden(place.home):
        lines.append(f"BindPaths={_quoted(str(place.home))}\n")
    lines.append(f"ReadWritePaths={_quoted(str(place.home))}\n")
    lines += [f"BindReadOnlyPaths={_quoted(str(path))}\n" for path in place.program if _is_hidden(path)]
    return "".join(lines)


def _is_hidden(path: Path) -> bool:
    return any(path.is_relative_to(home) for home in _HIDDEN_HOMES)


def _quoted(text: str) -> str:
    """One word of a unit file: percent signs doubled, quoted where it must be."""
    escaped = _escaped(text)
    if not any(char in escaped for char in " \t\"'\\;"):
        return escaped
    inner = escaped.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inner}"'


def _escaped(text: str) -> str:
    return text.replace("%", "%%").replace("$", "$$") if "$" in text or "%" in text else text


def cron_lines(place: Place) -> str:
    """The same without systemd: a check a minute, jobs on time, all of them silent while all is well. UTC."""
    command = shlex.join([*place.command, "--home", str(place.home)])
    check = next(job for job in TIMED if job.name == "check-monthly")
    rows = [
        "CRON_TZ=UTC",
        "# Either a daemon that something keeps running, or a check each minute; overlapping ones do no harm.",
        f"* * * * * {command} -q run --once",
    ]
    for job in TIMED:
        words = shlex.join(job.words)
        only = '[ "$(date -u +\\%u)" = 1 ] && ' if job is check else ""
        rows.append(f"{job.cron} {only}{command} {words}")
    return "\n".join(rows) + "\n"


def logrotate(place: Place) -> str:
    """For those who keep logs by logrotate; the file rotates by itself at 10 MiB, too."""
    return f"""\
"{place.home}/thunes.log" {{
    weekly
    rotate 8
    compress
    delaycompress
    missingok
    notifempty
    copytruncate
    su {place.user} {place.user}
}}
"""
