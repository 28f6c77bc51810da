"""Polling the ledger's orders: claim due orders under a lease, poll them, and write them back."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Self, final

import anyio
from attrs import define, field, frozen

from .._polling.policy import PollPolicy, check_poll_policy
from .._polling.tracker import compute_poll_lag
from .._serialization import Serializable
from .._validators import check_duration
from ..client import AsyncClient
from ..errors import FollowersDataError
from ..events import PollStarted
from ..models import Change, format_id
from .database import Database
from .store_tracked import CHUNK_SIZE, claim, release, write_back

if TYPE_CHECKING:
    from types import TracebackType

    from .._polling.tracker import TrackedOrder
    from .store_tracked import PolledOrder

_CHUNKS_PER_CLAIM = 10
"""Chunks that are claimed and written back together: each transaction has its price."""
_CONCURRENT_CLAIMS = 2
"""Claims in flight: one is polled while the other is written back."""
CHUNKS_PER_ROUND = _CHUNKS_PER_CLAIM * _CONCURRENT_CLAIMS
"""Chunks of one round of a poller that goes on."""
_MIN_WAIT = 0.01
_MAX_WAIT = 30.0
"""Seconds after which a poller looks for new orders of other programs, even if none is due."""


@final
@frozen(kw_only=True)
class PollReport(Serializable):
    """The report of one round: ``orders`` polled in ``chunks``, with ``requests``.

    ``final`` orders are never polled again. ``failed`` polls brought no status.
    ``lost`` counts the polls that ended after their lease: their results were
    not written.
    """

    chunks: int
    requests: int
    orders: int
    final: int
    failed: int
    lost: int
    changes: tuple[Change, ...]


@final
@define
class _Round:
    """One bounded round, and its counts so far."""

    database: Database
    client: AsyncClient
    panel: str
    poll_policy: PollPolicy
    lease: float
    clock: Callable[[], float]
    chunks_left: int
    chunks: int = 0
    requests: int = 0
    orders: int = 0
    final: int = 0
    failed: int = 0
    lost: int = 0
    changes: list[Change] = field(factory=list)
    error: FollowersDataError | None = None

    async def run(self) -> None:
        """Claim and poll until no order is due or enough were polled. Keep an error for the caller."""
        try:
            while self.chunks_left > 0 and self.error is None:
                chunks = min(self.chunks_left, _CHUNKS_PER_CLAIM)
                self.chunks_left -= chunks
                if not await self._poll_claim(chunks):
                    return
        except FollowersDataError as error:
            self.error = error

    async def _poll_claim(self, chunks: int) -> bool:
        """Claim due orders, poll them, and write back what is known at the end. Return whether any were due."""
        now = self.clock()
        until = now + self.lease
        async with self.database.transaction() as connection:
            claimed = await claim(connection, self.panel, now=now, until=until, chunks=chunks)
        if not claimed:
            return False
        waiting = {format_id(order.id): order for order in claimed}
        polled: list[PolledOrder] = []
        try:
            await self._poll(waiting, polled)
        finally:
            with anyio.CancelScope(shield=True):
                await self._write_back(polled, waiting.values(), until)
        return True

    async def _poll(self, waiting: dict[str, TrackedOrder], polled: list[PolledOrder]) -> None:
        """Poll the waiting orders, and move each to ``polled`` as its outcome arrives."""
        self.chunks += -(-len(waiting) // CHUNK_SIZE)
        if self.client.events.is_active:
            lag = compute_poll_lag(waiting.values(), self.clock())
            self.client.events.emit(PollStarted(orders=len(waiting), lag=lag))
        async with self.client.stream_status([order.id for order in waiting.values()]) as outcomes:
            try:
                async for outcome in outcomes:
                    order = waiting.pop(format_id(outcome.id))
                    event = order.record_outcome(
                        outcome, self.clock(), self.poll_policy, max_retry_after=self.client.max_retry_after
                    )
                    polled.append((order, event))
            finally:
                self.requests += outcomes.requests

    async def _write_back(self, polled: Sequence[PolledOrder], waiting: Collection[TrackedOrder], until: float) -> None:
        async with self.database.transaction() as connection:
            await release(connection, self.panel, waiting, until=until)
            written = await write_back(connection, self.panel, polled, until=until, now=self.clock())
        self.orders += len(written)
        self.final += sum(not order.is_open for order, _ in written)
        self.failed += sum(order.failures > 0 for order, _ in written)
        self.lost += len(polled) - len(written)
        self.changes += [event for _, event in written if isinstance(event, Change)]


async def poll_once(
    database: Database,
    client: AsyncClient,
    *,
    panel: str,
    max_requests: int,
    deadline: float,
    poll_policy: PollPolicy,
    lease: float,
    clock: Callable[[], float],
) -> PollReport:
    """Run one bounded round. See ``Ledger.poll_once``."""
    check_duration("deadline", deadline)
    check_duration("lease", lease)
    if max_requests < 1:
        msg = f"max_requests is {max_requests}, but must be at least 1"
        raise ValueError(msg)
    round_ = _Round(database, client, panel, check_poll_policy(poll_policy), lease, clock, max_requests)
    with anyio.move_on_after(deadline):
        async with anyio.create_task_group() as group:
            for _ in range(_CONCURRENT_CLAIMS):
                group.start_soon(round_.run)
    if round_.error is not None:
        raise round_.error
    return PollReport(
        chunks=round_.chunks,
        requests=round_.requests,
        orders=round_.orders,
        final=round_.final,
        failed=round_.failed,
        lost=round_.lost,
        changes=tuple(round_.changes),
    )


@final
class Polling(AsyncIterator[Change]):
    """A stream of the changes of a ledger's orders, for ``async with``.

    No request is sent while no change is taken.
    """

    def __init__(
        self,
        poll_round: Callable[[], Awaitable[PollReport]],
        find_next_due: Callable[[], Awaitable[float | None]],
        clock: Callable[[], float],
        *,
        until_final: bool,
    ) -> None:
        self.requests: int = 0
        self._poll_round = poll_round
        self._find_next_due = find_next_due
        self._clock = clock
        self._until_final = until_final
        self._ready: deque[Change] = deque()

    async def __aenter__(self) -> Self:
        """Return the stream. Nothing is sent yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: each round releases the orders that it claimed."""

    def __aiter__(self) -> Self:
        """Return the stream."""
        return self

    async def __anext__(self) -> Change:
        """Wait for the next change, and return it."""
        while not self._ready:
            report = await self._poll_round()
            self.requests += report.requests
            self._ready.extend(report.changes)
            if not self._ready and not report.orders:
                await self._wait_until_due()
        return self._ready.popleft()

    async def _wait_until_due(self) -> None:
        due_at = await self._find_next_due()
        if due_at is None and self._until_final:
            raise StopAsyncIteration
        delay = _MAX_WAIT if due_at is None else due_at - self._clock()
        await anyio.sleep(min(max(delay, _MIN_WAIT), _MAX_WAIT))
