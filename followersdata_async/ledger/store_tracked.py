"""The SQL for tracked orders: adding, claiming under a lease, writing back, and their changes."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias, final

from attrs import fields, frozen
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
from .._serialization import to_json
from .._wire.scalars import parse_id
from ..models import MAX_CHUNK_SIZE, Change, Id, OrderState, OrderStatus, WatchEvent, format_id
from .schema import CHANGES, ORDERS
from .texts import clean_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Dialect, Insert, UpdateBase
    from sqlalchemy.ext.asyncio import AsyncConnection

PolledOrder: TypeAlias = tuple[TrackedOrder, WatchEvent | None]
"""A polled order and its event, if any."""

CHUNK_SIZE = MAX_CHUNK_SIZE
"""Orders claimed for one request."""
_ADDED_AT_ONCE = 5_000
_CHANGES_LOCK = 0x666F6C6C6F776572
"""The number of the advisory lock under which changes are written and committed."""


@final
@frozen(kw_only=True)
class Recorded:
    """A change on record. Numbers grow in the order in which changes become visible. ``at`` is seconds since 1970."""

    number: int
    panel: str
    at: float
    change: Change


async def add_orders(connection: AsyncConnection, panel: str, orders: Iterable[Id], *, now: float) -> int:
    """Track orders from now on. Return how many are new."""
    new, left = 0, iter(orders)
    while texts := [format_id(order) for order in islice(left, _ADDED_AT_ONCE)]:
        statement = _build_insert(connection.dialect.name, panel, texts, now)
        new += (await connection.execute(statement, execution_options={"preserve_rowcount": True})).rowcount
    return new


def _build_insert(dialect: str, panel: str, texts: Sequence[str], now: float) -> Insert:
    """Build one statement for any number of ids: five to nine times as fast as one row each."""
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
    connection: AsyncConnection, panel: str, *, now: float, until: float, chunks: int
) -> list[TrackedOrder]:
    """Lease the orders that are due, in chunks. The last one is filled up with orders due next. None if none is due."""
    free = (
        select(*_READ)
        .where(ORDERS.c.panel == panel, ORDERS.c.is_open, ORDERS.c.leased_until <= now)
        .order_by(ORDERS.c.due_at)
        .limit(chunks * CHUNK_SIZE)
        .with_for_update(skip_locked=True)
    )
    rows = (await connection.execute(free)).all()
    due = sum(row.due_at <= now for row in rows)
    claimed = [_decode_row(row) for row in rows[: -(-due // CHUNK_SIZE) * CHUNK_SIZE]]
    if claimed:
        await connection.execute(
            update(ORDERS).where(*_match_orders(connection, panel, claimed)).values(leased_until=until)
        )
    return claimed


async def release(connection: AsyncConnection, panel: str, orders: Collection[TrackedOrder], *, until: float) -> None:
    """End the lease of orders that were not polled."""
    if orders:
        ours = ORDERS.c.leased_until == until
        await connection.execute(
            update(ORDERS).where(*_match_orders(connection, panel, orders), ours).values(leased_until=0.0)
        )


async def write_back(
    connection: AsyncConnection, panel: str, polled: Sequence[PolledOrder], *, until: float, now: float
) -> list[PolledOrder]:
    """Write the outcomes of polls and their changes, and end the leases.

    Only orders that are still leased to us are written, and returned.
    """
    if not polled:
        return []
    ours = (
        select(ORDERS.c.order_id)
        .where(*_match_orders(connection, panel, [order for order, _ in polled]), ORDERS.c.leased_until == until)
        # Sorted, so that two writers of the same orders wait for each other without a deadlock.
        .order_by(ORDERS.c.order_id)
        .with_for_update()
    )
    texts = set((await connection.execute(ours)).scalars())
    written = [(order, event) for order, event in polled if format_id(order.id) in texts]
    rows = [encode_row(panel, order) for order, _ in written]
    await _execute_many(connection, _UPDATE_ORDER, rows)
    changes = [
        {
            "panel": panel,
            "order_id": row["its_id"],
            "at": now,
            "before": None if event.before is None else encode_status(event.before),
            "after": row["status"],
        }
        for row, (_, event) in zip(rows, written, strict=True)
        if isinstance(event, Change)
    ]
    if changes and connection.dialect.name == "postgresql":
        # Otherwise a change could become visible after one with a greater number, and a reader would miss it.
        await connection.execute(select(func.pg_advisory_xact_lock(_CHANGES_LOCK)))
    await _execute_many(connection, _INSERT_CHANGE, changes)
    return written


async def read_changes(connection: AsyncConnection, number: int, *, limit: int) -> list[Recorded]:
    """Return the next page of changes."""
    page = select(CHANGES).where(CHANGES.c.number > number).order_by(CHANGES.c.number).limit(limit)
    return [
        Recorded(
            number=row.number,
            panel=row.panel,
            at=row.at,
            change=Change(
                parse_id(row.order_id),
                None if row.before is None else decode_status(row.before),
                decode_status(row.after),
            ),
        )
        for row in await connection.execute(page)
    ]


async def count_states(connection: AsyncConnection, panel: str) -> dict[OrderState | None, int]:
    """Count the orders by their last state, ``None`` for orders that were not polled yet."""
    each = select(ORDERS.c.state, func.count()).where(ORDERS.c.panel == panel).group_by(ORDERS.c.state)
    rows = await connection.execute(each)
    return {None if state is None else OrderState(state): count for state, count in rows}


async def find_next_due(connection: AsyncConnection, panel: str, *, now: float) -> float | None:
    """Return when the next order is due or another program's lease ends, ``None`` if no order is open."""
    is_open = (ORDERS.c.panel == panel, ORDERS.c.is_open)
    is_free = ORDERS.c.leased_until <= now
    free = select(ORDERS.c.due_at).where(*is_open, is_free).order_by(ORDERS.c.due_at).limit(1)
    leased = select(ORDERS.c.leased_until).where(*is_open, ~is_free).order_by(ORDERS.c.due_at).limit(CHUNK_SIZE)
    times = [*(await connection.execute(free)).scalars(), *(await connection.execute(leased)).scalars()]
    return min(times, default=None)


