"""The names of fields as documented, where a panel writes them otherwise: ``Order``, ``StartCount``, ``order-id``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .json_values import Conflict
from .scalars import normalize_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NAMES = (
    "order", "orders", "order_id", "order_status", "refill", "refills", "refill_id", "refill_status", "cancel",
    "canceled", "cancelled", "id", "status", "charge", "start_count", "start_counter", "remains", "currency", "balance",
    "runs", "posts", "error", "errors", "message", "msg", "success", "code", "data", "result", "service", "services",
    "name", "type", "category", "rate", "min", "max", "dripfeed", "desc", "description", "average_time",
)  # fmt: skip
_DOCUMENTED: Mapping[str, str] = {normalize_word(name): name for name in _NAMES}


def unify_names(payload: object) -> object:
    """Return a response whose fields have their documented names, unless an object has two fields for one name.

    Only if one of the first objects has a name that differs: panels write all
    their names in the same way.
    """
    return _rename(payload) if any(map(_has_other_names, _find_first_objects(payload))) else payload


def _find_first_objects(value: object, depth: int = 0) -> Iterator[Mapping[str, object]]:
    """Yield the objects at the beginning of each level, and those at its end."""
    if isinstance(value, dict):
        yield value
    if depth < _MAX_DEPTH and isinstance(value, (dict, list)) and value:
        parts = value.values() if isinstance(value, dict) else value
        yield from _find_first_objects(next(iter(parts)), depth + 1)
        if len(value) > 1:
            yield from _find_first_objects(next(reversed(parts)), depth + 1)


_MAX_DEPTH = 3
_MAX_NAMES = 40


def _has_other_names(fields: Mapping[str, object]) -> bool:
    names: Iterable[str] = fields if len(fields) <= _MAX_NAMES else list(fields)[:_MAX_NAMES]
    return any(not name.isdecimal() and _find_name(name) != name for name in names)


def _find_name(name: str) -> str:
    """Return the documented name of a field, or its own."""
    return name if name in _NAMES_AS_DOCUMENTED else _DOCUMENTED.get(normalize_word(name), name)


_NAMES_AS_DOCUMENTED = frozenset(_NAMES)


def _rename(value: object) -> object:
    if isinstance(value, Conflict):
        return Conflict(map(_rename, value))
    if isinstance(value, list):
        return list(map(_rename, value))
    if not isinstance(value, dict):
        return value
    names = {name: _find_name(name) for name in value}
    counts = Counter(names.values())
    return {names[name] if counts[names[name]] == 1 else name: _rename(part) for name, part in value.items()}
