"""The shapes in which panels write errors: is this JSON one, and what are its messages (panel-api §10.1)?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .acceptance import is_failure
from .scalars import can_be_error_word, parse_bool, parse_int, parse_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .messages import Request, Response
    from .panel_words import PanelWords


def find_row_error(row: object, words: PanelWords) -> list[str] | None:
    """Return the messages of a rejected row, or ``None``. It has an error shape, or is a string with a known phrase."""
    if isinstance(row, str):
        return [row] if words.find_meaning(row) else None
    return find_error(row)


def find_rejection(request: Request, response: Response, payload: object) -> list[str] | None:
    """Return the messages of a response that is a rejection as a whole, or ``None``."""
    if isinstance(payload, list) and len(payload) == 1 and (not request.ids or is_bare_error(payload[0])):
        payload = payload[0]
    messages = find_error(payload)
    if messages is None and response.status >= _CLIENT_ERROR:
        return _collect_messages(payload)
    return messages


_CLIENT_ERROR = 400


_NAMES = {"order", "order_id", "orderId", "refill", "refill_id", "refillId", "cancel", "id"}


def is_bare_error(row: object) -> bool:
    """Return whether the only row of a list can be an error for all ids: it names none."""
    return not isinstance(row, dict) or not _NAMES & row.keys()


def find_error(row: object) -> list[str] | None:
    """Return the messages of an error shape (panel-api §10.1), possibly none; ``None`` for anything else."""
    if not isinstance(row, dict):
        return None
    if not row.keys().isdisjoint(_ERROR_FIELDS) and _has_error_field(row):
        return _collect_messages(row)
    if _can_be_error(row.get("status")) and (_is_failed_request(row) or (_has_error_code(row) and "order" not in row)):
        return _collect_messages(row)
    return None


_ERROR_FIELDS = frozenset({"error", "errors", "success"})


def _has_error_field(row: Mapping[str, object]) -> bool:
    return (
        _is_error_value(row.get("error"))
        or _is_error_value(row.get("errors"))
        or ("success" in row and (parse_bool(row["success"]) is False or is_failure(row["success"])))
    )


def _is_error_value(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().casefold() not in _EMPTY_VALUES
    return bool(value)


_EMPTY_VALUES = frozenset({"", "0", "false", "no", "none", "null"})


def _can_be_error(status: object) -> bool:
    """Return whether a ``status`` can signal an error at all (a cheap check: nearly all are order states)."""
    return can_be_error_word(status) if isinstance(status, str) else status is not None


def _is_failed_request(row: Mapping[str, object]) -> bool:
    """Return whether ``status`` reports an error of the request: an order's own state has numbers beside it."""
    return (
        is_failure(row.get("status"))
        and not row.keys().isdisjoint({"message", "msg", "error", "data"})
        and row.keys().isdisjoint({"charge", "remains", "start_count", "start_counter"})
    )


def _has_error_code(row: Mapping[str, object]) -> bool:
    code = parse_int(row.get("status"))
    return code is not None and _FIRST_CODE <= code <= _LAST_CODE


_FIRST_CODE, _LAST_CODE = 101, 114


def _collect_messages(row: object) -> list[str]:
    """Return all strings that could explain an error, the most specific first."""
    if not isinstance(row, dict):
        return []
    texts = [text for name in _MESSAGE_FIELDS for text in _flatten(row.get(name))]
    data = row.get("data")
    return (
        texts + [text for name in _MESSAGE_FIELDS for text in _flatten(data.get(name))]
        if isinstance(data, dict)
        else texts
    )


_MESSAGE_FIELDS = ("error", "errors", "message", "msg", "detail")


def _flatten(value: object, depth: int = 0) -> list[str]:
    """Return the strings in a string, a list, or an object, at most three levels deep."""
    if isinstance(value, str):
        return [] if value.strip().isdecimal() else [value]
    if depth == _MAX_DEPTH:
        return []
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for part in value for text in _flatten(part, depth + 1)]
    return []


_MAX_DEPTH = 3


def collect_codes(row: object) -> list[str]:
    """Return the codes of an error shape: numbers and keys."""
    if not isinstance(row, dict):
        return []
    return [text.strip() for name in ("status", "code", "error") if (text := parse_text(row.get(name)))]
