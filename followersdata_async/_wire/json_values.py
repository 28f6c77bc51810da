"""JSON as panels write it: exact numbers, between notices and HTML, with values that JSON does not know."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeVar, final

from .scalars import MAX_DIGITS

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@final
class Conflict(list[object]):
    """The different values that a panel sent for one thing: for a key of an object, or for an id."""


def parse_json(text: str) -> object:
    """Parse JSON, also between PHP notices, HTML or other text, or in a JSON string.

    Numbers are exact, and those that cannot be read are ``None``. A key that
    stands twice in an object with different values gets a ``Conflict`` of
    these: to take one of them would be a guess.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        value = _loads(text)
    except ValueError:
        text = _cut_out(text)
        value = _loads(text)
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        text, value = value, _loads(value)
    return value if _has_unique_keys(text, value) else _decode(_CAREFUL_DECODER.decode, text)


def _cut_out(text: str) -> str:
    """Return the JSON in a text.

    Raises:
        ValueError: there is none, or the text around it is a page, more JSON, or the report of a fatal error: the
            program that wrote it has ended early.
    """
    text = _PHP_NOTICES.sub("", text, count=1)
    match = _JSON_START.search(text)
    start = match.start() if match and text[:1] not in {"{", "["} else 0
    _, end = _decode(_CAREFUL_DECODER.raw_decode, text, start)
    before, after = text[:start], text[end:].lstrip()
    if _PAGE_TAG.search(before) or after[:1] in _JSON_GOES_ON or _FATAL.search(before + after):
        msg = "there is other text around the JSON"
        raise json.JSONDecodeError(msg, text, start)
    return text[start:end]


_PHP_NOTICES = re.compile(
    r"\A(?:\s*(?:<br\s*/?>\s*)?(?:<b>)?(?:PHP )?(?:Notice|Warning|Deprecated|Strict Standards)(?:</b>)?:"
    r".*? on line (?:<b>)?\d+(?:</b>)?(?:\s*<br\s*/?>)?\s*)+",
    re.DOTALL,
)
_JSON_START = re.compile(r'\{\s*"|\{\s*\}|\[\s*[\[{"\]]')
_PAGE_TAG = re.compile(r"<(?!/?(?:br|b|p|i|pre|div|span|font|table|tr|td|th)\b|!--)", re.IGNORECASE)
"""A tag that is not one of a notice."""
_JSON_GOES_ON = frozenset({",", "{", "[", "}", "]", ":"})
_FATAL = re.compile(r"fatal error|parse error|uncaught|exception|traceback|stack trace", re.IGNORECASE)


def _loads(text: str) -> object:
    try:
        return _decode(_DECODER.decode, text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # An integer has too many digits for Python.
        return _decode(_CAREFUL_DECODER.decode, text)


def _decode(decode: Callable[..., T], text: str, *start: int) -> T:
    try:
        return decode(text, *start)
    except RecursionError:
        msg = "nested too deep"
        raise json.JSONDecodeError(msg, text, 0) from None


def _has_unique_keys(text: str, value: object) -> bool:
    """Return whether no key stands twice in an object: then there are as many colons as fields.

    Colons in strings only make this say no too often, and the text is parsed again.
    """
    if not isinstance(value, (dict, list)):
        return True
    colons = text.count(":")
    return colons == _count_fields_of_rows(value) or len(_KEY_ENDS.findall(text)) == _count_fields(value)


_KEY_ENDS = re.compile(r'"\s*:')


def _count_fields_of_rows(value: dict[str, object] | list[object]) -> int | None:
    """Count the fields of a map or list of objects without looking into these. Return ``None`` for anything else."""
    rows: list[Any] = list(value.values() if isinstance(value, dict) else value)
    if set(map(type, rows)) != {dict}:
        return None
    return sum(map(len, rows)) + (len(value) if isinstance(value, dict) else 0)


def _count_fields(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_count_fields, value.values()))
    return sum(map(_count_fields, value)) if isinstance(value, list) else 0


def _build_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        values: dict[str, list[object]] = {}
        for key, value in pairs:
            values.setdefault(key, []).append(value)
        for key, found in values.items():
            if any(value != found[0] for value in found):
                fields[key] = Conflict(found)
    return fields


def _parse_int(digits: str) -> int | None:
    return int(digits) if len(digits) <= MAX_DIGITS else None


def _parse_decimal(digits: str) -> Decimal | None:
    try:
        number = Decimal(digits)
    except InvalidOperation:
        return None
    return number if abs(number.adjusted()) <= MAX_DIGITS else None


def _parse_constant(_: str) -> None:
    """Return nothing for ``NaN`` and ``Infinity``: a bad value costs its field."""


_DECODER = json.JSONDecoder(parse_float=_parse_decimal, parse_constant=_parse_constant)
_CAREFUL_DECODER = json.JSONDecoder(
    parse_float=_parse_decimal, parse_constant=_parse_constant, parse_int=_parse_int, object_pairs_hook=_build_object
)
