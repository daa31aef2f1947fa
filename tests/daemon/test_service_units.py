"""``thunes service``: units that systemd accepts, hardened, for the right home and user."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from daemon_processes import Home
from daemon_processes import make_home as found

from thunes_cli.ops.service.units import TIMED, Place, cron_lines, units

ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")
ADDRESS = {"rest_url": "http://127.0.0.1:9", "api_key": "k", "api_secret": "s"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose path has a space, a percent sign and a dollar in it."""
    return found(tmp_path / "a 10% home$", ADDRESS)


@pytest.fixture
def installed(home: Home, tmp_path: Path) -> Path:
    """Where the units of that home were written."""
    done = home.thunes("service", "install", "--root", str(tmp_path / "root"), "--yes")
    assert done.returncode == 0, done.stderr
    return tmp_path / "root/etc/systemd/system"


def place(home: Path) -> Place:
    return Place(home, "trader", ("/opt/thunes/bin/python", "-m", "thunes_cli"), (Path("/opt/thunes"),))


@needs_systemd
def test_systemd_accepts_them(installed: Path) -> None:
    """`systemd-analyze verify` has nothing to say."""
    names = sorted(str(path) for path in installed.iterdir())

    done = subprocess.run([ANALYZE, "verify", *names], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize(
    ("name", "most"),
    [("thunes.service", 1.5), *((f"thunes-{job.name}.service", 0.5) for job in TIMED)],
)
def test_they_are_hardened(tmp_path: Path, name: str, most: float) -> None:
    """What the daemon could do beyond its job, and what an offline job could."""
    (tmp_path / name).write_text(units(place(Path("/var/lib/thunes")))[name])

    done = subprocess.run(
        [ANALYZE, "security", "--offline=true", str(tmp_path / name)], capture_output=True, text=True, check=False
    )

    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert exposure is not None, done.stderr
    assert float(exposure[1]) <= most


def test_the_daemons_unit() -> None:
    """Notify, watchdog, restarts except where one would only fail again."""
    text = units(place(Path("/var/lib/thunes")))["thunes.service"]

    for line in (
        "Type=notify",
        "WatchdogSec=60",
        "Restart=on-failure",
        "RestartPreventExitStatus=2 5 10 11 12 78",
        "User=trader",
        "OnFailure=thunes-failure@%n.service",
        "ExecStart=/opt/thunes/bin/python -m thunes_cli --home /var/lib/thunes run",
        "ReadWritePaths=/var/lib/thunes",
    ):
        assert f"\n{line}\n" in text


def test_a_home_below_home_can_be_seen() -> None:
    """Nobody's home is visible but the bot's, and the program's."""
    made = Place(Path("/home/t/bot"), "t", ("/home/t/venv/bin/python", "-m", "thunes_cli"), (Path("/home/t/venv"),))

    text = units(made)["thunes.service"]

    assert "ProtectHome=tmpfs" in text
    assert "BindPaths=/home/t/bot\n" in text
    assert "BindReadOnlyPaths=/home/t/venv\n" in text


def test_timers_and_cron_say_the_same() -> None:
    """Every job on a timer has a line for cron, and a check a minute stands for the daemon."""
    lines = cron_lines(place(Path("/var/lib/a bot"))).splitlines()

    assert lines[0] == "CRON_TZ=UTC"
    assert "* * * * * /opt/thunes/bin/python -m thunes_cli --home '/var/lib/a bot' -q run --once" in lines
    for job in TIMED:
        assert any(line.startswith(job.cron) and line.endswith(" ".join(job.words)) for line in lines)
        assert f"OnCalendar={job.calendar}" in units(place(Path("/x")))[f"thunes-{job.name}.timer"]


def test_installing_twice_writes_once(home: Home, installed: Path, tmp_path: Path) -> None:
    """0 and nothing changed; the home's file leads every shell to it."""
    again = home.answer("service", "install", "--root", str(tmp_path / "root"), "--yes")

    assert (again["exit_code"], again["changed"]) == (0, False)
    assert (tmp_path / "root/etc/thunes/home").read_text() == f"{home.path}\n"
    assert (installed / "thunes.service").stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("installed")
def test_units_of_another_home_are_not_replaced_in_silence(home: Home, tmp_path: Path) -> None:
    """One daemon's unit a machine: the plan and the answer say whose daemon nothing starts any more."""
    other, root = found(tmp_path / "another", ADDRESS), str(tmp_path / "root")

    planned = other.thunes("service", "install", "--root", root, "--dry-run")
    written = other.thunes("service", "install", "--root", root, "--yes")
    again = other.thunes("service", "install", "--root", root, "--yes")

    told = f"warning: until now they served {home.path}; nothing starts its daemon any more"
    assert told in planned.stdout
    assert told in written.stdout
    assert "warning" not in again.stdout


def test_asking_first(home: Home, tmp_path: Path) -> None:
    """7 without a terminal; a plan changes nothing."""
    unasked = home.answer("service", "install", "--root", str(tmp_path / "root"))
    plan = home.answer("service", "install", "--root", str(tmp_path / "root"), "--dry-run")

    assert unasked["exit_code"] == 7
    assert len(plan["data"]["plan"]) == len(units(place(home.path))) + 2
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("words", [("print",), ("install", "--yes", "--root", "/nonexistent/x")])
def test_a_user_that_is_not_the_homes(home: Home, words: tuple[str, ...]) -> None:
    """2, before anything is written."""
    answer = home.answer("service", *words, "--user", "no-such-user")
    other = home.answer("service", *words, "--user", "daemon" if os.getuid() == 0 else "root")

    assert (answer["exit_code"], other["exit_code"]) == (2, 2)


def test_one_unit_as_it_is(home: Home) -> None:
    """For a pipe: `thunes service print thunes.service`."""
    data = home.answer("service", "print", "thunes.service")["data"]

    assert f"User={getpass.getuser()}" in data["units"]["thunes.service"]
    assert home.answer("service", "print", "nothing.service")["exit_code"] == 2