def _match_orders(
    connection: AsyncConnection, panel: str, orders: Iterable[TrackedOrder]
) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that selects some orders, with one parameter for all ids.

    Each database has its own form for which it uses its index.
    """
    texts = [format_id(order.id) for order in orders]
    if connection.dialect.name == "postgresql":
        return ORDERS.c.panel == panel, ORDERS.c.order_id == any_(literal(texts, postgresql.ARRAY(Text)))
    each = func.json_each(json.dumps(texts)).table_valued("value")
    return ORDERS.c.panel == panel, ORDERS.c.order_id.in_(select(each.c.value))


_UPDATE_ORDER = (
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
_INSERT_CHANGE = insert(CHANGES).values(
    {each.name: bindparam(each.name) for each in CHANGES.columns if each.name != "number"}
)


async def _execute_many(connection: AsyncConnection, statement: UpdateBase, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute a statement for each row by the driver itself: through SQLAlchemy it costs half as much again."""
    if not rows:
        return
    text, names = _compile(statement, connection.dialect)
    await connection.exec_driver_sql(text, [*map(itemgetter(*names), rows)] if names else rows)


@lru_cache(maxsize=8)
def _compile(statement: UpdateBase, dialect: Dialect) -> tuple[str, Sequence[str] | None]:
    """Compile a statement for a driver, and return the order of its parameters, ``None`` if they have names."""
    compiled = statement.compile(dialect=dialect)
    return str(compiled), compiled.positiontup


def encode_row(panel: str, order: TrackedOrder) -> dict[str, Any]:
    """Return the row of an order in the database."""
    error = getattr(order.outcome, "error", None)
    return {
        "its_panel": panel,
        "its_id": format_id(order.id),
        "state": None if order.status is None else order.status.state.value,
        "status": None if order.status is None else encode_status(order.status),
        "moved_at": order.changed_at,
        "remained": _fit_column(order.initial_remains),
        "failures": order.failures,
        "refusals": order.not_found,
        "error": None if error is None else clean_text(f"{type(error).__name__}: {error}"),
        "is_open": order.is_open,
        "due_at": order.due_at,
    }


def _fit_column(count: int | None) -> int | None:
    """Return a count, or ``None`` if the column cannot hold it. Then the order is polled by its age alone."""
    return None if count is None or abs(count) >= _LARGEST_COUNT else count


_LARGEST_COUNT = 2**63

_READ = (
    ORDERS.c.order_id,
    ORDERS.c.status,
    ORDERS.c.moved_at,
    ORDERS.c.remained,
    ORDERS.c.failures,
    ORDERS.c.refusals,
    ORDERS.c.due_at,
)


def _decode_row(row: Sequence[Any]) -> TrackedOrder:
    order_id, status, moved_at, remained, failures, refusals, due_at = row
    return TrackedOrder(
        parse_id(order_id),
        changed_at=moved_at,
        status=None if status is None else decode_status(status),
        initial_remains=remained,
        failures=failures,
        not_found=refusals,
        due_at=due_at,
    )


_STATUS_FIELDS = tuple(each.name for each in fields(OrderStatus))
_encode_json = json.JSONEncoder(default=to_json, ensure_ascii=False).encode


def encode_status(status: OrderStatus) -> str:
    """Encode a status as JSON, without its unknown fields. Amounts are strings, to stay exact."""
    values = {name: value for name in _STATUS_FIELDS if (value := getattr(status, name)) is not None}
    values["state"] = status.state.value
    values["extra"] = dict(status.extra)
    return clean_text(_encode_json(values))


def decode_status(text: str) -> OrderStatus:
    """Decode a status."""
    values: dict[str, Any] = json.loads(text)
    values["state"] = OrderState(values["state"])
    values["orders"] = tuple(values["orders"])
    if "charge" in values:
        values["charge"] = Decimal(values["charge"])
    return OrderStatus(**values)
