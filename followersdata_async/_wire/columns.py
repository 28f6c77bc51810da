"""Many rows of one kind, read column by column: the values of a field together, in C where they are plain.

Each function returns what the parser for a single value in ``scalars`` returns
for every value.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation, getcontext
from functools import cache
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from attrs import define, fields, make_class

from .._serialization import Serializable
from ..models import Id, Ok
from .scalars import MAX_DIGITS, parse_amount, parse_bool, parse_id, parse_int, parse_limit, parse_text, parse_title

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

T = TypeVar("T")
Key = TypeVar("Key")
Columns: TypeAlias = dict[str, tuple[object, ...]]
"""The values of each field."""

_MAX_ID_DIGITS = 40


def split_columns(rows: Mapping[Key, object]) -> Iterator[tuple[Collection[Key], Columns]]:
    """Yield the columns of all rows that have the same fields, with the keys of these rows.

    Nearly always, all rows have the same fields. Rows that are not objects are
    left out.
    """
    if (columns := _split_objects(rows.values())) is not None:
        yield rows.keys(), columns
        return
    groups: dict[tuple[object, ...], dict[Key, object]] = {}
    for key, row in rows.items():
        if type(row) is dict:
            groups.setdefault(tuple(row), {})[key] = row
    for group in groups.values():
        if (columns := _split_objects(group.values())) is not None:
            yield group.keys(), columns


def _split_objects(rows: Collection[Any]) -> Columns | None:
    """Return the values of each field, or ``None`` if the rows do not have the same fields, at least two."""
    first = next(iter(rows), None)
    if type(first) is not dict or len(first) <= 1:
        return None
    try:
        if set(map(len, rows)) != {len(first)}:
            return None
        return dict(zip(first, zip(*map(itemgetter(*first), rows), strict=True), strict=True))
    except (KeyError, TypeError):
        # Other fields, or no object.
        return None


# --- the values of a column


def parse_amounts(column: Sequence[Any]) -> Sequence[Decimal | None]:
    """Parse exact amounts, as ``parse_amount`` does."""
    # A context of the caller's can make Decimal return NaN instead of raising.
    if _is_written_in(column, ".") and getcontext().traps[InvalidOperation]:
        try:
            return list(map(Decimal, column))
        except InvalidOperation:
            pass
    return list(map(parse_amount, column))


def parse_ints(column: Sequence[Any]) -> Sequence[int | None]:
    """Parse integers, as ``parse_int`` does."""
    if _is_written_in(column):
        try:
            return list(map(int, column))
        except ValueError:
            pass
    return list(map(parse_int, column))


def parse_limits(column: Sequence[Any]) -> Sequence[int | None]:
    """Parse limits of quantities, as ``parse_limit`` does."""
    numbers = parse_ints(column)
    return list(map(parse_limit, column)) if None in numbers else numbers


def parse_ids(column: Sequence[Any]) -> Sequence[Id]:
    """Parse ids, as ``parse_id`` does.

    Raises:
        ValueError: one of them is not an id.
    """
    if set(map(type, column)) == {int}:
        return column
    if _is_written_in(column):
        try:
            numbers = list(map(int, column))
        except ValueError:
            pass
        else:
            # Leading zeros make an id a string, and so do more than 40 digits.
            if list(map(str, numbers)) == list(column) and max(map(len, column)) <= _MAX_ID_DIGITS:
                return numbers
    return list(map(parse_id, column))


def _is_written_in(column: Sequence[Any], separator: str = "") -> bool:
    """Return whether a column has strings of digits and the separator only, none of them too long to convert."""
    try:
        joined = "".join(column)
    except TypeError:
        return False
    digits = joined.replace(separator, "") if separator else joined
    return (
        digits.isascii() and digits.isdecimal() and (len(joined) <= MAX_DIGITS or max(map(len, column)) <= MAX_DIGITS)
    )


def parse_texts(column: Sequence[Any]) -> Sequence[str | None]:
    """Parse strings, as ``parse_text`` does."""
    return column if set(map(type, column)) == {str} else list(map(parse_text, column))


def parse_titles(column: Sequence[Any]) -> Sequence[str | None]:
    """Parse strings with HTML entities, as ``parse_title`` does. Equal ones are one object, which saves memory."""
    words = parse_words(column)
    if all(word is None or "&" not in word for word in set(words)):
        return words
    titles = {word: parse_title(word) for word in set(words)}
    return list(map(titles.__getitem__, words))


def parse_words(column: Sequence[Any]) -> Sequence[str | None]:
    """Parse strings of which there are few, as ``parse_text`` does. Equal ones are one object, which saves memory."""
    if set(map(type, column)) != {str}:
        return list(map(parse_text, column))
    words = dict(zip(column, column, strict=True))
    return list(map(words.__getitem__, column))


def parse_bools(column: Sequence[Any]) -> Sequence[bool | None]:
    """Parse booleans, as ``parse_bool`` does."""
    return column if set(map(type, column)) == {bool} else list(map(parse_bool, column))


# --- columns to values


def build_values(model: type[T], columns: Mapping[str, Iterable[object]]) -> list[T]:
    """Return a value of a frozen attrs class for each row. Fields without a column get their defaults.

    attrs writes each attribute of a frozen class by a guarded call, which takes
    half of the time of reading a row. So values are made as drafts, instances
    of a mutable class of the same layout, and then get the class of the model.
    """
    kind: Any = model  # mypy does not take a class for hashable
    draft, defaults = _build_draft(kind)
    values = list(map(draft, *(columns[name] if name in columns else repeat(defaults[name]) for name in defaults)))
    for value in values:
        value.__class__ = model
    return values


def build_oks(ids: Iterable[Id], values: Iterable[T]) -> list[Ok[T]]:
    """Return the outcomes of ids that have a value, made as ``build_values`` makes them."""
    oks: list[Any] = list(map(_OkDraft, ids, values))
    for ok in oks:
        ok.__class__ = Ok
    return oks


@cache
def _build_draft(model: type[Any]) -> tuple[Any, dict[str, object]]:
    """Return the mutable class of a model's layout, and the model's fields with their defaults."""
    defaults = {attribute.name: attribute.default for attribute in fields(model)}
    draft = make_class(
        f"{model.__name__}Draft", list(defaults), bases=model.__bases__, slots=True, eq=False, weakref_slot=False
    )
    return draft, defaults


@define(eq=False, weakref_slot=False)
class _OkDraft(Serializable, Generic[T]):
    id: Id
    value: T
