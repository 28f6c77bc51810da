"""Finding and settling the orders whose outcome is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from .._wire.scalars import parse_id
from ..models import Evidence, Receipt, ReceiptState, format_id
from .store_intents import get_receipt, read_receipts, settle
from .store_tracked import add_orders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from ..client import AsyncClient
    from ..models import Id
    from .database import Database

_PAGE_SIZE = 500


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
    spent = None if receipt.balance_before is None else receipt.balance_before - now.balance
    return Evidence(receipt=receipt, balance=now.balance, currency=now.currency, spent=spent)


async def resolve(connection: AsyncConnection, ref: str, *, order: Id | None, now: float) -> Receipt:
    """Settle an unknown order: it was placed if ``order`` is its id, and not placed if it is ``None``.

    Raises:
        LookupError: nothing is on record for the ref.
        ValueError: the outcome is known.
    """
    order = None if order is None else parse_id(format_id(order))
    receipt = await get_receipt(connection, ref)
    if receipt.state is not ReceiptState.UNKNOWN:
        msg = f"{ref!r} is {receipt.state.value}, and not unknown: there is nothing to settle"
        raise ValueError(msg)
    state = ReceiptState.NOT_SENT if order is None else ReceiptState.PLACED
    settled = evolve(receipt, state=state, order=order, settled_at=now)
    await settle(connection, [settled])
    if order is not None:
        await add_orders(connection, receipt.panel, [order], now=now)
    return settled
