"""All SQL for orders that are followed: adopted, claimed under a lease, written back, and their changes."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias, final

from attrs import frozen
from sqlalchemy import (
    JSON,
    Text,
    any_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from .._polling.tracker import TrackedOrder
from .._wire.scalars import parse_id
from ..models import Change, Id, OrderState, WatchEvent, format_id
from .statuses import status_from, text_of
from .tables import CHANGES, ORDERS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Dialect, Insert, UpdateBase
    from sqlalchemy.ext.asyncio import AsyncConnection

Seen: TypeAlias = tuple[TrackedOrder, WatchEvent | None]
"""An order that was looked at, and what there is to tell of it."""

SIZE = 100
"""Orders in a batch."""
_ADOPTED_AT_ONCE = 5_000
_CHANGES_LOCK = 0x666F6C6C6F776572
"""An advisory lock's number: whoever writes changes holds it until they are committed."""


@final
@frozen(kw_only=True)
class Recorded:
    """A change on record: its number grows in the order in which changes become visible. ``at``: since 1970."""

    number: int
    panel: str
    at: float
    change: Change


async def adopt(connection: AsyncConnection, panel: str, orders: Iterable[Id], *, now: float) -> int:
    """Follow orders from now on; how many are new."""
    new, left = 0, iter(orders)
    while texts := [format_id(order) for order in islice(left, _ADOPTED_AT_ONCE)]:
        adoption = _adoption(connection.dialect.name, panel, texts, now)
        new += (await connection.execute(adoption, execution_options={"preserve_rowcount": True})).rowcount
    return new


def _adoption(dialect: str, panel: str, texts: Sequence[str], now: float) -> Insert:
    """One statement for any number of ids: five to nine times as fast as a row for each."""
    ids = literal(json.dumps(texts))
    is_postgres = dialect == "postgresql"
    each = func.json_array_elements_text(cast(ids, JSON)) if is_postgres else func.json_each(ids)
    rows = select(
        literal(panel),
        each.table_valued("value").c.value,
        literal(now),
        literal(0),
        literal(0),
        literal(value=True),
        literal(now),
        literal(0.0),
    ).where(true())  # SQLite would read ON CONFLICT as a join's condition.
    columns = ("panel", "order_id", "moved_at", "failures", "refusals", "is_open", "due_at", "leased_until")
    into = postgresql.insert if is_postgres else sqlite.insert
    return into(ORDERS).from_select(columns, rows).on_conflict_do_nothing()


