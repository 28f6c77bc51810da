"""The catalogue as it was last read."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .models import Service


@final
class CachedServices:
    """Reads the catalogue again only when it is older than the caller allows; many callers read it once."""

    def __init__(self, read: Callable[[], Awaitable[list[Service]]], clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._lock = anyio.Lock()
        self._services: list[Service] = []
        self._read_at: float | None = None

    async def get(self, max_age: float) -> list[Service]:
        """The catalogue, not older than ``max_age`` seconds."""
        async with self._lock:
            asked_at = self._clock()
            if self._read_at is None or asked_at - self._read_at >= max_age:
                self._services = await self._read()
                self._read_at = asked_at
            return list(self._services)
