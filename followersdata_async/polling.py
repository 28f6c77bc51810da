"""Orders looked at again and again, until they are final."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, Self, TypeAlias, TypeVar, final

import anyio
from attrs import define

from . import batching
from .asking import STATUS
from .checks import check_seconds
from .dispatch import Outcomes, gathered
from .errors import (
    AuthenticationError,
    InvalidRequestError,
    OrderNotFoundError,
    PanelUnavailableError,
    PollTimeoutError,
    RateLimitedError,
    RequestTimeoutError,
)
from .models import BatchResult, Change, Failed, Id, Ok, OrderStatus, Outcome, Refused, Unreported, id_text
from .pacing import PollPolicy, Schedule, Sighting, checked_pace, next_due, rest_at_pace
from .waiting import wait as wait_in_real_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .line import Line
    from .waiting import Wait

Event: TypeAlias = Change | Refused | Unreported | Failed
"""What a watch can tell: a change, or a look that came to nothing."""

E = TypeVar("E", bound=Event)


@final
class Changes(AsyncIterator[E], Generic[E]):
    """The changes of orders, as they are seen, until every order is final.

    Use it as ``async with … as changes``, in one task. Nothing is asked ahead
    of the reader: while no change is taken, no further look is begun.
    ``requests`` counts what was sent so far.
    """

    def __init__(
        self,
        line: Line,
        orders: Iterable[Id],
        policy: PollPolicy,
        *,
        told: tuple[type[E], ...],
        batch_size: int,
        concurrency: int,
        clock: Callable[[], float] = anyio.current_time,
        wait: Wait = wait_in_real_time,
    ) -> None:
        policy = checked_pace(policy)
        asked = batching.unique(orders)
        self._clock = clock
        self._told = told
        self._orders = _Orders(asked, policy, batch_size, clock, wait)
        width = max(1, min(concurrency, -(-len(asked) // batch_size)))
        self._outcomes = Outcomes(line, STATUS, self._orders, width=width)
        self._ready: deque[E] = deque()

    @property
    def requests(self) -> int:
        """How many requests were sent so far, retries included."""
        return self._outcomes.requests

    @property
    def known(self) -> BatchResult[OrderStatus]:
        """What is known of every order now: its last status; without one, what its last look came to."""
        return BatchResult(self._orders.known(), requests=self.requests)

    async def __aenter__(self) -> Self:
        """Begin to look."""
        await self._outcomes.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop looking; requests on their way are dropped."""
        await self._outcomes.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        """The stream itself."""
        return self

    async def __anext__(self) -> E:
        """The next change, waited for.

        Raises:
            AuthenticationError: the key was refused; ``.result`` has what is known.
            RuntimeError: not inside ``async with``.
        """
        while not self._ready:
            try:
                chunk = await self._outcomes.next_chunk()
            except AuthenticationError as error:
                error.result = self.known
                raise
            events = self._orders.noted(chunk.outcomes, self._clock())
            self._ready.extend(event for event in events if isinstance(event, self._told))
        return self._ready.popleft()


@final
@define
class _Order:
    """One order: what it was when last seen, since when its status is the same, and what its looks came to."""

    id: Id
    moved_at: float
    status: OrderStatus | None = None
    began: OrderStatus | None = None
    outcome: Outcome[OrderStatus] | None = None
    failures: int = 0
    refusals: int = 0
    is_open: bool = True

    def seen(self, status: OrderStatus, now: float) -> Change | None:
        """Note a status; the change, if it is one."""
        before, self.status = self.status, status
        self.failures = self.refusals = 0
        self.is_open = not status.is_final
        if before is None or before.status != status.status:
            self.began, self.moved_at = status, now
        return Change(self.id, before, status) if before is None or _FACTS(before) != _FACTS(status) else None

    def missed(self, outcome: Refused | Unreported | Failed, most_refusals: int) -> None:
        """Note a look that came to nothing; after too many refusals the order is given up."""
        self.failures += 1
        is_unknown = isinstance(outcome, Refused) and isinstance(outcome.error, _UNKNOWN)
        self.refusals = self.refusals + 1 if is_unknown else 0
        self.is_open = self.refusals < most_refusals

    def sighting(self, now: float) -> Sighting:
        """What the schedule needs to know."""
        return Sighting(
            at=now, moved_at=self.moved_at, rest=self._rest(now), failures=self.failures, pause=_pause(self.outcome)
        )

    def _rest(self, now: float) -> float | None:
        if self.began is None or self.status is None:
            return None
        elapsed = now - self.moved_at
        return rest_at_pace(remained=self.began.remains, remains=self.status.remains, elapsed=elapsed)

    def known(self) -> Outcome[OrderStatus]:
        """Its last status; where it has none or was given up, what its last look came to."""
        if self.status is not None and (self.is_open or self.status.is_final):
            return Ok(self.id, self.status)
        return self.outcome or Failed(self.id, RequestTimeoutError("status: no answer came yet", action="status"))


