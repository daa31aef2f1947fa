"""A rotation that is undone, or cannot be: what is said is what is there, in file, ledger and history alike."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from exchange_home import ExchangeHome
from rotating_home import env_file, new_key, rotate, rotating_home, states, told

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


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ExchangeHome]:
    with rotating_home(tmp_path) as home:
        yield home


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


def test_what_an_operator_wrote_meanwhile_is_not_undone(home: ExchangeHome) -> None:
    """The file was edited while the new key was proven: the new key stays, and so does the edit."""
    rotating = Rotating(home)
    rotating.begin()

    def edit_and_fail(_: Credentials) -> None:
        with env_file(home).open("a", encoding="utf-8") as stream:
            stream.write("MAX_POSITIONS=2\n")
        raise Unavailable("the exchange went away")

    with pytest.raises(NewKeyStays, match="changed by somebody else"):
        rotating.rotation.write(edit_and_fail)
    rotating.journal.close()

    assert "MAX_POSITIONS=2" in env_file(home).read_text(encoding="utf-8")
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


@pytest.mark.parametrize(("killed", "ends"), [("reopened", "done"), ("undone", "rolled_back")])
def test_killed_while_it_is_taken_back(home: ExchangeHome, killed: str, ends: str) -> None:
    """The key that is found by whoever starts next is the key in use: the new one, or the old one again."""
    pid = os.fork()
    if pid == 0:
        rotating = Rotating(home)
        rotating.begin()
        rotating.rotation.write(lambda _: None)
        undo = rotating.rotation._undo
        assert undo is not None

        def die() -> None:
            if killed == "undone":
                undo()
            os.kill(os.getpid(), signal.SIGKILL)

        rotating.rotation._undo = die
        rotating.rotation.take_back(Unavailable("the daemon refuses it"))
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert states(home) == ["started"]

    home.meet()

    assert states(home) == [ends]
    assert (home.served.key in env_file(home).read_text(encoding="utf-8").splitlines()[1]) is (killed == "undone")
    assert home.ask("keys", "check").code == 0


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
