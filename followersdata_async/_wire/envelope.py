"""From the bytes of a response to its JSON value, or to the error that it stands for (panel-api §1.2, §10.1)."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import (
    DecodeError,
    FollowersDataError,
    NotSentError,
    OutcomeUnknownError,
    PanelError,
    PanelUnavailableError,
    RateLimitedError,
    RequestTimeoutError,
    TemporaryPanelError,
)
from .error_shapes import collect_codes, find_error, find_rejection, has_order_id
from .retry_after import parse_retry_after

if TYPE_CHECKING:
    from ..errors import TransportError
    from .error_phrases import ErrorPhrases
    from .messages import Request, Response

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


def extract_payload(request: Request, response: Response, phrases: ErrorPhrases) -> object:
    """Return the JSON value of a response, without its ``data`` envelope.

    Raises:
        PanelError: the response as a whole is a rejection.
        PanelUnavailableError: a read: the response is not JSON, or a server error.
        OutcomeUnknownError: a write: the same.
    """
    try:
        payload = _parse_json(_decode_text(response.body))
    except ValueError:
        raise _non_json_error(request, response) from None
    if payload is None and response.status != _TOO_MANY_REQUESTS:
        raise no_usable_response(request, "the answer is null", response=response)
    messages = find_rejection(request, response, payload)
    if messages is None:
        payload = _unwrap_data(payload)
        messages = find_error(payload)
    if messages is not None:
        raise make_rejection(request, phrases, payload, messages, response=response)
    return payload


def no_usable_response(
    request: Request,
    reason: str,
    *,
    response: Response | None = None,
    sent: bool | None = True,
    is_timeout: bool = False,
) -> TransportError | OutcomeUnknownError:
    """Return the error for a request that got no usable response. All such errors are made here.

    Proven not to be sent: ``NotSentError``. Otherwise, a read becomes a
    ``RequestTimeoutError`` or a ``PanelUnavailableError``, and a write an
    ``OutcomeUnknownError``.
    """
    action, status = request.action, response.status if response else None
    if sent is False:
        message = f"{action}: nothing was sent: {reason}; check the network and the address, then try again"
        return NotSentError(message, action=action)
    if request.is_write:
        fields = dict(request.fields)
        return OutcomeUnknownError(reason, action=action, asked=fields, sent=sent, http_status=status)
    message = f"{action}: {reason}; try again later"
    if is_timeout:
        return RequestTimeoutError(message, action=action)
    delay = parse_retry_after(response)
    return PanelUnavailableError(message, action=action, http_status=status, retry_after=delay)


def unreadable_response(
    request: Request, reason: str, problems: tuple[str, ...] = ()
) -> DecodeError | TransportError | OutcomeUnknownError:
    """Return the error for JSON that is neither a rejection nor the expected value."""
    if request.is_write:
        return no_usable_response(request, reason)
    return DecodeError(reason, action=request.action, problems=problems)


def make_rejection(
    request: Request, phrases: ErrorPhrases, row: object, messages: list[str], *, response: Response | None = None
) -> FollowersDataError:
    """Return the error for a rejection's messages: of a whole response, or of one row in it."""
    status = response.status if response else 200
    if request.action == "add" and has_order_id(row):
        reason = f"the panel answered an order's id and an error: {messages[:1]}"
        return no_usable_response(request, reason, response=response)
    class_, message = phrases.classify(messages, collect_codes(row), status)
    if status == _TOO_MANY_REQUESTS:
        class_ = RateLimitedError
    if status >= _SERVER_ERROR and class_ in {None, TemporaryPanelError}:
        return no_usable_response(request, f'the panel answered "{message}" with HTTP {status}', response=response)
    if class_ is None and not message and request.is_write:
        return no_usable_response(request, "the panel answered an error without a text", response=response)
    if class_ is RateLimitedError:
        return _rate_limit_error(request, message, status, response)
    return (class_ or PanelError)(message, http_status=status, action=request.action)


def _rate_limit_error(request: Request, message: str, status: int, response: Response | None) -> RateLimitedError:
    delay = parse_retry_after(response)
    return RateLimitedError(message, http_status=status, action=request.action, retry_after=delay)


# --- bytes to JSON


def _decode_text(body: bytes) -> str:
    return body.decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")


def _parse_json(text: str) -> object:
    """Parse JSON, also behind PHP notices; raise ``ValueError`` if there is none."""
    try:
        return _loads(text)
    except ValueError:
        rest = _PHP_NOTICES.sub("", text, count=1)
        if rest == text:
            raise
        return _loads(rest)


def _loads(text: str) -> object:
    try:
        return _DECODER.decode(text)
    except RecursionError:
        msg = "nested too deep"
        raise ValueError(msg) from None


def _parse_decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return _reject_constant(text)
    return number if abs(number.adjusted()) <= _LARGEST_EXPONENT else _reject_constant(text)


_LARGEST_EXPONENT = 10_000
"""Beyond it a few bytes would be megabytes when they are written out; no panel counts that far."""


def _reject_constant(constant: str) -> Decimal:
    msg = f"{constant[:20]} is no number that JSON knows"
    raise ValueError(msg)


_DECODER = json.JSONDecoder(parse_float=_parse_decimal, parse_constant=_reject_constant)


_PHP_NOTICES = re.compile(
    r"\A(?:\s*(?:<br\s*/?>\s*)?(?:<b>)?(?:PHP )?(?:Notice|Warning|Deprecated|Strict Standards|Fatal error)(?:</b>)?:"
    r".*? on line (?:<b>)?\d+(?:</b>)?(?:\s*<br\s*/?>)?\s*)+",
    re.DOTALL,
)


def _non_json_error(request: Request, response: Response) -> FollowersDataError:
    """Return the error for a body that is not JSON."""
    text = _decode_text(response.body)
    start = " ".join(text[:_SHOWN].split())
    if response.status == _TOO_MANY_REQUESTS:
        return _rate_limit_error(request, start, response.status, response)
    if response.status in _REDIRECTS:
        reason = f"the panel redirects to {_redirect_target(response)}: give that address as url"
    elif not text.strip():
        reason = f"the answer is empty (HTTP {response.status})"
    else:
        kind = "a page instead of JSON" if text.startswith("<") else "no whole JSON"
        reason = f'the answer is {kind} (HTTP {response.status}): "{start}"'
    return no_usable_response(request, reason, response=response)


_SHOWN = 200


def _redirect_target(response: Response) -> str:
    """Return where a redirect leads, without the query: it could repeat the key."""
    try:
        parts = urlsplit(response.headers.get("location", ""))
    except ValueError:
        return "somewhere unreadable"
    return f"{parts.scheme or 'the same scheme'}://{parts.hostname or 'the same host'}{parts.path}"


def _unwrap_data(payload: object) -> object:
    """Return the value of ``data`` if the response has nothing else."""
    if isinstance(payload, dict) and "data" in payload and payload.keys() <= _WRAPPING:
        return payload["data"]
    return payload


_WRAPPING = frozenset({"data", "status", "success", "message", "msg", "error", "errors", "code"})
