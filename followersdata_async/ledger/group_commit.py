"""Group commit: work of concurrent tasks that waits at the same time shares one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar, final

import anyio
from attrs import define, field
from sqlalchemy.ext.asyncio import AsyncConnection

if TYPE_CHECKING:
    from .database import Database

T = TypeVar("T")


@define(eq=False)
class _Job:
    """Work for the next transaction, and how it ended."""

    work: Callable[[AsyncConnection], Awaitable[object]]
    is_done: bool = False
    result: list[object] = field(factory=list)
    error: Exception | None = None


@final
class GroupCommit:
    """Runs work in transactions, one at a time: what arrives during one transaction shares the next one.

    The work of all callers is committed or rolled back together.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Job] = []
        self._lock = anyio.Lock()

    async def run(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run work in a transaction, and return its result once that is committed.

        Must not be cancelled: others may wait for the transaction.

        Raises:
            LedgerError: the transaction failed.
            Exception: what the work of any caller raised.
        """
        job = _Job(work)
        self._waiting.append(job)
        async with self._lock:
            if not job.is_done:
                jobs, self._waiting = self._waiting, []
                await self._run_all(jobs)
        if job.error is not None:
            raise job.error
        result: T = job.result[0]  # type: ignore[assignment]  # of this job's own work
        return result

    async def _run_all(self, jobs: list[_Job]) -> None:
        try:
            async with self._database.transaction() as connection:
                for job in jobs:
                    job.result.append(await job.work(connection))
        except Exception as error:  # noqa: BLE001 - raised in the task of each caller
            for job in jobs:
                job.error = error
        finally:
            for job in jobs:
                job.is_done = True
