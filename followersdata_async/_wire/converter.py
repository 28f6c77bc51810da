"""The cattrs converter from rows to models.

An optional field that is missing or unreadable gets its default. A required
one is a problem, and all problems of a row are reported together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from attrs import fields_dict
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.gen import make_dict_structure_fn, override

from ..models import Id, OrderState, OrderStatus, RefillState, Service, ServiceKind
from .acceptance import is_id
from .catalogue_rows import unify_names
from .columns import (
    build_values,
    parse_amounts,
    parse_bools,
    parse_ids,
    parse_ints,
    parse_limits,
    parse_texts,
    parse_titles,
    parse_words,
    split_columns,
)
from .scalars import (
    find_plain_state,
    parse_amount,
    parse_bool,
    parse_id,
    parse_int,
    parse_limit,
    parse_order_state,
    parse_refill_state,
    parse_service_kind,
    parse_text,
    parse_title,
)

Model = TypeVar("Model")
Key = TypeVar("Key")
ColumnParser = Callable[[Sequence[object]], Sequence[object]]


def structure_row(row: Mapping[str, object], model: type[Model]) -> Model:
    """Convert a row to a model. Fields that the model does not have go to ``extra``.

    Raises:
        UnreadableError: some fields do not fit; ``problems`` has one line for each.
    """
    kind: Any = model  # mypy does not take a class for hashable
    known, read = _build_structurer(kind)
    if not row.keys() <= known:
        row = {name: value for name, value in row.items() if name in known} | {
            "extra": {name: value for name, value in row.items() if name not in known}
        }
    try:
        value: Model = read(row, model)
    except BaseValidationError as error:
        problems = tuple(transform_error(error, path="row", format_exception=_describe_problem))
        raise UnreadableError(problems) from None
    return value


def structure_plain_statuses(rows: Mapping[Key, object]) -> dict[Key, OrderStatus]:
    """Convert the rows of orders that have only the usual fields, and leave out all others.

    Nearly all rows are like that. The results are what ``structure_row``
    returns, at a fraction of its time.
    """
    statuses: dict[Key, OrderStatus] = {}
    for keys, columns in split_columns(rows):
        if "status" not in columns or not columns.keys() <= _STATUS_PARSERS.keys():
            continue
        try:
            states = list(map(find_plain_state, columns["status"]))
        except TypeError:
            # Some are not strings.
            continue
        parsed = {name: _STATUS_PARSERS[name](column) for name, column in columns.items()}
        values = build_values(OrderStatus, parsed | {"state": states})
        if None in states:
            rows_of_states = zip(keys, values, states, strict=True)
            statuses.update((key, value) for key, value, state in rows_of_states if state is not None)
        else:
            statuses.update(zip(keys, values, strict=True))
    return statuses


_STATUS_PARSERS: Mapping[str, ColumnParser] = {
    "status": parse_words,
    "charge": parse_amounts,
    "start_count": parse_ints,
    "remains": parse_ints,
    "currency": parse_words,
}


def structure_plain_services(rows: Mapping[Key, object]) -> dict[Key, Service]:
    """Convert the rows of a catalogue, and leave out those without a readable id or name.

    The results are what ``structure_row`` returns, at a fraction of its time.
    """
    services: dict[Key, Service] = {}
    for keys, found in split_columns(rows):
        columns = unify_names(found)
        if not columns.keys() >= {"service", "name", "type"}:
            continue
        known = {name: column for name, column in columns.items() if name in _SERVICE_PARSERS}
        try:
            parsed = {name: _SERVICE_PARSERS[name](column) for name, column in known.items()}
        except ValueError:
            continue
        if None in parsed["name"] or None in parsed["type"]:
            continue
        kinds = {word: parse_service_kind(word) for word in set(parsed["type"])}
        parsed["kind"] = [kinds[word] for word in parsed["type"]]
        if unknown := columns.keys() - known.keys():
            names = [name for name in columns if name in unknown]
            values = zip(*(columns[name] for name in names), strict=True)
            parsed["extra"] = [dict(zip(names, row, strict=True)) for row in values]
        services.update(zip(keys, build_values(Service, parsed), strict=True))
    return services


_SERVICE_PARSERS: Mapping[str, ColumnParser] = {
    "service": parse_ids,
    "name": parse_titles,
    "type": parse_words,
    "category": parse_titles,
    "rate": parse_amounts,
    "min": parse_limits,
    "max": parse_limits,
    "refill": parse_bools,
    "cancel": parse_bools,
    "dripfeed": parse_bools,
    "description": parse_titles,
    "average_time": parse_texts,
}


class UnreadableError(ValueError):
    """A row does not fit its model. ``problems`` has one line for each field."""

    def __init__(self, problems: tuple[str, ...] = ()) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _describe_problem(error: BaseException, _: object) -> str:
    if isinstance(error, KeyError):
        return "required field missing"
    return str(error)


def _parse_amount(value: object, _: object) -> Decimal:
    number = parse_amount(value)
    if number is None:
        msg = "not an amount"
        raise ValueError(msg)
    return number


def _parse_required_text(value: object, _: object) -> str:
    text = parse_text(value)
    if text is None:
        msg = "not a text"
        raise ValueError(msg)
    return text


def _parse_children(value: object, _: object) -> tuple[Id, ...]:
    """Parse the ids of an order's children, given as a list or joined by commas. Those that are none are left out."""
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    return tuple(map(parse_id, filter(is_id, value))) if isinstance(value, list) else ()


