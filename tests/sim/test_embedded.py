"""Opening the exchange of a directory: started when nobody serves it, shared when somebody does."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest

from thunes_cli.process import start_tick
from thunes_cli.sim.address import Address
from thunes_cli.sim.embedded import EmbeddedExchange, Endpoint, open_embedded
from thunes_cli.sim.failure import SimError
from thunes_cli.sim.options import SimOptions

OWNER = """
import sys, time
from pathlib import Path
from thunes_cli.sim.embedded import EmbeddedExchange
exchange = EmbeddedExchange(Path(sys.argv[1]))
print(exchange.ensure().rest_url, exchange.pid, flush=True)
time.sleep(60)
"""


def served(endpoint: Endpoint) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{endpoint.rest_url}/api/v3/ping", timeout=5) as reply:
            return bool(reply.read() == b"{}")
    except OSError:
        return False


def test_started_and_ended(tmp_path: Path) -> None:
    """It serves inside the block and is gone after it."""
    with open_embedded(tmp_path / "sim", SimOptions(tmp_path, speed=Decimal(60))) as endpoint:
        assert served(endpoint)
        assert endpoint.speed == 60
        assert "secret" not in repr(endpoint)

    assert not served(endpoint)
    assert not (tmp_path / "sim" / "address").exists()


def test_stepped_market_has_speed_zero(tmp_path: Path) -> None:
    """Whether it was started here or found."""
    with EmbeddedExchange(tmp_path, SimOptions(tmp_path, step=True)) as own, open_embedded(tmp_path) as found:
        assert own.ensure().speed == found.speed == 0


def test_shared_while_served(tmp_path: Path) -> None:
    """Who comes second uses the first one's server, and leaving does not end it."""
    with EmbeddedExchange(tmp_path) as own:
        with EmbeddedExchange(tmp_path) as guest:
            assert guest.ensure() == own.ensure()
            assert guest.pid is None

        assert served(own.ensure())


def test_taken_over_when_the_owner_leaves(tmp_path: Path) -> None:
    """A guest whose server has gone starts its own: same port, same key."""
    owner = EmbeddedExchange(tmp_path)
    first = owner.ensure()
    with EmbeddedExchange(tmp_path) as guest:
        owner.close()
        assert not served(first)

        second = guest.ensure()

        assert served(second)
        assert second == first
        assert guest.pid is not None


def test_racing_openers_end_up_on_one_server(tmp_path: Path) -> None:
    """Eight at once: one starts it, all use it."""
    exchanges = [EmbeddedExchange(tmp_path) for _ in range(8)]
    found: list[Endpoint] = []
    threads = [threading.Thread(target=lambda each=each: found.append(each.ensure())) for each in exchanges]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    assert sum(each.pid is not None for each in exchanges) == 1
    for exchange in exchanges:
        exchange.close()


def test_not_spawned_on_request(tmp_path: Path) -> None:
    """With spawn off a directory nobody serves is 13."""
    with pytest.raises(SimError, match="is not running") as caught, open_embedded(tmp_path, spawn=False):
        pass

    assert caught.value.exit_code == 13


def test_stale_address(tmp_path: Path) -> None:
    """An address nobody answers at, or another server answers at, is not believed."""
    with EmbeddedExchange(tmp_path / "one") as other:
        (tmp_path / "two").mkdir()
        address = json.loads((tmp_path / "one" / "address").read_text())
        address["instance"] = "0" * 16
        (tmp_path / "two" / "address").write_text(json.dumps(address))
        stale = Address.read(tmp_path / "two")

        assert stale is not None
        assert not stale.answers()
        with open_embedded(tmp_path / "two") as endpoint:
            assert endpoint.rest_url != other.ensure().rest_url


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rest_url": 1}', '{"speed": "x"}'])
def test_garbled_address(tmp_path: Path, text: str) -> None:
    """An address file that makes no sense is as good as none."""
    (tmp_path / "address").write_text(text)

    assert Address.read(tmp_path) is None


def test_refusals_of_the_child_arrive(tmp_path: Path) -> None:
    """What the child says before it ends is the error here, with code, exit code and hint."""
    options = SimOptions(tmp_path, candles=(tmp_path / "BTCUSDT-1m.csv",))

    with (
        pytest.raises(SimError, match=r"BTCUSDT-1m.csv: cannot be read: No such file") as caught,
        open_embedded(tmp_path / "sim", options),
    ):
        pass

    assert (caught.value.code, caught.value.exit_code) == ("candle_file", 78)


def test_a_child_that_dies_is_told_by_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash on the way up shows the last line of the log, and nobody waits for ever."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'first' >&2\necho 'no such thing' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))

    with pytest.raises(SimError, match=r"ended with status 3: no such thing"), open_embedded(tmp_path / "sim"):
        pass


def test_a_child_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No first line within the time-out is 14, and the child is gone."""
    broken = tmp_path / "python"
    broken.write_text(f"#!/bin/sh\necho $$ > '{tmp_path}/pid'\nexec sleep 60\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    monkeypatch.setattr("thunes_cli.sim.embedded._STOP_SECONDS", 0.2)

    with pytest.raises(SimError, match="did not start in time") as caught:
        EmbeddedExchange(tmp_path / "sim", timeout_s=0.5).ensure()

    assert caught.value.exit_code == 14
    assert start_tick(int((tmp_path / "pid").read_text())) is None


def test_it_does_not_outlive_a_killed_owner(tmp_path: Path) -> None:
    """kill −9 of the owner closes the pipe, and the child ends."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    _, pid = owner.stdout.readline().split()
    watched = os.pidfd_open(int(pid))

    owner.kill()
    owner.wait()
    owner.stdout.close()

    ready, _, _ = select.select([watched], [], [], 10)
    os.close(watched)
    assert ready


def test_no_secret_in_the_command_line(tmp_path: Path) -> None:
    """Neither key nor secret nor options appear in argv."""
    with EmbeddedExchange(tmp_path) as exchange:
        line = Path(f"/proc/{exchange.pid}/cmdline").read_bytes()

        assert exchange.ensure().api_secret.encode() not in line
        assert exchange.ensure().api_key.encode() not in line
        assert str(tmp_path).encode() not in line


def test_opening_imports_nothing_heavy() -> None:
    """The side that opens needs neither asyncio nor aiohttp."""
    code = "import sys, thunes_cli.sim.embedded; print(*sorted({'asyncio', 'aiohttp', 'sqlite3'} & sys.modules.keys()))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
