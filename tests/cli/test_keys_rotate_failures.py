"""``thunes keys rotate`` that fails: the old key is where it was, or the new one is in force, and which is said."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from exchange_home import ExchangeHome, wait_for
from rotating_home import CONFIRMED, env_file, key_file, new_key, rotate, rotating_home, states

sys.path.append(str(Path(__file__).parents[1] / "controls"))

from misbehaving_proxy import MisbehavingProxy, Reply, storm

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
    [(1, []), (2, []), *((later, ["rolled_back"]) for later in (3, 4, 5, 6))],
    ids=["account", "restrictions", "old-key", "old-key-restrictions", "account-again", "restrictions-again"],
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
