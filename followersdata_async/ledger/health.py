"""The numbers by which one sees whether a ledger's orders are well, read with one statement for each table."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, final

from attrs import frozen
from sqlalchemy import Double, cast, func, literal, null, select, union_all

from .._serialization import Serializable
from ..models import ReceiptState
from .schema import INTENTS, ORDERS
from .spending import HOUR
from .store_intents import SENDING
from .store_spending import read_windows

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from .spending import SpendingLimit

_UNKNOWN = (SENDING, ReceiptState.UNKNOWN.value)
_NOT_PLACED = (SENDING, *(state.value for state in ReceiptState if state is not ReceiptState.PLACED))


@final
@frozen(kw_only=True)
class LedgerHealth(Serializable):
    """The state of a panel's orders in a ledger at one moment. Ages and the lag are seconds.

    Attributes:
        panel: The panel's name.
        at: The moment, in seconds since 1970.
        intents: The number of intents in each state. An order that is being sent at this moment is ``UNKNOWN``.
        unknown: The orders whose outcome is unknown.
        unknown_for_an_hour: Those of them that were sent an hour ago or earlier. None of them is being sent any more.
        oldest_unknown: The age of the oldest unknown order, ``None`` without one.
        orders_open: The tracked orders that are not final.
        orders_due: Those of them that are due to be polled.
        orders_overdue: Those of them that have been due for the ``overdue`` seconds, or longer.
        lag: For how long the most overdue order has been due, 0 if none is due.
        spending_left: What is left of each limit over a time, by its name: an amount, or for ``orders_per_hour`` a
            number of orders. Empty without a spending limit.
    """

    panel: str
    at: float
    intents: Mapping[ReceiptState, int]
    unknown: int
    unknown_for_an_hour: int
    oldest_unknown: float | None
    orders_open: int
    orders_due: int
    orders_overdue: int
    lag: float
    spending_left: Mapping[str, Decimal]


async def read_health(
    connection: AsyncConnection, panel: str, limit: SpendingLimit | None, *, now: float, overdue: float
) -> LedgerHealth:
    """Return the state of a panel's orders."""
    intents, long_unknown, oldest = await _count_intents(connection, panel, now=now)
    # Each is a range of an index: to count them together would read every open order's due date.
    count = select(func.count()).select_from(ORDERS).where(ORDERS.c.panel == panel, ORDERS.c.is_open)
    row = (
        await connection.execute(
            select(
                count.scalar_subquery(),
                count.where(ORDERS.c.due_at <= now).scalar_subquery(),
                count.where(ORDERS.c.due_at <= now - overdue).scalar_subquery(),
                select(func.min(ORDERS.c.due_at)).where(ORDERS.c.panel == panel, ORDERS.c.is_open).scalar_subquery(),
            )
        )
    ).one()
    is_open, due, is_overdue, first_due = row
    windows = () if limit is None else await read_windows(connection, limit, panel, now=now)
    return LedgerHealth(
        panel=panel,
        at=now,
        intents=intents,
        unknown=intents[ReceiptState.UNKNOWN],
        unknown_for_an_hour=long_unknown,
        oldest_unknown=None if oldest is None else max(0.0, now - oldest),
        orders_open=is_open,
        orders_due=due,
        orders_overdue=is_overdue,
        lag=0.0 if first_due is None else max(0.0, now - first_due),
        spending_left={window.name: window.left for window in windows},
    )


async def _count_intents(
    connection: AsyncConnection, panel: str, *, now: float
) -> tuple[dict[ReceiptState, int], int, float | None]:
    """Return the number of intents by state, how many are unknown for an hour, and when the oldest of these was sent.

    Nearly all orders are placed, and no index has them by panel and state. So
    they are what remains of all intents of the panel, which an index alone can
    count, several times as fast. The others are found by their state; with a
    condition on the panel, SQLite would read all of the panel's intents instead.
    """
    since = func.coalesce(INTENTS.c.sent_at, INTENTS.c.intended_at)
    others = (
        select(
            INTENTS.c.panel, INTENTS.c.state, func.count(), func.count().filter(since <= now - HOUR), func.min(since)
        )
        .where(INTENTS.c.state.in_(_NOT_PLACED))
        .group_by(INTENTS.c.panel, INTENTS.c.state)
    )
    every = select(
        literal(panel), literal(ReceiptState.PLACED.value), func.count(), literal(0), cast(null(), Double)
    ).where(INTENTS.c.panel == panel)
    counts = dict.fromkeys(ReceiptState, 0)
    long_unknown, oldest = 0, None
    # One statement, so that no order is placed in between.
    for its_panel, state, count, long_ago, first in await connection.execute(union_all(others, every)):
        if its_panel != panel:
            continue
        counts[ReceiptState.UNKNOWN if state == SENDING else ReceiptState(state)] += count
        if state != ReceiptState.PLACED.value:
            counts[ReceiptState.PLACED] -= count
        if state in _UNKNOWN:
            long_unknown += long_ago
            oldest = first if oldest is None else min(oldest, first)
    return counts, long_unknown, oldest
