"""An answer's bytes to the JSON value that was meant, or the error that it is (panel-api §1.2, §10.1)."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
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
from .error_shapes import codes_in, error_texts, names_an_order, refusal_texts
from .retry_after import retry_after_of

if TYPE_CHECKING:
    from .error_phrases import Words
    from .messages import Answer, Request

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TOO_MANY_REQUESTS = 429
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
    texts = refusal_texts(request, answer, payload)
    if texts is None:
        payload = _unwrapped(payload)
        texts = error_texts(payload)
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
        retry_after=retry_after_of(answer),
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
    if request.action == "add" and names_an_order(row):
        return unusable(request, answer, f"the panel answered an order's id and an error: {texts[:1]}")
    class_, text = words.verdict(texts, codes_in(row), status)
    if status == _TOO_MANY_REQUESTS:
        class_ = RateLimitedError
    if status >= _SERVER_ERROR and class_ in {None, TemporaryPanelError}:
        return unusable(request, answer, f'the panel answered "{text}" with HTTP {status}')
    if class_ is None and not text and not request.repeatable:
        return unusable(request, answer, "the panel answered an error without a text")
    if class_ is RateLimitedError:
        return RateLimitedError(text, http_status=status, action=request.action, retry_after=retry_after_of(answer))
    return (class_ or PanelError)(text, http_status=status, action=request.action)


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
            retry_after=retry_after_of(answer),
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


def _unwrapped(payload: object) -> object:
    """What stands in ``data``, where that is all the answer has."""
    if isinstance(payload, dict) and "data" in payload and payload.keys() <= _WRAPPING:
        return payload["data"]
    return payload


_WRAPPING = frozenset({"data", "status", "success", "message", "msg", "error", "errors", "code"})
