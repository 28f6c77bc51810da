"""For how long a response asks clients to wait (panel-api §1.3).

Dates are compared with the response's own ``Date``, not with our clock.
"""

from __future__ import annotations

import json
import math
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from .scalars import parse_int

if TYPE_CHECKING:
    from .messages import Response

_TOO_MANY_REQUESTS = 429
_UNAVAILABLE = 503
_SERVER_ERROR = 500

_RESETS = ("x-ratelimit-", "ratelimit-")
_MAX_DELAY = 999_999_999.0
"""More than anybody waits for, and short enough to be added to any time."""
_MAX_RESET = 100_000_000_000
_MIN_TIMESTAMP = 1_000_000_000
"""From here on a reset is seconds since 1970, below it seconds from now."""


def parse_retry_after(response: Response | None, *, is_limited: bool = False) -> float | None:
    """Return for how many seconds a response asks all requests to wait, ``None`` if it does not say.

    The first of these that can be read counts: ``Retry-After``,
    ``X-RateLimit-Reset``, ``RateLimit-Reset``, and ``retry_after`` in the body
    of a response that is limited or has the status 503. ``is_limited``: its text
    says that there were too many requests, as HTTP 429 does.
    """
    if response is None:
        return None
    is_limited = is_limited or response.status == _TOO_MANY_REQUESTS
    delay = _parse_header(response)
    for prefix in _RESETS:
        if delay is None and f"{prefix}reset" in response.headers:
            delay = _parse_reset(response, prefix, is_limited=is_limited)
    if delay is None and (is_limited or response.status == _UNAVAILABLE):
        delay = _parse_body(response.body)
    return delay


def _parse_header(response: Response) -> float | None:
    """Return the seconds of ``Retry-After``, given as a number or as a date."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    if (seconds := _parse_seconds(value)) is not None:
        return seconds
    try:
        delay = parsedate_to_datetime(value) - parsedate_to_datetime(response.headers["date"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return max(0.0, delay.total_seconds())


def _parse_reset(response: Response, prefix: str, *, is_limited: bool) -> float | None:
    """Return the seconds until a limit is reset, ``None`` if requests are left until then.

    Panels can send it with every response. Without a number of requests that
    are left, it counts if the response is limited or a server error.
    """
    reset = parse_int(response.headers[f"{prefix}reset"])
    if reset is None or not 0 <= reset < _MAX_RESET:
        return None
    remaining = parse_int(response.headers.get(f"{prefix}remaining"))
    is_over = remaining == 0 or (remaining is None and response.status >= _SERVER_ERROR)
    if not (is_over or is_limited):
        return None
    if reset < _MIN_TIMESTAMP:
        return float(reset)
    try:
        now = parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return max(0.0, reset - now)


def _parse_body(body: bytes) -> float | None:
    """Return the seconds of ``retry_after`` in a JSON object, or in its ``error`` or ``data``."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(payload, dict):
        return None
    for part in (payload, payload.get("error"), payload.get("data")):
        if isinstance(part, dict) and (seconds := _parse_seconds(part.get("retry_after"))) is not None:
            return seconds
    return None


def _parse_seconds(value: object) -> float | None:
    """Return a number that is not negative, or a string of digits, as finite seconds."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return min(float(value), _MAX_DELAY)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        return None
    return float(min(value, _MAX_DELAY))
