"""Many single calls at once become one request for many ids, without a task of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Generic, TypeVar, final

import anyio
import anyio.lowlevel
from attrs import define, field

from .._pipeline import Bulk
from .._waiting import wait as wait_in_real_time
from ..errors import FollowersDataError
from ..events import Coalesced
from ..models import Failed, Ok, Outcome, Unreported, id_text
from .chunk import alone, answered

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._pipeline import Line
    from .._waiting import Wait
    from ..models import Id
    from .chunk import Batch

T = TypeVar("T")


@final
@define(eq=False)
class _Group(Generic[T]):
    """Callers whose ids are asked together: how many want each id, and what came.

    ``changed`` is set, and replaced, when the outcomes are there or when the
    group needs another leader.
    """

    opened_at: float
    callers: Counter[str] = field(factory=Counter)
    is_led: bool = False
    is_asked: bool = False
    found: Mapping[str, Outcome[T]] = field(factory=dict)
    apart: dict[str, _Group[T]] = field(factory=dict)
    full: anyio.Event = field(factory=anyio.Event)
    changed: anyio.Event = field(factory=anyio.Event)


@final
class Coalescing(Generic[T]):
    """Single calls of one client for one kind of value.

    The first caller of a group leads it: it waits for company, asks for all,
    and tells the others. If it is cancelled, one of them leads. A call never
    joins a request that has left: its answer could be older than the call.
    """

    def __init__(
        self,
        line: Line,
        batch: Batch[T],
        size: int,
        window: float,
        *,
        clock: Callable[[], float] = anyio.current_time,
        wait: Wait = wait_in_real_time,
    ) -> None:
        self._line = line
        self._batch = batch
        self._action = batch.action
        self._size = size
        self._window = window
        self._clock = clock
        self._wait = wait
        self._forming: _Group[T] | None = None
        self._unasked: dict[str, _Group[T]] = {}

    async def get(self, id_: Id) -> T:
        """The value of one id.

        Raises:
            FollowersDataError: what the panel or the network made of it, an instance for each caller.
        """
        text = id_text(id_)
        group = self._group_for(text)
        outcome = await self._outcome(group, text)
        while isinstance(outcome, Unreported):
            # That an answer for many leaves one out says nothing; asked alone, the panel has to say what it is.
            group = group.apart.setdefault(text, _Group(self._clock(), is_asked=True))
            outcome = await self._outcome(group, text)
        if isinstance(outcome, Ok):
            return outcome.value
        raise copy(outcome.error) from outcome.error.__cause__

    def _group_for(self, text: str) -> _Group[T]:
        """The group that will ask for this id: the one that does already, or that has room, or a new one."""
        if (group := self._unasked.get(text)) is not None:
            return group
        if self._forming is None:
            self._forming = _Group(self._clock())
        group = self._unasked[text] = self._forming
        if len(group.callers) + 1 >= self._room:
            group.full.set()
            self._forming = None
        return group

    @property
    def _room(self) -> int:
        """How many ids a group takes: one, where the panel is known to take single ids only."""
        bulk = self._line.bulk.get(self._action)
        return 1 if bulk in {Bulk.IGNORED, Bulk.REFUSED} else self._size

    async def _outcome(self, group: _Group[T], text: str) -> Outcome[T]:
        """What became of an id, waited for as a member of a group, and led if nobody else does."""
        group.callers[text] += 1
        try:
            while (outcome := group.found.get(text)) is None:
                if group.is_led:
                    await group.changed.wait()
                else:
                    await self._lead(group)
        finally:
            self._leave(group, text)
        return outcome

    def _leave(self, group: _Group[T], text: str) -> None:
        group.callers[text] -= 1
        if group.callers[text]:
            return
        del group.callers[text]
        if not group.is_asked:
            del self._unasked[text]
            if not group.callers and self._forming is group:
                self._forming = None

    async def _lead(self, group: _Group[T]) -> None:
        group.is_led = True
        try:
            if not group.is_asked:
                await self._company(group)
                self._close(group)
            group.found = await self._found(group)
        finally:
            group.is_led = False
            group.changed.set()
            group.changed = anyio.Event()

    async def _company(self, group: _Group[T]) -> None:
        """Let others join: whoever runs in this tick, or comes within the window."""
        await anyio.lowlevel.checkpoint()
        left = group.opened_at + self._window - self._clock()
        if left > 0:
            await self._wait(group.full, left)

    def _close(self, group: _Group[T]) -> None:
        """Nobody joins any more."""
        group.is_asked = True
        for text in group.callers:
            del self._unasked[text]
        if self._forming is group:
            self._forming = None

    async def _found(self, group: _Group[T]) -> Mapping[str, Outcome[T]]:
        # Ascending, as some panels answer without ids, in the order of theirs.
        texts = sorted(group.callers, key=lambda text: (len(text), text))
        if len(texts) == 1:
            return {texts[0]: await self._alone(texts[0])}
        if self._line.events:
            calls = group.callers.total()
            self._line.events.tell(Coalesced(action=self._action, calls=calls, ids=len(texts)))
        chunk = await answered(self._line, self._batch, texts)
        return {id_text(outcome.id): outcome for outcome in chunk.outcomes}

    async def _alone(self, text: str) -> Outcome[T]:
        try:
            return Ok(text, await alone(self._line, self._batch, text))
        except FollowersDataError as error:
            return Failed(text, error)
