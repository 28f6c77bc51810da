"""Connections in small shards.

One large httpx pool slows down with the number of requests in flight and loses
slots on cancellation. Several small ones do neither, as the pipeline never
sends more requests than they have connections (docs/design.md, decisions).
"""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

import httpx

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._settings import Settings

    CreateShard = Callable[[Settings, ssl.SSLContext], httpx.AsyncBaseTransport]

CONNECTIONS_PER_SHARD = 2
_IDLE_SECONDS = 5.0
"""A connection that was idle for longer is not used again: many servers close it at that age, unnoticed."""


class ConnectionPool:
    """The connections to one panel, at most ``concurrency`` of them. Opened once, closed once."""

    def __init__(self, settings: Settings, create_shard: CreateShard) -> None:
        context = _create_ssl_context(settings)
        shards = -(-settings.concurrency // CONNECTIONS_PER_SHARD)
        self._shards = [create_shard(settings, context) for _ in range(shards)]
        self._loads = [0] * shards
        self._closing = AsyncExitStack()

    async def open(self) -> None:
        """Open the shards. No connection is made yet."""
        for shard in self._shards:
            await self._closing.enter_async_context(shard)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._closing.aclose()

    @contextmanager
    def lease(self) -> Iterator[httpx.AsyncBaseTransport]:
        """Return the shard with the fewest requests, for one request."""
        index = self._loads.index(min(self._loads))
        self._loads[index] += 1
        try:
            yield self._shards[index]
        finally:
            self._loads[index] -= 1

    @property
    def in_flight(self) -> int:
        """Return how many requests are in flight."""
        return sum(self._loads)


def create_httpx_shard(settings: Settings, context: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """Create a shard of httpx's own connections, which report what was sent.

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
        limits=_create_limits(),
        proxy=settings.proxy,
    )


def create_aiohttp_shard(settings: Settings, context: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """Create a shard of aiohttp's connections, which are faster, run on asyncio only, and prove nothing.

    Raises:
        ConfigurationError: its extra is not installed.
    """
    try:
        from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415 - an extra
    except ImportError as error:
        msg = "transport='aiohttp' needs its extra: pip install 'followersdata_async[aiohttp]'"
        raise ConfigurationError(msg) from error
    proxy = None if settings.proxy is None else httpx.Proxy(settings.proxy)
    return AiohttpTransport(verify=context, trust_env=False, limits=_create_limits(), proxy=proxy)


def _create_limits() -> httpx.Limits:
    return httpx.Limits(
        max_connections=CONNECTIONS_PER_SHARD,
        max_keepalive_connections=CONNECTIONS_PER_SHARD,
        keepalive_expiry=_IDLE_SECONDS,
    )


def _create_ssl_context(settings: Settings) -> ssl.SSLContext:
    """Create one context for all shards: loading the certificates is the slowest part."""
    if settings.ssl_context is not None:
        return settings.ssl_context
    if settings.url.startswith("https:") or settings.proxy:
        return httpx.create_ssl_context(trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
