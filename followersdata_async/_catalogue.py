"""The catalogue of services: a cache, and the difference between two catalogues."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, final

import anyio
from attrs import define, field, fields_dict, frozen

from .errors import FollowersDataError
from .models import Catalogue, Service, format_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

__all__ = ["ServicesDiff", "services_diff"]


@final
@frozen(kw_only=True)
class ServicesDiff:
    """The differences between two catalogues. Pairs are (old, new).

    ``repriced`` services have another ``rate``; ``described`` ones another name,
    category, description, average time or ``extra``, which no money depends on;
    ``changed`` ones differ in another field. A service can be all of these. All
    are in the order of the new catalogue, ``removed`` in the order of the old one.
    """

    added: tuple[Service, ...]
    removed: tuple[Service, ...]
    repriced: tuple[tuple[Service, Service], ...]
    changed: tuple[tuple[Service, Service], ...]
    described: tuple[tuple[Service, Service], ...]

    def __bool__(self) -> bool:
        """Return whether there is any difference."""
        return bool(self.added or self.removed or self.repriced or self.changed or self.described)


def services_diff(old: Iterable[Service], new: Iterable[Service], *, ignore: Iterable[str] = ()) -> ServicesDiff:
    """Compare two catalogues by the ids of their services. Sends no request (panel-api §3.2).

    Args:
        old: The services as they were.
        new: The services as they are.
        ignore: Fields of ``Service`` that are not compared, such as ``["average_time"]``.

    Raises:
        ValueError: ``ignore`` has something else than fields of ``Service``.
    """
    compared = COMPARED_FIELDS - _check_ignored(ignore)
    before = {format_id(service.service): service for service in old}
    after = {format_id(service.service): service for service in new}
    pairs = [(before[id_], service) for id_, service in after.items() if id_ in before]
    return ServicesDiff(
        added=tuple(service for id_, service in after.items() if id_ not in before),
        removed=tuple(service for id_, service in before.items() if id_ not in after),
        repriced=_find_different(pairs, compared & {"rate"}),
        changed=_find_different(pairs, compared - {"rate"} - DESCRIBING_FIELDS),
        described=_find_different(pairs, compared & DESCRIBING_FIELDS),
    )


COMPARED_FIELDS = frozenset(fields_dict(Service)) - {"service", "kind"}
DESCRIBING_FIELDS = frozenset({"name", "category", "description", "average_time", "extra"})
"""Fields that no money depends on. Some panels change them with every response."""


def _check_ignored(ignore: Iterable[str]) -> frozenset[str]:
    names = frozenset([ignore] if isinstance(ignore, str) else ignore)
    if unknown := names - COMPARED_FIELDS:
        msg = f"ignore must have fields of a Service ({', '.join(sorted(COMPARED_FIELDS))}), got {min(unknown)!r}"
        raise ValueError(msg)
    return names


def _find_different(
    pairs: Iterable[tuple[Service, Service]], names: Iterable[str]
) -> tuple[tuple[Service, Service], ...]:
    """Return the pairs that differ in one of the fields."""
    return tuple(pair for pair in pairs if any(getattr(pair[0], name) != getattr(pair[1], name) for name in names))


@final
@define(eq=False)
class _Reading:
    """One request for the catalogue, and what became of it: neither, if its caller was cancelled."""

    started_at: float
    services: Catalogue | None = None
    error: FollowersDataError | None = None
    ended: anyio.Event = field(factory=anyio.Event)


@final
class ServicesCache:
    """Requests the catalogue again only when the last one is older than the caller allows.

    Concurrent callers share one request, and its error. The first of them sends
    it; if it is cancelled, another one sends it again. Ages count from when a
    request started.
    """

    def __init__(self, read: Callable[[], Awaitable[Catalogue]], clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._last: _Reading | None = None
        self._current: _Reading | None = None

    async def get(self, max_age: float) -> Catalogue:
        """Return the catalogue, at most ``max_age`` seconds old when it is asked for. With 0, request it.

        Raises:
            FollowersDataError: the request failed. Each caller gets its own instance.
        """
        called_at = self._clock()
        while True:
            reading = self._find(called_at - max_age)
            if reading is None:
                return await self._request()
            await reading.ended.wait()
            if reading.error is not None:
                raise copy(reading.error) from reading.error.__cause__
            if reading.services is not None:
                return copy(reading.services)

    def _find(self, oldest: float) -> _Reading | None:
        """Return a request that started after ``oldest``: one that has succeeded, or one in flight."""
        for reading in (self._last, self._current):
            if reading is not None and reading.started_at > oldest:
                return reading
        return None

    async def _request(self) -> Catalogue:
        """Request the catalogue, for whoever joins and for later callers."""
        reading = self._current = _Reading(self._clock())
        try:
            reading.services = await self._read()
        except FollowersDataError as error:
            reading.error = error
            raise
        finally:
            if self._current is reading:
                self._current = None
            reading.ended.set()
        if self._last is None or self._last.started_at <= reading.started_at:
            self._last = reading
        return copy(reading.services)
