"""When to send a request again: pure decisions. Randomness and state are arguments."""

from __future__ import annotations

from typing import final

from attrs import define, field, frozen

from ._validators import duration, integer
from .errors import (
    FollowersDataError,
    NotSentError,
    PanelUnavailableError,
    RateLimitedError,
    TemporaryPanelError,
    TransportError,
)

DEFAULT_MAX_RETRY_AFTER = 60.0
MAX_DOUBLINGS = 60
"""2.0 to this power is beyond every delay; 2.0**1024 would not be a float."""


@final
@frozen(kw_only=True)
class RetryPolicy:
    """How often and when failed requests are sent again. Durations are in seconds.

    ``max_attempts`` includes the first attempt. The delay before attempt n is
    random between 0 and ``initial_delay * 2**(n - 2)``, at most ``max_delay``.
    If the panel asks to wait, that is the delay. If it asks for more than the
    client's ``max_retry_after``, the error is raised at once.

    Reads are retried after transport failures, rate limits and temporary
    rejections. Writes are retried only if it is proven that nothing was sent.
    """

    max_attempts: int = field(default=4, validator=integer(1))
    initial_delay: float = field(default=0.5, validator=duration(zero=True))
    max_delay: float = field(default=20.0, validator=duration(zero=True))


@final
@define(eq=False)
class RetryBudget:
    """Limits the retries of a client as a whole, so that it does not flood a panel during an outage.

    A retry takes 14 tokens, or 5 after a rate limit. A request that succeeds
    at once returns 1 token, one that succeeds after a retry what that took.
    """

    tokens: int = 500
    max_tokens: int = 500

    def take(self, cost: int) -> bool:
        """Take the cost of one retry. Return whether there were enough tokens."""
        if cost > self.tokens:
            return False
        self.tokens -= cost
        return True

    def refund(self, tokens: int) -> None:
        """Return tokens after a success."""
        self.tokens = min(self.max_tokens, self.tokens + tokens)


def compute_retry_delay(
    error: FollowersDataError,
    *,
    is_write: bool,
    attempt: int,
    policy: RetryPolicy,
    max_retry_after: float,
    random_value: float,
) -> float | None:
    """Return the seconds to wait after attempt number ``attempt`` failed, ``None`` if it is not to be repeated.

    ``random_value`` is between 0 and 1 (full jitter).
    """
    if attempt >= policy.max_attempts or not _may_repeat(error, is_write=is_write):
        return None
    retry_after = get_retry_after(error)
    if retry_after is not None:
        return retry_after if retry_after <= max_retry_after else None
    ceiling = min(policy.max_delay, policy.initial_delay * 2.0 ** min(attempt - 1, MAX_DOUBLINGS))
    return ceiling * random_value


def get_retry_after(error: object) -> float | None:
    """Return the seconds for which the panel asked to wait, or ``None``."""
    return error.retry_after if isinstance(error, (PanelUnavailableError, RateLimitedError)) else None


def get_retry_cost(error: FollowersDataError) -> int:
    """Return how many tokens of the budget a retry after ``error`` takes."""
    return 5 if isinstance(error, RateLimitedError) else 14


def _may_repeat(error: FollowersDataError, *, is_write: bool) -> bool:
    if is_write:
        return isinstance(error, NotSentError)
    return isinstance(error, (TransportError, RateLimitedError, TemporaryPanelError))
