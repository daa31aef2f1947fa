"""``thunes keys rotate`` that fails: the old key is where it was, or the new one is in force, and which is said."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from exchange_home import ExchangeHome, wait_for
from rotating_home import CONFIRMED, env_file, key_file, new_key, rotate, rotating_home, states, told

sys.path.append(str(Path(__file__).parents[1] / "controls"))

from misbehaving_proxy import MisbehavingProxy, Reply, storm

from thunes_cli.audit.journal import Journal
from thunes_cli.clock import Clock
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.env_sources import EnvFile
from thunes_cli.config.load import load_settings
from thunes_cli.config.secrets import Secret
from thunes_cli.config.settings import NAMES
from thunes_cli.config.source import Undo
from thunes_cli.errors import ThunesError, Unavailable
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ops.rotating import Place, Rotation
from thunes_cli.ops.rotation_failures import KeyInDoubt, NewKeyStays, OldKeyStays, RotatedMeanwhile

_MOST_BYTES = 4 << 20


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ExchangeHome]:
    with rotating_home(tmp_path) as home:
        yield home


# The kernel refuses to let a file of the process grow beyond that (EFBIG), whoever runs it.
LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.executable, [sys.executable, "-m", "thunes_cli", *sys.argv[2:]])
"""


def test_a_disk_that_takes_no_more_leaves_the_old_key(home: ExchangeHome) -> None:
    """The kernel stops the write half-way: nothing half written, no draft, one line that says which key is in use."""
    text = env_file(home).read_text(encoding="utf-8")
    env_file(home).write_text(text + "# " + "x" * _MOST_BYTES + "\n", encoding="utf-8")
    before = env_file(home).read_bytes()
    path = key_file(home, *new_key(home))

    done = subprocess.run(
        [
            *(sys.executable, "-c", LIMITED, str(_MOST_BYTES)),
            *("--home", str(home.path), "keys", "rotate", "--from-file", str(path), *CONFIRMED),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(home.path.parent), **home.environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 13, done.stderr
    assert "cannot be written: File too large; the old key" in done.stderr
    assert "Traceback" not in done.stderr
    assert env_file(home).read_bytes() == before
    assert [entry.name for entry in home.path.iterdir() if "draft" in entry.name] == []
    assert states(home) == ["rolled_back"]
    assert home.ask("keys", "check").code == 0


# -- the exchange goes away ----------------------------------------------------------------------------------------


def down_from(call: int) -> Callable[[str, str], Reply | None]:
    """Every signed call fails from a certain one on, counted from 1."""
    signed = 0

    def answer(method: str, path: str) -> Reply | None:
        nonlocal signed
        if path in {"/api/v3/account", "/sapi/v1/account/apiRestrictions"}:
            signed += 1
        return storm(method, "/api/v3/account") if signed >= call and "time" not in path else None

    return answer


@pytest.mark.parametrize(
    ("call", "ends"),
    [(1, []), (2, []), (3, ["rolled_back"]), (5, ["rolled_back"]), (6, ["rolled_back"])],
    ids=["account", "restrictions", "old-key", "account-again", "restrictions-again"],
)
def test_the_exchange_goes_away_in_the_middle(home: ExchangeHome, call: int, ends: list[str]) -> None:
    """13 at each of its calls; the file is as before, to the byte, and the old key works."""
    proxy = MisbehavingProxy(home.served.url)
    before = env_file(home).read_bytes()
    direct, home.environ["BINANCE_REST_URL"] = home.environ["BINANCE_REST_URL"], proxy.url
    proxy.behaviour = down_from(call)
    try:
        answer = rotate(home, *new_key(home))
    finally:
        proxy.close()
        home.environ["BINANCE_REST_URL"] = direct

    assert (answer.code, answer.codes) == (13, ["exchange_unavailable"]), answer
    assert "stays in use" in answer.document["problems"][0]["message"]
    assert env_file(home).read_bytes() == before
    assert states(home) == ends
    assert home.ask("keys", "check").code == 0


# -- putting back fails --------------------------------------------------------------------------------------------


class Stubborn(EnvFile):
    """What was there before cannot be put back."""

    def rewrite(self, changes: Any) -> Undo:
        super().rewrite(changes)

        def undo() -> None:
            raise OSError(30, "Read-only file system")

        return undo


class Forgetful(EnvFile):
    """It writes, and the answer is lost."""

    def rewrite(self, changes: Any) -> Undo:
        super().rewrite(changes)
        raise OSError(5, "Input/output error")


def fail(_: Credentials) -> None:
    raise Unavailable("the exchange went away")


def interrupt(_: Credentials) -> None:
    raise KeyboardInterrupt


class Rotating:
    """A rotation of a home, by the code behind the command."""

    def __init__(self, home: ExchangeHome, source: type[EnvFile] = EnvFile) -> None:
        self.journal = Journal(Ledger(home.path / "thunes.db"), home.path / "audit_trail.jsonl", Clock())
        self.key, self.secret = new_key(home)
        place = Place(source(env_file(home), NAMES, named=False), "BINANCE_")
        old = Credentials(Secret(home.served.key), Secret(home.served.secret), None, str(env_file(home)))
        new = Credentials(Secret(self.key), Secret(self.secret), None, "new")
        self.unreadable = False
        self.rotation = Rotation(self.journal, place, old=old, new=new, reload=lambda: self._reload(home))

    def _reload(self, home: ExchangeHome) -> Any:
        if self.unreadable:
            raise Unavailable("the store does not answer")
        return load_settings(home.path, home.environ).settings

    def begin(self, *, after: int | None = None) -> None:
        """Write down that it begins."""
        self.rotation.begin(reason="test", actor="test", facts={}, after=after)


@pytest.mark.parametrize(("source", "why"), [(Stubborn, "Read-only file system"), (Forgetful, "written all the same")])
def test_what_cannot_be_put_back_is_not_said_to_be(home: ExchangeHome, source: type[EnvFile], why: str) -> None:
    """15, and the new key is in force: in the file, the ledger and the history alike."""
    rotating = Rotating(home, source)
    rotating.begin()

    with pytest.raises(NewKeyStays) as caught:
        rotating.rotation.write(fail)
    rotating.journal.close()

    assert caught.value.exit_code == 15
    assert why in caught.value.message
    assert "stays" not in caught.value.message
    assert f"BINANCE_API_KEY={rotating.key}" in env_file(home).read_text(encoding="utf-8")
    assert states(home) == ["done"]
    assert home.ask("keys", "check", "--json").data["fingerprint"] == Secret(rotating.key).fingerprint()


def test_a_place_that_cannot_be_read_afterwards_leaves_it_open(home: ExchangeHome) -> None:
    """13 and no guess; whoever starts next compares."""
    rotating = Rotating(home)
    rotating.begin()

    def fail_blindly(_: Credentials) -> None:
        rotating.unreadable = True
        raise Unavailable("the exchange went away")

    with pytest.raises(KeyInDoubt) as caught:
        rotating.rotation.write(fail_blindly)
    rotating.journal.close()

    assert caught.value.exit_code == 13
    assert "not known" in caught.value.message
    assert "stays" not in caught.value.message
    assert states(home) == ["started"]
    home.meet()
    assert states(home) == ["rolled_back"]


def test_a_rotation_that_was_done_is_taken_back(home: ExchangeHome) -> None:
    """As for a daemon that refuses the new key: file, ledger and history say the old one."""
    before = env_file(home).read_bytes()
    rotating = Rotating(home)
    rotating.begin()
    rotating.rotation.write(lambda _: None)

    failure = rotating.rotation.take_back(Unavailable("the daemon refuses it"))
    rotating.journal.close()

    assert isinstance(failure, OldKeyStays)
    assert env_file(home).read_bytes() == before
    assert told(home)[-2:] == ["KEY_ROTATED", "KEY_ROTATION_ROLLED_BACK"]
    assert states(home) == ["rolled_back"]
    assert home.ask("keys", "status", "--json").data["fingerprint"] == Secret(home.served.key).fingerprint()


def test_ctrl_c_in_the_middle(home: ExchangeHome) -> None:
    """What was there is put back, and the interruption goes on."""
    before = env_file(home).read_bytes()
    rotating = Rotating(home)
    rotating.begin()

    with pytest.raises(KeyboardInterrupt):
        rotating.rotation.write(interrupt)
    rotating.journal.close()

    assert env_file(home).read_bytes() == before
    assert states(home) == ["rolled_back"]


def test_ctrl_c_at_the_very_end(home: ExchangeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was written down as done a moment before: that is taken back with the file, nobody else is suspected."""
    before = env_file(home).read_bytes()
    rotating = Rotating(home)
    rotating.begin()
    real = Journal.change

    @contextmanager
    def interrupted(journal: Journal) -> Iterator[Any]:
        monkeypatch.undo()
        with real(journal) as change:
            yield change
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "change", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rotating.rotation.write(lambda _: None)
    rotating.journal.close()

    assert env_file(home).read_bytes() == before
    assert states(home) == ["rolled_back"]
    assert "KEY_CHANGED_OUTSIDE" not in told(home)


# -- two at once ---------------------------------------------------------------------------------------------------


def test_a_rotation_while_another_waits_for_its_key(home: ExchangeHome) -> None:
    """The one that asks for its key and then finds another one rotated changes nothing (11)."""
    proxy = MisbehavingProxy(home.served.url)
    waiting = subprocess.Popen(
        [*(sys.executable, "-m", "thunes_cli", "--home", str(home.path)), "keys", "rotate", *CONFIRMED],
        env={"PATH": os.environ["PATH"], "HOME": str(home.path.parent), **home.environ, "BINANCE_REST_URL": proxy.url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: any(seen.path == "/api/v3/time" for seen in proxy.api_calls()), "command that waits")
        assert rotate(home, *new_key(home)).code == 0
        written = env_file(home).read_bytes()
        _, said = waiting.communicate("\n".join(new_key(home)), timeout=60)
    finally:
        waiting.kill()
        waiting.wait()
        proxy.close()

    assert waiting.returncode == 11, said
    assert "rotated by somebody else" in said
    assert env_file(home).read_bytes() == written
    assert states(home) == ["done"]


def test_a_rotation_that_goes_on_is_not_disturbed(home: ExchangeHome) -> None:
    """Another process is at it: 11; once it is gone its rotation is ended by comparing."""
    first = Rotating(home)
    first.begin()

    answer = rotate(home, *new_key(home))

    assert (answer.code, answer.codes) == (11, ["rotation_goes_on"])
    with pytest.raises(ThunesError):
        first.rotation.write(fail)
    with pytest.raises(RotatedMeanwhile):
        first.begin(after=None)
    first.journal.close()
    assert states(home) == ["rolled_back"]
