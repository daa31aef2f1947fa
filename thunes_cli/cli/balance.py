"""``thunes balance``: what the account holds, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thunes_cli.cli.asking import asking
from thunes_cli.cli.call import Call
from thunes_cli.cli.command import command
from thunes_cli.cli.reading import Book, read_book
from thunes_cli.cli.result import Result, Table
from thunes_cli.errors import OtherAccount
from thunes_cli.ledger.view_holdings import HoldingRows, read_holdings
from thunes_cli.model import ZERO, Account, Balance, plain
from thunes_cli.trading.accounting import asset_effects

if TYPE_CHECKING:
    from thunes_cli.ledger.identity import Identity


@dataclass(frozen=True, slots=True)
class Holding:
    """One asset: what the exchange says, what our fills hold of it, and what the account held before us.

    ``bot`` is negative for what was spent. ``baseline`` is None before the first contact of a daemon.
    """

    balance: Balance
    bot: Decimal
    baseline: Decimal | None

    @property
    def unexplained(self) -> Decimal | None:
        """What the exchange holds beyond ours and the baseline; `reconcile` finds out why."""
        return None if self.baseline is None else self.balance.total - self.baseline - self.bot


@command(
    examples=("thunes balance", "thunes balance USDT", "thunes balance --json"),
    exits=((0, "answered"), 5, 10, 12, 13, 14, 78),
)
def balance(
    call: Call, *, asset: Annotated[str | None, typer.Argument(metavar="[ASSET]", help="Only this asset.")] = None
) -> Result:
    """What the account holds, ours and not ours.

    Asks the exchange. "bot" is what our fills hold of an asset (of the quote asset: received less spent), "baseline"
    what the account held before us, deposits and withdrawals included.
    """
    identity, rows = read_book(call, _read)
    with asking(call, identity) as asked:
        account = asked.exchange.account()
    if identity.uid is not None and account.uid != identity.uid:
        raise OtherAccount(identity.uid, account.uid)
    holdings = compare(account, rows, asset=asset)
    return Result(data={"balances": [_row(item) for item in holdings]}, text=_text(holdings))


def _read(book: Book) -> tuple[Identity, HoldingRows]:
    return book.identity, read_holdings(book.connection, exchange_epoch=book.identity.exchange_epoch)


def compare(account: Account, rows: HoldingRows, *, asset: str | None) -> list[Holding]:
    """Every asset that anybody says something of, by name; or the one that is asked for, held or not."""
    ours = {name: amount for name, amount in asset_effects(rows.fills, assets=rows.assets).items() if amount}
    before = rows.baseline or {}
    names = account.balances.keys() | ours.keys() | {name for name, amount in before.items() if amount}
    if asset is not None:
        names = {asset if asset in names else asset.upper()}
    return [
        Holding(
            balance=account.balances.get(name, Balance(name, ZERO, ZERO)),
            bot=ours.get(name, ZERO),
            baseline=None if rows.baseline is None else before.get(name, ZERO),
        )
        for name in sorted(names)
    ]


def _row(item: Holding) -> dict[str, Any]:
    return {
        "asset": item.balance.asset,
        "free": plain(item.balance.free),
        "locked": plain(item.balance.locked),
        "bot": plain(item.bot),
        "baseline": None if item.baseline is None else plain(item.baseline),
        "unexplained": None if item.unexplained is None else plain(item.unexplained),
    }


def _text(holdings: list[Holding]) -> tuple[str | Table, ...]:
    if not holdings:
        return ("the account is empty",)
    columns = ("asset", "free", "locked", "bot", "baseline", "unexplained")
    rows = tuple(tuple("-" if value is None else value for value in _row(item).values()) for item in holdings)
    notes = []
    if any(item.baseline is None for item in holdings):
        notes.append("no baseline yet: the daemon records it at first contact (thunes run)")
    odd = [item.balance.asset for item in holdings if item.unexplained]
    if odd:
        notes.append(f"{', '.join(odd)}: not explained by our fills and the baseline; somebody else used the account?")
    return (Table(columns, rows), *notes)
