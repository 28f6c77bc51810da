"""Finishing what must not be cut off, whoever cancels its caller."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

Hold = Callable[[], None]
"""Called by work from which on it must not be cut off."""


def unheld() -> None:
    """For work that may be cut off at any moment."""


async def finished(work: Callable[[Hold], Awaitable[T]]) -> T:
    """What ``work`` returns or raises. Once it has called its argument, it is waited for, whoever is cancelled.

    A shielded scope is enough against anyio and trio. ``asyncio``'s own
    cancellation (``task.cancel()``, ``wait_for``, ``timeout``) knows no scopes,
    so the work has a task of its own. The caller gets its value; whoever
    cancelled it natively is heard when it waits the next time.
    """
    waiting, working = anyio.CancelScope(), anyio.CancelScope()
    values: list[T] = []
    fault: BaseException | None = None

    def hold() -> None:
        waiting.shield = working.shield = True

    async def run() -> None:
        nonlocal fault
        with working:
            try:
                values.append(await work(hold))
            except anyio.get_cancelled_exc_class() as error:
                # By somebody else, as where the work waits for what was cancelled: that is told as it is.
                fault = error
                raise
            # Whatever it is, it is raised in the caller's own task, not as a group.
            except BaseException as error:  # noqa: BLE001
                fault = error

    try:
        with waiting:
            async with anyio.create_task_group() as group:
                group.start_soon(run)
    except anyio.get_cancelled_exc_class() as error:
        if not values and isinstance(fault, type(error) | None):
            raise
        _cancel_later()
    if fault is not None:
        raise fault
    return values[0]


def _cancel_later() -> None:
    """Pass a native cancellation on to where the caller waits next, unless it was taken back, as by ``wait_for``.

    That of a scope needs no help: it comes again and again.
    """
    if anyio.current_effective_deadline() == -math.inf:
        return
    import asyncio  # noqa: PLC0415 - it is there: nothing else cancels natively

    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().call_soon(_cancel_again, task, task.cancelling())


def _cancel_again(task: asyncio.Task[object], requests: int) -> None:
    if task.cancelling() >= requests:
        task.uncancel()
        task.cancel()
