"""Which row of a batch response belongs to which requested id (panel-api §5.3, §10.2).

A row belongs to the requested id that it names, wherever it stands. Its key in
a map, or its position in a list, decides only if it names none. A row for an
id that was not requested is dropped. If nothing proves which row belongs to
which id, the response is rejected as a whole.
"""

from __future__ import annotations

from itertools import chain, pairwise
from typing import TYPE_CHECKING, TypeAlias, final

from attrs import frozen

from .json_values import Conflict
from .scalars import parse_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class UnmatchableError(ValueError):
    """A response has rows, but not the ids that they belong to."""


@final
@frozen(kw_only=True, eq=False)
class RowShape:
    """The fields that identify an action's rows.

    ``names`` hold a row's id. ``spare_names`` hold it if no row has one of
    these, and if they hold requested ids in all rows: elsewhere, they hold
    something else. Each has a field that must be beside it, or ``""``. A
    response with one of the ``flat`` fields is itself a row. ``lists`` are
    fields with a list of ids instead of rows, each with the field of a row that
    is true for these ids.
    """

    names: tuple[str, ...]
    spare_names: tuple[tuple[str, str], ...] = (("id", ""),)
    flat: frozenset[str]
    lists: tuple[tuple[str, str], ...] = ()


Rows: TypeAlias = "dict[str, object]"
"""Rows by the id that they belong to. Two different ones for an id are a ``Conflict``."""


def match_rows(payload: object, ids: Mapping[str, object], shape: RowShape) -> Rows:
    """Return the rows of a response by id. Ids without a row are missing.

    Raises:
        UnmatchableError: it cannot be proven which row belongs to which id.
    """
    rows = _find_listed_rows(payload, ids, shape)
    if rows is None:
        rows = _match(payload, ids, shape)
    if rows is None and isinstance(payload, dict):
        rows = _match_wrapped(payload, ids, shape)
    if rows is None:
        msg = f"it cannot be told which rows belong to the {len(ids)} ids that were sent"
        raise UnmatchableError(msg)
    return rows


def has_rows(payload: object, ids: Mapping[str, object], shape: RowShape) -> bool:
    """Return whether a response has rows of its own for some ids, as opposed to one error for all of them."""
    if isinstance(payload, list):
        # One row without an id can be an error for the only id, or for the request.
        return _has_names(payload, ids, shape) or (len(payload) > 1 and bool(_match(payload, ids, shape)))
    if not isinstance(payload, dict):
        return False
    if _find_listed_rows(payload, ids, shape):
        return True
    if not payload.keys().isdisjoint(ids) or _find_inner(payload, ids, shape):
        return True
    return len(ids) > 1 and _find_name(payload, ids, shape) is not None


def _match(payload: object, ids: Mapping[str, object], shape: RowShape) -> Rows | None:
    """Return the rows that stand in the payload itself, or ``None`` if it is something else than rows."""
    if isinstance(payload, Conflict):
        return None
    if isinstance(payload, dict):
        return _match_map(payload, ids, shape)
    return _match_list(payload, ids, shape) if isinstance(payload, list) else None


def _find_listed_rows(payload: object, ids: Mapping[str, object], shape: RowShape) -> Rows | None:
    """Return rows for the requested ones of the ids in a list, or ``None`` if there is no such list."""
    if not isinstance(payload, dict):
        return None
    for name, field in shape.lists:
        listed = payload.get(name)
        if isinstance(listed, list) and not isinstance(listed, Conflict):
            return {id_: {field: True} for value in listed if (id_ := _read_id(value)) in ids}
    return None


# --- wrapped rows


def _match_wrapped(payload: Mapping[str, object], ids: Mapping[str, object], shape: RowShape) -> Rows | None:
    """Return the rows in one of the values. A map of rows for other ids has no rows."""
    inner = _find_inner(payload, ids, shape)
    if len(inner) == 1:
        return _match(inner[0], ids, shape)
    if len(ids) == 1 and not inner and _is_flat(payload, shape):
        return dict.fromkeys(ids, payload)
    return {} if has_rows_of_others(payload, shape) else None


def has_rows_of_others(payload: object, shape: RowShape) -> bool:
    """Return whether a map has rows only. If it has none of a requested id, they are of others."""
    if not isinstance(payload, dict) or not payload or "0" in payload:
        return False
    return all(_is_row(row, shape) for row in payload.values())


def _find_inner(payload: Mapping[str, object], ids: Mapping[str, object], shape: RowShape) -> list[object]:
    """Return the values that are rows themselves."""
    return [value for value in payload.values() if _holds_rows(value, ids, shape)]


def _holds_rows(value: object, ids: Mapping[str, object], shape: RowShape) -> bool:
    """Return whether a value has a row that names a requested id, or that stands under one."""
    if isinstance(value, dict):
        is_keyed = not value.keys().isdisjoint(ids)
        return is_keyed or _find_name(value, ids, shape) is not None or _has_names(value.values(), ids, shape)
    return isinstance(value, list) and _has_names(value, ids, shape)


# --- maps


