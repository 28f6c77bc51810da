"""Finding and settling the orders whose outcome is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve
from sqlalchemy import func, select

from .._wire.scalars import parse_id
from ..models import Evidence, Receipt, ReceiptState, format_id
from .findings import Reconciliation, suggest
from .spending import EXACT
from .store_intents import SENDING, find_ref_of_order, get_receipt, read_receipts, settle
from .store_spending import read_neighbors, read_other_spending
from .store_tracked import add_orders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from ..client import AsyncClient
    from ..models import Balance, Id
    from .database import Database

_PAGE_SIZE = 500
_RESOLVE_LOCK = 0x7265736F6C7665
"""The number of the advisory lock under which orders are settled."""


async def iterate_receipts(database: Database, states: Sequence[str]) -> AsyncIterator[Receipt]:
    """Yield the receipts in some states, the oldest first, with one transaction for each page."""
    last: Receipt | None = None
    while True:
        async with database.transaction() as connection:
            page = await read_receipts(connection, states, after=last, limit=_PAGE_SIZE)
        for receipt in page:
            yield receipt
        if len(page) < _PAGE_SIZE:
            return
        last = page[-1]


async def collect_evidence(client: AsyncClient, receipt: Receipt) -> Evidence:
    """Read the balance, and compare it with the balance before the order."""
    now = await client.balance()
    spent = None if receipt.balance_before is None else EXACT.subtract(receipt.balance_before, now.balance)
    return Evidence(receipt=receipt, balance=now.balance, currency=now.currency, spent=spent)


async def reconcile(
    database: Database, client: AsyncClient, panel: str, clock: Callable[[], float]
) -> AsyncIterator[Reconciliation]:
    """Yield what is known of each unknown order of a panel. See ``Ledger.reconcile``."""
    balance: Balance | None = None
    read_from = read_until = 0.0
    async for receipt in iterate_receipts(database, [ReceiptState.UNKNOWN.value, SENDING]):
        if receipt.panel != panel:
            continue
        if balance is None:
            read_from = clock()
            balance = await client.balance()
            read_until = clock()
        async with database.transaction() as connection:
            spending = await read_other_spending(connection, receipt, read_from=read_from, read_until=read_until)
            others = await read_neighbors(connection, receipt)
        suggestion, reason = suggest(receipt, balance.balance, spending, now=clock())
        yield Reconciliation(
            receipt=receipt,
            balance=balance.balance,
            currency=balance.currency,
            spent=None if receipt.balance_before is None else receipt.balance_before - balance.balance,
            others=others,
            suggestion=suggestion,
            reason=reason,
        )


async def resolve(connection: AsyncConnection, ref: str, *, order: Id | None, now: float) -> Receipt:
    """Settle an unknown order: it was placed if ``order`` is its id, and not placed if it is ``None``.

    Raises:
        LookupError: nothing is on record for the ref.
        ValueError: the outcome is known, or the id is on record for another ref.
    """
    order = None if order is None else parse_id(format_id(order))
    if connection.dialect.name == "postgresql":
        # Two that settle at the same time could use the same id.
        await connection.execute(select(func.pg_advisory_xact_lock(_RESOLVE_LOCK)))
    receipt = await get_receipt(connection, ref)
    if receipt.state is not ReceiptState.UNKNOWN:
        msg = f"{ref!r} is {receipt.state.value}, and not unknown: there is nothing to settle"
        raise ValueError(msg)
    if order is not None and (other := await find_ref_of_order(connection, receipt.panel, order)) is not None:
        msg = f"the order {order} is on record for the ref {other!r}: find the one of {ref!r}"
        raise ValueError(msg)
    state = ReceiptState.NOT_SENT if order is None else ReceiptState.PLACED
    settled = evolve(receipt, state=state, order=order, settled_at=now)
    if order is not None:
        settled = evolve(settled, error=None, message=None)
    await settle(connection, [settled])
    if order is not None:
        await add_orders(connection, receipt.panel, [order], now=now)
    return settled