def _parse_optional_id(value: object, _: object) -> Id | None:
    return parse_id(value) if is_id(value) else None


@cache
def _build_structurer(model: type[Any]) -> tuple[frozenset[str], Callable[[Mapping[str, object], Any], Any]]:
    """Build the function that structures rows, and the set of fields it knows. Done at the first row."""
    hooks = _SERVICE_HOOKS if model is Service else {}
    derived = {name: source for name, source in _SOURCES.items() if name in fields_dict(model)}
    overrides: dict[str, Any] = {
        **{name: override(struct_hook=hook) for name, hook in hooks.items()},
        **{name: override(rename=source) for name, source in derived.items()},
    }
    read = make_dict_structure_fn(model, _build_converter(), **overrides)
    return frozenset(fields_dict(model)) - {"extra", *derived}, read


_SERVICE_HOOKS: Mapping[str, Callable[[object, Any], object]] = {
    "name": lambda value, type_: parse_title(_parse_required_text(value, type_)),
    "category": parse_title,
    "description": parse_title,
    "min": parse_limit,
    "max": parse_limit,
}
"""Fields of a service that are read in another way than others of their type."""

_SOURCES = {"state": "status", "kind": "type"}
"""Fields that are derived from another one."""


@cache
def _build_converter() -> Converter:
    """Build the converter at the first row: at import it would take too long."""
    converter = Converter()
    converter.register_structure_hook(Decimal, _parse_amount)
    converter.register_structure_hook(Decimal | None, parse_amount)
    converter.register_structure_hook(int | None, parse_int)
    converter.register_structure_hook(bool | None, parse_bool)
    converter.register_structure_hook(str, _parse_required_text)
    converter.register_structure_hook(str | None, parse_text)
    converter.register_structure_hook(Id, lambda value, _: parse_id(value))
    converter.register_structure_hook(Id | None, _parse_optional_id)
    converter.register_structure_hook_func(lambda type_: type_ == tuple[Id, ...], _parse_children)
    converter.register_structure_hook(OrderState, parse_order_state)
    converter.register_structure_hook(RefillState, parse_refill_state)
    converter.register_structure_hook(ServiceKind, parse_service_kind)
    converter.register_structure_hook_func(lambda type_: type_ == Mapping[str, object], lambda value, _: value)
    return converter
