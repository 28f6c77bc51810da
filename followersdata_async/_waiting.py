"""Waiting for an event, but not for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable


class Wait(Protocol):
    """A way to wait until an event is set or some seconds are over."""

    def __call__(self, event: anyio.Event, delay: float) -> Awaitable[None]:
        """Return at the first of both; other tasks run in any case."""
        ...


async def wait(event: anyio.Event, delay: float) -> None:
    """Return when ``event`` is set, or after ``delay`` seconds."""
    with anyio.move_on_after(delay):
        await event.wait()
