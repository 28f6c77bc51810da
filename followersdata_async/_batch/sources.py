"""Where the chunks of a batch call come from: ids that are all known, or an iterable that is read lazily."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterable, Generator
from typing import TYPE_CHECKING, Any, Protocol, final

import anyio

from .._concurrency import wait_for_event
from ..models import Id, format_id
from .ids import Ids, check_iterable, split_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from .._concurrency import WaitForEvent

DEFAULT_MAX_CHUNK_WAIT = 0.1


class ChunkSource(Protocol):
    """Decides which ids are sent next. ``is_async``: ``next_chunk`` can suspend, so only one worker may be in it."""

    is_async: bool

    @property
    def is_exhausted(self) -> bool:
        """Return whether there are certainly no more ids."""
        ...

    async def next_chunk(self) -> Ids:
        """Return the ids of the next request as soon as there is one, no ids at the end."""
        ...

    def release(self, ids: Collection[str]) -> None:
        """Note that these ids are not in flight any more."""
        ...

    def close(self) -> None:
        """Note that no more ids will be taken."""
        ...


def make_source(
    ids: Iterable[Id] | AsyncIterable[Id], size: int, *, max_chunk_wait: float = DEFAULT_MAX_CHUNK_WAIT
) -> IterableSource | AsyncIterableSource:
    """Return a source of chunks of a lazy iterable.

    Raises:
        TypeError: ``ids`` is a single id.
    """
    check_iterable(ids)
    if isinstance(ids, AsyncIterable):
        return AsyncIterableSource(ids, size, max_chunk_wait=max_chunk_wait)
    return IterableSource(ids, size)


@final
class _FormingChunk:
    """The ids of the next chunk, without those that are in flight."""

    def __init__(self, size: int) -> None:
        self.ids: Ids = {}
        self._size = size
        self._in_flight: set[str] = set()

    def add(self, id_: Any) -> bool:  # noqa: ANN401 - format_id checks the item of a user's iterable
        """Add an id unless it is in flight, and return whether the chunk is full."""
        text = format_id(id_)
        if text not in self._in_flight:
            self.ids[text] = id_
        return self.is_full

    @property
    def is_full(self) -> bool:
        """Return whether there is no room for another id."""
        return len(self.ids) == self._size

    def take(self) -> Ids:
        """Return the ids, which are in flight from now on, and begin the next chunk."""
        ids, self.ids = self.ids, {}
        self._in_flight.update(ids)
        return ids

    def release(self, ids: Collection[str]) -> None:
        """Note that these ids are not in flight any more."""
        self._in_flight.difference_update(ids)


@final
class IterableSource:
    """Chunks of ids from a lazy iterable, without the ids that are in flight. A generator is closed."""

    is_async = False

    def __init__(self, ids: Iterable[Id], size: int) -> None:
        self._ids = ids
        self._chunk = _FormingChunk(size)
        self._iterator: Any = None
        self._error: Exception | None = None
        self.is_exhausted: bool = False

    async def next_chunk(self) -> Ids:
        """Return the next ids. If the iterable raises, the ids before come first."""
        if self._error is not None:
            raise self._error
        try:
            self._fill()
        except Exception as error:
            if not self._chunk.ids:
                raise
            self._error = error
        return self._chunk.take()

    def _fill(self) -> None:
        self._iterator = iter(self._ids) if self._iterator is None else self._iterator
        while (id_ := next(self._iterator, _END)) is not _END:
            if self._chunk.add(id_):
                return
        self.is_exhausted = True

    def release(self, ids: Collection[str]) -> None:
        """Note that these ids are not in flight any more."""
        self._chunk.release(ids)

    def close(self) -> None:
        """Close a generator. Other iterators are their owners' to close."""
        if isinstance(self._iterator, Generator):
            self._iterator.close()


_END = object()
_CLOSING_TIME = 5.0
"""For how many seconds an asynchronous generator may await something while it is closed."""


