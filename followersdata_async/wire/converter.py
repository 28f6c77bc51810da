"""The one cattrs converter: a row's fields to a model, each read by its named scalar reader.

A field that is missing or cannot be read keeps its default where it has one;
where it has none, that is a problem, and all problems of a row come at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from attrs import fields_dict
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.gen import make_dict_structure_fn

from ..models import (
    Balance,
    Cancellation,
    Id,
    OrderState,
    OrderStatus,
    PlacedOrder,
    Refill,
    RefillState,
    RefillStatus,
    Service,
    ServiceKind,
)
from .scalars import (
    count_of,
    flag_of,
    id_of,
    number_of,
    order_state_of,
    refill_state_of,
    service_kind_of,
    text_of,
)

Model = TypeVar("Model")


def structured(row: Mapping[str, object], model: type[Model], **derived: object) -> Model:
    """The model that a row's fields make, with fields derived from others; unknown ones go to ``extra``.

    Raises:
        UnreadableError: with a line for each field that does not fit.
    """
    known = _FIELDS[model] - derived.keys()
    values = {name: value for name, value in row.items() if name in known} | derived
    if "extra" in known:
        values["extra"] = {name: value for name, value in row.items() if name not in known}
    try:
        return _CONVERTER.structure(values, model)
    except BaseValidationError as error:
        problems = tuple(transform_error(error, path="row", format_exception=_problem))
    raise UnreadableError(problems)


class UnreadableError(ValueError):
    """A row does not fit its model; ``problems`` says where."""

    def __init__(self, problems: tuple[str, ...] = ()) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _problem(error: BaseException, _: object) -> str:
    if isinstance(error, KeyError):
        return "required field missing"
    return str(error)


def _money(value: object, _: object) -> Decimal:
    number = number_of(value)
    if number is None:
        msg = "not an amount"
        raise ValueError(msg)
    return number


def _text(value: object, _: object) -> str:
    text = text_of(value)
    if text is None:
        msg = "not a text"
        raise ValueError(msg)
    return text


def _children(value: object, _: object) -> tuple[Id, ...]:
    """The ids of an order's children, as a list or joined by commas."""
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    return tuple(map(id_of, value)) if isinstance(value, list) else ()


def _optional_id(value: object, _: object) -> Id | None:
    return None if value is None else id_of(value)


def _converter() -> Converter:
    converter = Converter()
    converter.register_structure_hook(Decimal, _money)
    converter.register_structure_hook(Decimal | None, lambda value, _: number_of(value))
    converter.register_structure_hook(int | None, lambda value, _: count_of(value))
    converter.register_structure_hook(bool | None, lambda value, _: flag_of(value))
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(str | None, lambda value, _: text_of(value))
    converter.register_structure_hook(Id, lambda value, _: id_of(value))
    converter.register_structure_hook(Id | None, _optional_id)
    converter.register_structure_hook_func(lambda type_: type_ == tuple[Id, ...], _children)
    converter.register_structure_hook(OrderState, lambda word, _: order_state_of(word))
    converter.register_structure_hook(RefillState, lambda word, _: refill_state_of(word))
    converter.register_structure_hook(ServiceKind, lambda word, _: service_kind_of(word))
    converter.register_structure_hook_func(lambda type_: type_ == Mapping[str, object], lambda value, _: value)
    for model in _MODELS:
        converter.register_structure_hook(model, make_dict_structure_fn(model, converter))
    return converter


_MODELS: tuple[type[Any], ...] = (
    Balance,
    Cancellation,
    OrderStatus,
    PlacedOrder,
    Refill,
    RefillStatus,
    Service,
)
_FIELDS: dict[type[Any], frozenset[str]] = {model: frozenset(fields_dict(model)) for model in _MODELS}
_CONVERTER = _converter()
