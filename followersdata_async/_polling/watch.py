"""Polls orders until they are final."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Generic, Self, TypeVar, final

import anyio

from .._batch.ids import Ids, format_ids
from .._batch.operations import STATUS
from .._batch.outcomes import collect_outcomes
from .._batch.stream import ChunkStream
from .._concurrency import wait_for_event
from .._validators import check_duration
from ..errors import AuthenticationError, PollTimeoutError
from ..events import PollStarted
from ..models import BatchResult, Change, Id, Ok, OrderStatus, Outcome, WatchEvent
from .policy import PollPolicy, check_poll_policy
from .schedule import Schedule
from .tracker import TrackedOrder, compute_poll_lag

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .._batch.stream import OpenStreams
    from .._concurrency import WaitForEvent
    from .._instrumentation import Listeners
    from .._pipeline import Pipeline
    from .._settings import Settings

E = TypeVar("E", bound=WatchEvent)


@final
class Changes(AsyncIterator[E], Generic[E]):
    """The changes of orders, as they are seen, until every order is final.

    Use it as ``async with … as changes``, in one task. It does not poll ahead
    of the reader: no poll starts while a change waits to be taken.
    ``requests`` is the number of requests sent so far.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        orders: Iterable[Id],
        policy: PollPolicy,
        *,
        event_types: tuple[type[E], ...],
        method: str = "watch",
        clock: Callable[[], float] = anyio.current_time,
        wait: WaitForEvent = wait_for_event,
        streams: OpenStreams | None = None,
    ) -> None:
        check_poll_policy(policy)
        ids = format_ids(orders)
        self._clock = clock
        self._event_types = event_types
        self._orders = _DueOrders(ids, policy, pipeline.settings, pipeline.events, clock, wait)
        self._stream = ChunkStream(pipeline, STATUS, self._orders, method=method, streams=streams)
        self._ready: deque[E] = deque()

    @property
    def requests(self) -> int:
        """The number of requests sent so far, retries included."""
        return self._stream.requests

    @property
    def known(self) -> BatchResult[OrderStatus]:
        """What is known of every order now: its last status, or the outcome of its last poll if it has none."""
        return BatchResult(self._orders.get_latest().values(), requests=self.requests)

    async def __aenter__(self) -> Self:
        """Start polling.

        Raises:
            ConfigurationError: the client was closed or is of another event loop, or the watch was entered before.
        """
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop polling. Requests in flight are cancelled."""
        await self._stream.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> E:
        """Wait for the next change and return it.

        Raises:
            AuthenticationError: the key was rejected; ``.result`` has what is known.
            ConfigurationError: not inside ``async with``, or the client was closed; ``known`` has what is known.
        """
        if not self._stream.is_entered:
            self._stream.check_entered()
        while not self._ready:
            try:
                chunk = await self._stream.next_chunk()
            except AuthenticationError as error:
                error.result = self.known
                raise
            if chunk is None:
                raise StopAsyncIteration
            events = self._orders.record_outcomes(chunk.outcomes, self._clock())
            self._ready.extend(event for event in events if isinstance(event, self._event_types))
        return self._ready.popleft()


@final
class _DueOrders:
    """Chunks of the orders that are due, until none is open."""

    is_async = True
    is_exhausted = False

    def __init__(
        self,
        ids: Ids,
        policy: PollPolicy,
        settings: Settings,
        events: Listeners,
        clock: Callable[[], float],
        wait: WaitForEvent,
    ) -> None:
        now = clock()
        self._orders = {text: TrackedOrder(id_, changed_at=now, due_at=now) for text, id_ in ids.items()}
        self._open = len(self._orders)
        self._policy = policy
        self._max_retry_after = settings.max_retry_after
        self._schedule = Schedule(size=settings.chunk_size, max_chunk_wait=policy.max_chunk_wait)
        for text in self._orders:
            self._schedule.add(text, now)
        self._chunks: deque[list[str]] = deque()
        self._recorded = anyio.Event()
        self._events = events
        self._clock = clock
        self._wait = wait

    async def next_chunk(self) -> Ids:
        """Wait until orders are due and return them. Return none when all orders are final."""
        while self._open:
            self._chunks.extend(self._schedule.pop_chunks(self._clock()))
            if self._chunks:
                return self._start_poll({text: self._orders[text] for text in self._chunks.popleft()})
            await self._wait(self._recorded, self._schedule.next_due_at() - self._clock())
        return {}

    def _start_poll(self, orders: Mapping[str, TrackedOrder]) -> Ids:
        if self._events.is_active:
            lag = compute_poll_lag(orders.values(), self._clock())
            self._events.emit(PollStarted(orders=len(orders), lag=lag))
        return {text: order.id for text, order in orders.items()}

    def release(self, ids: Collection[str]) -> None:
        """Do nothing: an order is due again when its outcome is recorded."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def record_outcomes(self, outcomes: Mapping[str, Outcome[OrderStatus]], now: float) -> list[WatchEvent]:
        """Apply the outcomes of a poll, and schedule the next one. Return the events."""
        events = [
            event for text, outcome in outcomes.items() if (event := self._record(text, outcome, now)) is not None
        ]
        self._recorded.set()
        self._recorded = anyio.Event()
        return events

    def _record(self, text: str, outcome: Outcome[OrderStatus], now: float) -> WatchEvent | None:
        order = self._orders[text]
        event = order.record_outcome(outcome, now, self._policy, max_retry_after=self._max_retry_after)
        if order.is_open:
            self._schedule.add(text, order.due_at)
        else:
            self._open -= 1
        return event

    def get_latest(self) -> dict[str, Outcome[OrderStatus]]:
        """Return what is known of each order, in the order of the ids."""
        return {text: order.get_latest() for text, order in self._orders.items()}


