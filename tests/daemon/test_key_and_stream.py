"""Another API key under a running daemon: the account's stream is listened to with it, and tells fills as before."""

from __future__ import annotations

from pathlib import Path

import pytest
from daemon_processes import Home, make_home, serve, wait_for
from test_streams import post, strike


@pytest.mark.parametrize("at_once", [True, False], ids=["old-key-deleted-at-once", "old-key-deleted-later"])
def test_a_fill_is_told_after_the_old_key_is_gone(tmp_path: Path, at_once: bool):  # noqa: FBT001 - a case of two
    """Its subscription ends with the old key: the new key's is there, and tells the fill of an order that hangs."""
    own = serve(tmp_path / "sim", "--speed", "60")
    often = {"SMA_FAST": "2", "SMA_SLOW": "3", "COOL_DOWN_MINUTES": "0"}
    home = make_home(tmp_path / "home", own.address, REQUEST_TIMEOUT_SECONDS="8", STOP_LOSS_PCT="50", **often)
    process = home.start_daemon()
    wait_for(lambda: "account stream: WebSocket connected" in home.log, "subscription")
    made = post(own, "key/add", {"label": "next"})

    rotate(home, made["api_key"], made["api_secret"])
    if not at_once:
        wait_for(lambda: "account stream: connection replaced: why=another API key" in home.log, "other subscription")
    post(own, "key/revoke", {"key": own.address["api_key"][:8]})
    wait_for(lambda: again(home), "subscription with the new key")
    before = home.log.count("account event booked")
    strike(own, "hang_after", count=1)
    wait_for(lambda: home.log.count("account event booked") > before, "a fill by the stream", seconds=90)

    assert "order outcome unknown" not in home.log
    assert "subscription refused" not in home.log
    assert home.end(process) == 0
    assert home.answer("reconcile")["data"]["clean"]
    home.close()
    own.stop()


def rotate(home: Home, key: str, secret: str) -> None:
    """``thunes keys rotate``, until the daemon has taken the key."""
    lines = home.path.parent / "new key"
    lines.write_text(f"{key}\n{secret}\n")
    lines.chmod(0o600)
    words = ("keys", "rotate", "--from-file", str(lines), "--reason", "90 days", "--confirm", "rotate sim")
    answer = home.answer(*words)
    assert (answer["exit_code"], answer["data"]["daemon"]) == (0, "took it"), answer


def again(home: Home) -> bool:
    """Whether a second subscription has come about, whatever became of the first."""
    told = ("account stream: connection replaced", "account stream: WebSocket reconnected")
    return any(words in home.log for words in told)
