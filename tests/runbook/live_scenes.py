"""States of a bot that really runs: its exchange misbehaves by ``thunes sim fault``, as the page shows it."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

from exchange_home import wait_for
from live_homes import LiveHome
from pages import Scene


def a_lost_stream(place: Path, stack: ExitStack) -> Scene:
    """Prices and the account come by stream, for now."""
    live = LiveHome(place, stack).start()

    def given_up() -> None:
        wait_for(lambda: live.has_recorded("FEED_FELL_BACK") and live.feed() == "rest", "fallback")
        wait_for(lambda: not live.waiting_alerts(), "alert in the log")

    return Scene(live.home.path, acts={"the stream is given up": given_up})


def an_exchange_in_trouble(place: Path, stack: ExitStack) -> Scene:
    """A daemon holds something; what is asked by hand fails like what it asks itself."""
    live = LiveHome(place, stack).start()

    def five_failures() -> None:
        wait_for(
            lambda: live.home.ask("balance").code == 13 and live.status()["breakers"][0]["state"] == "open", "trip"
        )

    return Scene(live.home.path, acts={"five calls have failed": five_failures})


def a_ban(place: Path, stack: ExitStack) -> Scene:
    """Nothing is wrong yet."""
    return Scene(LiveHome(place, stack).home.path)


def a_daemon(place: Path, stack: ExitStack) -> Scene:
    """It trades; then its machine kills it while a sale is under way and the answer was not heard."""
    live = LiveHome(place, stack).start()

    def killed() -> None:
        live.home.ask("sim", "fault", "ws_drop", "--seconds", "600")
        live.home.ask("sim", "fault", "hang_after", "--path", "POST /api/v3/order")
        wait_for(lambda: live.feed() == "rest", "fallback")
        closing = live.home.start("positions", "close", "BTCUSDT", "--reason", "news", "--confirm", "close BTCUSDT sim")
        wait_for(lambda: live.home.held()["BTC"] < Decimal("0.0001"), "execution")
        for process in (closing, live.daemon):
            assert process is not None
            process.kill()
            process.wait()
        live.home.ask("sim", "faults", "--clear")

    return Scene(live.home.path, acts={"it is killed": killed})


def a_stranger(place: Path, stack: ExitStack) -> Scene:
    """A daemon trades, and so does somebody else."""
    live = LiveHome(place, stack).start()

    def compared() -> None:
        wait_for(lambda: live.external_orders() and not live.waiting_alerts(), "comparison")

    return Scene(live.home.path, acts={"it is noticed": compared, "there is another key": lambda: live.make_key(place)})


def a_due_key(place: Path, stack: ExitStack) -> Scene:
    """A daemon trades with a key; another one was made on the exchange's own pages, and saved in a file."""
    live = LiveHome(place, stack).start()
    live.make_key(place)
    return Scene(live.home.path, acts={"the old one is deleted": live.revoke_first_key})


LIVE = {
    "a lost stream": a_lost_stream,
    "an exchange in trouble": an_exchange_in_trouble,
    "a ban": a_ban,
    "a daemon": a_daemon,
    "a stranger": a_stranger,
    "a due key": a_due_key,
}
