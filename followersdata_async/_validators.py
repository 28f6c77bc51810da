"""attrs validators for a caller's arguments."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from attrs import Attribute

    Validator = Callable[[object, Attribute[Any], object], None]

_MAX_NAME_LENGTH = 200


def integer(minimum: int, maximum: int | None = None) -> Validator:
    """Return a validator for an ``int`` within bounds."""

    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            msg = f"{attribute.name} is a whole number, not {value!r}"
            raise TypeError(msg)
        if value < minimum or (maximum is not None and value > maximum):
            bounds = f"at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
            msg = f"{attribute.name} is {value}, but must be {bounds}"
            raise ValueError(msg)

    return check


def duration(*, zero: bool = False) -> Validator:
    """Return a validator for a finite duration of more than 0 seconds, with ``zero`` of at least 0."""

    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        check_duration(attribute.name, value, zero=zero)

    return check


def check_duration(name: str, value: object, *, zero: bool = False) -> None:
    """Check that a value is a finite duration of more than 0 seconds, with ``zero`` of at least 0.

    Raises:
        TypeError: it is not a number.
        ValueError: it is out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        msg = f"{name} is a number of seconds, not {value!r}"
        raise TypeError(msg)
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        bounds = "0 seconds or more" if zero else "more than 0 seconds"
        msg = f"{name} is {value}, but must be {bounds}"
        raise ValueError(msg)


def positive_number(_: object, attribute: Attribute[Any], value: object) -> None:
    """Check that a value is a finite number greater than 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        msg = f"{attribute.name} is a number, not {value!r}"
        raise TypeError(msg)
    if not math.isfinite(value) or value <= 0:
        msg = f"{attribute.name} is {value}, but must be more than 0"
        raise ValueError(msg)


def non_empty_string(_: object, attribute: Attribute[Any], value: object) -> None:
    """Check that a value is a string that is not blank."""
    if not isinstance(value, str):
        msg = f"{attribute.name} is a text, not {type(value).__name__}"
        raise TypeError(msg)
    if not value.strip():
        msg = f"{attribute.name} is empty: fill it in"
        raise ValueError(msg)
    check_encodable(attribute.name, value)
    check_characters(attribute.name, value)


def check_characters(name: str, text: str, *, allowed: str = "") -> None:
    """Check that a string is one line without control characters: a panel could cut it, or take it for two fields.

    ``allowed`` are those that may be in it.

    Raises:
        ValueError: naming the field and the position.
    """
    if text.isprintable():
        return
    for position, character in enumerate(text):
        if unicodedata.category(character) in _CONTROL_CATEGORIES and character not in allowed:
            msg = f"{name} must be one line without control characters, got {character!r} at position {position}"
            raise ValueError(msg)


_CONTROL_CATEGORIES = frozenset({"Cc", "Zl", "Zp"})


def check_encodable(name: str, text: str) -> None:
    """Check that a string can be encoded: half a surrogate pair cannot.

    Raises:
        ValueError: naming the field.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        msg = f"{name} has half of a character at position {error.start}: it was cut, or decoded wrongly"
        # The original would hold the text, and so may its frames.
        raise ValueError(msg) from None


def check_name(what: str, name: object) -> None:
    """Check that a value can be the name of a record: 1 to 200 characters, not all of them blank.

    Raises:
        TypeError: it is not a string.
        ValueError: it is empty, blank, too long, or cannot be encoded.
    """
    if not isinstance(name, str):
        msg = f"{what} is a text, not {type(name).__name__}"
        raise TypeError(msg)
    if not name.strip() or len(name) > _MAX_NAME_LENGTH:
        msg = f"{what} has {len(name)} characters; it must have 1 to {_MAX_NAME_LENGTH}, not all of them blank"
        raise ValueError(msg)
    check_encodable(what, name)
    check_characters(what, name)


def header_value(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Check that a value can be the value of an HTTP header."""
    non_empty_string(instance, attribute, value)
    text = str(value)
    if not (text.isascii() and text.isprintable()):
        msg = f"{attribute.name} must be one line of plain ASCII text"
        raise ValueError(msg)
