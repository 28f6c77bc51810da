"""Finishing what must not be cut off: on both event loops, and against asyncio's own cancellation."""

from __future__ import annotations

import asyncio
import gc
import math
from contextvars import ContextVar
from typing import TYPE_CHECKING

import anyio
import pytest

from followersdata_async._concurrency import run_to_completion, start_detached

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from followersdata_async._concurrency import Commit

ON_ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])


class Work:
    """Work in two steps, each done when it is told: it may be cut off in the first, and not in the second."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.begun, self.begin = anyio.Event(), anyio.Event()
        self.held, self.finish = anyio.Event(), anyio.Event()
        self._fault = fault

    async def __call__(self, hold: Commit) -> str:
        """Both steps."""
        self.begun.set()
        await self.begin.wait()
        hold()
        self.held.set()
        await self.finish.wait()
        if self._fault is not None:
            raise self._fault
        return "done"


@pytest.mark.anyio
async def test_what_is_not_held_yet_is_cut_off() -> None:
    """Nothing has happened that anybody would have to know of."""
    work = Work()
    async with anyio.create_task_group() as group:
        group.start_soon(run_to_completion, work)
        await work.begun.wait()
        group.cancel_scope.cancel()
    assert not work.held.is_set()


@pytest.mark.anyio
async def test_what_is_held_is_finished_and_its_caller_has_the_value() -> None:
    """Whoever cancels: the caller is cut off where it waits the next time."""
    work, seen = Work(), []

    async def caller() -> None:
        seen.append(await run_to_completion(work))
        await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(caller)
        work.begin.set()
        await work.held.wait()
        group.cancel_scope.cancel()
        work.finish.set()
    assert seen == ["done"]


@pytest.mark.anyio
async def test_what_work_raises_is_raised_as_itself() -> None:
    """And not as a group of one."""
    work = Work(fault=ValueError("no"))
    work.begin.set()
    work.finish.set()
    with pytest.raises(ValueError, match=r"^no$"):
        await run_to_completion(work)


# --- asyncio's own cancellation


async def _task_of(work: Work, seen: list[str]) -> None:
    seen.append(await run_to_completion(work))
    await asyncio.sleep(3600)
    seen.append("and more")


@pytest.mark.anyio
@ON_ASYNCIO
async def test_a_cancelled_task_is_cut_off_before_it_is_held() -> None:
    """As any other."""
    work, seen = Work(), list[str]()
    task = asyncio.create_task(_task_of(work, seen))
    await work.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (work.held.is_set(), seen) == (False, [])


@pytest.mark.anyio
@ON_ASYNCIO
@pytest.mark.parametrize("times", [1, 3])
async def test_a_cancelled_task_has_its_value_and_ends_where_it_waits_next(times: int) -> None:
    """A scope's shield alone would lose the value: asyncio's cancellation knows no scopes."""
    work, seen = Work(), list[str]()
    task = asyncio.create_task(_task_of(work, seen))
    work.begin.set()
    await work.held.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    work.finish.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["done"]


@pytest.mark.anyio
@ON_ASYNCIO
async def test_a_fault_of_a_cancelled_task_is_told() -> None:
    """It may be that nobody knows what became of an order: that must be heard."""
    work = Work(fault=ValueError("no"))
    task = asyncio.create_task(run_to_completion(work))
    work.begin.set()
    await work.held.wait()
    task.cancel()
    work.finish.set()
    with pytest.raises(ValueError, match=r"^no$"):
        await task


async def _by_wait_for(work: Work) -> str:
    return await asyncio.wait_for(run_to_completion(work), 0.001)


async def _by_timeout(work: Work) -> str:
    async with asyncio.timeout(0.001):
        return await run_to_completion(work)


@pytest.mark.anyio
@ON_ASYNCIO
@pytest.mark.parametrize("limited", [_by_wait_for, _by_timeout])
async def test_a_time_limit_of_asyncios_gives_the_value_late_and_cancels_nothing_afterwards(
    limited: Callable[[Work], Awaitable[str]],
) -> None:
    """The limit took its cancellation back when the value came: what follows it is nobody's business."""
    work = Work()
    loop = asyncio.get_running_loop()
    work.begin.set()
    loop.call_later(0.05, work.finish.set)
    assert await limited(work) == "done"
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.anyio
@ON_ASYNCIO
async def test_a_time_limit_round_more_than_the_work_ends_what_follows() -> None:
    """It was over: the value is there, and what is waited for next is cut off."""
    work, seen = Work(), []
    work.begin.set()
    asyncio.get_running_loop().call_later(0.05, work.finish.set)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            seen.append(await run_to_completion(work))
            await asyncio.sleep(3600)
    assert seen == ["done"]


@pytest.mark.anyio
@ON_ASYNCIO
async def test_a_cancellation_of_the_works_own_is_told_as_it_is() -> None:
    """It waited for something that somebody else has cancelled."""

    async def work(hold: Commit) -> None:
        hold()
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    with pytest.raises(asyncio.CancelledError):
        await run_to_completion(work)


# --- detached tasks


@pytest.mark.anyio
async def test_a_detached_task_outlives_the_scope_it_was_started_in() -> None:
    """It has the context of whoever started it, and none of its scopes."""
    current: ContextVar[str] = ContextVar("current")
    go, ended = anyio.Event(), anyio.Event()
    seen = []

    async def work() -> None:
        await go.wait()
        seen.append((current.get(), anyio.current_effective_deadline()))
        ended.set()

    with anyio.CancelScope(deadline=anyio.current_time() + 3600) as scope:
        current.set("mine")
        start_detached(work)
        current.set("another")
        scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.wait_all_tasks_blocked()
    gc.collect()
    go.set()
    await ended.wait()
    assert seen == [("mine", math.inf)]
