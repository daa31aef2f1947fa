"""The daemon's channels: what it says of them at its start, and that none of them stands in its way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon_processes import Exchange, Home, make_home, serve, wait_for
from fake_telegram import FakeTelegram


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """A market that runs sixty times as fast."""
    served = serve(tmp_path_factory.mktemp("sim"), "--speed", "60")
    yield served
    served.stop()


@pytest.fixture
def home(exchange: Exchange, tmp_path: Path) -> Iterator[Callable[..., Home]]:
    """Makes a home on it."""
    made: list[Home] = []

    def make(**settings: str) -> Home:
        made.append(make_home(tmp_path / "home", exchange.address, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_with_nothing_set_up_it_says_so_once_and_logs(home: Callable[..., Home]) -> None:
    """One line at the start; the alerts are in the log, and are done with."""
    here = home()
    daemon = here.start_daemon()
    wait_for(lambda: "alert: kind=daemon" in here.log, "alert in the log")
    assert here.end(daemon) == 0

    line = "alerts go to the log only: TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID are not set"
    assert here.log.count(line) == 1
    assert "The daemon stopped after" in here.log
    assert here.rows("SELECT 1 FROM alerts WHERE state = 'pending'") == []


def test_a_channel_that_cannot_be_had_is_told_on_the_others(home: Callable[..., Home], telegram: FakeTelegram) -> None:
    """A plug-in that is not installed: the daemon runs, and Telegram says what is missing; so it does after it is."""
    here = home(**telegram.settings(NOTIFIERS="pigeon"))
    daemon = here.start_daemon()
    wait_for(lambda: any("No alerts go out by pigeon" in text for text in telegram.texts), "word of the pigeon")
    assert here.end(daemon) == 0

    assert "no installed package provides it" in "".join(telegram.texts)
    assert "pigeon" in here.thunes("alerts", "list").stdout


@pytest.mark.parametrize("behaviour", ["hang", "cut_before"])
def test_a_dead_telegram_stops_neither_checks_nor_the_stop(
    home: Callable[..., Home], telegram: FakeTelegram, behaviour: str
) -> None:
    """It trades on, ends in order, and the next start delivers what waited: nothing is lost, nothing twice."""
    telegram.usual = behaviour
    here = home(**telegram.settings())
    daemon = here.start_daemon()
    wait_for(lambda: telegram.calls, "try")
    checks = here.checks()
    wait_for(lambda: here.checks() >= checks + 3, "three more checks")
    assert here.end(daemon) == 0
    assert telegram.texts == []

    telegram.usual = "ok"
    daemon = here.start_daemon()
    wait_for(lambda: "The daemon runs" in "".join(telegram.texts), "what waited")
    assert here.end(daemon) == 0

    everything = "\n".join(telegram.texts)
    assert everything.count("The daemon runs") == 2
    assert everything.count("The daemon stopped") == 2


def test_a_refused_start_is_heard(home: Callable[..., Home], telegram: FakeTelegram) -> None:
    """A key the exchange does not take, with nothing held: exit 12, and the chat says why it does not run."""
    here = home(**telegram.settings(), BINANCE_API_SECRET="x" * 64)

    assert here.thunes("run", "--duration", "20").returncode == 12

    text = next(text for text in telegram.texts if "The daemon stopped" in text)
    assert text.startswith("WARNING sim: daemon")
    assert "Signature" in text or "rejected" in text
