"""When to try again, and when to look again: pure decisions; chance, clock and state are arguments."""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import final

from attrs import define, field, frozen

from ._validators import positive_number, seconds, whole_number
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

    ``max_attempts`` is how often one request is sent at the most, the first time
    included. The delay before attempt n is chance between 0 and
    ``initial_delay * 2**(n - 2)``, at most ``max_delay``. A panel's
    ``Retry-After`` is honoured up to ``max_retry_after``; if it asks for
    more, the error is raised at once.

    Reads are repeated on transport failures, rate limits and temporary
    refusals; writes only when it is proven that nothing was sent.
    """

    max_attempts: int = field(default=4, validator=whole_number(1))
    initial_delay: float = field(default=0.5, validator=seconds(zero=True))
    max_delay: float = field(default=20.0, validator=seconds(zero=True))
    max_retry_after: float = field(default=60.0, validator=seconds(zero=True))


@final
@define(eq=False)
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
    if attempt >= policy.max_attempts or not _may_repeat(error, repeatable=repeatable):
        return None
    asked = error.retry_after if isinstance(error, (PanelUnavailableError, RateLimitedError)) else None
    if asked is not None:
        return asked if asked <= policy.max_retry_after else None
    # Capped before the power: 2.0**1024 is no float.
    longest = min(policy.max_delay, policy.initial_delay * 2.0 ** min(attempt - 1, _DOUBLINGS))
    return longest * chance


_DOUBLINGS = 60


def cost_of_retry(error: FollowersDataError) -> int:
    """How many tokens of the budget a retry after ``error`` takes."""
    return 5 if isinstance(error, RateLimitedError) else 14


def _may_repeat(error: FollowersDataError, *, repeatable: bool) -> bool:
    if not repeatable:
        return isinstance(error, NotSentError)
    return isinstance(error, (TransportError, RateLimitedError, TemporaryPanelError))


# --- looking again


@final
@frozen(kw_only=True)
class PollPolicy:
    """How often orders are looked at until they are final. Durations are in seconds.

    The first look is at once. The delay before the next one is ``age_factor`` of
    the time for which the order's status has been the same: young orders are
    looked at often, old ones seldom, and often again when something moves.
    Where ``remains`` shrinks, it is ``eta_factor`` of the time that the
    order still takes at its pace. A look that came to nothing doubles the
    delay of the one before. All delays are between ``min_delay`` and
    ``max_delay``, unless the panel asks for a longer one.

    If there are more orders than fit into one request, one that is due waits
    up to ``max_chunk_wait`` seconds until a request is full.

    An order that the panel says it does not know ``max_not_found`` times in a row
    is given up.
    """

    min_delay: float = field(default=5.0, validator=seconds())
    max_delay: float = field(default=300.0, validator=seconds())
    age_factor: float = field(default=0.5, validator=positive_number)
    eta_factor: float = field(default=0.3, validator=positive_number)
    max_chunk_wait: float = field(default=30.0, validator=seconds(zero=True))
    max_not_found: int = field(default=3, validator=whole_number(1))

    def __attrs_post_init__(self) -> None:
        if self.max_delay < self.min_delay:
            msg = f"max_delay is {self.max_delay}, but must be at least min_delay, {self.min_delay}"
            raise ValueError(msg)


def check_poll_policy(poll_policy: object) -> PollPolicy:
    """The policy that was given, if it is one.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(poll_policy, PollPolicy):
        return poll_policy
    msg = f"poll_policy must be a PollPolicy, got {poll_policy!r}"
    raise TypeError(msg)


@final
@frozen(kw_only=True, eq=False)
class Sighting:
    """What is known of an order when it was looked at; all times are of one clock.

    ``moved_at`` is when its status was first seen, ``rest`` how many seconds
    it still takes at its pace, ``failures`` how many looks in a row came to
    nothing, and ``pause`` how many seconds the panel asked to wait.
    """

    at: float
    moved_at: float
    rest: float | None = None
    failures: int = 0
    pause: float = 0.0


def next_due(seen: Sighting, policy: PollPolicy) -> float:
    """When to look at an order again."""
    if seen.failures:
        delay = policy.min_delay * 2.0 ** min(seen.failures - 1, _DOUBLINGS)
    elif seen.rest is not None:
        delay = policy.eta_factor * seen.rest
    else:
        delay = policy.age_factor * (seen.at - seen.moved_at)
    return seen.at + max(seen.pause, min(policy.max_delay, max(policy.min_delay, delay)))


def rest_at_pace(*, remained: int | None, remains: int | None, elapsed: float) -> float | None:
    """Seconds that an order still takes, after ``remained`` became ``remains`` in ``elapsed`` seconds."""
    if remained is None or remains is None or not 0 <= remains < remained:
        return None
    return remains * elapsed / (remained - remains)


@final
class Schedule:
    """Orders by when they are due, and the requests that they make."""

    def __init__(self, *, size: int, max_chunk_wait: float) -> None:
        self._size = size
        self._max_chunk_wait = max_chunk_wait
        self._later: list[tuple[float, str]] = []
        self._due: deque[tuple[float, str]] = deque()

    def put(self, order: str, due: float) -> None:
        """Look at an order then."""
        heapq.heappush(self._later, (due, order))

    def chunks_due(self, now: float) -> list[list[str]]:
        """Take the orders whose requests are due; a request that is not full is filled up with those due next."""
        while self._later and self._later[0][0] <= now:
            self._due.append(heapq.heappop(self._later))
        chunks = []
        while self._is_due(now):
            due = [self._due.popleft() for _ in range(min(self._size, len(self._due)))]
            next_ones = [heapq.heappop(self._later) for _ in range(min(self._size - len(due), len(self._later)))]
            chunks.append([order for _, order in due + next_ones])
        return chunks

    def next_at(self) -> float:
        """When something may be due, if nothing is put before; infinite if there is nothing."""
        latest = self._due[0][0] + self._patience if self._due else math.inf
        return min(latest, self._later[0][0] if self._later else math.inf)

    def _is_due(self, now: float) -> bool:
        return len(self._due) >= self._size or (len(self._due) > 0 and self._due[0][0] + self._patience <= now)

    @property
    def _patience(self) -> float:
        """How long an order waits for company: not at all, where a request has room for everyone."""
        return self._max_chunk_wait if len(self._due) + len(self._later) > self._size else 0.0