_FACTS = attrgetter("status", "state", "charge", "start_count", "remains", "currency", "runs", "posts", "orders")
"""What makes a change. Of fields that nobody knows, some panels change one with every answer."""

_UNKNOWN = (OrderNotFoundError, InvalidRequestError)
"""Refusals that waiting does not mend."""


def _pause(outcome: Outcome[OrderStatus] | None) -> float:
    """Seconds that the panel asked to wait."""
    error = outcome.error if isinstance(outcome, (Refused, Failed)) else None
    return (error.retry_after or 0.0) if isinstance(error, (RateLimitedError, PanelUnavailableError)) else 0.0


@final
class _Orders:
    """Chunks of the orders that are due, until none is open."""

    def __init__(
        self, orders: Sequence[Id], policy: PollPolicy, size: int, clock: Callable[[], float], wait: Wait
    ) -> None:
        now = clock()
        self._orders = {id_text(order): _Order(order, now) for order in orders}
        self._open = len(self._orders)
        self._policy = policy
        self._schedule = Schedule(size=size, company=policy.company)
        for text in self._orders:
            self._schedule.put(text, now)
        self._chunks: deque[list[str]] = deque()
        self._noted = anyio.Event()
        self._clock = clock
        self._wait = wait

    async def next(self) -> list[Id]:
        """The orders to look at, as soon as it is time; none when all are final."""
        while self._open:
            self._chunks.extend(self._schedule.chunks_due(self._clock()))
            if self._chunks:
                return [self._orders[text].id for text in self._chunks.popleft()]
            await self._wait(self._noted, self._schedule.next_at() - self._clock())
        return []

    def landed(self, ids: Sequence[Id]) -> None:
        """Nothing yet: an order is looked at again when its outcome was noted."""

    def noted(self, outcomes: Iterable[Outcome[OrderStatus]], now: float) -> list[Event]:
        """What these outcomes tell; their orders are closed, or due again."""
        events = [event for outcome in outcomes if (event := self._note(outcome, now)) is not None]
        self._noted.set()
        self._noted = anyio.Event()
        return events

    def _note(self, outcome: Outcome[OrderStatus], now: float) -> Event | None:
        text = id_text(outcome.id)
        order = self._orders[text]
        order.outcome = outcome
        event: Event | None
        if isinstance(outcome, Ok):
            event = order.seen(outcome.value, now)
        else:
            order.missed(outcome, self._policy.refusals)
            event = outcome
        if order.is_open:
            self._schedule.put(text, next_due(order.sighting(now), self._policy))
        else:
            self._open -= 1
        return event

    def known(self) -> Iterable[Outcome[OrderStatus]]:
        """What is known of each order, in the order asked."""
        return (order.known() for order in self._orders.values())


async def finals(
    line: Line, orders: Iterable[Id], policy: PollPolicy, *, patience: float | None, batch_size: int, concurrency: int
) -> BatchResult[OrderStatus]:
    """The final status of every order; of those that the panel does not know, its refusal.

    Raises:
        PollTimeoutError: some were not final in ``patience`` seconds; with 0, at one look.
        AuthenticationError: the key was refused.
    """
    if patience is not None:
        check_seconds("timeout", patience, zero=True)
    asked = batching.unique(orders)
    changes = Changes(line, asked, policy, told=(Change,), batch_size=batch_size, concurrency=concurrency)
    if patience == 0:
        result = await gathered(line, STATUS, asked, batch_size=batch_size, concurrency=concurrency)
        if _open_ids(result):
            raise _late(result, "at one look")
        return result
    async with changes:
        with anyio.move_on_after(patience):
            async for _ in changes:
                pass
            return changes.known
    raise _late(changes.known, f"within {patience:g} s")


def _open_ids(result: BatchResult[OrderStatus]) -> list[Id]:
    return [id_ for id_, outcome in result.items() if not (isinstance(outcome, Ok) and outcome.value.is_final)]


def _late(result: BatchResult[OrderStatus], when: str) -> PollTimeoutError:
    open_ids = _open_ids(result)
    shown = ", ".join(map(str, open_ids[:_SHOWN]))
    msg = (
        f"{len(open_ids)} of {len(result)} orders were not final {when}, among them {shown}; "
        ".result has what is known, ask again later"
    )
    return PollTimeoutError(msg, result=result)


_SHOWN = 3
