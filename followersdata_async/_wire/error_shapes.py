"""Whether JSON says no, and in which words: the forms in which panels write errors (panel-api §10.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .scalars import count_of, flag_of, folded, is_an_id, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .error_phrases import Words
    from .messages import Answer, Request


def row_texts(row: object, words: Words) -> list[str] | None:
    """The texts of a row that is a refusal, or ``None``: an error form, or a bare text that the table knows."""
    if isinstance(row, str):
        return [row] if words.known(row) else None
    return error_texts(row)


def names_an_order(row: object) -> bool:
    """Whether a refusal of an order has an order's id beside it: then one of the two is a lie."""
    return isinstance(row, dict) and any(is_an_id(row.get(name)) for name in ("order", "order_id", "orderId"))


_CLIENT_ERROR, _SERVER_ERROR = 400, 500


def refusal_texts(request: Request, answer: Answer, payload: object) -> list[str] | None:
    """The texts of an answer that refuses as a whole, or ``None``."""
    if isinstance(payload, list) and len(payload) == 1 and _is_bare_error(payload[0]):
        return error_texts(payload[0])
    texts = error_texts(payload)
    if texts is None and answer.status >= _CLIENT_ERROR and not _has_rows(request, answer, payload):
        return _texts_in(payload)
    return texts


def _is_bare_error(row: object) -> bool:
    """Whether a row is an error that belongs to no id."""
    return isinstance(row, dict) and not {"order", "refill", "cancel", "id"} & row.keys()


def _has_rows(request: Request, answer: Answer, payload: object) -> bool:
    """Whether a body that came with HTTP 4xx has rows of its own for the ids asked."""
    if answer.status >= _SERVER_ERROR:
        return False
    if isinstance(payload, list):
        return bool(payload) and all(isinstance(row, dict) for row in payload)
    asked = {id_ for _, value in request.fields for id_ in value.split(",")}
    return isinstance(payload, dict) and not asked.isdisjoint(payload)


def error_texts(row: object) -> list[str] | None:
    """The texts of an error form (panel-api §10.1), maybe none of them; ``None`` for all else."""
    if not isinstance(row, dict):
        return None
    if not row.keys().isdisjoint(_ERROR_FIELDS) and _field_says_error(row):
        return _texts_in(row)
    if _may_say_no(row.get("status")) and (_says_failed(row) or (_family_code(row) and "order" not in row)):
        return _texts_in(row)
    return None


_ERROR_FIELDS = frozenset({"error", "errors", "success"})


def _field_says_error(row: Mapping[str, object]) -> bool:
    return (
        _says_error(row.get("error"))
        or _says_error(row.get("errors"))
        or ("success" in row and flag_of(row["success"]) is False)
    )


def _says_error(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().casefold() not in _NO_ERROR
    return bool(value)


_NO_ERROR = frozenset({"", "0", "false", "no", "none", "null"})


def _may_say_no(status: object) -> bool:
    """Whether a ``status`` is worth a second look: nearly all are the words of an order's state."""
    return folded(status)[:1] in _FIRST_OF_A_NO if isinstance(status, str) else status is not None


_FIRST_OF_A_NO = frozenset("ef+.0123456789")
"""What a word for "failed" begins with, or a number."""


def _says_failed(row: Mapping[str, object]) -> bool:
    """Whether ``status`` says "error" about the request: an order's own state has numbers beside it."""
    word = row.get("status")
    return (
        isinstance(word, str)
        and folded(word) in {"error", "fail", "failed"}
        and not row.keys().isdisjoint({"message", "msg", "error"})
        and row.keys().isdisjoint({"charge", "remains", "start_count", "start_counter"})
    )


def _family_code(row: Mapping[str, object]) -> bool:
    code = count_of(row.get("status"))
    return code is not None and _FIRST_CODE <= code <= _LAST_CODE


_FIRST_CODE, _LAST_CODE = 101, 114


def _texts_in(row: object) -> list[str]:
    """All texts that could explain an error, the most telling first."""
    if not isinstance(row, dict):
        return []
    return [text for name in ("error", "errors", "message", "msg", "detail") for text in _flat(row.get(name))]


def _flat(value: object, depth: int = 0) -> list[str]:
    """The texts in a text, a list of them, or an object of fields."""
    if isinstance(value, str):
        return [] if value.strip().isdecimal() else [value]
    if depth == _DEEPEST:
        return []
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for part in value for text in _flat(part, depth + 1)]
    return []


_DEEPEST = 3


def codes_in(row: object) -> list[str]:
    """The codes that an error form has: numbers and keys."""
    if not isinstance(row, dict):
        return []
    return [text.strip() for name in ("status", "code", "error") if (text := text_of(row.get(name)))]
