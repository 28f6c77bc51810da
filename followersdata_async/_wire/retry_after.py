"""How long an answer's headers ask to wait (panel-api §1.3); dates are read beside its own, and not our clock."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from .scalars import count_of

if TYPE_CHECKING:
    from .messages import Answer


def pause_asked(answer: Answer) -> float | None:
    """Seconds that an answer asks all requests to wait, by ``Retry-After`` or a used-up ``X-RateLimit-Remaining``."""
    asked = retry_after_of(answer)
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


def retry_after_of(answer: Answer | None) -> float | None:
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
