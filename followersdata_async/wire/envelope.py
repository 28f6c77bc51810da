"""An answer's bytes to the JSON value that was meant, or the error that it is (panel-api §1.2, §10.1)."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import (
    DecodeError,
    FollowersDataError,
    OutcomeUnknownError,
    PanelError,
    PanelUnavailableError,
    RateLimitedError,
    TemporaryPanelError,
)
from .scalars import count_of, flag_of, folded, is_an_id, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .messages import Answer, Request
    from .refusals import Words

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TOO_MANY_REQUESTS = 429
_CLIENT_ERROR = 400
_SERVER_ERROR = 500


def payload_of(request: Request, answer: Answer, words: Words) -> object:
    """The JSON value that the panel meant, out of its ``data`` wrapping.

    Raises:
        PanelError: the answer as a whole is a refusal, by its class.
        PanelUnavailableError: of a read: it is no JSON, or a server's fault.
        OutcomeUnknownError: the same of a write.
    """
    try:
        payload = _json_of(_text_of(answer.body))
    except ValueError:
        raise _not_json(request, answer) from None
    if payload is None and answer.status != _TOO_MANY_REQUESTS:
        raise unusable(request, answer, "the answer is null")
    texts = _refusal_texts(request, answer, payload)
    if texts is None:
        payload = _unwrapped(payload)
        texts = _error_texts(payload)
    if texts is not None:
        raise refusal(request, words, payload, texts, answer=answer)
    return payload


def unusable(request: Request, answer: Answer | None, why: str) -> PanelUnavailableError | OutcomeUnknownError:
    """The error for an answer that nobody can use: of a write, its outcome is unknown."""
    status = answer.status if answer else None
    if not request.repeatable:
        return OutcomeUnknownError(
            why, action=request.action, asked=dict(request.fields), sent=True, http_status=status
        )
    return PanelUnavailableError(
        f"{request.action}: {why}; try again later",
        action=request.action,
        http_status=status,
        retry_after=_retry_after(answer),
    )


def unreadable(request: Request, why: str, problems: tuple[str, ...] = ()) -> DecodeError | OutcomeUnknownError:
    """The error for JSON that is no refusal and does not fit: of a write, its outcome is unknown."""
    if not request.repeatable:
        return OutcomeUnknownError(why, action=request.action, asked=dict(request.fields), sent=True)
    return DecodeError(why, action=request.action, problems=problems)


def refusal(
    request: Request, words: Words, row: object, texts: list[str], *, answer: Answer | None = None
) -> FollowersDataError:
    """The error that a refusal's texts mean, of a whole answer or of one row in it."""
    status = answer.status if answer else 200
    if request.action == "add" and _names_an_order(row):
        return unusable(request, answer, f"the panel answered an order's id and an error: {texts[:1]}")
    class_, text = words.verdict(texts, _codes(row), status)
    if status == _TOO_MANY_REQUESTS:
        class_ = RateLimitedError
    if status >= _SERVER_ERROR and class_ in {None, TemporaryPanelError}:
        return unusable(request, answer, f'the panel answered "{text}" with HTTP {status}')
    if class_ is None and not text and not request.repeatable:
        return unusable(request, answer, "the panel answered an error without a text")
    if class_ is RateLimitedError:
        return RateLimitedError(text, http_status=status, action=request.action, retry_after=_retry_after(answer))
    return (class_ or PanelError)(text, http_status=status, action=request.action)


def _names_an_order(row: object) -> bool:
    """Whether a refusal of an order has an order's id beside it: then one of the two is a lie."""
    return isinstance(row, dict) and any(is_an_id(row.get(name)) for name in ("order", "order_id", "orderId"))


def row_texts(row: object, words: Words) -> list[str] | None:
    """The texts of a row that is a refusal, or ``None``: an error form, or a bare text that the table knows."""
    if isinstance(row, str):
        return [row] if words.known(row) else None
    return _error_texts(row)


# --- bytes to JSON


def _text_of(body: bytes) -> str:
    return body.decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")


def _json_of(text: str) -> object:
    """The JSON value, also behind PHP notices; a ``ValueError`` if there is none."""
    try:
        return _loads(text)
    except ValueError:
        rest = _PHP_NOTICES.sub("", text, count=1)
        if rest == text:
            raise
        return _loads(rest)


