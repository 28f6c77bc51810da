"""The SQL for spending limits: what counts as spent, and when it ends to count."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import Integer, and_, cast, func, not_, or_, select

from ..errors import ConfigurationError, SpendingLimitError
from ..models import OrderState, Receipt, ReceiptState
from .findings import IN_FLIGHT_SECONDS, OtherSpending
from .schema import INTENTS, ORDERS
from .spending import EXACT, SpendingLimit, check_cost, find_excess, make_error, make_windows
from .store_intents import SENDING, decode_row, release_intents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from .spending import Window

_SPENDING_LOCK = 0x666F6C6C
"""The first number of the advisory lock under which what is left of a panel's limit is read and reserved."""
_REFUNDING = (OrderState.CANCELED.value, OrderState.PARTIAL.value, OrderState.REFUNDED.value, OrderState.FAILED.value)
_BALANCE_AGE = 60.0
"""How long before an order its balance may have been read, in seconds."""
_LONGEST_FLIGHT = 3_600.0
_MAX_UNCERTAIN = 20
_NEIGHBOR_SECONDS = 60.0
_MAX_NEIGHBORS = 100
_AMOUNT = func.coalesce(INTENTS.c.cost, INTENTS.c.charge)


async def find_too_expensive(
    connection: AsyncConnection, limit: SpendingLimit, panel: str, costs: Mapping[str, Decimal | None], *, now: float
) -> dict[str, SpendingLimitError]:
    """Return the error of each order that is over the limit, by ref. All others fit into it together.

    In the same transaction, the caller writes those that fit. Once an order does
    not fit into a window, none of those after it does.

    Raises:
        ConfigurationError: the transaction cannot see what others have spent in the meantime.
        ValueError: the cost of an order is unknown.
    """
    await _lock(connection, panel)
    await release_intents(connection, [*costs])
    windows = await read_windows(connection, limit, panel, now=now)
    errors: dict[str, SpendingLimitError] = {}
    excess: Window | None = None
    frees_at: float | None = None
    for ref, cost in costs.items():
        if (error := check_cost(limit, ref, cost)) is not None:
            errors[ref] = error
            continue
        if excess is None and (excess := find_excess(windows, cost)) is not None:
            frees_at = await _find_release(connection, panel, excess, excess.weigh(cost), now=now)
        if excess is not None:
            errors[ref] = make_error(excess, ref, cost, frees_at=frees_at, now=now)
    return errors


async def read_windows(
    connection: AsyncConnection, limit: SpendingLimit, panel: str, *, now: float
) -> tuple[Window, ...]:
    """Return the windows of a limit, with what is spent in each."""
    windows = make_windows(limit)
    for window in windows:
        window.spent = await _read_spent(connection, panel, window, now=now)
    return windows


async def read_other_spending(
    connection: AsyncConnection, receipt: Receipt, *, read_from: float, read_until: float
) -> OtherSpending:
    """Return what else has changed the balance, from when it was read before an order until it was read now.

    That was between ``read_from`` and ``read_until``.
    """
    since = receipt.intended_at
    amount = func.coalesce(INTENTS.c.charge, INTENTS.c.cost)
    is_other = and_(
        INTENTS.c.panel == receipt.panel,
        INTENTS.c.ref != receipt.ref,
        INTENTS.c.counted_at >= since - _LONGEST_FLIGHT,
        INTENTS.c.sent_at <= read_until,
    )
    is_placed = INTENTS.c.state == ReceiptState.PLACED.value
    is_certain = and_(is_placed, INTENTS.c.sent_at >= since, INTENTS.c.settled_at <= read_from)
    placed = select(amount, func.count()).where(is_other, is_certain).group_by(amount)
    # The panel may have taken their cost before a balance was read, or after it.
    was_in_flight = and_(is_placed, not_(is_certain), INTENTS.c.settled_at >= since - _BALANCE_AGE)
    is_unknown = and_(
        INTENTS.c.state.in_([SENDING, ReceiptState.UNKNOWN.value]), INTENTS.c.sent_at >= since - IN_FLIGHT_SECONDS
    )
    uncertain = select(amount).where(is_other, or_(was_in_flight, is_unknown)).limit(_MAX_UNCERTAIN)
    refunded = (
        select(func.count())
        .select_from(ORDERS)
        .where(
            ORDERS.c.panel == receipt.panel, ORDERS.c.state.in_(_REFUNDING), ORDERS.c.moved_at >= since - _BALANCE_AGE
        )
    )
    rows = (await connection.execute(placed)).all()
    return OtherSpending(
        orders=sum(count for _, count in rows),
        placed=None
        if any(each is None for each, _ in rows)
        else sum((Decimal(each) * count for each, count in rows), Decimal(0)),
        uncertain=[None if each is None else Decimal(each) for each in (await connection.execute(uncertain)).scalars()],
        has_refunds=bool((await connection.execute(refunded)).scalar_one()),
    )


