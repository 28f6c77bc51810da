"""Panels that break at a chosen moment, round a client that works."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from followersdata_async import AsyncClient, OrderInput, PlacedOrder
    from followersdata_async.models import Balance


class Breaking:
    """Does something before an order leaves, and something after the panel took it."""

    def __init__(
        self,
        panel: AsyncClient,
        *,
        before: Callable[[], Awaitable[None]] | None = None,
        after: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._panel = panel
        self._before = before
        self._after = after

    async def add(self, order: OrderInput) -> PlacedOrder:
        """Place it, with what goes wrong."""
        if self._before is not None:
            await self._before()
        placed = await self._panel.add(order)
        if self._after is not None:
            await self._after()
        return placed

    async def balance(self) -> Balance:
        """The balance."""
        return await self._panel.balance()


def raising(error: BaseException) -> Callable[[], Awaitable[None]]:
    """What raises it."""

    async def broken() -> None:
        raise error

    return broken
