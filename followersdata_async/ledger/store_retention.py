"""The SQL for pruning, and for the readers of changes, without whom no change is pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

from attrs import frozen
from sqlalchemy import and_, case, delete, exists, func, literal, or_, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from ..models import ReceiptState
from .schema import CHANGES, INTENTS, ORDERS, READERS, USED_REFS
from .store_intents import match_refs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

Key = TypeVar("Key")

SETTLED = (ReceiptState.PLACED.value, ReceiptState.REFUSED.value, ReceiptState.NOT_SENT.value)
"""The states of receipts that are pruned."""
LARGEST_NUMBER = 2**63 - 1
"""What the column holds."""
_WINDOW = 500
"""Rows that are looked at in one transaction."""
_PRUNING_LOCK = 0x666F6C6C6F776564
"""The number of the advisory lock under which rows are pruned and readers are registered."""


@final
@frozen
class Pruned(Generic[Key]):
    """What one transaction pruned, and the key of the last row that it looked at: ``None`` at the end."""

    count: int
    last: Key | None


async def prune_receipts(
    connection: AsyncConnection, last: tuple[float, str] | None, *, state: str, before: float
) -> Pruned[tuple[float, str]]:
    """Move the refs of the next receipts in a state to the used refs, of those that were settled before a time."""
    await _lock(connection)
    is_old = and_(
        INTENTS.c.state == state,
        INTENTS.c.settled_at < before,
        # What a spending limit counts stays, also if a clock was put back.
        or_(INTENTS.c.counted_at.is_(None), INTENTS.c.counted_at < before),
    )
    window = (
        select(INTENTS.c.intended_at, INTENTS.c.ref, is_old.label("is_old"))
        .where(INTENTS.c.state == state, INTENTS.c.intended_at < before)
        .order_by(INTENTS.c.intended_at, INTENTS.c.ref)
        .limit(_WINDOW)
    )
    key = tuple_(INTENTS.c.intended_at, INTENTS.c.ref)
    rows = (await connection.execute(window if last is None else window.where(key > last))).all()
    old = [row.ref for row in rows if row.is_old]
    if not old:
        return Pruned(0, _end_receipts(rows))
    is_followed = exists().where(
        ORDERS.c.panel == INTENTS.c.panel, ORDERS.c.order_id == INTENTS.c.order_id, ORDERS.c.is_open
    )
    # Without the times, SQLite would look through all receipts in the state.
    times = INTENTS.c.intended_at.between(rows[0].intended_at, rows[-1].intended_at)
    is_prunable = and_(is_old, times, ~is_followed)
    # One that another program has locked is being placed by it. Waiting could end in a deadlock.
    free = (
        select(INTENTS.c.ref)
        .where(match_refs(connection, INTENTS.c.ref, old), is_prunable)
        .with_for_update(skip_locked=True)
    )
    refs = (await connection.execute(free)).scalars().all()
    gone: list[str] = []
    if refs:
        statement = delete(INTENTS).where(match_refs(connection, INTENTS.c.ref, refs), is_prunable)
        gone += (await connection.execute(statement.returning(INTENTS.c.ref))).scalars()
    if gone:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        await connection.execute(insert(USED_REFS).on_conflict_do_nothing(), [{"ref": ref} for ref in gone])
    return Pruned(len(gone), _end_receipts(rows))


def _end_receipts(rows: Sequence[Any]) -> tuple[float, str] | None:
    return (rows[-1].intended_at, rows[-1].ref) if len(rows) == _WINDOW else None


async def prune_orders(
    connection: AsyncConnection, last: tuple[str, str] | None, *, before: float
) -> Pruned[tuple[str, str]]:
    """Delete those of the next tracked orders that are final, with their last change and poll before a time."""
    await _lock(connection)
    # An order that was given up has no change at that time. Its last poll was due then.
    is_old = and_(~ORDERS.c.is_open, ORDERS.c.moved_at < before, ORDERS.c.due_at < before)
    key = tuple_(ORDERS.c.panel, ORDERS.c.order_id)
    window = (
        select(ORDERS.c.panel, ORDERS.c.order_id, is_old.label("is_old"))
        .order_by(ORDERS.c.panel, ORDERS.c.order_id)
        .limit(_WINDOW)
    )
    rows = (await connection.execute(window if last is None else window.where(key > last))).all()
    old: dict[str, list[str]] = {}
    for row in rows:
        if row.is_old:
            old.setdefault(row.panel, []).append(row.order_id)
    count = 0
    for panel, ids in old.items():
        its = match_refs(connection, ORDERS.c.order_id, ids)
        count += (await connection.execute(delete(ORDERS).where(ORDERS.c.panel == panel, its, is_old))).rowcount
    return Pruned(count, (rows[-1].panel, rows[-1].order_id) if len(rows) == _WINDOW else None)


async def prune_changes(connection: AsyncConnection, last: int | None, *, before: float) -> Pruned[int]:
    """Delete those of the next changes that were before a time, and that all readers have read.

    The last change on record stays: SQLite would give its number to the next one.
    Numbers grow with time, so it ends where a whole window is too young.
    """
    await _lock(connection)
    every = CHANGES.alias()
    is_read: tuple[ColumnElement[bool], ...] = (
        CHANGES.c.number > (0 if last is None else last),
        CHANGES.c.number <= func.coalesce(select(func.min(READERS.c.number)).scalar_subquery(), LARGEST_NUMBER),
        CHANGES.c.number < select(func.max(every.c.number)).scalar_subquery(),
    )
    window = select(CHANGES.c.number, CHANGES.c.at).where(*is_read).order_by(CHANGES.c.number).limit(_WINDOW)
    rows = (await connection.execute(window)).all()
    if not any(row.at < before for row in rows):
        return Pruned(0, None)
    end = rows[-1].number
    old = delete(CHANGES).where(*is_read, CHANGES.c.number <= end, CHANGES.c.at < before)
    count = (await connection.execute(old)).rowcount
    return Pruned(count, end if len(rows) == _WINDOW else None)


async def register_reader(connection: AsyncConnection, name: str) -> int:
    """Return the last change that a reader has read. Register it with none if it is new."""
    known = select(READERS.c.number).where(READERS.c.name == name)
    number: int | None = (await connection.execute(known)).scalar()
    if number is None:
        await acknowledge(connection, name, 0)
        return await register_reader(connection, name)
    return number


async def acknowledge(connection: AsyncConnection, name: str, number: int) -> None:
    """Register a reader of changes, and write down the last one that it has read, unless it has read further."""
    # A change that is being pruned is gone before its reader is registered.
    await _lock(connection)
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(READERS).values(name=name, number=number)
    greatest = case((READERS.c.number < number, literal(number, READERS.c.number.type)), else_=READERS.c.number)
    await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"number": greatest}))


async def delete_reader(connection: AsyncConnection, name: str) -> bool:
    """Delete a reader of changes. Return whether there was one."""
    return (await connection.execute(delete(READERS).where(READERS.c.name == name))).rowcount > 0


async def read_readers(connection: AsyncConnection) -> dict[str, int]:
    """Return the last change that each reader has read, by the reader's name."""
    rows = await connection.execute(select(READERS.c.name, READERS.c.number).order_by(READERS.c.name))
    return {row.name: row.number for row in rows}


async def _lock(connection: AsyncConnection) -> None:
    """Let one transaction at a time prune or register a reader. On SQLite only one transaction writes, anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(_PRUNING_LOCK)))