def _loads(text: str) -> object:
    try:
        return json.loads(text, parse_float=_decimal, parse_constant=_rejected)
    except RecursionError:
        msg = "nested too deep"
        raise ValueError(msg) from None


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return _rejected(text)
    return number if abs(number.adjusted()) <= _LARGEST_EXPONENT else _rejected(text)


_LARGEST_EXPONENT = 10_000
"""Beyond it a few bytes would be megabytes when they are written out; no panel counts that far."""


def _rejected(constant: str) -> Decimal:
    msg = f"{constant[:20]} is no number that JSON knows"
    raise ValueError(msg)


_PHP_NOTICES = re.compile(
    r"\A(?:\s*(?:<br\s*/?>\s*)?(?:<b>)?(?:PHP )?(?:Notice|Warning|Deprecated|Strict Standards|Fatal error)(?:</b>)?:"
    r".*? on line (?:<b>)?\d+(?:</b>)?(?:\s*<br\s*/?>)?\s*)+",
    re.DOTALL,
)


def _not_json(request: Request, answer: Answer) -> FollowersDataError:
    """The error for a body that is no JSON."""
    text = _text_of(answer.body)
    start = " ".join(text[:_SHOWN].split())
    if answer.status == _TOO_MANY_REQUESTS:
        return RateLimitedError(
            start,
            http_status=answer.status,
            action=request.action,
            retry_after=_retry_after(answer),
        )
    if answer.status in _REDIRECTS:
        return unusable(request, answer, f"the panel redirects to {_target(answer)}: give that address as url")
    if not text.strip():
        return unusable(request, answer, f"the answer is empty (HTTP {answer.status})")
    kind = "a page instead of JSON" if text.startswith("<") else "no whole JSON"
    return unusable(request, answer, f'the answer is {kind} (HTTP {answer.status}): "{start}"')


_SHOWN = 200


def _target(answer: Answer) -> str:
    """Where a redirect leads, without its query: it could repeat what was sent."""
    try:
        parts = urlsplit(answer.headers.get("location", ""))
    except ValueError:
        return "somewhere unreadable"
    return f"{parts.scheme or 'the same scheme'}://{parts.hostname or 'the same host'}{parts.path}"


def pause_asked(answer: Answer) -> float | None:
    """Seconds that an answer asks all requests to wait, by ``Retry-After`` or a used-up ``X-RateLimit-Remaining``."""
    asked = _retry_after(answer)
    if asked is not None or answer.headers.get("x-ratelimit-remaining", "").strip() != "0":
        return asked
    reset = count_of(answer.headers.get("x-ratelimit-reset"))
    if reset is None or not 0 <= reset < _LAST_MOMENT:
        return None
    if reset < _FIRST_MOMENT:
        return float(reset)
    try:
        now = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return max(0.0, reset - now)


_LAST_MOMENT = 100_000_000_000
_FIRST_MOMENT = 1_000_000_000
"""From here on ``X-RateLimit-Reset`` is seconds since 1970, below it seconds from now."""


def _retry_after(answer: Answer | None) -> float | None:
    """Seconds that ``Retry-After`` asks for, given as a number or as a date beside the answer's own."""
    if answer is None or not (said := answer.headers.get("retry-after", "").strip()):
        return None
    if said.isascii() and said.isdecimal():
        return float(said[:_LONGEST_DELAY])
    try:
        wait = parsedate_to_datetime(said) - parsedate_to_datetime(answer.headers["date"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return max(0.0, wait.total_seconds())


_LONGEST_DELAY = 9


# --- JSON to "is this a refusal?"


def _refusal_texts(request: Request, answer: Answer, payload: object) -> list[str] | None:
    """The texts of an answer that refuses as a whole, or ``None``."""
    if isinstance(payload, list) and len(payload) == 1 and _is_bare_error(payload[0]):
        return _error_texts(payload[0])
    texts = _error_texts(payload)
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


def _error_texts(row: object) -> list[str] | None:
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


def _codes(row: object) -> list[str]:
    if not isinstance(row, dict):
        return []
    return [text.strip() for name in ("status", "code", "error") if (text := text_of(row.get(name)))]


def _unwrapped(payload: object) -> object:
    """What stands in ``data``, where that is all the answer has."""
    if isinstance(payload, dict) and "data" in payload and payload.keys() <= _WRAPPING:
        return payload["data"]
    return payload


_WRAPPING = frozenset({"data", "status", "success", "message", "msg", "error", "errors", "code"})
