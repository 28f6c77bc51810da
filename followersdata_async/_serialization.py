"""Values as plain JSON: exact, readable by any language, and described so that frameworks can document them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from attrs import fields, has

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
"""What ``json.dumps`` takes as it is."""

Schema: TypeAlias = dict[str, Any]


class Plain:
    """A value that ``to_json`` knows, and that pydantic, and so FastAPI, can serialise and describe.

    Pydantic calls the method below by its name; nothing of it is imported
    where it is not in use.
    """

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:  # noqa: ANN401 - pydantic's
        """What pydantic asks of a class that is none of its own."""
        from pydantic_core import core_schema  # noqa: PLC0415 - only where pydantic asks

        del handler
        return core_schema.is_instance_schema(
            cls,
            ref=_name_of(source),
            serialization=core_schema.plain_serializer_function_ser_schema(to_json),
            metadata={"pydantic_js_functions": [lambda *_: schema_of(source)]},
        )


def to_json(value: object) -> Json:
    """The value as ``json.dumps`` takes it: amounts and states as texts, errors as their class and words.

    An outcome has its ``outcome``: ``ok``, ``refused``, ``unreported`` or
    ``failed``. A batch is ``outcomes``, in the order asked, and ``requests``.

    Raises:
        TypeError: it is neither one of this library's values nor plain.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return format_amount(value)
        case Enum():
            return to_json(value.value)
        case Exception():
            return {"type": type(value).__name__, "message": str(value)}
        case Plain():
            return {name: to_json(part) for name, part in parts_of(value)}
        case Mapping():
            return {str(name): to_json(part) for name, part in value.items()}
        case Sequence() | AbstractSet() if not isinstance(value, bytes | bytearray):
            return [to_json(part) for part in value]
    msg = f"{type(value).__name__} has no form in JSON: give a value of this library, or plain ones"
    raise TypeError(msg)


def format_amount(value: Decimal) -> str:
    """Return an amount in plain decimal notation, without an exponent: ``0.0000001``, not ``1E-7``."""
    return format(value, "f")


def parts_of(value: Plain) -> list[tuple[str, object]]:
    """The named parts of a value, in their order."""
    return [(name, getattr(value, name)) for name, _ in _hints_of(type(value))]  # type: ignore[arg-type]  # a class has a hash


def schema_of(hint: Any, known: Mapping[Any, Any] | None = None) -> Schema:  # noqa: ANN401 - an annotation may be anything
    """What ``to_json`` makes of values with this annotation, in JSON Schema's words."""
    known = known or {}
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, TypeVar):
        return schema_of(known[hint]) if hint in known else {}
    if origin in {Union, UnionType}:
        return {"anyOf": [schema_of(part, known) for part in arguments]}
    class_ = origin or hint
    if not isinstance(class_, type) or class_ in {object, Any}:
        return {}
    if issubclass(class_, Plain):
        return _schema_of_plain(class_, tuple(known.get(part, part) for part in arguments))
    if issubclass(class_, Mapping):
        return {"type": "object", "additionalProperties": schema_of(arguments[1], known) if arguments else True}
    if issubclass(class_, tuple | list):
        return {"type": "array", "items": schema_of(arguments[0], known) if arguments else {}}
    return _schema_of_scalar(class_)


def _schema_of_scalar(class_: type) -> Schema:
    if issubclass(class_, Enum):
        return {"type": "string", "enum": [member.value for member in class_]}
    if issubclass(class_, Exception):
        words = {"type": {"type": "string"}, "message": {"type": "string"}}
        return {"type": "object", "properties": words, "required": ["type", "message"]}
    return dict(_SCALARS[class_])


_SCALARS: Mapping[type, Schema] = {
    NoneType: {"type": "null"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    Decimal: {"type": "string", "format": "decimal"},
}


def _schema_of_plain(class_: type[Plain], arguments: tuple[Any, ...]) -> Schema:
    known = dict(zip(getattr(class_, "__parameters__", ()), arguments, strict=False))
    hints = _hints_of(class_)  # type: ignore[arg-type]  # a class has a hash
    properties = {name: schema_of(hint, known) for name, hint in hints}
    if "outcome" in properties:
        properties["outcome"] |= {"const": getattr(class_, "outcome")}  # noqa: B009 - of outcomes alone
    words = (class_.__doc__ or "").partition("\n")[0]
    return {
        "title": class_.__name__,
        "description": words,
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _name_of(source: Any) -> str:  # noqa: ANN401 - a class, or one of its kinds
    """What pydantic knows a class by, unlike any other; the documentation's name is made from it."""
    class_ = get_origin(source) or source
    kinds = ",".join(_name_of(part) for part in get_args(source) if isinstance(get_origin(part) or part, type))
    return f"{class_.__module__}.{class_.__qualname__}:{id(class_)}" + (f"[{kinds}]" if kinds else "")


@cache
def _hints_of(class_: type) -> list[tuple[str, Any]]:
    """What a class's values show of themselves, and of which type: what it says besides, and its fields."""
    hints = get_type_hints(class_)
    shown: Mapping[str, Any] = getattr(class_, "shown", {})
    named = [field.name for field in fields(class_)] if has(class_) else []
    return [*shown.items(), *((name, hints[name]) for name in named)]
