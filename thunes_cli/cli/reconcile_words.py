"""``thunes reconcile accept``, ``adopt``, ``close``: what only a person can say about coins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.figures import result, rounded
from thunes_cli.cli.reconcile import judgement, look_with_progress, positive
from thunes_cli.cli.result import Result
from thunes_cli.errors import NotFound
from thunes_cli.model import plain

if TYPE_CHECKING:
    from decimal import Decimal

    from thunes_cli.cli.desk import Desk
    from thunes_cli.model import Position
    from thunes_cli.trading.reconcile_look import Look

_EXITS: tuple[Any, ...] = (
    (4, "not now: something of our own must be settled first, or there is not so much"),
    5,
    6,
    7,
    10,
    12,
    13,
    78,
)
_REASON = typer.Option("--reason", metavar="TEXT", help="Why; it goes to the trail.")
_PHRASE = typer.Option("--confirm", metavar="PHRASE", help='"apply ENVIRONMENT", as in "apply live".')
_DRY = typer.Option("--dry-run", help="Show what would be done.")


@command(
    examples=(
        'thunes reconcile accept USDT --reason "deposit of May 3"',
        'thunes reconcile accept BTC --reason "sold by hand" --confirm "apply live"',
    ),
    exits=((0, "accepted, now or already"), *_EXITS),
)
def reconcile_accept(
    call: Call,
    *,
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="Whose difference is as it should be.")],
    reason: Annotated[str, _REASON],
    phrase: Annotated[str | None, _PHRASE] = None,
    dry_run: Annotated[bool, _DRY] = False,
) -> Result:
    """A difference is a deposit, a withdrawal, a trade by hand: count it to what is not ours.

    Money and coins of the bot stay what they are; the baseline moves by the difference.
    """
    from thunes_cli.cli.desk import at_desk
    from thunes_cli.trading.adopting import accept_difference, accept_explained, asset_of

    who = judgement(call, reason)
    with at_desk(call) as desk:
        look = _look(call, desk)
        name = asset if asset in look.comparison.assets else asset.upper()
        found = asset_of(look, name)
        step = f"count {found.difference:+f} {name} to what is not ours: {plain(found.not_ours + found.difference)}"
        data = {"asset": name, "baseline_before": plain(found.not_ours), "baseline_after": plain(found.not_ours)}
        if found.difference == 0:
            return Result(data=data, text=(f"nothing to accept: {name} agrees",))
        if dry_run:
            return Result(data={"plan": [step]}, text=(step,))
        call.confirm_phrase(step, phrase=_wanted(desk), given=phrase)
        desk.room.reconciler.keep(look, by="operator")
        with desk.journal.change() as change:
            done = accept_difference(change, look, name, who)
            accept_explained(change, look, {name})
        desk.room.reconciler.keep(_look(call, desk), by="operator")
    data |= {"baseline_before": plain(done.before), "baseline_after": plain(done.after)}
    text = f"accepted: {plain(done.after)} {name} are not ours, {plain(done.before)} were known before"
    return Result(data=data, text=(text,), changed=done.before != done.after)


@command(
    examples=(
        'thunes reconcile adopt BTCUSDT --quantity 0.5 --price 61000 --reason "bought in April, bot shall watch it"',
        'thunes reconcile adopt BTCUSDT --quantity 0.5 --price 61000 --reason "mine" --confirm "apply live"',
    ),
    exits=((0, "adopted, now or already"), *_EXITS),
)
def reconcile_adopt(
    call: Call,
    *,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Whose base is adopted.")],
    quantity: Annotated[str, typer.Option("--quantity", metavar="Q", help="How much of the base.")],
    price: Annotated[
        str, typer.Option("--price", metavar="P", help="What one cost, in quote: the stop counts from it.")
    ],
    reason: Annotated[str, _REASON],
    phrase: Annotated[str | None, _PHRASE] = None,
    dry_run: Annotated[bool, _DRY] = False,
) -> Result:
    """Let the bot look after coins of the account: from now on they are its position, with a stop-loss.

    They count as bought at the stated price, without a fee. The same words twice adopt once.
    """
    from thunes_cli.cli.desk import at_desk
    from thunes_cli.trading.adopting import adopt

    amount, cost = positive(quantity, option="--quantity"), positive(price, option="--price")
    who = judgement(call, reason)
    with at_desk(call) as desk:
        look = _look(call, desk)
        rules = look.rules.get(symbol.upper()) or desk.room.exchange.symbol_rules([symbol.upper()]).get(symbol.upper())
        if rules is None:
            raise NotFound(f"the exchange has no symbol {symbol.upper()}", hint="thunes config check --online")
        stop = plain(cost * (1 - desk.room.plan.stop_loss_pct / 100))
        step = f"adopt {plain(amount)} {rules.base} at {plain(cost)} {rules.quote}; it is sold at {stop} or below"
        if dry_run:
            return Result(data={"plan": [step]}, text=(step,))
        call.confirm_phrase(step, phrase=_wanted(desk), given=phrase)
        with desk.journal.change() as change:
            position, changed = adopt(change, look, rules, quantity=amount, price=cost, plan=desk.room.plan, who=who)
        desk.room.reconciler.keep(_look(call, desk), by="operator")
    stop = plain(rounded(position.stop_price))
    text = f"position {position.id} holds {plain(position.quantity)} {position.base}, stop at {stop}"
    return Result(data={"position": _position_data(position)}, text=(text,), changed=changed)


@command(
    examples=(
        'thunes reconcile close BTCUSDT --price 61000 --reason "sold by hand on the web page"',
        'thunes reconcile close BTCUSDT --price 61000 --quantity 0.1 --reason "withdrawn" --confirm "apply live"',
    ),
    exits=((0, "the position no longer holds what is gone"), *_EXITS),
)
def reconcile_close(
    call: Call,
    *,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Whose position lacks its coins.")],
    price: Annotated[
        str, typer.Option("--price", metavar="P", help="What one brought, in quote; 0 when it is just gone.")
    ],
    reason: Annotated[str, _REASON],
    quantity: Annotated[
        str | None, typer.Option("--quantity", metavar="Q", help="How much went; all that is missing when not given.")
    ] = None,
    phrase: Annotated[str | None, _PHRASE] = None,
    dry_run: Annotated[bool, _DRY] = False,
) -> Result:
    """Coins of a position left otherwise than by our order: close it at the price they went for.

    The result counts as if we had sold. What is still there is sold by `positions close`.
    """
    from thunes_cli.cli.desk import at_desk
    from thunes_cli.trading.adopting import release, require_position

    stated = positive(price, option="--price", zero=True)
    gone = None if quantity is None else positive(quantity, option="--quantity")
    who = judgement(call, reason)
    with at_desk(call) as desk:
        look = _look(call, desk)
        position = require_position(look, symbol.upper())
        what = "what is missing" if gone is None else plain(gone)
        step = f"take {what} out of position {position.id} at {plain(stated)}"
        if dry_run:
            return Result(data={"plan": [step]}, text=(step,))
        call.confirm_phrase(step, phrase=_wanted(desk), given=phrase)
        with desk.journal.change() as change:
            after = release(
                change,
                look,
                position,
                price=stated,
                quantity=gone,
                rules=look.rules.get(position.symbol),
                max_daily_loss=desk.settings.max_daily_loss,
                who=who,
            )
        desk.room.reconciler.keep(_look(call, desk), by="operator")
    text = f"position {after.id} is {str(after.status).lower()}, result {result(after.realized, quote=after.quote)}"
    return Result(data={"position": _position_data(after)}, text=(text,), changed=True)


def _look(call: Call, desk: Desk) -> Look:
    from thunes_cli.trading.reconcile import USUAL_REACH
    from thunes_cli.trading.reconcile_look import Scope

    return look_with_progress(call, desk, Scope(since=desk.journal.clock.now() - USUAL_REACH))


def _wanted(desk: Desk) -> str:
    return f"apply {desk.identity.environment}"


def _position_data(position: Position) -> dict[str, Any]:
    def text(value: Decimal) -> str:
        return plain(value)

    return {
        "id": position.id,
        "symbol": position.symbol,
        "status": str(position.status),
        "quantity": text(position.quantity),
        "entry_price": text(position.entry_price),
        "stop_price": text(position.stop_price),
        "pnl": text(position.realized),
    }
