"""``thunes status``: what forbids trading, what is open, what does not go out, and how far the ledger is the truth."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from bot_home import DEAD, NOON, BotHome

from thunes_cli.ledger import bans, breakers, controls, outbox
from thunes_cli.model import OrderState, Side
from thunes_cli.process import boot_id


class TestControls:
    """Kill switch, breaker, ban, frozen symbols."""

    def test_an_active_kill_switch(self, bot: BotHome) -> None:
        """3, with reason and age."""
        bot.daemon_runs()
        with bot.journal.change() as change:
            controls.activate_kill_switch(
                change.connection, reason="operator: flash crash", actor="op", at=NOON - timedelta(hours=2)
            )

        answer = bot.ask("status", "--json")

        assert answer.code == 3
        assert answer.data["kill_switch"] == {"active": True, "reason": "operator: flash crash"}
        assert "for 2 h: operator: flash crash" in answer.document["problems"][0]["message"]

    @pytest.mark.parametrize(
        ("opened_ago", "state", "text"),
        [(10.0, "open", "tries again in"), (300.0, "half-open", "waits for its probe")],
    )
    def test_a_breaker_that_is_not_closed(self, bot: BotHome, opened_ago: float, state: str, text: str) -> None:
        """3, with its cause; an open one whose time is up waits for a probe, whatever its row says."""
        bot.daemon_runs()
        with bot.journal.change() as change:
            breakers.save_opened(
                change.connection,
                breakers.REST,
                cause="HTTP 503",
                wall=change.at_wall - timedelta(seconds=opened_ago),
                monotonic=time.monotonic() - opened_ago,
                boot=boot_id(),
            )

        answer = bot.ask("status", "--json")

        assert answer.code == 3
        assert answer.codes == ["circuit_breaker_open"]
        assert answer.data["breakers"][0]["state"] == state
        message = answer.document["problems"][0]["message"]
        assert "HTTP 503" in message
        assert text in message

    @pytest.mark.parametrize(("left", "code"), [(50.0, 3), (-1.0, 0)], ids=["in force", "over"])
    def test_a_ban(self, bot: BotHome, left: float, code: int) -> None:
        """3 while it lasts, 0 once it is over."""
        bot.daemon_runs()
        wall = datetime.now(UTC)
        ban = bans.Ban(
            until_wall=wall + timedelta(seconds=left),
            until_mono=time.monotonic() + left,
            boot_id=boot_id(),
            status=429,
            consecutive=1,
            since_wall=wall - timedelta(seconds=10),
        )
        with bot.journal.change() as change:
            bans.save_ban(change.connection, ban)

        answer = bot.ask("status", "--json")

        assert answer.code == code
        assert answer.codes == (["rate_limit_ban"] if code else [])

    def test_a_frozen_symbol(self, bot: BotHome) -> None:
        """3, with symbol and reason."""
        bot.daemon_runs()
        with bot.journal.change() as change:
            controls.freeze_symbol(change.connection, "ETHUSDT", reason="looks odd", actor="op", at=NOON)

        answer = bot.ask("status", "--json")

        assert answer.codes == ["symbol_frozen"]
        assert answer.data["frozen_symbols"] == ["ETHUSDT"]
        assert "looks odd" in answer.document["problems"][0]["message"]


class TestOrders:
    """Orders of which nobody knows what became of them."""

    def test_one_on_its_way_is_not_unresolved(self, bot: BotHome) -> None:
        """SENT a moment ago by a living process: the request is under way."""
        bot.daemon_runs()
        bot.send(bot.intend(), seconds_ago=1)

        answer = bot.ask("status", "--json")

        assert answer.code == 0
        assert answer.data["unresolved_orders"] == 0

    def test_one_that_takes_too_long_is_unresolved(self, bot: BotHome) -> None:
        """No request takes that long."""
        bot.daemon_runs()
        order = bot.send(bot.intend(), seconds_ago=42)

        answer = bot.ask("status", "--json")

        assert answer.code == 3
        assert answer.data["unresolved_orders"] == 1
        assert order.client_order_id in answer.document["problems"][0]["message"]
        assert answer.document["problems"][0]["hint"].endswith(f"explain {order.client_order_id}")

    def test_one_whose_sender_died_is_unresolved(self, bot: BotHome) -> None:
        """Sent a moment ago, but nobody waits for the answer any more."""
        bot.daemon_runs()
        bot.send(bot.intend(owner=DEAD), seconds_ago=1)

        assert bot.ask("status", "--json").codes == ["order_unresolved"]

    def test_an_unknown_one_is_unresolved_at_once(self, bot: BotHome) -> None:
        """UNKNOWN, with why."""
        bot.daemon_runs()
        bot.doubt(bot.send(bot.intend()))

        answer = bot.ask("status", "--json")

        assert answer.codes == ["order_unresolved"]
        assert "the connection was reset" in answer.document["problems"][0]["message"]

    def test_an_intent_is_not_unresolved(self, bot: BotHome) -> None:
        """It was never sent."""
        bot.daemon_runs()
        bot.intend(owner=DEAD)

        assert bot.ask("status", "--json").data["unresolved_orders"] == 0


class TestExits:
    """Positions that should be sold."""

    def test_wanted_and_not_yet_tried_is_fine(self, bot: BotHome) -> None:
        """An exit under way is the bot's business."""
        position = bot.buy()
        bot.daemon_runs()
        bot.want_exit(position)

        assert bot.ask("status").code == 0

    @pytest.mark.parametrize(("attempts", "codes"), [(2, []), (3, ["exit_blocked"])])
    def test_blocked_after_three_attempts(self, bot: BotHome, attempts: int, codes: list[str]) -> None:
        """Two failures are tried again; the third needs a human."""
        position = bot.buy()
        bot.daemon_runs()
        bot.want_exit(position, problem="Filter failure: NOTIONAL")
        for _ in range(attempts):
            order = bot.send(bot.intend(Side.SELL, amount="0.0002", position_id=position))
            bot.end(order, OrderState.REJECTED)

        answer = bot.ask("status", "--json")

        assert answer.codes == codes
        if codes:
            assert "Filter failure: NOTIONAL" in answer.document["problems"][0]["message"]
            assert answer.document["problems"][0]["hint"].endswith(f"explain position:{position}")

    def test_blocked_when_the_operator_was_alerted(self, bot: BotHome) -> None:
        """A position too small to sell makes no attempt at all."""
        position = bot.buy()
        bot.daemon_runs()
        bot.want_exit(position, problem="below the minimum notional")
        bot.alert_lasting("exit_blocked", key="BTCUSDT")

        assert bot.ask("status", "--json").codes == ["exit_blocked"]


