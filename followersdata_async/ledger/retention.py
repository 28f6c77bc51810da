"""Pruning a ledger in small transactions, and reading its changes from where a reader has ended."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar, final

import anyio
from attrs import frozen

from .._serialization import Serializable
from .spending import DAY
from .store_retention import (
    LARGEST_NUMBER,
    SETTLED,
    Pruned,
    delete_reader,
    prune_changes,
    prune_orders,
    prune_receipts,
    register_reader,
)
from .store_tracked import read_changes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from .database import Database
    from .store_tracked import Recorded

Key = TypeVar("Key")
_PruneNext: TypeAlias = "Callable[[AsyncConnection, Key | None], Awaitable[Pruned[Key]]]"

_PAGE_SIZE = 500


@final
@frozen(kw_only=True)
class PruneReport(Serializable):
    """How many receipts, tracked orders and changes were pruned."""

    receipts: int
    orders: int
    changes: int


async def prune(database: Database, *, older_than: float, now: float) -> PruneReport:
    """Prune what is older than a number of seconds. See ``Ledger.prune``."""
    before = now - check_age(older_than)
    changes = await _prune_all(database, partial(prune_changes, before=before))
    orders = await _prune_all(database, partial(prune_orders, before=before))
    receipts = [await _prune_all(database, partial(prune_receipts, state=state, before=before)) for state in SETTLED]
    return PruneReport(receipts=sum(receipts), orders=orders, changes=changes)


def check_age(older_than: object) -> float:
    """Return the age from which rows are pruned.

    Raises:
        TypeError: it is not a number.
        ValueError: it is less than a day, for which spending limits count, or it is not finite.
    """
    if isinstance(older_than, bool) or not isinstance(older_than, (int, float)):
        msg = f"older_than must be a number of seconds, got {older_than!r}"
        raise TypeError(msg)
    if not DAY <= older_than < math.inf:
        msg = f"older_than must be at least {DAY:.0f} seconds, a day, got {older_than!r}"
        raise ValueError(msg)
    return float(older_than)


def check_number(number: object) -> int:
    """Return the number of a change, or 0.

    Raises:
        TypeError: it is not an ``int``.
        ValueError: no change can have it.
    """
    if isinstance(number, bool) or not isinstance(number, int):
        msg = f"number must be an int, got {number!r}"
        raise TypeError(msg)
    if not 0 <= number <= LARGEST_NUMBER:
        msg = f"number must be 0 or more, and fit into 64 bits, got {number!r}"
        raise ValueError(msg)
    return number


async def _prune_all(database: Database, prune_next: _PruneNext[Key]) -> int:
    """Prune window after window, each in a transaction of its own. Return how many rows were pruned."""
    count = 0
    last: Key | None = None
    while True:
        async with database.transaction() as connection:
            started = anyio.current_time()
            pruned = await prune_next(connection, last)
        count += pruned.count
        last = pruned.last
        if last is None:
            return count
        # As long as it took: SQLite's waiting writers only look now and then whether they can begin.
        await anyio.sleep(anyio.current_time() - started)


async def iterate_changes(database: Database, *, since: int, reader: str | None) -> AsyncIterator[Recorded]:
    """Yield the changes after a number, or after the last one that a reader has read, up to the last one."""
    if reader is not None:
        async with database.transaction() as connection:
            since = await register_reader(connection, reader)
    while True:
        async with database.transaction() as connection:
            page = await read_changes(connection, since, limit=_PAGE_SIZE)
        for recorded in page:
            yield recorded
        if len(page) < _PAGE_SIZE:
            return
        since = page[-1].number


async def forget_reader(connection: AsyncConnection, name: str) -> None:
    """Delete a reader of changes.

    Raises:
        LookupError: there is none of this name.
    """
    if not await delete_reader(connection, name):
        msg = f"no reader is registered as {name!r}"
        raise LookupError(msg)
