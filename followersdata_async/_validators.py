"""What a caller's arguments must be: validators whose errors say what to do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from attrs import Attribute

    Validator = Callable[[object, Attribute[Any], object], None]


def whole_number(least: int, most: int | None = None) -> Validator:
    """A validator for an ``int`` within bounds."""

    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            msg = f"{attribute.name} is a whole number, not {value!r}"
            raise TypeError(msg)
        if value < least or (most is not None and value > most):
            bounds = f"at least {least}" if most is None else f"from {least} to {most}"
            msg = f"{attribute.name} is {value}, but must be {bounds}"
            raise ValueError(msg)

    return check


def seconds(*, zero: bool = False) -> Validator:
    """A validator for a finite duration of more than 0 seconds, or with ``zero`` of 0 too."""

    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        check_seconds(attribute.name, value, zero=zero)

    return check


def check_seconds(name: str, value: object, *, zero: bool = False) -> None:
    """Refuse what is no finite duration of more than 0 seconds, or with ``zero`` of 0 too.

    Raises:
        TypeError: it is no number.
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
    """Refuse what is no finite number of more than 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        msg = f"{attribute.name} is a number, not {value!r}"
        raise TypeError(msg)
    if not math.isfinite(value) or value <= 0:
        msg = f"{attribute.name} is {value}, but must be more than 0"
        raise ValueError(msg)


def filled_text(_: object, attribute: Attribute[Any], value: object) -> None:
    """Refuse what is no text, or only blanks."""
    if not isinstance(value, str):
        msg = f"{attribute.name} is a text, not {type(value).__name__}"
        raise TypeError(msg)
    if not value.strip():
        msg = f"{attribute.name} is empty: fill it in"
        raise ValueError(msg)
    check_sendable(attribute.name, value)


def check_sendable(name: str, text: str) -> None:
    """Refuse half a surrogate pair, which no form can hold.

    Raises:
        ValueError: naming the field.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        msg = f"{name} has half of a character at position {error.start}: it was cut, or decoded wrongly"
        # The original would hold the text, and so may its frames.
        raise ValueError(msg) from None


def header_text(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Refuse what cannot stand in one line of an HTTP header."""
    filled_text(instance, attribute, value)
    text = str(value)
    if not (text.isascii() and text.isprintable()):
        msg = f"{attribute.name} must be one line of plain ASCII text"
        raise ValueError(msg)
