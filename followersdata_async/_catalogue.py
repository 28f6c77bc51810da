"""Two catalogues side by side: what came, what went, what has another price."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from attrs import evolve, frozen

from .models import Service, id_text

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ServicesDiff", "services_diff"]


@final
@frozen(kw_only=True)
class ServicesDiff:
    """What is different between two catalogues; pairs are (old, new).

    A service with another ``rate`` is repriced; one that is different in
    anything else is changed; it may be both. All are in the new catalogue's
    order, the removed ones in the old one's.
    """

    added: tuple[Service, ...]
    removed: tuple[Service, ...]
    repriced: tuple[tuple[Service, Service], ...]
    changed: tuple[tuple[Service, Service], ...]

    def __bool__(self) -> bool:
        """Whether anything is different."""
        return bool(self.added or self.removed or self.repriced or self.changed)


def services_diff(old: Iterable[Service], new: Iterable[Service]) -> ServicesDiff:
    """Compare two catalogues by the services' ids; asks nothing (panel-api §3.2)."""
    before = {id_text(service.service): service for service in old}
    after = {id_text(service.service): service for service in new}
    pairs = [(before[id_], service) for id_, service in after.items() if id_ in before]
    return ServicesDiff(
        added=tuple(service for id_, service in after.items() if id_ not in before),
        removed=tuple(service for id_, service in before.items() if id_ not in after),
        repriced=tuple((was, is_) for was, is_ in pairs if was.rate != is_.rate),
        changed=tuple((was, is_) for was, is_ in pairs if evolve(was, service=is_.service, rate=is_.rate) != is_),
    )
