"""The one cattrs converter: a row's fields to a model, each read by its named scalar reader.

A field that is missing or cannot be read keeps its default where it has one;
where it has none, that is a problem, and all problems of a row come at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from attrs import fields_dict
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.gen import make_dict_structure_fn, override

from ..models import Id, OrderState, RefillState, ServiceKind
from .scalars import count_of, flag_of, id_of, number_of, order_state_of, refill_state_of, service_kind_of, text_of

Model = TypeVar("Model")


def structured(row: Mapping[str, object], model: type[Model]) -> Model:
    """The model that a row's fields make; those that it does not know go to ``extra``.

    Raises:
        UnreadableError: with a line for each field that does not fit.
    """
    kind: Any = model  # mypy does not take a class for hashable
    known, read = _reader(kind)
    if not row.keys() <= known:
        row = {name: value for name, value in row.items() if name in known} | {
            "extra": {name: value for name, value in row.items() if name not in known}
        }
    try:
        value: Model = read(row, model)
    except BaseValidationError as error:
        problems = tuple(transform_error(error, path="row", format_exception=_problem))
        raise UnreadableError(problems) from None
    return value


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


@cache
def _reader(model: type[Any]) -> tuple[frozenset[str], Callable[[Mapping[str, object], Any], Any]]:
    """A model's fields as rows name them, and what reads them: made when the first row comes, as it takes long."""
    derived: dict[str, Any] = {
        name: override(rename=source) for name, source in _SOURCES.items() if name in fields_dict(model)
    }
    read = make_dict_structure_fn(model, _converter(), **derived)
    return frozenset(fields_dict(model)) - {"extra", *derived}, read


_SOURCES = {"state": "status", "kind": "type"}
"""Fields that are read off another one's word."""


@cache
def _converter() -> Converter:
    """Made when the first row comes, as importing would take longer."""
    converter = Converter()
    converter.register_structure_hook(Decimal, _money)
    converter.register_structure_hook(Decimal | None, number_of)
    converter.register_structure_hook(int | None, count_of)
    converter.register_structure_hook(bool | None, flag_of)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(str | None, text_of)
    converter.register_structure_hook(Id, lambda value, _: id_of(value))
    converter.register_structure_hook(Id | None, _optional_id)
    converter.register_structure_hook_func(lambda type_: type_ == tuple[Id, ...], _children)
    converter.register_structure_hook(OrderState, order_state_of)
    converter.register_structure_hook(RefillState, refill_state_of)
    converter.register_structure_hook(ServiceKind, service_kind_of)
    converter.register_structure_hook_func(lambda type_: type_ == Mapping[str, object], lambda value, _: value)
    return converter
