"""``thunes service print|install``: systemd units, timers, cron lines, log rotation."""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.result import Result
from thunes_cli.counts import count
from thunes_cli.errors import ConfigError, UsageFault

if TYPE_CHECKING:
    from thunes_cli.ops.service.units import Place

UserOption = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="Whose home it is; else the home's owner.")
]


@command(
    examples=("thunes service print", "thunes service print --cron", "thunes service print thunes.service"),
    exits=((0, "printed"), (2, "no such unit or user"), 10, 78),
)
def service_print(
    call: Call,
    *,
    name: Annotated[str | None, typer.Argument(metavar="UNIT", help="Only this one, as it is.")] = None,
    user: UserOption = None,
    cron: Annotated[bool, typer.Option("--cron", help="Only the lines for cron.")] = False,
) -> Result:
    """Print what would be installed: units, timers, cron lines, log rotation. Nothing is written."""
    from thunes_cli.ops.service.units import cron_lines, logrotate, units

    place = _place(call, user)
    made = units(place)
    if name is not None:
        if name not in made:
            raise UsageFault(f"there is no unit {name!r}", hint=f"one of {', '.join(sorted(made))}")
        return Result(data={"units": {name: made[name]}}, text=(made[name].rstrip("\n"),))
    lines = cron_lines(place)
    if cron:
        return Result(data={"cron": lines.splitlines()}, text=(lines.rstrip("\n"),))
    parts = [f"# --- {unit}\n{text}" for unit, text in made.items()]
    data = {"units": made, "cron": lines.splitlines(), "logrotate": logrotate(place), "user": place.user}
    return Result(data=data, text=(*parts, f"# --- cron\n{lines}", f"# --- logrotate\n{logrotate(place)}"))


@command(
    examples=("sudo thunes --home /var/lib/thunes service install", "thunes service install --root /tmp/look --yes"),
    exits=((0, "written, or so already"), (2, "no such user"), 6, 7, 10, 13, (78, "not allowed to write there")),
)
def service_install(
    call: Call,
    *,
    user: UserOption = None,
    root: Annotated[Path, typer.Option("--root", metavar="DIR", help="Write below DIR instead of /.")] = Path("/"),
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
) -> Result:
    """Write the units, log rotation and /etc/thunes/home; nothing is started.

    /etc/thunes/home tells every shell on this machine where the home is, so that `thunes status` needs no --home.
    """
    from thunes_cli.ops.service.install import changed, install, other_home, planned
    from thunes_cli.ops.service.units import TIMED, UNIT

    place = _place(call, user)
    todo = changed(planned(place, root))
    if not todo:
        return Result(data={"written": [], "reloaded": False}, text=("everything is installed already",))
    before = other_home(place, root)
    lost = () if before is None else (f"warning: until now they served {before}; nothing starts its daemon any more",)
    if dry_run:
        plan = [f"write {path}" for path in todo]
        return Result(data={"plan": plan}, text=(*plan, *lost))
    question = f"Write {count(len(todo), 'file')} below {root} for {place.user} and {place.home}?"
    call.confirm("\n".join((*lost, question)), yes=yes)
    done = install(place, root)
    timers = " ".join(f"{UNIT}-{job.name}.timer" for job in TIMED)
    following = (f"next: systemctl enable --now {UNIT}.service {timers}", f"then: systemctl status {UNIT}")
    return Result(
        data={"written": list(done.written), "reloaded": done.reloaded},
        text=(*(f"wrote {path}" for path in done.written), *lost, *following),
        changed=True,
    )


def _place(call: Call, user: str | None) -> Place:
    """Raises: HomeMissing (10). UsageFault: no such user (2). ConfigError: no unit can name the home (78)."""
    from thunes_cli.config.home import LEDGER
    from thunes_cli.errors import HomeMissing
    from thunes_cli.ops.service.units import Place

    home = call.home
    if not (home / LEDGER).exists():
        raise HomeMissing(home, hint=f"thunes --home {shlex.quote(str(home))} init")
    if not str(home).isprintable():
        raise ConfigError("no unit can name this home: its path holds a line break or the like", hint="rename it")
    owner = home.stat().st_uid
    try:
        name = user or pwd.getpwuid(owner).pw_name
        entry = pwd.getpwnam(name)
    except KeyError:
        raise UsageFault(f"there is no user {user or owner}", hint="useradd --system thunes; or: --user NAME") from None
    if entry.pw_uid != owner:
        raise UsageFault(
            f"{home} belongs to user {owner}, not to {name}", hint=f"chown -R {name} {shlex.quote(str(home))}"
        )
    installed = (sys.prefix, sys.base_prefix, Path(__file__).parents[2])
    program = tuple(dict.fromkeys(Path(os.path.realpath(path)) for path in installed))
    return Place(home, name, (sys.executable, "-m", "thunes_cli"), program)