async def claim(
    connection: AsyncConnection, panel: str, *, now: float, until: float, batches: int
) -> list[TrackedOrder]:
    """Lease orders whose turn it is, the last batch filled up with those due next; none where nothing is due."""
    free = (
        select(*_READ)
        .where(ORDERS.c.panel == panel, ORDERS.c.is_open, ORDERS.c.leased_until <= now)
        .order_by(ORDERS.c.due_at)
        .limit(batches * SIZE)
        .with_for_update(skip_locked=True)
    )
    rows = (await connection.execute(free)).all()
    due = sum(row.due_at <= now for row in rows)
    claimed = [_followed_from(row) for row in rows[: -(-due // SIZE) * SIZE]]
    if claimed:
        await connection.execute(update(ORDERS).where(*_among(connection, panel, claimed)).values(leased_until=until))
    return claimed


async def give_free(connection: AsyncConnection, panel: str, orders: Collection[TrackedOrder], *, until: float) -> None:
    """End our lease of orders that were not looked at."""
    if orders:
        ours = ORDERS.c.leased_until == until
        await connection.execute(
            update(ORDERS).where(*_among(connection, panel, orders), ours).values(leased_until=0.0)
        )


async def write_back(
    connection: AsyncConnection, panel: str, seen: Sequence[Seen], *, until: float, now: float
) -> list[Seen]:
    """Write down what looks came to, put the changes on record, and give the orders free.

    Only where they were still leased to us: those are what it returns.
    """
    if not seen:
        return []
    ours = (
        select(ORDERS.c.order_id)
        .where(*_among(connection, panel, [order for order, _ in seen]), ORDERS.c.leased_until == until)
        # In one order, so that two that write back the same orders wait for each other, and not in a circle.
        .order_by(ORDERS.c.order_id)
        .with_for_update()
    )
    texts = set((await connection.execute(ours)).scalars())
    written = [(order, event) for order, event in seen if format_id(order.id) in texts]
    rows = [_row_of(panel, order) for order, _ in written]
    await _execute_many(connection, _WRITTEN, rows)
    changes = [
        {
            "panel": panel,
            "order_id": row["its_id"],
            "at": now,
            "before": None if event.before is None else text_of(event.before),
            "after": row["status"],
        }
        for row, (_, event) in zip(rows, written, strict=True)
        if isinstance(event, Change)
    ]
    if changes and connection.dialect.name == "postgresql":
        # Else a change could become visible after one with a greater number, and a follower would miss it.
        await connection.execute(select(func.pg_advisory_xact_lock(_CHANGES_LOCK)))
    await _execute_many(connection, _RECORDED, changes)
    return written


async def changes_since(connection: AsyncConnection, number: int, *, limit: int) -> list[Recorded]:
    """The next changes on record, a page of them."""
    page = select(CHANGES).where(CHANGES.c.number > number).order_by(CHANGES.c.number).limit(limit)
    return [
        Recorded(
            number=row.number,
            panel=row.panel,
            at=row.at,
            change=Change(
                parse_id(row.order_id),
                None if row.before is None else status_from(row.before),
                status_from(row.after),
            ),
        )
        for row in await connection.execute(page)
    ]


async def counts(connection: AsyncConnection, panel: str) -> dict[OrderState | None, int]:
    """How many orders are in which state when last seen; ``None``: not seen yet."""
    each = select(ORDERS.c.state, func.count()).where(ORDERS.c.panel == panel).group_by(ORDERS.c.state)
    rows = await connection.execute(each)
    return {None if state is None else OrderState(state): count for state, count in rows}


async def next_due_at(connection: AsyncConnection, panel: str, *, now: float) -> float | None:
    """When the next order is due, or another program's lease may be over; ``None`` where none is open."""
    is_open = (ORDERS.c.panel == panel, ORDERS.c.is_open)
    is_free = ORDERS.c.leased_until <= now
    free = select(ORDERS.c.due_at).where(*is_open, is_free).order_by(ORDERS.c.due_at).limit(1)
    leased = select(ORDERS.c.leased_until).where(*is_open, ~is_free).order_by(ORDERS.c.due_at).limit(SIZE)
    times = [*(await connection.execute(free)).scalars(), *(await connection.execute(leased)).scalars()]
    return min(times, default=None)


def _among(connection: AsyncConnection, panel: str, orders: Iterable[TrackedOrder]) -> tuple[ColumnElement[bool], ...]:
    """Which orders: one parameter for any number of them, in the form that each database looks up by its index."""
    texts = [format_id(order.id) for order in orders]
    if connection.dialect.name == "postgresql":
        return ORDERS.c.panel == panel, ORDERS.c.order_id == any_(literal(texts, postgresql.ARRAY(Text)))
    each = func.json_each(json.dumps(texts)).table_valued("value")
    return ORDERS.c.panel == panel, ORDERS.c.order_id.in_(select(each.c.value))


_WRITTEN = (
    update(ORDERS)
    .where(ORDERS.c.panel == bindparam("its_panel"), ORDERS.c.order_id == bindparam("its_id"))
    .values(
        {
            each.name: bindparam(each.name)
            for each in ORDERS.columns
            if each.name not in {"panel", "order_id", "leased_until"}
        }
        | {"leased_until": literal_column("0.0")}
    )
)
_RECORDED = insert(CHANGES).values(
    {each.name: bindparam(each.name) for each in CHANGES.columns if each.name != "number"}
)


async def _execute_many(connection: AsyncConnection, statement: UpdateBase, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute a statement for each row by the driver itself: reading them by SQLAlchemy costs half as much again."""
    if not rows:
        return
    text, names = _compiled(statement, connection.dialect)
    await connection.exec_driver_sql(text, [*map(itemgetter(*names), rows)] if names else rows)


@lru_cache(maxsize=8)
def _compiled(statement: UpdateBase, dialect: Dialect) -> tuple[str, Sequence[str] | None]:
    """A statement for a driver, and in which order it takes parameters, or ``None`` if by name."""
    compiled = statement.compile(dialect=dialect)
    return str(compiled), compiled.positiontup


def _row_of(panel: str, order: TrackedOrder) -> dict[str, Any]:
    error = getattr(order.outcome, "error", None)
    return {
        "its_panel": panel,
        "its_id": format_id(order.id),
        "state": None if order.status is None else order.status.state.value,
        "status": None if order.status is None else text_of(order.status),
        "moved_at": order.changed_at,
        "remained": order.initial_remains,
        "failures": order.failures,
        "refusals": order.not_found,
        "error": None if error is None else f"{type(error).__name__}: {error}",
        "is_open": order.is_open,
        "due_at": order.due_at,
    }


_READ = (
    ORDERS.c.order_id,
    ORDERS.c.status,
    ORDERS.c.moved_at,
    ORDERS.c.remained,
    ORDERS.c.failures,
    ORDERS.c.refusals,
    ORDERS.c.due_at,
)


def _followed_from(row: Sequence[Any]) -> TrackedOrder:
    order_id, status, moved_at, remained, failures, refusals, due_at = row
    return TrackedOrder(
        parse_id(order_id),
        changed_at=moved_at,
        status=None if status is None else status_from(status),
        initial_remains=remained,
        failures=failures,
        not_found=refusals,
        due_at=due_at,
    )
