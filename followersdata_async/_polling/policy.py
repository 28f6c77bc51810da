"""How often orders are polled: pure decisions. The clock is an argument."""

from __future__ import annotations

from collections.abc import Collection
from typing import final

from attrs import field, frozen

from .._retry import MAX_DOUBLINGS
from .._validators import duration, integer, positive_number
from ..models import OrderState


def _build_states(states: object) -> frozenset[OrderState]:
    """Check the states that end the polling of an order.

    Raises:
        TypeError: it is something else than ``OrderState`` values.
        ValueError: there are none, so no order would ever be final.
    """
    if not isinstance(states, Collection) or not all(isinstance(state, OrderState) for state in states):
        msg = f"final_states must be a set of OrderState, got {states!r}"
        raise TypeError(msg)
    if not states:
        msg = "final_states must have at least one state"
        raise ValueError(msg)
    return frozenset(states)


@final
@frozen(kw_only=True)
class PollPolicy:
    """How often orders are polled until they are final. Durations are in seconds.

    The first poll is immediate. The next delay is ``age_factor`` times the time
    since the order's status last changed, so that new orders are polled often
    and old ones rarely. While ``remains`` shrinks, it is ``eta_factor`` times
    the estimated time until the order is done. Each failed poll doubles the
    delay. All delays are between ``min_delay`` and ``max_delay``, unless the
    panel asks for a longer one, up to the client's ``max_retry_after``.

    If there are more orders than fit into one request, a due order waits up to
    ``max_chunk_wait`` for the request to fill up.

    Polling ends with the first of ``final_states``. A panel that cancels what
    it has called partial needs ``final_states=PollPolicy().final_states -
    {OrderState.PARTIAL}``.

    An order that the panel does not know ``max_not_found`` times in a row is
    given up.
    """

    min_delay: float = field(default=5.0, validator=duration())
    max_delay: float = field(default=300.0, validator=duration())
    age_factor: float = field(default=0.5, validator=positive_number)
    eta_factor: float = field(default=0.3, validator=positive_number)
    max_chunk_wait: float = field(default=30.0, validator=duration(zero=True))
    max_not_found: int = field(default=3, validator=integer(1))
    final_states: frozenset[OrderState] = field(
        default=frozenset(state for state in OrderState if state.is_final), converter=_build_states
    )

    def __attrs_post_init__(self) -> None:
        if self.max_delay < self.min_delay:
            msg = f"max_delay is {self.max_delay}, but must be at least min_delay, {self.min_delay}"
            raise ValueError(msg)


def check_poll_policy(poll_policy: object) -> PollPolicy:
    """Return ``poll_policy`` if it is one.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(poll_policy, PollPolicy):
        return poll_policy
    msg = f"poll_policy must be a PollPolicy, got {poll_policy!r}"
    raise TypeError(msg)


@final
@frozen(kw_only=True, eq=False)
class Observation:
    """What is known of an order after a poll. All times are of one clock.

    ``changed_at`` is when its status was first seen, ``time_left`` the
    estimated seconds until it is done, ``failures`` the number of failed polls
    in a row, and ``retry_after`` the seconds for which the panel asked to wait.
    """

    at: float
    changed_at: float
    time_left: float | None = None
    failures: int = 0
    retry_after: float = 0.0


def compute_next_poll(order: Observation, policy: PollPolicy) -> float:
    """Return when to poll an order again."""
    if order.failures:
        delay = policy.min_delay * 2.0 ** min(order.failures - 1, MAX_DOUBLINGS)
    elif order.time_left is not None:
        delay = policy.eta_factor * order.time_left
    else:
        delay = policy.age_factor * (order.at - order.changed_at)
    return order.at + max(order.retry_after, min(policy.max_delay, max(policy.min_delay, delay)))


def estimate_time_left(*, before: int | None, after: int | None, elapsed: float) -> float | None:
    """Return the seconds until ``remains`` is 0, if it went from ``before`` to ``after`` in ``elapsed`` seconds."""
    if before is None or after is None or not 0 <= after < before:
        return None
    # In this order, as a count can be too large for a float.
    return elapsed * (after / (before - after))