def _match_map(payload: dict[str, object], ids: Mapping[str, object], shape: RowShape) -> Rows | None:
    if not payload:
        return {}
    if payload.keys().isdisjoint(ids) and _is_flat(payload, shape):
        owner = _find_name(payload, ids, shape)
        return None if owner is None else {owner: payload}
    if payload.keys() == ids.keys() and _is_nameless(payload.values(), shape):
        return payload
    names = [_find_name(row, ids, shape) for row in payload.values()]
    has_index_keys = _has_index_keys(payload, ids, names)
    if has_index_keys and not any(names):
        rows = [row for row in payload.values() if isinstance(row, dict)]
        return _match_by_spare_name(rows, ids, shape) or None
    found: Rows = {}
    for (key, row), name in zip(payload.items(), names, strict=True):
        owner = name or ("" if has_index_keys else key)
        if owner in ids:
            _add(found, owner, row)
    return found or None


def _has_index_keys(payload: Mapping[str, object], ids: Mapping[str, object], names: Iterable[str | None]) -> bool:
    """Return whether the keys of a map are positions: PHP writes a list with a hole like that.

    It shows in the key 0, and in a row that names a requested id under a number that is none.
    """
    return any(
        key not in ids and key.isdecimal() and (name or key == "0") for key, name in zip(payload, names, strict=True)
    )


def _is_flat(payload: Mapping[str, object], shape: RowShape) -> bool:
    """Return whether a response is itself a single row."""
    if not payload.keys().isdisjoint(shape.flat):
        return True
    return any(name in payload and not isinstance(payload[name], (dict, list)) for name in shape.names)


# --- lists


def _match_list(payload: list[object], ids: Mapping[str, object], shape: RowShape) -> Rows | None:
    rows = [row for row in payload if isinstance(row, dict)]
    if not all(row.keys().isdisjoint(shape.names) for row in rows):
        found: Rows = {}
        for row in rows:
            owner = _find_name(row, ids, shape)
            if owner is not None and owner in ids:
                _add(found, owner, row)
        return found
    if len(rows) != len(payload):
        return None
    by_spare_name = _match_by_spare_name(rows, ids, shape)
    return _match_by_position(rows, ids) if by_spare_name is None else by_spare_name or None


def _match_by_spare_name(
    rows: Sequence[Mapping[str, object]], ids: Mapping[str, object], shape: RowShape
) -> Rows | None:
    """Match rows whose id stands in a spare field, and take this field out of them.

    Return ``None`` if no spare field holds a requested id, and no rows if one
    does in some rows only: then it cannot be told what it holds.
    """
    for name, companion in shape.spare_names:
        marked = [row for row in rows if not companion or companion in row]
        owners = [owner for row in marked if (owner := _read_id(row.get(name))) in ids]
        if owners and len(owners) < len(rows):
            return {}
        if owners:
            found: Rows = {}
            for owner, row in zip(owners, rows, strict=True):
                _add(found, owner, {field: value for field, value in row.items() if field != name})
            return found
    return None


def _match_by_position(rows: Sequence[object], ids: Mapping[str, object]) -> Rows | None:
    """Match rows without ids: one panel sends them in ascending order, whatever was requested (panel-api §5.3)."""
    if not rows:
        return {}
    if len(rows) != len(ids) or not _is_ascending(ids):
        return None
    return dict(zip(ids, rows, strict=True))


def _is_ascending(ids: Mapping[str, object]) -> bool:
    """Return whether the ids were sent in ascending order, which is true of a single one."""
    numbers = [number for id_ in ids if isinstance(number := parse_id(id_), int)]
    return len(ids) == 1 or (len(numbers) == len(ids) and all(low < high for low, high in pairwise(numbers)))


# --- one row


def _has_names(rows: Iterable[object], ids: Mapping[str, object], shape: RowShape) -> bool:
    """Return whether one of the rows names a requested id."""
    return any(_find_name(row, ids, shape) is not None for row in rows)


def _is_nameless(rows: Iterable[object], shape: RowShape) -> bool:
    """Return whether no row has a field for its id: a cheap check, true of most responses."""
    fields = chain.from_iterable(row for row in rows if isinstance(row, dict))
    return frozenset(shape.names).isdisjoint(fields)


def _find_name(row: object, ids: Mapping[str, object], shape: RowShape) -> str | None:
    """Return the requested id that a row names, or ``None``. Of a row that names two, return what is no id."""
    if not isinstance(row, dict) or row.keys().isdisjoint(shape.names):
        return None
    named = {id_ for name in shape.names if (id_ := _read_id(row.get(name))) in ids}
    return next(iter(named), None) if len(named) <= 1 else _TWO_IDS


_TWO_IDS = "two ids"


def _read_id(value: object) -> str:
    """Return an id as it is sent, or an empty string, which is not an id."""
    try:
        return str(parse_id(value))
    except ValueError:
        return ""


def _add(found: Rows, owner: str, row: object) -> None:
    """Add a row. A second one that differs makes the id's row a conflict."""
    if found.setdefault(owner, row) != row:
        found[owner] = Conflict([found[owner], row])


def _is_row(value: object, shape: RowShape) -> bool:
    """Return whether a value looks like a row of the action, or like an error in place of one."""
    return isinstance(value, dict) and not value.keys().isdisjoint({*shape.flat, *shape.names, "error", "errors"})
