"""Merges concurrent single calls into one request, which outlives each of its callers, but not all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Generic, TypeVar, final

import anyio
import anyio.lowlevel
from attrs import define, field

from .._concurrency import start_detached, wait_for_event
from .._pipeline import BatchSupport
from ..errors import ConfigurationError, FollowersDataError
from ..events import Coalesced
from ..models import Failed, Ok, Outcome, Unreported, format_id
from .chunk import send_chunk, send_one

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._concurrency import WaitForEvent
    from .._pipeline import Pipeline
    from ..models import Id
    from .operations import Operation

T = TypeVar("T")


@final
@define(eq=False)
class _SharedRequest:
    """A request that several callers wait for, in a task of its own."""

    scope: anyio.CancelScope = field(factory=anyio.CancelScope)
    ended: anyio.Event = field(factory=anyio.Event)


@final
@define(eq=False)
class _Group(Generic[T]):
    """Calls whose ids are sent in one request. ``callers`` counts the calls for each id.

    ``error`` is what every caller gets for whom there is no outcome. ``changed``
    is set, and replaced, when there are outcomes or an error, or when the group
    needs another leader.
    """

    opened_at: float
    callers: Counter[str] = field(factory=Counter)
    has_leader: bool = False
    is_sent: bool = False
    request: _SharedRequest | None = None
    outcomes: Mapping[str, Outcome[T]] = field(factory=dict)
    error: BaseException | None = None
    single_groups: dict[str, _Group[T]] = field(factory=dict)
    full: anyio.Event = field(factory=anyio.Event)
    changed: anyio.Event = field(factory=anyio.Event)

    def wake_callers(self) -> None:
        """Let every caller look at what has changed."""
        self.changed.set()
        self.changed = anyio.Event()


@final
class Coalescer(Generic[T]):
    """Merges the concurrent single calls of one client for one operation.

    The first caller of a group is its leader: it waits for other callers, and
    starts the request. If it is cancelled before, another caller takes over. A
    request that several callers share runs in a task of its own, so that each
    of them can give up without hurting the others. When all have given up it
    is cancelled. A call never joins a request that was already sent: its
    response could be older than the call.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        operation: Operation[T],
        *,
        clock: Callable[[], float] = anyio.current_time,
        wait: WaitForEvent = wait_for_event,
    ) -> None:
        self._pipeline = pipeline
        self._operation = operation
        self._max_size = pipeline.settings.chunk_size
        self._window = pipeline.settings.coalesce_window
        self._clock = clock
        self._wait = wait
        self._forming: _Group[T] | None = None
        self._unsent: dict[str, _Group[T]] = {}
        self._shared: set[_Group[T]] = set()

    async def aclose(self) -> None:
        """Cancel shared requests, and wait for their ends. Their callers get the error of a closed client.

        The pipeline must be closed, or marked so.
        """
        for group in list(self._shared):
            try:
                self._pipeline.check_open()
            except ConfigurationError as error:
                group.error = error
            await _cancel(group)

    async def get(self, id_: Id) -> T:
        """Return the value of one id.

        Raises:
            FollowersDataError: the id was rejected or the request failed. Each caller gets its own instance.
        """
        text = format_id(id_)
        group = self._join_group(text)
        outcome = await self._wait_for_outcome(group, text)
        while isinstance(outcome, Unreported):
            # A batch response without the id proves nothing. A request for this id alone gets a definite answer.
            group = group.single_groups.setdefault(text, _Group(self._clock(), is_sent=True))
            outcome = await self._wait_for_outcome(group, text)
        if isinstance(outcome, Ok):
            return outcome.value
        raise copy(outcome.error) from outcome.error.__cause__

    def _join_group(self, text: str) -> _Group[T]:
        """Return the group that will send this id: one that already does, one with room, or a new one."""
        if (group := self._unsent.get(text)) is not None:
            return group
        if self._forming is None:
            self._forming = _Group(self._clock())
        group = self._unsent[text] = self._forming
        if len(group.callers) + 1 >= self._group_size:
            group.full.set()
            self._forming = None
        return group

    @property
    def _group_size(self) -> int:
        """Return how many ids a group takes: one, if the panel is known to take only single ids."""
        support = self._pipeline.batch_knowledge[self._operation.action].support
        return 1 if support is BatchSupport.SINGLE_ONLY else self._max_size

    async def _wait_for_outcome(self, group: _Group[T], text: str) -> Outcome[T]:
        """Wait for the outcome of an id as a member of a group, and lead the group if nobody does."""
        group.callers[text] += 1
        try:
            while (outcome := group.outcomes.get(text)) is None:
                if group.error is not None:
                    raise _copy(group.error) from group.error.__cause__
                if group.has_leader or group.request is not None:
                    await group.changed.wait()
                else:
                    await self._lead(group)
        finally:
            self._leave(group, text)
            if not group.callers and group.request is not None:
                await _cancel(group)
        return outcome

    def _leave(self, group: _Group[T], text: str) -> None:
        group.callers[text] -= 1
        if group.callers[text]:
            return
        del group.callers[text]
        if not group.is_sent:
            del self._unsent[text]
            if not group.callers and self._forming is group:
                self._forming = None

    async def _lead(self, group: _Group[T]) -> None:
        group.has_leader = True
        try:
            if not group.is_sent:
                await self._wait_for_callers(group)
                self._close(group)
                if group.callers.total() == 1:
                    group.outcomes = await self._send(group)
                    return
            self._start_request(group)
        finally:
            group.has_leader = False
            if group.request is None:
                group.wake_callers()

    def _start_request(self, group: _Group[T]) -> None:
        """Send a group's request in a task of its own: its callers have deadlines of their own."""
        group.request = request = _SharedRequest()
        self._shared.add(group)
        start_detached(lambda: self._run_request(group, request))

    async def _run_request(self, group: _Group[T], request: _SharedRequest) -> None:
        try:
            with request.scope:
                group.outcomes = await self._send(group)
        # Raised by nobody's task, they would end the event loop of trio, and be lost on asyncio.
        except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001
            group.error = error
        finally:
            group.request = None
            self._shared.discard(group)
            request.ended.set()
            group.wake_callers()

    async def _wait_for_callers(self, group: _Group[T]) -> None:
        """Let other calls join: those of this tick of the event loop, or of the window."""
        await anyio.lowlevel.checkpoint()
        time_left = group.opened_at + self._window - self._clock()
        if time_left > 0:
            await self._wait(group.full, time_left)

    def _close(self, group: _Group[T]) -> None:
        """Let no more calls join the group."""
        group.is_sent = True
        for text in group.callers:
            del self._unsent[text]
        if self._forming is group:
            self._forming = None

    async def _send(self, group: _Group[T]) -> Mapping[str, Outcome[T]]:
        # Ascending, because some panels return rows without ids, in ascending order.
        ids: dict[str, Id] = {text: text for text in sorted(group.callers, key=lambda text: (len(text), text))}
        if len(ids) == 1:
            (text,) = ids
            return {text: await self._send_one(text)}
        if self._pipeline.events.is_active:
            calls = group.callers.total()
            self._pipeline.events.emit(Coalesced(action=self._operation.action, calls=calls, ids=len(ids)))
        return (await send_chunk(self._pipeline, self._operation, ids)).outcomes

    async def _send_one(self, text: str) -> Outcome[T]:
        try:
            return Ok(text, await send_one(self._pipeline, self._operation, text, text))
        except FollowersDataError as error:
            return Failed(text, error)


async def _cancel(group: _Group[T]) -> None:
    """Cancel a group's request, and wait until nothing of it is left, which takes no longer than closing a socket."""
    if group.request is not None:
        group.request.scope.cancel()
        with anyio.CancelScope(shield=True):
            await group.request.ended.wait()


def _copy(error: BaseException) -> BaseException:
    """Return a copy of an exception for one caller, or the exception itself if its class cannot be copied."""
    try:
        return copy(error).with_traceback(error.__traceback__)
    except Exception:  # noqa: BLE001 - whatever a class of the user's does
        return error
