"""Requests to answers: the only rooms that call httpx. Bytes in, bytes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lent import LentTransport
from .own import OwnTransport
from .pool import Pool, aiohttp_shard, httpx_shard
from .split import SplitTransport

if TYPE_CHECKING:
    from ..settings import Settings
    from .lent import HttpClient

__all__ = ["LentTransport", "OwnTransport", "Pool", "SplitTransport", "transport_for"]


def transport_for(settings: Settings, lent: HttpClient | None) -> LentTransport | OwnTransport | SplitTransport:
    """The transport that the settings ask for.

    Raises:
        TypeError: what was lent is no asynchronous client.
        ConfigurationError: an extra is not installed.
    """
    if lent is not None:
        return LentTransport(settings, lent)
    own = OwnTransport(settings, Pool(settings, httpx_shard))
    if settings.transport is None:
        return own
    return SplitTransport(reads=OwnTransport(settings, Pool(settings, aiohttp_shard), "aiohttp"), writes=own)
