"""From requests to responses: the only modules that use httpx. They transfer bytes, and interpret none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .connection_pool import ConnectionPool, create_aiohttp_shard, create_httpx_shard
from .httpx_transport import CustomClientTransport, HttpClient
from .pooled_transport import PooledTransport
from .split_transport import SplitTransport

if TYPE_CHECKING:
    from .._settings import Settings

__all__ = [
    "ConnectionPool",
    "CustomClientTransport",
    "HttpClient",
    "PooledTransport",
    "SplitTransport",
    "create_transport",
]


def create_transport(
    settings: Settings, client: HttpClient | None
) -> CustomClientTransport | PooledTransport | SplitTransport:
    """Create the transport that the settings ask for.

    Raises:
        TypeError: ``client`` is not an asynchronous httpx client.
        ConfigurationError: an extra is not installed, or a setting has no effect on a custom client.
    """
    if client is not None:
        _check_settings_of_custom_client(settings)
        return CustomClientTransport(settings, client)
    pooled = PooledTransport(settings, ConnectionPool(settings, create_httpx_shard))
    if settings.transport is None:
        return pooled
    reads = PooledTransport(settings, ConnectionPool(settings, create_aiohttp_shard), "aiohttp")
    return SplitTransport(reads=reads, writes=pooled)


def _check_settings_of_custom_client(settings: Settings) -> None:
    """Reject settings without effect: a custom client is never configured."""
    if unused := [name for name in ("proxy", "ssl_context", "transport", "http2") if getattr(settings, name)]:
        msg = f"a client is lent with http=, so {', '.join(unused)} would do nothing: set it on that client"
        raise ConfigurationError(msg)
