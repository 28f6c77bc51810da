"""Rounds of polling: orders claimed under a lease, asked, and written back; beside any number of others."""

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
from . import store_tracked as following
from .database import Database

if TYPE_CHECKING:
    from types import TracebackType

    from .._polling.tracker import TrackedOrder
    from .store_tracked import Seen

STRIDE = 10
"""Batches claimed and written back at once: each transaction has its price."""
_WIDTH = 2
"""Strides at once: one is asked while the other is written back."""
MOST = STRIDE * _WIDTH
"""Batches of a round that is followed by the next one."""
_LONGEST_WAIT = 30.0
"""Seconds until new orders of other programs are looked for, where none is due before."""


@final
@frozen(kw_only=True)
class PollReport(Serializable):
    """What a round came to: ``orders`` asked in ``batches``, by ``requests``.

    ``final`` orders will not be asked again, ``failed`` looks came to nothing,
    and ``lost`` is how many answers came after the lease was over, and were dropped.
    """

    batches: int
    requests: int
    orders: int
    final: int
    failed: int
    lost: int
    changes: tuple[Change, ...]


@final
@define
class _Round:
    database: Database
    panel: AsyncClient
    name: str
    poll_policy: PollPolicy
    lease: float
    clock: Callable[[], float]
    batches_left: int
    batches: int = 0
    requests: int = 0
    orders: int = 0
    final: int = 0
    failed: int = 0
    lost: int = 0
    changes: list[Change] = field(factory=list)
    fault: FollowersDataError | None = None

    async def work(self) -> None:
        """Take stride after stride, until none is due or enough were taken. What fails is kept: no group of errors."""
        try:
            while self.batches_left > 0 and self.fault is None:
                batches = min(self.batches_left, STRIDE)
                self.batches_left -= batches
                if not await self._stride(batches):
                    return
        except FollowersDataError as error:
            self.fault = error

    async def _stride(self, batches: int) -> bool:
        """Claim orders, look at them and write back what was seen, however it ends; whether there were any."""
        now = self.clock()
        until = now + self.lease
        async with self.database.transaction() as connection:
            claimed = await following.claim(connection, self.name, now=now, until=until, batches=batches)
        if not claimed:
            return False
        left = {format_id(order.id): order for order in claimed}
        seen: list[Seen] = []
        try:
            await self._look(left, seen)
        finally:
            with anyio.CancelScope(shield=True):
                await self._write_back(seen, left.values(), until)
        return True

    async def _look(self, left: dict[str, TrackedOrder], seen: list[Seen]) -> None:
        self.batches += -(-len(left) // following.SIZE)
        if self.panel.events.is_active:
            self.panel.events.emit(PollStarted(orders=len(left), lag=compute_poll_lag(left.values(), self.clock())))
        async with self.panel.stream_status([order.id for order in left.values()]) as outcomes:
            try:
                async for outcome in outcomes:
                    order = left.pop(format_id(outcome.id))
                    seen.append((order, order.record_outcome(outcome, self.clock(), self.poll_policy)))
            finally:
                self.requests += outcomes.requests

    async def _write_back(self, seen: Sequence[Seen], unseen: Collection[TrackedOrder], until: float) -> None:
        async with self.database.transaction() as connection:
            await following.give_free(connection, self.name, unseen, until=until)
            written = await following.write_back(connection, self.name, seen, until=until, now=self.clock())
        self.orders += len(written)
        self.final += sum(not order.is_open for order, _ in written)
        self.failed += sum(order.failures > 0 for order, _ in written)
        self.lost += len(seen) - len(written)
        self.changes += [event for _, event in written if isinstance(event, Change)]


async def poll_once(
    database: Database,
    panel: AsyncClient,
    *,
    name: str,
    max_requests: int,
    deadline: float,
    poll_policy: PollPolicy,
    lease: float,
    clock: Callable[[], float],
) -> PollReport:
    """One bounded round; see ``Ledger.poll_once``."""
    check_duration("deadline", deadline)
    check_duration("lease", lease)
    if max_requests < 1:
        msg = f"max_requests is {max_requests}, but must be at least 1"
        raise ValueError(msg)
    one = _Round(database, panel, name, check_poll_policy(poll_policy), lease, clock, max_requests)
    with anyio.move_on_after(deadline):
        async with anyio.create_task_group() as group:
            for _ in range(_WIDTH):
                group.start_soon(one.work)
    if one.fault is not None:
        raise one.fault
    return PollReport(
        batches=one.batches,
        requests=one.requests,
        orders=one.orders,
        final=one.final,
        failed=one.failed,
        lost=one.lost,
        changes=tuple(one.changes),
    )


@final
class Polling(AsyncIterator[Change]):
    """The changes of the orders that a ledger follows, round after round; for ``async with``.

    Nothing is asked while no change is taken.
    """

    def __init__(
        self,
        again: Callable[[], Awaitable[PollReport]],
        next_due_at: Callable[[], Awaitable[float | None]],
        clock: Callable[[], float],
        *,
        until_final: bool,
    ) -> None:
        self.requests: int = 0
        self._again = again
        self._next_due_at = next_due_at
        self._clock = clock
        self._until_final = until_final
        self._ready: deque[Change] = deque()

    async def __aenter__(self) -> Self:
        """Nothing is done yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to do: what is claimed is given free in the round that claimed it."""

    def __aiter__(self) -> Self:
        """The stream itself."""
        return self

    async def __anext__(self) -> Change:
        """The next change, waited for."""
        while not self._ready:
            report = await self._again()
            self.requests += report.requests
            self._ready.extend(report.changes)
            if not self._ready and not report.orders:
                await self._wait()
        return self._ready.popleft()

    async def _wait(self) -> None:
        due_at = await self._next_due_at()
        if due_at is None and self._until_final:
            raise StopAsyncIteration
        delay = _LONGEST_WAIT if due_at is None else due_at - self._clock()
        await anyio.sleep(min(max(delay, _SHORTEST_WAIT), _LONGEST_WAIT))


_SHORTEST_WAIT = 0.01
