"""When to try again: decisions as pure functions, their chance and state as arguments."""

from __future__ import annotations

from typing import final

from attrs import define, field, frozen

from .checks import seconds, whole_number
from .errors import (
    FollowersDataError,
    NotSentError,
    PanelUnavailableError,
    RateLimitedError,
    TemporaryPanelError,
    TransportError,
)


@final
@frozen(kw_only=True)
class RetryPolicy:
    """How failed requests are tried again. Durations are in seconds.

    ``attempts`` is how often one request is sent at the most, the first time
    included. The delay before attempt n is chance between 0 and
    ``first_delay * 2**(n - 2)``, at most ``longest_delay``. A panel's
    ``Retry-After`` is honoured up to ``longest_retry_after``; if it asks for
    more, the error is raised at once.

    Reads are repeated on transport failures, rate limits and temporary
    refusals; writes only when it is proven that nothing was sent.
    """

    attempts: int = field(default=4, validator=whole_number(1))
    first_delay: float = field(default=0.5, validator=seconds(zero=True))
    longest_delay: float = field(default=20.0, validator=seconds(zero=True))
    longest_retry_after: float = field(default=60.0, validator=seconds(zero=True))


@final
@define
class RetryBudget:
    """What a client's retries may cost together, so that an outage is not answered with a flood.

    A retry takes 14 tokens, one after a throttling answer 5; a request that
    succeeds at once gives 1 back, one that succeeded by a retry what it took.
    """

    tokens: int = 500
    most: int = 500

    def take(self, cost: int) -> bool:
        """Take the cost of one retry, if it is there."""
        if cost > self.tokens:
            return False
        self.tokens -= cost
        return True

    def give(self, refund: int) -> None:
        """Give back after a success."""
        self.tokens = min(self.most, self.tokens + refund)


def delay_before_retry(
    error: FollowersDataError, *, repeatable: bool, attempt: int, policy: RetryPolicy, chance: float
) -> float | None:
    """Seconds to wait after the ``attempt``-th attempt ended in ``error``; ``None``: do not try again.

    ``chance`` is between 0 and 1: full jitter.
    """
    if attempt >= policy.attempts or not _may_repeat(error, repeatable=repeatable):
        return None
    asked = error.retry_after if isinstance(error, (PanelUnavailableError, RateLimitedError)) else None
    if asked is not None:
        return asked if asked <= policy.longest_retry_after else None
    # Capped before the power: 2.0**1024 is no float.
    longest = min(policy.longest_delay, policy.first_delay * 2.0 ** min(attempt - 1, _DOUBLINGS))
    return longest * chance


_DOUBLINGS = 60


def cost_of_retry(error: FollowersDataError) -> int:
    """How many tokens of the budget a retry after ``error`` takes."""
    return 5 if isinstance(error, RateLimitedError) else 14


def _may_repeat(error: FollowersDataError, *, repeatable: bool) -> bool:
    if not repeatable:
        return isinstance(error, NotSentError)
    return isinstance(error, (TransportError, RateLimitedError, TemporaryPanelError))
