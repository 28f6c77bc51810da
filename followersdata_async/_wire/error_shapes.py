"""The shapes in which panels write errors: is this JSON one, and what are its messages (panel-api §10.1)?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .scalars import can_be_error_word, is_id, normalize_word, parse_bool, parse_int, parse_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .error_phrases import ErrorPhrases
    from .messages import Request, Response


def find_row_error(row: object, phrases: ErrorPhrases) -> list[str] | None:
    """Return the messages of a rejected row, or ``None``. It has an error shape, or is a string with a known phrase."""
    if isinstance(row, str):
        return [row] if phrases.classify_message(row) else None
    return find_error(row)


def has_order_id(row: object) -> bool:
    """Return whether an error has an order's id beside it: then one of the two is wrong."""
    return isinstance(row, dict) and any(is_id(row.get(name)) for name in ("order", "order_id", "orderId"))


_CLIENT_ERROR, _SERVER_ERROR = 400, 500


def find_rejection(request: Request, response: Response, payload: object) -> list[str] | None:
    """Return the messages of a response that is a rejection as a whole, or ``None``."""
    if isinstance(payload, list) and len(payload) == 1 and _is_bare_error(payload[0]):
        return find_error(payload[0])
    texts = find_error(payload)
    if texts is None and response.status >= _CLIENT_ERROR and not _has_rows(request, response, payload):
        return _collect_messages(payload)
    return texts


def _is_bare_error(row: object) -> bool:
    """Return whether a row is an error that names no id."""
    return isinstance(row, dict) and not {"order", "refill", "cancel", "id"} & row.keys()


def _has_rows(request: Request, response: Response, payload: object) -> bool:
    """Return whether a response with HTTP 4xx has rows for the requested ids."""
    if response.status >= _SERVER_ERROR:
        return False
    if isinstance(payload, list):
        return bool(payload) and all(isinstance(row, dict) for row in payload)
    return isinstance(payload, dict) and not payload.keys().isdisjoint(_collect_sent_values(request))


def _collect_sent_values(request: Request) -> set[str]:
    return {value for _, joined in request.fields for value in joined.split(",")}


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
        or ("success" in row and parse_bool(row["success"]) is False)
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
    word = row.get("status")
    return (
        isinstance(word, str)
        and normalize_word(word) in {"error", "fail", "failed"}
        and not row.keys().isdisjoint({"message", "msg", "error"})
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
    return [text for name in ("error", "errors", "message", "msg", "detail") for text in _flatten(row.get(name))]


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
