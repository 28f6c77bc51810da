"""One order followed to its end: what each look tells, and when the next one is."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias, final

from attrs import define

from .._pacing import PollPolicy, Sighting, next_due, rest_at_pace
from ..errors import (
    InvalidRequestError,
    OrderNotFoundError,
    PanelUnavailableError,
    RateLimitedError,
    RequestTimeoutError,
)
from ..models import Change, Failed, Id, Ok, OrderStatus, Outcome, Refused, Unreported

if TYPE_CHECKING:
    from collections.abc import Iterable

Event: TypeAlias = Change | Refused | Unreported | Failed
"""What a look can tell: a change, or that it came to nothing."""


@final
@define(eq=False)
class Followed:
    """One order: what it was when last seen, since when its status is the same, and what its looks came to.

    ``remained`` is what was to be delivered at ``moved_at``, when its status was new.
    """

    id: Id
    moved_at: float
    status: OrderStatus | None = None
    remained: int | None = None
    outcome: Outcome[OrderStatus] | None = None
    failures: int = 0
    refusals: int = 0
    is_open: bool = True
    due_at: float = 0.0

    def noted(self, outcome: Outcome[OrderStatus], now: float, policy: PollPolicy) -> Event | None:
        """Note what a look came to: what there is to tell of it. The order is closed then, or due again."""
        self.outcome = outcome
        event: Event | None
        if isinstance(outcome, Ok):
            event = self._seen(outcome.value, now)
        else:
            self._missed(outcome, policy)
            event = outcome
        if self.is_open:
            self.due_at = next_due(self._sighting(now), policy)
        return event

    def known(self) -> Outcome[OrderStatus]:
        """Its last status; where it has none or was given up, what its last look came to."""
        if self.status is not None and (self.is_open or self.status.is_final):
            return Ok(self.id, self.status)
        return self.outcome or Failed(self.id, RequestTimeoutError("status: no answer came yet", action="status"))

    def _seen(self, status: OrderStatus, now: float) -> Change | None:
        before, self.status = self.status, status
        self.failures = self.refusals = 0
        self.is_open = not status.is_final
        if before is None or before.status != status.status:
            self.remained, self.moved_at = status.remains, now
        return Change(self.id, before, status) if before is None or _FACTS(before) != _FACTS(status) else None

    def _missed(self, outcome: Refused | Unreported | Failed, policy: PollPolicy) -> None:
        self.failures += 1
        is_unknown = isinstance(outcome, Refused) and isinstance(outcome.error, _UNKNOWN)
        self.refusals = self.refusals + 1 if is_unknown else 0
        self.is_open = self.refusals < policy.max_not_found

    def _sighting(self, now: float) -> Sighting:
        remains = self.status.remains if self.status is not None else None
        return Sighting(
            at=now,
            moved_at=self.moved_at,
            rest=rest_at_pace(remained=self.remained, remains=remains, elapsed=now - self.moved_at),
            failures=self.failures,
            pause=_pause(self.outcome),
        )


def lag_of(orders: Iterable[Followed], now: float) -> float:
    """Seconds since the first of these orders was due; some come before they are, to fill a request."""
    return max(0.0, now - min(order.due_at for order in orders))


_FACTS = attrgetter("status", "state", "charge", "start_count", "remains", "currency", "runs", "posts", "orders")
"""What makes a change. Of fields that nobody knows, some panels change one with every answer."""

_UNKNOWN = (OrderNotFoundError, InvalidRequestError)
"""Refusals that waiting does not mend."""


def _pause(outcome: Outcome[OrderStatus] | None) -> float:
    """Seconds that the panel asked to wait."""
    error = outcome.error if isinstance(outcome, (Refused, Failed)) else None
    return (error.retry_after or 0.0) if isinstance(error, (RateLimitedError, PanelUnavailableError)) else 0.0
