"""The dumb loop: ask, and if the decision says so, wait and ask again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar, final

import anyio
from attrs import field, frozen

from ._instrumentation import Listeners
from ._pacing import RetryBudget, RetryPolicy, cost_of_retry, delay_before_retry
from .errors import FollowersDataError, NotSentError, OutcomeUnknownError, RequestTimeoutError
from .events import RetryPlanned

if TYPE_CHECKING:
    from ._wire.messages import Request, Trail

T = TypeVar("T")


@final
@frozen(kw_only=True, eq=False)
class Retrying:
    """What the loop of one client needs: its policy, its budget, chance, the time of day and a way to wait."""

    policy: RetryPolicy | None
    budget: RetryBudget
    timeout: float
    chance: Callable[[], float]
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    events: Listeners = field(factory=Listeners)

    async def run(self, request: Request, trail: Trail, attempt: Callable[[], Awaitable[T]]) -> T:
        """The value of the first attempt that succeeds, within ``timeout`` for all of them.

        Raises:
            FollowersDataError: what the last attempt ended in.
            RequestTimeoutError: of a read: ``timeout`` is over.
            NotSentError: of a write: ``timeout`` is over, and nothing was sent.
            OutcomeUnknownError: of a write: ``timeout`` is over after it was sent.
        """
        last: FollowersDataError | None = None
        at = self.clock()
        with anyio.move_on_after(self.timeout):
            refund, number = 1, 1
            while True:
                try:
                    value = await attempt()
                except OutcomeUnknownError as error:
                    error.at = at
                    raise
                except FollowersDataError as error:
                    last = error
                    delay = self._delay(request, error, number)
                    if delay is None:
                        raise
                    refund = cost_of_retry(error)
                else:
                    self.budget.give(refund)
                    return value
                await self.sleep(delay)
                number += 1
        raise _late(request, trail, self.timeout, at) from last

    def _delay(self, request: Request, error: FollowersDataError, number: int) -> float | None:
        """Seconds to wait before the next attempt, if the policy, the time and the budget allow one."""
        if self.policy is None:
            return None
        delay = delay_before_retry(
            error, repeatable=request.repeatable, attempt=number, policy=self.policy, chance=self.chance()
        )
        left = anyio.current_effective_deadline() - anyio.current_time()
        if delay is None or delay >= left or not self.budget.take(cost_of_retry(error)):
            return None
        if self.events:
            self.events.tell(RetryPlanned(action=request.action, attempt=number + 1, delay=delay, error=error))
        return delay


def _late(request: Request, trail: Trail, timeout: float, at: float) -> FollowersDataError:
    what = f"no whole answer within {timeout:g} s"
    if request.repeatable:
        return RequestTimeoutError(f"{request.action}: {what}; try again later", action=request.action)
    if trail.sent is False:
        return NotSentError(f"{request.action}: nothing was sent within {timeout:g} s", action=request.action)
    return OutcomeUnknownError(what, action=request.action, asked=dict(request.fields), at=at, sent=trail.sent)
