"""The states in which the runbook finds a bot, made by the code that makes real ones."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from bot_home import NOON, BotHome, signal
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from exchange_home import ExchangeHome, exchange_home
from live_scenes import LIVE
from pages import Scene, Setting
from rotating_home import rotating_home, sim_key

from thunes_cli.config.private_file import write_private_file
from thunes_cli.ledger.baseline import save_baseline
from thunes_cli.model import Rejection
from thunes_cli.risk import kill_switch


def a_quiet_day(place: Path, stack: ExitStack) -> Scene:
    """A daemon that trades; one position is open."""
    bot = stack.enter_context(_bot(place / "home"))
    bot.daemon_runs()
    bot.lose("ETHUSDT", sold="40500")
    bot.buy()
    bot.price("BTCUSDT", "40100")
    bot.reconciled(clean=True)
    return Scene(bot.path)


def a_bad_day(place: Path, stack: ExitStack) -> Scene:
    """Four losses that together reach the limit."""
    bot = stack.enter_context(_bot(place / "home", hours_ago=4))
    bot.daemon_runs()
    for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT", "BTCUSDT"):
        bot.lose(symbol, amount="100")
        bot.at(bot.market + timedelta(hours=1))
        with bot.journal.change() as change:
            kill_switch.trip_if_due(change, max_daily_loss=Decimal(20))
    bot.daemon_runs()
    return Scene(bot.path)


def a_month(place: Path, stack: ExitStack) -> Scene:
    """A daemon has traded for thirty days, a little more won than lost."""
    bot = stack.enter_context(_bot(place / "home", hours_ago=31 * 24))
    with bot.journal.change() as change:
        save_baseline(change.connection, {"USDT": Decimal(1000)}, exchange_epoch=1, at=change.at)
    for day in range(1, 31):
        bot.at(NOON - timedelta(days=31 - day))
        bot.approve(signal(opened=bot.market))
        bot.lose(sold="40800" if day % 3 else "39400", amount="100")
        if not day % 4:
            bot.refuse(signal("ETHUSDT", opened=bot.market), Rejection.COOL_DOWN)
    bot.at(NOON)
    bot.daemon_runs()
    bot.reconciled(clean=True)
    assert bot.ask("backup").code == 0
    return Scene(bot.path)


def a_held_position(place: Path, stack: ExitStack) -> Scene:
    """The bot holds something; no daemon runs."""
    home = _trading(place, stack)
    home.buy()
    return Scene(home.path, home.environ)


def a_home_that_is_lost(place: Path, stack: ExitStack) -> Scene:
    """The bot holds something; then its ledger is gone. Settings come from the environment."""
    home = _trading(place, stack)
    home.buy()

    def ledger_lost() -> None:
        for path in home.path.glob("thunes.db*"):
            path.unlink()

    hidden = {str(place.parent): "/home/alice"}
    return Scene(home.path, home.environ, hidden, acts={"the ledger is lost": ledger_lost})


def a_lost_fill(place: Path, stack: ExitStack) -> Scene:
    """The exchange executed an order, the ledger does not know."""
    home = _trading(place, stack)
    home.buy()
    home.execute("DELETE FROM fills")
    home.execute("UPDATE orders SET executed_qty = '0', executed_quote = '0'")
    home.execute(
        "UPDATE positions SET quantity = '0', cost = '0', bought_qty = '0', bought_quote = '0', realized = '0',"
        " fees = '0'"
    )
    return Scene(home.path, home.environ)


def a_deposit(place: Path, stack: ExitStack) -> Scene:
    """Somebody paid something in."""
    home = _trading(place, stack)
    home.buy()
    home.move("USDT", "50")
    return Scene(home.path, home.environ)


def a_sale_by_hand(place: Path, stack: ExitStack) -> Scene:
    """Our coins were sold on the exchange's own page."""
    home = _trading(place, stack)
    position = home.buy()
    home.stranger("SELL", quantity=format(position.quantity.quantize(Decimal("0.00001"), rounding="ROUND_DOWN"), "f"))
    return Scene(home.path, home.environ)


def a_stolen_key(place: Path, stack: ExitStack) -> Scene:
    """Somebody sold our coins with it, and its owner has just deleted it on the exchange's page."""
    home = stack.enter_context(rotating_home(place))
    position = home.buy()
    home.stranger("SELL", quantity=format(position.quantity.quantize(Decimal("0.00001"), rounding="ROUND_DOWN"), "f"))
    sim_key(home, "revoke", key=home.served.key[:12])

    def register() -> None:
        """The exchange's page takes the public key, and shows the API key it belongs to."""
        (private,) = home.path.glob("private_key-*.pem")
        public = load_pem_private_key(private.read_bytes(), None).public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        made = sim_key(home, "add", public_key=pem)
        write_private_file(Path("new-key"), f"{made['api_key']}\n")

    return Scene(home.path, home.environ, by_hand={"thunes keys generate": register})


def a_changed_trail(place: Path, stack: ExitStack) -> Scene:
    """Somebody made a loss smaller in the file."""
    bot = stack.enter_context(_bot(place / "home"))
    bot.lose("ETHUSDT", sold="38000")
    bot.journal.drain()
    trail = bot.path / "audit_trail.jsonl"
    trail.write_bytes(trail.read_bytes().replace(b"ETHUSDT", b"BTCUSDT", 1))
    return Scene(bot.path)


def _trading(place: Path, stack: ExitStack) -> ExchangeHome:
    return stack.enter_context(exchange_home(place))


class _bot:  # noqa: N801 - used as a statement
    def __init__(self, path: Path, *, hours_ago: int = 0) -> None:
        self._bot = BotHome(path, market=NOON - timedelta(hours=hours_ago))

    def __enter__(self) -> BotHome:
        return self._bot

    def __exit__(self, *_: object) -> None:
        self._bot.close()


SETTINGS: dict[str, Setting] = {
    "a quiet day": a_quiet_day,
    "a bad day": a_bad_day,
    "a month": a_month,
    "a held position": a_held_position,
    "a home that is lost": a_home_that_is_lost,
    "a lost fill": a_lost_fill,
    "a deposit": a_deposit,
    "a sale by hand": a_sale_by_hand,
    "a stolen key": a_stolen_key,
    "a changed trail": a_changed_trail,
} | LIVE
