"""How long a response asks clients to wait (panel-api §1.3).

Dates are compared with the response's own ``Date``, not with our clock.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ..models import MAX_PAUSE
from .scalars import parse_int

if TYPE_CHECKING:
    from .messages import Response

_MAX_RESET = 100_000_000_000
_MIN_TIMESTAMP = 1_000_000_000
"""From here on ``X-RateLimit-Reset`` is seconds since 1970, below it seconds from now."""
_MAX_DIGITS = 9


def parse_pause(response: Response) -> float | None:
    """Return for how many seconds a response asks all requests to wait, at most ``MAX_PAUSE``.

    Read from ``Retry-After``, or from ``X-RateLimit-Reset`` where
    ``X-RateLimit-Remaining`` is 0.
    """
    delay = parse_retry_after(response)
    if delay is None and response.headers.get("x-ratelimit-remaining", "").strip() == "0":
        delay = _parse_reset(response)
    return None if delay is None else min(delay, MAX_PAUSE)


def _parse_reset(response: Response) -> float | None:
    reset = parse_int(response.headers.get("x-ratelimit-reset"))
    if reset is None or not 0 <= reset < _MAX_RESET:
        return None
    if reset < _MIN_TIMESTAMP:
        return float(reset)
    try:
        now = parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return max(0.0, reset - now)


def parse_retry_after(response: Response | None) -> float | None:
    """Return the seconds of ``Retry-After``, given as a number or as a date."""
    if response is None or not (value := response.headers.get("retry-after", "").strip()):
        return None
    if value.isascii() and value.isdecimal():
        return float(value[:_MAX_DIGITS])
    try:
        delay = parsedate_to_datetime(value) - parsedate_to_datetime(response.headers["date"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return max(0.0, delay.total_seconds())
