"""The state of one polled order: what each poll changes, and when the next one is due. Pure."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, final

from attrs import define

from .._retry import get_retry_after
from ..errors import InvalidRequestError, OrderNotFoundError, RequestTimeoutError
from ..models import Change, Failed, Id, Ok, OrderStatus, Outcome, Refused, Unreported, WatchEvent
from .policy import Observation, PollPolicy, compute_next_poll, estimate_time_left

if TYPE_CHECKING:
    from collections.abc import Iterable


@final
@define(eq=False)
class TrackedOrder:
    """One polled order.

    ``changed_at`` is when its status was first seen, and ``initial_remains``
    what remained to be delivered at that time. ``failures`` and ``not_found``
    count polls in a row.
    """

    id: Id
    changed_at: float
    status: OrderStatus | None = None
    initial_remains: int | None = None
    outcome: Outcome[OrderStatus] | None = None
    failures: int = 0
    not_found: int = 0
    is_open: bool = True
    due_at: float = 0.0

    def record_outcome(
        self, outcome: Outcome[OrderStatus], now: float, policy: PollPolicy, *, max_retry_after: float
    ) -> WatchEvent | None:
        """Apply the outcome of a poll, and close the order or schedule its next poll. Return the event, if any.

        ``max_retry_after`` bounds for how many seconds a panel can delay that.
        """
        self.outcome = outcome
        event: WatchEvent | None
        if isinstance(outcome, Ok):
            event = self._record_status(outcome.value, now, policy)
        else:
            self._record_failure(outcome, policy)
            event = outcome
        if self.is_open:
            self.due_at = compute_next_poll(self._observe(now, max_retry_after), policy)
        return event

    def get_latest(self) -> Outcome[OrderStatus]:
        """Return its last status. Without one, or if it was given up, return the outcome of its last poll."""
        if self.status is not None and self.is_open:
            return Ok(self.id, self.status)
        return self.outcome or Failed(self.id, RequestTimeoutError("status: no answer came yet", action="status"))

    def _record_status(self, status: OrderStatus, now: float, policy: PollPolicy) -> Change | None:
        before, self.status = self.status, status
        self.failures = self.not_found = 0
        self.is_open = status.state not in policy.final_states
        if before is None or before.status != status.status:
            self.initial_remains, self.changed_at = status.remains, now
        is_change = before is None or _COMPARED_FIELDS(before) != _COMPARED_FIELDS(status)
        return Change(self.id, before, status) if is_change else None

    def _record_failure(self, outcome: Refused | Unreported | Failed, policy: PollPolicy) -> None:
        self.failures += 1
        if not (isinstance(outcome, Refused) and isinstance(outcome.error, _NOT_FOUND)):
            self.not_found = 0
        elif not outcome.is_shared:
            self.not_found += 1
        self.is_open = self.not_found < policy.max_not_found

    def _observe(self, now: float, max_retry_after: float) -> Observation:
        remains = self.status.remains if self.status is not None else None
        elapsed = now - self.changed_at
        return Observation(
            at=now,
            changed_at=self.changed_at,
            time_left=estimate_time_left(before=self.initial_remains, after=remains, elapsed=elapsed),
            failures=self.failures,
            retry_after=min(get_retry_after(getattr(self.outcome, "error", None)) or 0.0, max_retry_after),
        )


def compute_poll_lag(orders: Iterable[TrackedOrder], now: float) -> float:
    """Return the seconds since the first of these orders was due. Some are polled early, to fill a request."""
    return max(0.0, now - min(order.due_at for order in orders))


_COMPARED_FIELDS = attrgetter(
    "status", "state", "charge", "start_count", "remains", "currency", "runs", "posts", "orders"
)
"""``extra`` is not compared: some panels change an unknown field with every response."""

_NOT_FOUND = (OrderNotFoundError, InvalidRequestError)
"""Rejections that do not go away with time."""
