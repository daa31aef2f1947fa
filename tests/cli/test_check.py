"""``thunes check daily|weekly|monthly``: named checks, 3 when one failed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from bot_home import DEAD, NOON, Answer, BotHome

from thunes_cli.ledger import api_keys
from thunes_cli.ledger.baseline import save_baseline
from thunes_cli.ledger.controls import freeze_symbol


def statuses(answer: Answer) -> dict[str, str]:
    return {check["name"]: check["status"] for check in answer.data["checks"]}


def well(bot: BotHome) -> None:
    """A home that trades, compared, with a backup."""
    met(bot, NOON - timedelta(days=40))
    bot.daemon_runs()
    bot.reconciled(clean=True)
    assert bot.ask("backup").code == 0


def met(bot: BotHome, when: datetime) -> None:
    """First contact with the exchange."""
    with bot.journal.change() as change:
        save_baseline(change.connection, {"USDT": Decimal(1000)}, exchange_epoch=1, at=when)


def test_all_is_well(bot: BotHome) -> None:
    """0; nothing failed."""
    well(bot)

    answer = bot.ask("check", "daily", "--json")

    assert answer.code == 0, statuses(answer)
    assert "fail" not in statuses(answer).values()
    assert statuses(answer) | {"daemon": "ok", "status": "ok", "backup": "ok", "audit trail": "ok"} == statuses(answer)


def dead(bot: BotHome) -> None:
    bot.daemon_runs(DEAD)


def frozen(bot: BotHome) -> None:
    with bot.journal.change() as change:
        freeze_symbol(change.connection, "BTCUSDT", reason="test", actor="test", at=change.at)


def lossy(bot: BotHome) -> None:
    bot.lose(bought="100", sold="50", amount="200")


def noisy(bot: BotHome) -> None:
    now = bot.journal.clock.wall().strftime("%Y-%m-%dT%H:%M:%S.000Z")
    text = "".join(f"{now} ERROR    thunes_cli.x: failed {number}\n" for number in range(3))
    (bot.path / "thunes.log").write_text(text + f'{{"ts": "{now}", "level": "ERROR", "logger": "x"}}\n' * 2)


def differing(bot: BotHome) -> None:
    bot.reconciled(clean=False)


def unsaved(bot: BotHome) -> None:
    with bot.journal.change() as change:
        change.connection.execute("UPDATE backups SET made_wall = '2020-01-01T00:00:00.000Z'")


@pytest.mark.parametrize(
    ("spoil", "name", "status"),
    [
        (dead, "daemon", "fail"),
        (frozen, "symbol_frozen", "fail"),
        (lossy, "result today", "warn"),
        (noisy, "log errors", "fail"),
        (differing, "reconcile_not_clean", "fail"),
        (unsaved, "backup", "fail"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_wrong_is_named(bot: BotHome, spoil: Callable[[BotHome], None], name: str, status: str) -> None:
    """Each by a check of its own, with the next command; a warning is no failure."""
    well(bot)
    spoil(bot)

    answer = bot.ask("check", "daily", "--json")

    assert statuses(answer)[name] == status
    assert answer.code == (3 if status == "fail" else 0)
    assert next(check["hint"] for check in answer.data["checks"] if check["name"] == name)


def test_the_week(bot: BotHome) -> None:
    """A ratio where there are seven days, a position that is too old, a trail that was changed."""
    well(bot)
    for days in range(8, 0, -1):
        bot.at(NOON - timedelta(days=days))
        bot.lose(bought="100", sold="101" if days % 2 else "102", amount="50")
    bot.buy("ETHUSDT", price="2000")
    bot.at(NOON + timedelta(days=4))

    sound = bot.ask("check", "weekly", "--json")
    trail = bot.path / "audit_trail.jsonl"
    trail.write_bytes(trail.read_bytes().replace(b"BTCUSDT", b"BTCUSDX", 1))
    changed = bot.ask("check", "weekly", "--json")

    assert statuses(sound)["Sharpe ratio, 7 days"] in {"ok", "fail", "warn"}
    assert statuses(sound)["stale position ETHUSDT"] == "fail"
    assert statuses(sound)["audit trail"] == "ok"
    assert statuses(changed)["audit trail"] == "fail"


def test_the_month(bot: BotHome) -> None:
    """Return and drawdown of thirty days; too few decisions say nothing."""
    well(bot)
    bot.lose(bought="100", sold="50", amount="900")

    answer = bot.ask("check", "monthly", "--json")

    assert statuses(answer)["maximum drawdown"] == "fail"
    assert statuses(answer)["return, 30 days"] == "warn"
    assert statuses(answer)["rejection rate, 30 days"] == "skip"
    assert answer.code == 3


def test_a_home_that_never_ran(bot: BotHome) -> None:
    """Every check answers; nothing is a traceback."""
    for name in ("daily", "weekly", "monthly"):
        assert bot.ask("check", name, "--json").code in {0, 3}
        assert bot.ask("check", name).err == ""


@pytest.mark.parametrize(("days", "status"), [(None, "skip"), (86, "ok"), (87, "warn"), (90, "fail")])
@pytest.mark.parametrize("which", ["daily", "monthly"])
def test_the_age_of_the_key(bot: BotHome, which: str, days: int | None, status: str) -> None:
    """A warning from three days before it must be replaced; unknown before one was used."""
    if days is not None:
        with bot.journal.change() as change:
            made = change.at - timedelta(days=days)
            key = api_keys.NewKey("0123456789ab", None, "HMAC", "environment", created_at=made)
            api_keys.put_in_use(change.connection, key, at=change.at)

    assert statuses(bot.ask("check", which, "--json"))["key age"] == status
