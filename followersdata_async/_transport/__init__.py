"""Requests to answers: the only rooms that call httpx. Bytes in, bytes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import CapacityLimiter

from ..errors import ConfigurationError
from .connection_pool import Pool, aiohttp_shard, httpx_shard
from .httpx_transport import LentTransport
from .pooled_transport import OwnTransport
from .split_transport import SplitTransport

if TYPE_CHECKING:
    from .._settings import Settings
    from .httpx_transport import HttpClient

__all__ = ["LentTransport", "OwnTransport", "Pool", "SplitTransport", "transport_for"]


def transport_for(settings: Settings, lent: HttpClient | None) -> LentTransport | OwnTransport | SplitTransport:
    """The transport that the settings ask for.

    Raises:
        TypeError: what was lent is no asynchronous client.
        ConfigurationError: an extra is not installed, or something was set that only our own connections have.
    """
    if lent is not None:
        _check_lent(settings)
        return LentTransport(settings, lent)
    gate = CapacityLimiter(settings.concurrency)
    own = OwnTransport(settings, Pool(settings, httpx_shard, gate))
    if settings.transport is None:
        return own
    return SplitTransport(reads=OwnTransport(settings, Pool(settings, aiohttp_shard, gate), "aiohttp"), writes=own)


def _check_lent(settings: Settings) -> None:
    """Refuse what would be silently without effect: a lent client is never configured."""
    if idle := [name for name in ("proxy", "ssl_context", "transport", "http2") if getattr(settings, name)]:
        msg = f"a client is lent with http=, so {', '.join(idle)} would do nothing: set it on that client"
        raise ConfigurationError(msg)
