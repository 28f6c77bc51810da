"""Sends reads through one transport and writes through another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from .._wire.messages import Request, Response, SendState
    from .pooled_transport import PooledTransport


class SplitTransport:
    """Sends reads where it is fast, and writes where it can be proven what was sent."""

    def __init__(self, *, reads: PooledTransport, writes: PooledTransport) -> None:
        self._reads = reads
        self._writes = writes

    async def open(self) -> None:
        """Open both.

        Raises:
            ConfigurationError: it does not run on this event loop.
        """
        import asyncio  # noqa: PLC0415 - 12 ms that only this transport needs

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            msg = "transport='aiohttp' runs on asyncio only: leave it out on trio"
            raise ConfigurationError(msg) from None
        await self._reads.open()
        await self._writes.open()

    async def aclose(self) -> None:
        """Close both."""
        try:
            await self._reads.aclose()
        finally:
            await self._writes.aclose()

    async def send(self, request: Request, state: SendState) -> Response:
        """Send one request once, as ``PooledTransport.send`` does."""
        return await (self._writes if request.is_write else self._reads).send(request, state)
