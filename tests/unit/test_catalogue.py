"""Two catalogues side by side."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
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
    assert difference.changed == ((old[2], new[1]),)
    assert difference.described == ((old[3], new[2]),)
    assert difference


@pytest.mark.parametrize(
    "changes",
    [{"name": "b"}, {"category": "b"}, {"description": "b"}, {"average_time": "5"}, {"extra": {"speed": 1}}],
    ids=lambda changes: next(iter(changes)),
)
def test_what_no_money_depends_on_is_described_anew(changes: dict[str, Any]) -> None:
    """Apart from what has changed, and it can be left out."""
    old, new = [service(1)], [service(1, **changes)]
    assert services_diff(old, new).described == ((old[0], new[0]),)
    assert not services_diff(old, new).changed
    assert not services_diff(old, new, ignore=changes)


@pytest.mark.parametrize("changes", [{"type": "b"}, {"min": 1}, {"refill": True}, {"rate": None}])
def test_a_field_that_is_ignored_is_not_compared(changes: dict[str, Any]) -> None:
    """Nor is the price."""
    assert services_diff([service(1)], [service(1, **changes)])
    assert not services_diff([service(1)], [service(1, **changes)], ignore=list(changes))
    assert not services_diff([service(1)], [service(1, **changes)], ignore=next(iter(changes)))


@pytest.mark.parametrize("ignore", [["speed"], "speed", ["name", "kind"], ["service"]])
def test_an_unknown_field_cannot_be_ignored(ignore: Any) -> None:
    """It would be a spelling mistake."""
    with pytest.raises(ValueError, match="ignore must have fields of a Service"):
        services_diff([], [], ignore=ignore)


def test_nothing_different_is_false() -> None:
    """``if services_diff(old, new)``; the order of the rows does not matter."""
    rows = [service(1), service(2)]
    assert services_diff(rows, reversed(rows)) == ServicesDiff(
        added=(), removed=(), repriced=(), changed=(), described=()
    )
    assert not services_diff(rows, rows)
    assert services_diff([], []) == services_diff(iter(rows), iter(rows))