async def wait_until_final(
    pipeline: Pipeline,
    orders: Iterable[Id],
    policy: PollPolicy,
    *,
    timeout: float | None,  # noqa: ASYNC109
    streams: OpenStreams | None = None,
) -> BatchResult[OrderStatus]:
    """Return the final status of every order. An order that the panel does not know is refused in the result.

    Raises:
        PollTimeoutError: some orders were not final within ``timeout`` seconds; with 0, at their first poll.
        AuthenticationError: the key was rejected.
        ConfigurationError: the client was closed.
    """
    if timeout is not None:
        check_duration("timeout", timeout, zero=True)
    ids = list(format_ids(orders).values())
    method = "wait_until_final"
    changes = Changes(pipeline, ids, policy, event_types=(Change,), method=method, streams=streams)
    if timeout == 0:
        result = await collect_outcomes(pipeline, STATUS, ids, method=method)
        if _find_open_ids(result, policy):
            raise _make_timeout_error(result, policy, "at one look")
        return result
    async with changes:
        with anyio.move_on_after(timeout):
            async for _ in changes:
                pass
            return changes.known
    raise _make_timeout_error(changes.known, policy, f"within {timeout:g} s")


def _find_open_ids(result: BatchResult[OrderStatus], policy: PollPolicy) -> list[Id]:
    return [
        id_
        for id_, outcome in result.items()
        if not (isinstance(outcome, Ok) and outcome.value.state in policy.final_states)
    ]


def _make_timeout_error(result: BatchResult[OrderStatus], policy: PollPolicy, when: str) -> PollTimeoutError:
    open_ids = _find_open_ids(result, policy)
    examples = ", ".join(map(str, open_ids[:_MAX_EXAMPLES]))
    msg = (
        f"{len(open_ids)} of {len(result)} orders were not final {when}, among them {examples}; "
        ".result has what is known, ask again later"
    )
    return PollTimeoutError(msg, result=result)


_MAX_EXAMPLES = 3