@final
class AsyncIterableSource:
    """Chunks of ids from an asynchronous iterable, without the ids that are in flight.

    ``read`` is the only task that runs the iterable, because a generator can hold
    cancel scopes and task groups over a ``yield``, which belong to one task. It
    reads only while somebody waits for a chunk. ``next_chunk`` waits until the
    chunk is full, or for ``max_chunk_wait`` seconds after its first id.
    """

    is_async = True

    def __init__(
        self,
        ids: AsyncIterable[Id],
        size: int,
        *,
        max_chunk_wait: float,
        clock: Callable[[], float] = anyio.current_time,
        wait: WaitForEvent = wait_for_event,
    ) -> None:
        self._ids = ids
        self._max_chunk_wait = max_chunk_wait
        self._chunk = _FormingChunk(size)
        self._first_at = 0.0
        self._error: Exception | None = None
        self._has_ended = False
        self._is_closing = False
        self._scope = anyio.CancelScope()
        self._wanted, self._changed = anyio.Event(), anyio.Event()
        self._clock = clock
        self._wait = wait

    @property
    def is_exhausted(self) -> bool:
        """Return whether there are certainly no more ids."""
        return self._has_ended and self._error is None and not self._chunk.ids

    async def next_chunk(self) -> Ids:
        """Wait for the next ids. If the iterable raises, the ids before come first."""
        self._wanted.set()
        while not self._chunk.is_full and not self._has_ended:
            time_left = math.inf
            if self._chunk.ids:
                time_left = self._first_at + self._max_chunk_wait - self._clock()
            if time_left <= 0:
                break
            if self._changed.is_set():
                self._changed = anyio.Event()
            await (self._wait(self._changed, time_left) if time_left < math.inf else self._changed.wait())
        self._pause_reading()
        if self._error is not None and not self._chunk.ids:
            raise self._error
        return self._chunk.take()

    def release(self, ids: Collection[str]) -> None:
        """Note that these ids are not in flight any more."""
        self._chunk.release(ids)

    def close(self) -> None:
        """Let ``read`` close the generator when it is cancelled."""
        self._is_closing = True

    # --- the task that reads

    async def read(self) -> None:
        """Read ids as they are wanted, to the end or until it is cancelled, and close a generator.

        Raises:
            Exception: what closing it raises. What reading raises is the next chunk's.
        """
        with self._scope:
            iterator: Any = None
            try:
                iterator = aiter(self._ids)
                while (id_ := await self._next(iterator)) is not _END:
                    self._add(id_)
            except Exception as error:  # noqa: BLE001 - raised to whoever waits for the next chunk
                self._error = error
            finally:
                self._has_ended = True
                self._changed.set()
                await self._close(iterator)

    def _add(self, id_: object) -> None:
        is_first = not self._chunk.ids
        if is_first:
            self._first_at = self._clock()
        if is_full := self._chunk.add(id_):
            self._pause_reading()
        if is_first or is_full:
            self._changed.set()

    def _pause_reading(self) -> None:
        if self._wanted.is_set():
            self._wanted = anyio.Event()

    async def _next(self, iterator: Any) -> object:  # noqa: ANN401 - of whatever class the user's is
        """Wait until an id is wanted, and return the next one."""
        if not self._wanted.is_set():
            try:
                await self._wanted.wait()
            except anyio.get_cancelled_exc_class() as cancellation:
                if self._is_closing or not isinstance(iterator, AsyncGenerator):
                    raise
                return await self._pass_on(cancellation, iterator)
        return await anext(iterator, _END)

    async def _pass_on(self, cancellation: BaseException, iterator: AsyncGenerator[Id, None]) -> object:
        """Raise a cancellation where the generator waits: it can be that of a scope of the generator's own."""
        self._protect()
        try:
            return await iterator.athrow(cancellation)
        except StopAsyncIteration:
            return _END
        finally:
            self._scope.shield, self._scope.deadline = False, math.inf

    async def _close(self, iterator: object) -> None:
        if isinstance(iterator, AsyncGenerator):
            self._protect()
            await iterator.aclose()

    def _protect(self) -> None:
        """Let a generator await something while it ends. A scope of its own would not be inside of the generator's."""
        self._scope.shield, self._scope.deadline = True, anyio.current_time() + _CLOSING_TIME


@final
class ListSource:
    """Chunks of ids that are all known and unique."""

    is_async = False

    def __init__(self, ids: Ids, size: int) -> None:
        self._chunks = split_ids(ids, size)
        self._left = len(ids)

    @property
    def is_exhausted(self) -> bool:
        """Return whether all ids were returned."""
        return not self._left

    async def next_chunk(self) -> Ids:
        """Return the next ids."""
        ids = next(self._chunks, {})
        self._left -= len(ids)
        return ids

    def release(self, ids: Collection[str]) -> None:
        """Do nothing: no id comes again."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""
