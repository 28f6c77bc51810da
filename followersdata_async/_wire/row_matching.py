"""Which row of a batch's answer belongs to which id asked (panel-api §5.3, §10.2).

A row is matched by the id that it carries or stands under. One that nobody
asked for is dropped; where no row tells its id, the answer is refused as a
whole, unless its order can prove what belongs to what.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, final

from attrs import frozen

from .scalars import id_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class UnmatchableError(ValueError):
    """The answer has something, but nothing says which id it belongs to."""


@final
@frozen(kw_only=True, eq=False)
class Shape:
    """How an action's rows tell their ids.

    ``key`` holds a row's id. ``spare_key`` holds it in lists without ``key``
    whose rows have a ``status``. ``flat`` are fields by which an answer that
    is one single row is known.
    """

    key: str
    spare_key: str | None = None
    flat: frozenset[str]


def rows_by_id(payload: object, asked: Sequence[str], shape: Shape) -> Mapping[str, object]:
    """The answer's rows by the text of the id that they belong to; ids without a row are missing.

    Raises:
        UnmatchableError: nothing says what belongs to which id.
    """
    if isinstance(payload, dict):
        return _rows_of_map(payload, asked, shape)
    if isinstance(payload, list):
        return _rows_of_list(payload, asked, shape)
    msg = "the answer is neither an object nor a list"
    raise UnmatchableError(msg)


def _rows_of_map(payload: Mapping[str, object], asked: Sequence[str], shape: Shape) -> Mapping[str, object]:
    if not payload.keys().isdisjoint(asked):
        return {id_: payload[id_] for id_ in asked if id_ in payload}
    if not payload.keys().isdisjoint(shape.flat):
        return _flat_row(payload, asked, shape)
    if all(isinstance(row, dict) for row in payload.values()):
        return {}
    msg = "the answer names none of the ids asked"
    raise UnmatchableError(msg)


def _flat_row(payload: Mapping[str, object], asked: Sequence[str], shape: Shape) -> Mapping[str, object]:
    """A row that is the whole answer belongs to the one id asked, or to the one that it names."""
    if len(asked) == 1:
        return {asked[0]: payload}
    named = _id_in(payload, shape.key)
    if named in asked:
        return {named: payload}
    msg = f"one row without an id came for {len(asked)} ids"
    raise UnmatchableError(msg)


def _rows_of_list(payload: list[object], asked: Sequence[str], shape: Shape) -> Mapping[str, object]:
    rows = [row for row in payload if isinstance(row, dict)]
    named = [row for row in rows if shape.key in row]
    if named:
        return _named_rows(named, shape.key, asked)
    if shape.spare_key and (named := [row for row in rows if row.keys() >= {shape.spare_key, "status"}]):
        found = _named_rows(named, shape.spare_key, asked)
        return {id_: _without(row, shape.spare_key) for id_, row in found.items()}
    if len(rows) != len(payload):
        msg = "the answer is a list of something else than rows"
        raise UnmatchableError(msg)
    return _rows_by_position(rows, asked)


def _without(row: Mapping[str, object] | None, key: str) -> Mapping[str, object]:
    """The row without the field that turned out to hold the id asked: it says nothing else."""
    return {name: value for name, value in (row or {}).items() if name != key}


def _named_rows(
    rows: Sequence[Mapping[str, object]], key: str, asked: Sequence[str]
) -> Mapping[str, Mapping[str, object] | None]:
    wanted = frozenset(asked)
    found: dict[str, Mapping[str, object] | None] = {}
    for row in rows:
        id_ = _id_in(row, key)
        if id_ in wanted and found.setdefault(id_, row) != row:
            found[id_] = None  # Two rows that differ are as good as none that can be read.
    return found


def _id_in(row: Mapping[str, object], key: str) -> str:
    """The text of the id that a row names, or an empty text, which no id has."""
    try:
        return str(id_of(row.get(key)))
    except ValueError:
        return ""


def _rows_by_position(rows: Sequence[object], asked: Sequence[str]) -> Mapping[str, object]:
    """Rows without ids: one panel sends them in ascending order, whatever was asked (panel-api §5.3)."""
    if not rows:
        return {}
    if len(rows) != len(asked) or not _ascending(asked):
        msg = f"{len(rows)} rows without ids came for {len(asked)} ids"
        raise UnmatchableError(msg)
    return dict(zip(asked, rows, strict=True))


def _ascending(asked: Sequence[str]) -> bool:
    """Whether the ids were sent in rising order, which a single one always is."""
    numbers = [number for id_ in asked if isinstance(number := id_of(id_), int)]
    return len(asked) == 1 or (len(numbers) == len(asked) and all(low < high for low, high in pairwise(numbers)))
