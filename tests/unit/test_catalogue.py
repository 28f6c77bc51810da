"""Two catalogues side by side."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import evolve

from followersdata_async._catalogue import ServicesDiff, services_diff
from followersdata_async.models import Service, ServiceKind


def service(id_: int | str, **changes: Any) -> Service:
    """A row of a catalogue."""
    fields = {"service": id_, "name": f"Service {id_}", "type": "Default", "rate": Decimal("0.90")}
    return Service(kind=ServiceKind.DEFAULT, **(fields | changes))


def test_what_came_what_went_and_what_is_different() -> None:
    """Each under its name; the same id as a text is the same service."""
    old = [service(1), service(2), service(3), service(4), service(5)]
    new = [
        evolve(old[1], rate=Decimal("0.91")),
        evolve(old[2], max=100),
        evolve(old[3], rate=Decimal(1), name="New name"),
        service("5", rate=Decimal("0.900")),
        service(6),
    ]
    difference = services_diff(old, new)
    assert difference.added == (new[4],)
    assert difference.removed == (old[0],)
    assert difference.repriced == ((old[1], new[0]), (old[3], new[2]))
    assert difference.changed == ((old[2], new[1]), (old[3], new[2]))
    assert difference


def test_nothing_different_is_false() -> None:
    """``if services_diff(old, new)``; the order of the rows does not matter."""
    rows = [service(1), service(2)]
    assert services_diff(rows, reversed(rows)) == ServicesDiff(added=(), removed=(), repriced=(), changed=())
    assert not services_diff(rows, rows)
    assert services_diff([], []) == services_diff(iter(rows), iter(rows))
