"""Waiting with a limit, work that must not be cut off halfway, and tasks that belong to no caller."""

from __future__ import annotations

import math
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import anyio
from sniffio import current_async_library

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

Commit = Callable[[], None]
"""Called by work at the moment from which it must run to completion."""


class WaitForEvent(Protocol):
    """A function that waits until an event is set or a delay is over."""

    def __call__(self, event: anyio.Event, delay: float) -> Awaitable[None]:
        """Return at whichever comes first. Always yields to other tasks."""
        ...


async def wait_for_event(event: anyio.Event, delay: float) -> None:
    """Wait until ``event`` is set, for at most ``delay`` seconds."""
    with anyio.move_on_after(delay):
        await event.wait()


def start_detached(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Start ``work`` in a task that is in no cancel scope and no task group of the caller, in a copy of its context.

    It must not raise. Whoever starts it sees to it that it ends; the event loop
    cancels it at the latest when it stops.
    """
    if current_async_library() == "trio":
        import trio  # noqa: PLC0415 - already imported, as it runs this

        trio.lowlevel.spawn_system_task(work, context=copy_context())
        return
    import asyncio  # noqa: PLC0415 - already imported, as it runs this

    task = asyncio.get_running_loop().create_task(work())
    # The event loop itself holds tasks by weak references only.
    _DETACHED.add(task)
    task.add_done_callback(_DETACHED.discard)


_DETACHED: set[asyncio.Task[None]] = set()


async def run_to_completion(work: Callable[[Commit], Awaitable[T]]) -> T:
    """Run ``work`` in a task of its own, and return its result.

    Once it calls ``commit()``, it runs to completion even if the caller is
    cancelled. A shielded scope is enough against anyio and trio. asyncio's own
    cancellation (``task.cancel()``, ``wait_for``, ``timeout``) ignores scopes,
    so the work needs a task of its own. The caller gets the result, and a
    native cancellation is delivered at its next ``await``. So is Ctrl-C, which
    trio raises in the main task wherever that waits.
    """
    waiting, working = anyio.CancelScope(), anyio.CancelScope()
    results: list[T] = []
    failure: BaseException | None = None

    def commit() -> None:
        waiting.shield = working.shield = True

    async def run() -> None:
        nonlocal failure
        with working:
            try:
                results.append(await work(commit))
            except anyio.get_cancelled_exc_class() as error:
                # Somebody else's cancellation, e.g. the work waits for a task that was cancelled: it is passed on.
                failure = error
                raise
            # Stored, so that the caller's task raises the exception itself and not an exception group.
            except BaseException as error:  # noqa: BLE001
                failure = error

    on_trio = current_async_library() == "trio"

    try:
        with waiting:
            async with anyio.create_task_group() as group:
                group.start_soon(_protect_from_interrupts(run) if on_trio else run)
    except anyio.get_cancelled_exc_class() as error:
        if not results and isinstance(failure, type(error) | None):
            raise
        _cancel_at_next_await()
    except BaseExceptionGroup as errors:
        # The work raises nothing, so this is what was raised in the caller's task while it waited.
        interrupt = errors.exceptions[0]
        if not isinstance(interrupt, KeyboardInterrupt) or not (results or isinstance(failure, Exception)):
            raise interrupt from None
        _interrupt_at_next_await()
    if failure is not None:
        raise failure
    return results[0]


def _protect_from_interrupts(work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], Coroutine[Any, Any, None]]:
    """Return ``work`` such that Ctrl-C is raised in the main task, and not in the middle of it."""
    import trio  # noqa: PLC0415 - already imported, as it runs this

    return trio.lowlevel.enable_ki_protection(work)


def _interrupt_at_next_await() -> None:
    """Have trio raise ``KeyboardInterrupt`` again, in the main task when it waits the next time."""
    import trio  # noqa: PLC0415 - already imported, as it runs this

    def interrupt() -> None:
        signal.raise_signal(signal.SIGINT)

    # In a protected function, trio's handler keeps the signal for later.
    trio.lowlevel.enable_ki_protection(interrupt)()


def _cancel_at_next_await() -> None:
    """Deliver a native cancellation again, unless it was taken back, as ``wait_for`` does.

    The cancellation of a scope repeats by itself.
    """
    if anyio.current_effective_deadline() == -math.inf:
        return
    import asyncio  # noqa: PLC0415 - already imported: only asyncio cancels natively

    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().call_soon(_cancel_again, task, task.cancelling())


def _cancel_again(task: asyncio.Task[object], requests: int) -> None:
    if task.cancelling() >= requests:
        task.uncancel()
        task.cancel()
