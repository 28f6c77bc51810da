"""Reads through one transport, writes through another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from .._wire.messages import Answer, Request, Trail
    from .pooled_transport import OwnTransport


class SplitTransport:
    """Reads go where it is fast; writes where it can be proven what was sent."""

    def __init__(self, *, reads: OwnTransport, writes: OwnTransport) -> None:
        self._reads = reads
        self._writes = writes

    async def open(self) -> None:
        """Get both ready.

        Raises:
            ConfigurationError: it does not run on this kind of event loop.
        """
        import asyncio  # noqa: PLC0415 - a dozen milliseconds that only this transport needs

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            msg = "transport='aiohttp' runs on asyncio only: leave it out on trio"
            raise ConfigurationError(msg) from None
        await self._reads.open()
        await self._writes.open()

    def stop(self) -> None:
        """Let nothing more leave."""
        self._reads.stop()
        self._writes.stop()

    async def aclose(self) -> None:
        """Close both."""
        try:
            await self._reads.aclose()
        finally:
            await self._writes.aclose()

    async def send(self, request: Request, trail: Trail) -> Answer:
        """Send one request once, as ``OwnTransport.send`` does."""
        return await (self._reads if request.repeatable else self._writes).send(request, trail)
