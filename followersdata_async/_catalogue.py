"""The catalogue of services: a cache, and the difference between two catalogues."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, final

import anyio
from attrs import evolve, frozen

from .models import Catalogue, Service, format_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

__all__ = ["ServicesDiff", "services_diff"]


@final
@frozen(kw_only=True)
class ServicesDiff:
    """The differences between two catalogues. Pairs are (old, new).

    ``repriced`` services have another ``rate``, ``changed`` ones differ in
    another field; a service can be both. All are in the order of the new
    catalogue, ``removed`` in the order of the old one.
    """

    added: tuple[Service, ...]
    removed: tuple[Service, ...]
    repriced: tuple[tuple[Service, Service], ...]
    changed: tuple[tuple[Service, Service], ...]

    def __bool__(self) -> bool:
        """Return whether there is any difference."""
        return bool(self.added or self.removed or self.repriced or self.changed)


def services_diff(old: Iterable[Service], new: Iterable[Service]) -> ServicesDiff:
    """Compare two catalogues by the ids of their services. Sends no request (panel-api §3.2)."""
    before = {format_id(service.service): service for service in old}
    after = {format_id(service.service): service for service in new}
    pairs = [(before[id_], service) for id_, service in after.items() if id_ in before]
    return ServicesDiff(
        added=tuple(service for id_, service in after.items() if id_ not in before),
        removed=tuple(service for id_, service in before.items() if id_ not in after),
        repriced=tuple((was, is_) for was, is_ in pairs if was.rate != is_.rate),
        changed=tuple((was, is_) for was, is_ in pairs if evolve(was, service=is_.service, rate=is_.rate) != is_),
    )


@final
class ServicesCache:
    """Requests the catalogue again only when the last one is older than the caller allows.

    Concurrent callers share one request.
    """

    def __init__(self, read: Callable[[], Awaitable[Catalogue]], clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._lock = anyio.Lock()
        self._services = Catalogue()
        self._read_at: float | None = None

    async def get(self, max_age: float) -> Catalogue:
        """Return the catalogue, at most ``max_age`` seconds old."""
        async with self._lock:
            started_at = self._clock()
            if self._read_at is None or started_at - self._read_at >= max_age:
                self._services = await self._read()
                self._read_at = started_at
            return copy(self._services)
