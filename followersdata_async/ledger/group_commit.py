"""Group commit: what concurrent tasks want to write at the same time shares one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, final

import anyio
from attrs import define

from ..errors import LedgerError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from .database import Database

Item = TypeVar("Item")
Result = TypeVar("Result")


@define(eq=False)
class _Job(Generic[Item, Result]):
    """An item for the next transaction, and how that ended."""

    item: Item
    results: Sequence[Result] = ()
    error: Exception | None = None
    is_done: bool = False


@final
class GroupCommit(Generic[Item, Result]):
    """Writes items in transactions, one at a time: what arrives during one transaction shares the next one.

    The items of all callers are committed or rolled back together; if that fails,
    each of them is tried once more, alone. ``write`` returns a result for each item.
    ``is_after_sending``: the items are outcomes of requests, which are lost if they
    are not written.
    """

    def __init__(
        self,
        database: Database,
        write: Callable[[AsyncConnection, Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        is_after_sending: bool,
    ) -> None:
        self._database = database
        self._is_after_sending = is_after_sending
        self._write = write
        self._waiting: list[_Job[Item, Result]] = []
        self._lock = anyio.Lock()

    async def run(self, item: Item) -> Result:
        """Write an item, and return its result once it is committed. Must not be cancelled, for others may wait.

        Raises:
            LedgerError: the transaction failed.
            Exception: what ``write`` raised.
        """
        job: _Job[Item, Result] = _Job(item)
        self._waiting.append(job)
        async with self._lock:
            if not job.is_done:
                jobs, self._waiting = self._waiting, []
                await self._run(jobs)
        if job.error is not None:
            raise job.error
        return job.results[0]

    async def _run(self, jobs: Sequence[_Job[Item, Result]]) -> None:
        """Write the items of jobs together. If that fails, write each of them alone, so that one spoils no other."""
        try:
            error = await self._try(jobs)
            if error is not None and (len(jobs) > 1 or isinstance(error, LedgerError)):
                for job in jobs:
                    job.error = await self._try([job])
            elif error is not None:
                jobs[0].error = error
        finally:
            for job in jobs:
                job.is_done = True

    async def _try(self, jobs: Sequence[_Job[Item, Result]]) -> Exception | None:
        """Write items in a transaction. Return the error if it fails."""
        try:
            async with self._database.transaction(is_after_sending=self._is_after_sending) as connection:
                results = await self._write(connection, [job.item for job in jobs])
        except Exception as error:  # noqa: BLE001 - raised in the task of each caller
            return error
        for job, result in zip(jobs, results, strict=True):
            job.results = [result]
        return None
