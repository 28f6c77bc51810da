"""Values as plain JSON, and their JSON Schema. Pure."""

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
"""The values that ``json.dumps`` takes."""

Schema: TypeAlias = dict[str, Any]


class Serializable:
    """A value that ``to_json`` converts, and that pydantic (and so FastAPI) can serialize and document.

    Pydantic is imported only when it calls the method below.
    """

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:  # noqa: ANN401 - pydantic's
        """Return the schema of a class that is not a pydantic model, for pydantic."""
        from pydantic_core import core_schema  # noqa: PLC0415 - only where pydantic asks

        del handler
        return core_schema.is_instance_schema(
            cls,
            ref=_make_ref(source),
            serialization=core_schema.plain_serializer_function_ser_schema(to_json),
            metadata={"pydantic_js_functions": [lambda *_: json_schema(source)]},
        )


def to_json(value: object) -> Json:
    """Convert a value for ``json.dumps``: amounts and states to strings, errors to their class and message.

    An outcome has its ``outcome``: ``ok``, ``refused``, ``unreported`` or
    ``failed``. A batch is ``outcomes``, in the order asked, and ``requests``.

    Raises:
        TypeError: it is neither a value of this library nor a plain one.
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
        case Serializable():
            return {name: to_json(part) for name, part in json_items(value)}
        case Mapping():
            return {str(name.value if isinstance(name, Enum) else name): to_json(part) for name, part in value.items()}
        case Sequence() | AbstractSet() if not isinstance(value, bytes | bytearray):
            return [to_json(part) for part in value]
    msg = f"{type(value).__name__} has no form in JSON: give a value of this library, or plain ones"
    raise TypeError(msg)


def format_amount(amount: Decimal) -> str:
    """Return an amount in plain decimal notation, exact and without an exponent: ``0.0000001``, not ``1E-7``."""
    return format(amount, "f")


def json_items(value: Serializable) -> list[tuple[str, object]]:
    """Return the fields of a value, in order."""
    return [(name, getattr(value, name)) for name, _ in _list_json_fields(type(value))]  # type: ignore[arg-type]  # a class has a hash


def json_schema(hint: Any, known: Mapping[Any, Any] | None = None) -> Schema:  # noqa: ANN401 - an annotation may be anything
    """Return the JSON Schema of what ``to_json`` returns for values with this annotation."""
    known = known or {}
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, TypeVar):
        return json_schema(known[hint]) if hint in known else {}
    if origin in {Union, UnionType}:
        return {"anyOf": [json_schema(part, known) for part in arguments]}
    class_ = origin or hint
    if not isinstance(class_, type) or class_ in {object, Any}:
        return {}
    if issubclass(class_, Serializable):
        return _object_schema(class_, tuple(known.get(part, part) for part in arguments))
    if issubclass(class_, Mapping):
        return {"type": "object", "additionalProperties": json_schema(arguments[1], known) if arguments else True}
    if issubclass(class_, tuple | list):
        return {"type": "array", "items": json_schema(arguments[0], known) if arguments else {}}
    return _scalar_schema(class_)


def _scalar_schema(class_: type) -> Schema:
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


def _object_schema(class_: type[Serializable], arguments: tuple[Any, ...]) -> Schema:
    known = dict(zip(getattr(class_, "__parameters__", ()), arguments, strict=False))
    hints = _list_json_fields(class_)  # type: ignore[arg-type]  # a class has a hash
    properties = {name: json_schema(hint, known) for name, hint in hints}
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


def _make_ref(source: Any) -> str:  # noqa: ANN401 - a class, or one of its kinds
    """Return a unique reference for pydantic. The name in the documentation is derived from it."""
    class_ = get_origin(source) or source
    kinds = ",".join(_make_ref(part) for part in get_args(source) if isinstance(get_origin(part) or part, type))
    return f"{class_.__module__}.{class_.__qualname__}:{id(class_)}" + (f"[{kinds}]" if kinds else "")


@cache
def _list_json_fields(class_: type) -> list[tuple[str, Any]]:
    """Return the JSON fields of a class with their types: its ``json_fields``, then its attrs fields."""
    hints = get_type_hints(class_)
    extra: Mapping[str, Any] = getattr(class_, "json_fields", {})
    named = [field.name for field in fields(class_)] if has(class_) else []
    return [*extra.items(), *((name, hints[name]) for name in named)]
