"""What a client tells of its doings to whoever listens (``AsyncClient(on_event=…)``). Values; never the key.

No event names an id or an order; its ``error`` may, as the caller gets it:
``OutcomeUnknownError.asked`` is what was on its way.

Durations are in seconds. ``action`` is the panel's word for what is asked,
``method`` the client's method that asks. ``call`` is a number for each call of
a method, the same in all that is told of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, final

from attrs import field, frozen

from .errors import FollowersDataError

__all__ = [
    "CallEnded",
    "CallStarted",
    "ClientEvent",
    "Coalesced",
    "Listener",
    "PollStarted",
    "RequestEnded",
    "RequestStarted",
    "RetryPlanned",
]


@final
@frozen(kw_only=True)
class CallStarted:
    """A method was called, or a stream opened."""

    call: int
    method: str
    action: str


@final
@frozen(kw_only=True)
class CallEnded:
    """It has returned, raised or been left. ``error`` is what ended it, also a cancellation or the caller's own.

    ``ids`` were asked about, in ``chunks``, by ``requests`` (more than chunks
    where one was narrowed down) and ``attempts``. A call for one thing has no
    chunks; one that shared another's request has none of the others either.
    ``outcomes`` counts them by
    ``ok``, ``refused``, ``unreported``, ``failed`` and ``unknown``: a write of
    which nobody knows what became.
    """

    call: int
    method: str
    action: str
    duration: float
    ids: int
    chunks: int
    requests: int
    attempts: int
    outcomes: Mapping[str, int] = field(hash=False)
    error: BaseException | None


@final
@frozen(kw_only=True)
class RequestStarted:
    """An attempt starts: it connects if it has to, then it is sent.

    ``rate_limit_wait`` is how long it waited before, for one of the client's
    ``concurrency`` slots and for the rate limit.
    """

    call: int | None
    action: str
    ids: int
    attempt: int
    rate_limit_wait: float


@final
@frozen(kw_only=True)
class RequestEnded:
    """The attempt was answered, or has failed: ``error`` may be the panel's refusal, or a cancellation.

    ``budget`` is what this client has left for retries, in tokens (``RetryPlanned``).
    """

    call: int | None
    action: str
    ids: int
    attempt: int
    duration: float
    budget: int
    error: BaseException | None


@final
@frozen(kw_only=True)
class RetryPlanned:
    """The request is sent again after ``delay``, as attempt number ``attempt``.

    It has taken 14 of the client's 500 tokens, or 5 after a throttling answer;
    what succeeds gives some back, and without any nothing is sent again.
    """

    action: str
    attempt: int
    delay: float
    error: FollowersDataError


@final
@frozen(kw_only=True)
class Coalesced:
    """Single calls share a request: so many ``calls`` for so many ``ids``."""

    action: str
    calls: int
    ids: int


@final
@frozen(kw_only=True)
class PollStarted:
    """Orders that are watched or polled are looked at, the first of them ``lag`` after it was due."""

    orders: int
    lag: float


ClientEvent: TypeAlias = (
    CallStarted | CallEnded | RequestStarted | RequestEnded | RetryPlanned | Coalesced | PollStarted
)
Listener: TypeAlias = Callable[[ClientEvent], None]
