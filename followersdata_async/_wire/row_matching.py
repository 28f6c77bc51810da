"""Which row of a batch response belongs to which requested id (panel-api §5.3, §10.2).

A row is matched by the id that it contains or stands under. A row for an id
that was not requested is dropped. If no row has an id, the response is rejected
as a whole, unless the order of the rows proves which row belongs to which id.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, final

from attrs import frozen

from .scalars import parse_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class UnmatchableError(ValueError):
    """A response has rows, but not the ids that they belong to."""


@final
@frozen(kw_only=True, eq=False)
class RowShape:
    """The fields that identify an action's rows.

    ``key`` holds a row's id. ``spare_key`` holds it in lists without ``key``
    whose rows have a ``status``. A response with one of the ``flat`` fields is
    itself a single row.
    """

    key: str
    spare_key: str | None = None
    flat: frozenset[str]


def match_rows(payload: object, ids: Sequence[str], shape: RowShape) -> Mapping[str, object]:
    """Return the rows of a response by id. Ids without a row are missing.

    Raises:
        UnmatchableError: it cannot be proven which row belongs to which id.
    """
    if isinstance(payload, dict):
        return _match_map(payload, ids, shape)
    if isinstance(payload, list):
        return _match_list(payload, ids, shape)
    msg = "the answer is neither an object nor a list"
    raise UnmatchableError(msg)


def _match_map(payload: Mapping[str, object], ids: Sequence[str], shape: RowShape) -> Mapping[str, object]:
    if tuple(payload) == ids:
        return payload
    if not payload.keys().isdisjoint(ids):
        return {id_: payload[id_] for id_ in ids if id_ in payload}
    if not payload.keys().isdisjoint(shape.flat):
        return _match_flat_row(payload, ids, shape)
    if all(isinstance(row, dict) for row in payload.values()):
        return {}
    msg = "the answer names none of the ids asked"
    raise UnmatchableError(msg)


def _match_flat_row(payload: Mapping[str, object], ids: Sequence[str], shape: RowShape) -> Mapping[str, object]:
    """Match a response that is a single row: to the only requested id, or to the id in the row."""
    if len(ids) == 1:
        return {ids[0]: payload}
    named = _read_id(payload, shape.key)
    if named in ids:
        return {named: payload}
    msg = f"one row without an id came for {len(ids)} ids"
    raise UnmatchableError(msg)


def _match_list(payload: list[object], ids: Sequence[str], shape: RowShape) -> Mapping[str, object]:
    rows = [row for row in payload if isinstance(row, dict)]
    named = [row for row in rows if shape.key in row]
    if named:
        return _match_named_rows(named, shape.key, ids)
    if shape.spare_key and (named := [row for row in rows if row.keys() >= {shape.spare_key, "status"}]):
        found = _match_named_rows(named, shape.spare_key, ids)
        return {id_: _drop_field(row, shape.spare_key) for id_, row in found.items()}
    if len(rows) != len(payload):
        msg = "the answer is a list of something else than rows"
        raise UnmatchableError(msg)
    return _match_by_position(rows, ids)


def _drop_field(row: Mapping[str, object] | None, key: str) -> Mapping[str, object]:
    """Return the row without the field that held the id."""
    return {name: value for name, value in (row or {}).items() if name != key}


def _match_named_rows(
    rows: Sequence[Mapping[str, object]], key: str, ids: Sequence[str]
) -> Mapping[str, Mapping[str, object] | None]:
    wanted = frozenset(ids)
    found: dict[str, Mapping[str, object] | None] = {}
    for row in rows:
        id_ = _read_id(row, key)
        if id_ in wanted and found.setdefault(id_, row) != row:
            found[id_] = None  # Two different rows for one id are unreadable.
    return found


def _read_id(row: Mapping[str, object], key: str) -> str:
    """Return the id in a row, or an empty string, which is not an id."""
    try:
        return str(parse_id(row.get(key)))
    except ValueError:
        return ""


def _match_by_position(rows: Sequence[object], ids: Sequence[str]) -> Mapping[str, object]:
    """Match rows without ids: one panel sends them in ascending order, whatever was requested (panel-api §5.3)."""
    if not rows:
        return {}
    if len(rows) != len(ids) or not _is_ascending(ids):
        msg = f"{len(rows)} rows without ids came for {len(ids)} ids"
        raise UnmatchableError(msg)
    return dict(zip(ids, rows, strict=True))


def _is_ascending(ids: Sequence[str]) -> bool:
    """Return whether the ids were sent in ascending order, which is true of a single one."""
    numbers = [number for id_ in ids if isinstance(number := parse_id(id_), int)]
    return len(ids) == 1 or (len(numbers) == len(ids) and all(low < high for low, high in pairwise(numbers)))
