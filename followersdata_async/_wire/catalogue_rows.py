"""The rows of a catalogue, in the shapes that panels give it (panel-api §3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

T = TypeVar("T")


def find_rows(payload: object) -> list[object] | None:
    """Return the rows of a catalogue: a list, an object by id, or groups of these by category.

    A row without an id or category gets that of its key or group. Return
    ``None`` if it is not a catalogue.
    """
    if isinstance(payload, dict):
        payload = next((payload[name] for name in _WRAPPERS if _is_group(payload.get(name))), payload)
    if isinstance(payload, list):
        # All elements are rows, or all are groups.
        return list(_iterate(payload)) if any(map(_holds_services, payload[:1])) else payload
    if not isinstance(payload, dict) or (payload and not any(map(_is_group, payload.values()))):
        return None
    return list(_iterate(payload))


_WRAPPERS = ("services", "result", "items")


def _iterate(value: object, category: str | None = None) -> Iterator[object]:
    """Yield the rows in a list or object of rows or groups. What stands beside groups is left out."""
    for key, part in _get_items(value):
        if isinstance(part, dict) and _holds_services(part):
            name = part.get("category") or part.get("name")
            yield from _iterate(part["services"], name if isinstance(name, str) else None)
        elif isinstance(part, list) or (isinstance(part, dict) and part and all(map(_is_group, part.values()))):
            yield from _iterate(part, key)
        elif isinstance(part, dict):
            yield _complete(part, key, category)
        elif not key or key.isdecimal():
            yield part


def _get_items(value: object) -> Iterable[tuple[str, object]]:
    if isinstance(value, dict):
        return value.items()
    return (("", part) for part in value) if isinstance(value, list) else ()


def _is_group(value: object) -> bool:
    return isinstance(value, (list, dict))


def _holds_services(value: object) -> bool:
    return isinstance(value, dict) and "service" not in value and _is_group(value.get("services"))


def _complete(row: Mapping[str, object], key: str, category: str | None) -> Mapping[str, object]:
    """Return a row with the id that is its key, and the category that is its group, where it has none."""
    given = {"service": key, "category": category}
    return row | {name: value for name, value in given.items() if value and name not in row}  # type: ignore[operator,no-any-return]


def unify_names(fields: dict[str, T]) -> dict[str, T]:
    """Return a row, or the columns of many, with the id and the description under their documented names."""
    renamed = {
        other: name
        for name, others in _OTHER_NAMES.items()
        if name not in fields and (other := next((other for other in others if other in fields), None)) is not None
    }
    return {renamed.get(name, name): value for name, value in fields.items()} if renamed else fields


_OTHER_NAMES = {"service": ("serviceId", "service_id", "id"), "description": ("desc", "details")}