async def read_neighbors(connection: AsyncConnection, receipt: Receipt) -> tuple[Receipt, ...]:
    """Return other orders of the panel that were sent within a minute of one."""
    sent_at = receipt.sent_at or receipt.intended_at
    page = (
        select(INTENTS)
        .where(
            INTENTS.c.panel == receipt.panel,
            INTENTS.c.ref != receipt.ref,
            INTENTS.c.sent_at.between(sent_at - _NEIGHBOR_SECONDS, sent_at + _NEIGHBOR_SECONDS),
        )
        .order_by(INTENTS.c.sent_at)
        .limit(_MAX_NEIGHBORS)
    )
    return tuple(map(decode_row, await connection.execute(page)))


async def _lock(connection: AsyncConnection, panel: str) -> None:
    """Let one transaction at a time read and reserve. On SQLite only one transaction writes, anyway."""
    if connection.dialect.name != "postgresql":
        return
    isolation = (await connection.exec_driver_sql("SHOW transaction_isolation")).scalar_one()
    if isolation not in {"read committed", "read uncommitted"}:
        msg = (
            f"with a spending limit, the transaction must be READ COMMITTED, got {isolation.upper()}: it could not see "
            "what others have spent since it began"
        )
        raise ConfigurationError(msg)
    await connection.execute(select(func.pg_advisory_xact_lock(cast(_SPENDING_LOCK, Integer), func.hashtext(panel))))


async def _read_spent(connection: AsyncConnection, panel: str, window: Window, *, now: float) -> Decimal:
    """Sum up what counts in a window. Amounts are added here, because SQLite has no exact numbers."""
    each = (
        select(_AMOUNT, func.count())
        .where(INTENTS.c.panel == panel, INTENTS.c.counted_at > now - window.duration)
        .group_by(_AMOUNT)
    )
    rows = (await connection.execute(each)).all()
    if window.is_of_orders:
        return Decimal(sum(count for _, count in rows))
    spent = Decimal(0)
    for amount, count in rows:
        if amount is not None:
            spent = EXACT.add(spent, EXACT.multiply(Decimal(amount), count))
    return spent


async def _find_release(
    connection: AsyncConnection, panel: str, window: Window, needed: Decimal, *, now: float
) -> float | None:
    """Return when an order will fit into a window, if nothing else is spent until then. ``None`` if it never will."""
    if needed > window.maximum:
        return None
    counted = (
        select(INTENTS.c.counted_at, _AMOUNT)
        .where(INTENTS.c.panel == panel, INTENTS.c.counted_at > now - window.duration)
        .order_by(INTENTS.c.counted_at)
    )
    left = EXACT.subtract(window.maximum, window.spent)
    rows = await connection.stream(counted)
    try:
        async for counted_at, amount in rows:
            left = EXACT.add(left, window.weigh(None if amount is None else Decimal(amount)))
            if left >= needed:
                return float(counted_at) + window.duration
    finally:
        await rows.close()
    return None