class TestTruth:
    """Trail, feed, reconcile."""

    def test_a_trail_that_cannot_be_written(self, bot: BotHome) -> None:
        """3, with the file's problem and how many records wait."""
        bot.daemon_runs()
        with bot.journal.change() as change:
            outbox.save_problem(change.connection, "No space left on device", at_wall="2026-03-10T12:00:00.000Z")

        answer = bot.ask("status", "--json")

        assert answer.codes == ["audit_unavailable"]
        assert "No space left on device" in answer.document["problems"][0]["message"]
        assert answer.data["audit"]["problem"] == "No space left on device"

    def test_a_feed_that_is_down(self, bot: BotHome) -> None:
        """3 while the daemon runs; without one nothing feeds, and that is no reason of its own."""
        bot.daemon_runs()
        bot.feed("down", age=timedelta(minutes=3))
        answer = bot.ask("status", "--json")
        assert answer.codes == ["feed_down"]
        assert "for 3 min" in answer.document["problems"][0]["message"]

        bot.daemon_runs(DEAD)
        bot.daemon_stops()

        answer = bot.ask("status", "--json")
        assert answer.code == 0
        assert answer.data["feed"]["mode"] == "down"

    @pytest.mark.parametrize(("clean", "code"), [(True, 0), (False, 3)])
    def test_the_last_reconcile(self, bot: BotHome, code: int, *, clean: bool) -> None:
        """Only the newest counts."""
        bot.daemon_runs()
        bot.reconciled(clean=not clean)
        bot.reconciled(clean=clean)

        answer = bot.ask("status", "--json")

        assert answer.code == code
        assert answer.data["last_reconcile"] == {"at": "2026-03-10T12:00:00.000Z", "clean": clean}
