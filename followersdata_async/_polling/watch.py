"""Orders looked at again and again, until they are final."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, Generic, Self, TypeVar, final

import anyio

from .._batch import ids as batching
from .._batch.chunk import STATUS
from .._batch.stream import Outcomes, gathered
from .._pacing import PollPolicy, Schedule, check_poll_policy
from .._validators import check_seconds
from .._waiting import wait as wait_in_real_time
from ..errors import AuthenticationError, PollTimeoutError
from ..events import PollStarted
from ..models import BatchResult, Change, Id, Ok, OrderStatus, Outcome, id_text
from .tracker import Event, Followed, lag_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .._instrumentation import Listeners
    from .._pipeline import Line
    from .._waiting import Wait

E = TypeVar("E", bound=Event)


@final
class Changes(AsyncIterator[E], Generic[E]):
    """The changes of orders, as they are seen, until every order is final.

    Use it as ``async with … as changes``, in one task. Nothing is asked ahead
    of the reader: while no change is taken, no further look is begun.
    ``requests`` counts what was sent so far.
    """

    def __init__(  # noqa: PLR0913 - settings, each by its keyword
        self,
        line: Line,
        orders: Iterable[Id],
        policy: PollPolicy,
        *,
        told: tuple[type[E], ...],
        chunk_size: int,
        concurrency: int,
        method: str = "watch",
        clock: Callable[[], float] = anyio.current_time,
        wait: Wait = wait_in_real_time,
    ) -> None:
        policy = check_poll_policy(policy)
        asked = batching.unique(orders)
        self._clock = clock
        self._told = told
        self._orders = _Orders(asked, policy, chunk_size, line.events, clock, wait)
        width = max(1, min(concurrency, -(-len(asked) // chunk_size)))
        self._outcomes = Outcomes(line, STATUS, self._orders, width=width, method=method)
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
            if chunk is None:
                raise StopAsyncIteration
            events = self._orders.noted(chunk.outcomes, self._clock())
            self._ready.extend(event for event in events if isinstance(event, self._told))
        return self._ready.popleft()


@final
class _Orders:
    """Chunks of the orders that are due, until none is open."""

    def __init__(
        self,
        orders: Sequence[Id],
        policy: PollPolicy,
        size: int,
        events: Listeners,
        clock: Callable[[], float],
        wait: Wait,
    ) -> None:
        now = clock()
        self._orders = {id_text(order): Followed(order, moved_at=now, due_at=now) for order in orders}
        self._open = len(self._orders)
        self._policy = policy
        self._schedule = Schedule(size=size, max_chunk_wait=policy.max_chunk_wait)
        for text in self._orders:
            self._schedule.put(text, now)
        self._chunks: deque[list[str]] = deque()
        self._noted = anyio.Event()
        self._events = events
        self._clock = clock
        self._wait = wait

    async def next(self) -> list[Id]:
        """The orders to look at, as soon as it is time; none when all are final."""
        while self._open:
            self._chunks.extend(self._schedule.chunks_due(self._clock()))
            if self._chunks:
                return self._looked_at([self._orders[text] for text in self._chunks.popleft()])
            await self._wait(self._noted, self._schedule.next_at() - self._clock())
        return []

    def _looked_at(self, orders: Sequence[Followed]) -> list[Id]:
        if self._events:
            self._events.tell(PollStarted(orders=len(orders), lag=lag_of(orders, self._clock())))
        return [order.id for order in orders]

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
        event = order.noted(outcome, now, self._policy)
        if order.is_open:
            self._schedule.put(text, order.due_at)
        else:
            self._open -= 1
        return event

    def known(self) -> Iterable[Outcome[OrderStatus]]:
        """What is known of each order, in the order asked."""
        return (order.known() for order in self._orders.values())


async def finals(
    line: Line, orders: Iterable[Id], policy: PollPolicy, *, patience: float | None, chunk_size: int, concurrency: int
) -> BatchResult[OrderStatus]:
    """The final status of every order; of those that the panel does not know, its refusal.

    Raises:
        PollTimeoutError: some were not final in ``patience`` seconds; with 0, at one look.
        AuthenticationError: the key was refused.
    """
    if patience is not None:
        check_seconds("timeout", patience, zero=True)
    asked = batching.unique(orders)
    method = "wait_until_final"
    changes = Changes(
        line, asked, policy, told=(Change,), chunk_size=chunk_size, concurrency=concurrency, method=method
    )
    if patience == 0:
        result = await gathered(line, STATUS, asked, chunk_size=chunk_size, concurrency=concurrency, method=method)
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
