"""From the bytes of a response to its JSON value, or to the error that it stands for (panel-api §1.2, §10.1)."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, TypeAlias, TypeVar
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
from .acceptance import is_id
from .error_shapes import collect_codes, find_error, find_rejection
from .field_names import unify_names
from .json_values import parse_json
from .response_text import decode_text
from .retry_after import parse_retry_after
from .row_matching import has_rows, has_rows_of_others
from .scalars import parse_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..errors import TransportError
    from .messages import Request, Response
    from .panel_words import Meaning, PanelWords
    from .row_matching import RowShape

T = TypeVar("T")
Decode: TypeAlias = "Callable[[Request, Response, PanelWords], T]"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TOO_MANY_REQUESTS = 429
_TIMEOUTS = frozenset({408, 499})
"""The only HTTP 4xx that do not say that the request was looked at."""
SERVER_ERROR = 500


def reject_deep_nesting(decode: Decode[T]) -> Decode[T]:
    """Return ``decode`` such that JSON that is nested too deep to be compared is an unreadable response."""

    @wraps(decode)
    def decode_safely(request: Request, response: Response, words: PanelWords) -> T:
        try:
            return decode(request, response, words)
        except RecursionError:
            raise unreadable_response(request, "the answer is nested too deep") from None

    return decode_safely


def parse_payload(request: Request, response: Response) -> object:
    """Return the JSON value of a response, with its envelope.

    Raises:
        RateLimitedError: HTTP 429, without JSON.
        PanelUnavailableError, OutcomeUnknownError: a read or a write without JSON.
    """
    try:
        payload = unify_names(parse_json(decode_text(response)))
    except ValueError:
        raise _non_json_error(request, response) from None
    if payload is None and response.status != _TOO_MANY_REQUESTS:
        raise no_usable_response(request, "the answer is null", response=response)
    return payload


def extract_payload(request: Request, response: Response, words: PanelWords, shape: RowShape | None = None) -> object:
    """Return the JSON value of the response to a read, without its ``data`` envelope.

    With the ``shape`` of a batch's rows, an error next to rows for the requested
    ids does not stand for all of them.

    Raises:
        PanelError: the response as a whole is a rejection.
        PanelUnavailableError: the response is not JSON, or a server error.
    """
    payload = whole = parse_payload(request, response)
    messages = find_rejection(request, response, whole)
    if messages is None:
        payload = unwrap_data(whole)
        messages = find_error(payload)
    if messages is None:
        if shape is not None:
            check_owners(request, whole, shape)
        return payload
    # An error for the only id contradicts its row. With HTTP 4xx alone there may be none.
    can_have_rows = response.status < SERVER_ERROR and (len(request.ids) > 1 or find_error(payload) is None)
    if shape is not None and can_have_rows and has_rows(payload, request.ids, shape):
        return payload
    raise make_rejection(request, words, messages, collect_codes(whole), response=response)


def check_owners(request: Request, payload: object, shape: RowShape) -> None:
    """Check that wrapped rows are not all of ids that were not requested.

    Raises:
        DecodeError, OutcomeUnknownError: they are.
    """
    rows = unwrap_data(payload)
    if rows is not payload and has_rows_of_others(rows, shape) and not has_rows(rows, request.ids, shape):
        raise unreadable_response(request, "the answer has rows of other ids only")


def no_usable_response(
    request: Request,
    reason: str,
    *,
    response: Response | None = None,
    sent: bool | None = True,
    is_timeout: bool = False,
    reported_id: object = None,
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
        id_ = parse_id(reported_id) if is_id(reported_id) else None
        return OutcomeUnknownError(reason, action=action, asked=fields, sent=sent, http_status=status, reported_id=id_)
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
        details = f"{reason}: {'; '.join(problems)}" if problems else reason
        return no_usable_response(request, details)
    return DecodeError(reason, action=request.action, problems=problems)


def make_rejection(
    request: Request,
    words: PanelWords,
    messages: Iterable[str],
    codes: Iterable[str],
    *,
    response: Response | None = None,
) -> FollowersDataError:
    """Return the error for a rejection's messages and codes: of a whole response, or of one row in it."""
    status = response.status if response else 200
    meaning, message = words.classify(messages, codes, status)
    if request.is_write and status in _TIMEOUTS:
        return no_usable_response(request, f'the panel answered "{message}" with HTTP {status}', response=response)
    if request.is_write and status != _TOO_MANY_REQUESTS and (reason := _find_doubt(meaning, message)):
        return no_usable_response(request, reason, response=response)
    class_ = meaning.error_class if meaning else None
    if status == _TOO_MANY_REQUESTS:
        class_ = RateLimitedError
    if status >= SERVER_ERROR and (class_ in {None, TemporaryPanelError} or (meaning and meaning.is_fault)):
        return no_usable_response(request, f'the panel answered "{message}" with HTTP {status}', response=response)
    if class_ is RateLimitedError:
        return _rate_limit_error(request, message, status, response)
    if class_ is None:
        return PanelError(message, http_status=status, action=request.action, is_recognized=False)
    return class_(message, http_status=status, action=request.action)


def _find_doubt(meaning: Meaning | None, message: str) -> str:
    """Return why the rejection of a write does not prove that nothing was done, or an empty string."""
    if meaning is None:
        return "" if message else "the panel answered an error without a text"
    return f'the panel reports a fault of its own: "{message}"' if meaning.is_fault else ""


def _rate_limit_error(request: Request, message: str, status: int, response: Response | None) -> RateLimitedError:
    delay = parse_retry_after(response, is_limited=True)
    return RateLimitedError(message, http_status=status, action=request.action, retry_after=delay)


def _non_json_error(request: Request, response: Response) -> FollowersDataError:
    """Return the error for a body that is not JSON."""
    text = decode_text(response)
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


def unwrap_data(payload: object) -> object:
    """Return the value of ``data`` if the response has nothing else."""
    if isinstance(payload, dict) and "data" in payload and payload.keys() <= _WRAPPING:
        return payload["data"]
    return payload


_WRAPPING = frozenset({"data", "status", "success", "message", "msg", "error", "errors", "code"})
