"""Connections in small shards behind one gate.

One large httpx pool slows down with the number of requests in flight and
loses slots on cancellation; several small ones behind a gate that is never
larger than their connections do neither (docs/design.md, decisions).
"""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

import anyio
import httpx

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from .._settings import Settings

    Shard = Callable[[Settings, ssl.SSLContext], httpx.AsyncBaseTransport]

CONNECTIONS_OF_A_SHARD = 2
_IDLE_SECONDS = 5.0
"""A connection idle for longer is not used again: many servers close it at that age, unseen."""


class Pool:
    """Our own connections to one panel, at most ``concurrency`` of them. Opened once, closed once.

    ``gate`` lets as many requests through: pools of one client share theirs.
    """

    def __init__(self, settings: Settings, shard: Shard, gate: anyio.CapacityLimiter | None = None) -> None:
        self._gate = gate or anyio.CapacityLimiter(settings.concurrency)
        context = _ssl_context(settings)
        shards = -(-settings.concurrency // CONNECTIONS_OF_A_SHARD)
        self._shards = [shard(settings, context) for _ in range(shards)]
        self._loads = [0] * shards
        self._closing = AsyncExitStack()

    async def open(self) -> None:
        """Get ready; no connection is made yet."""
        for shard in self._shards:
            await self._closing.enter_async_context(shard)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._closing.aclose()

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[httpx.AsyncBaseTransport]:
        """Wait at the gate, then have the least loaded shard for one request."""
        async with self._gate:
            index = self._loads.index(min(self._loads))
            self._loads[index] += 1
            try:
                yield self._shards[index]
            finally:
                self._loads[index] -= 1

    @property
    def in_flight(self) -> int:
        """How many requests hold a place now."""
        return self._gate.borrowed_tokens


def httpx_shard(settings: Settings, context: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """A few connections of httpx's own.

    Raises:
        ConfigurationError: HTTP/2 is wanted, and its extra is not installed.
    """
    if settings.http2:
        try:
            import_module("h2")
        except ImportError as error:
            msg = "http2=True needs its extra: pip install 'followersdata_async[http2]'"
            raise ConfigurationError(msg) from error
    return httpx.AsyncHTTPTransport(
        verify=context,
        http2=settings.http2,
        trust_env=False,
        limits=_limits(),
        proxy=settings.proxy,
    )


def aiohttp_shard(settings: Settings, context: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """A few connections of aiohttp's, which is faster, runs on asyncio only, and proves nothing.

    Raises:
        ConfigurationError: its extra is not installed.
    """
    try:
        from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415 - an extra
    except ImportError as error:
        msg = "transport='aiohttp' needs its extra: pip install 'followersdata_async[aiohttp]'"
        raise ConfigurationError(msg) from error
    proxy = None if settings.proxy is None else httpx.Proxy(settings.proxy)
    return AiohttpTransport(verify=context, trust_env=False, limits=_limits(), proxy=proxy)


def _limits() -> httpx.Limits:
    return httpx.Limits(
        max_connections=CONNECTIONS_OF_A_SHARD,
        max_keepalive_connections=CONNECTIONS_OF_A_SHARD,
        keepalive_expiry=_IDLE_SECONDS,
    )


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    """One context for all shards: reading the certificates takes longer than anything else here."""
    if settings.ssl_context is not None:
        return settings.ssl_context
    if settings.url.startswith("https:") or settings.proxy:
        return httpx.create_ssl_context(trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
