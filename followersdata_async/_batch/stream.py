"""Chunks to outcomes: a bounded number at a time, as they finish, the reader setting the pace."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, final

import anyio

from .._instrumentation import Call
from ..errors import AuthenticationError, NotSentError
from ..models import BatchResult, Failed, Id, Outcome, id_text
from . import ids as batching
from .chunk import Answered, Batch, answered

if TYPE_CHECKING:
    from types import TracebackType

    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from .._pipeline import Line

T = TypeVar("T")


class Chunks(Protocol):
    """What decides which ids are asked next."""

    async def next(self) -> list[Id]:
        """The ids of the next request, as soon as there is one; none at the end."""
        ...

    def landed(self, ids: Sequence[Id]) -> None:
        """These ids are in flight no more."""
        ...


@final
class Outcomes(AsyncIterator[Outcome[T]]):
    """The outcomes of any number of ids, as their chunks finish.

    Use it as ``async with … as outcomes``, in one task. Ids are read only as
    fast as outcomes are taken. An id that comes again while it is in flight is
    asked once. Leaving early sends nothing more; writes on their way are
    finished. ``requests`` counts what was sent so far.
    """

    def __init__(
        self,
        line: Line,
        batch: Batch[T],
        chunks: Chunks,
        *,
        width: int,
        method: str,
    ) -> None:
        self.requests: int = 0
        self._line = line
        self._call = Call(line.events, method, batch.action)
        self._batch = batch
        self._chunks = chunks
        self._width = width
        self._is_first = True
        self._turn = anyio.Lock()
        self._ready: deque[Outcome[T]] = deque()
        self._fault: Exception | None = None
        self._leaving = False
        self._group: TaskGroup | None = None
        self._results: MemoryObjectReceiveStream[Answered[T]] | None = None

    async def __aenter__(self) -> Self:
        """Start asking.

        Raises:
            ConfigurationError: the client was closed.
        """
        self._line.check_open()
        send, self._results = anyio.create_memory_object_stream[Answered[T]](0)
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        context = self._call.begin_apart()
        for _ in range(self._width):
            context.run(self._group.start_soon, self._work, send.clone())
        send.close()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop asking: reads on their way are dropped; writes are finished, as their transport keeps them."""
        if self._group is None or self._results is None:
            return
        self._leaving = True
        self._results.close()
        self._group.cancel_scope.cancel()
        # The body's own exception goes on by itself; the group is told of none, so it wraps none.
        try:
            await self._group.__aexit__(None, None, None)
        finally:
            self._call.end(error)

    def __aiter__(self) -> Self:
        """The stream itself."""
        return self

    async def __anext__(self) -> Outcome[T]:
        """The next outcome.

        Raises:
            AuthenticationError: the key was refused, after all outcomes that are known.
            RuntimeError: not inside ``async with``.
        """
        while not self._ready:
            chunk = await self.next_chunk()
            if chunk is None:
                raise StopAsyncIteration
            self._ready.extend(chunk.outcomes)
        return self._ready.popleft()

    async def next_chunk(self) -> Answered[T] | None:
        """The next chunk's outcomes; ``None`` at the end."""
        if self._results is None:
            msg = "use it as: async with panel.stream_…(ids) as outcomes, or panel.watch(ids) as changes"
            raise RuntimeError(msg)
        try:
            chunk = await self._results.receive()
        except anyio.EndOfStream:
            if self._fault is not None:
                raise self._fault from None
            return None
        self.requests += chunk.requests
        return chunk

    async def _work(self, results: MemoryObjectSendStream[Answered[T]]) -> None:
        """Ask chunk after chunk until there are no more, or no more are wanted."""
        async with results:
            try:
                while (chunk := await self._next()) is not None:
                    await self._deliver(results, chunk)
            # Whatever a user's iterable raises is raised in the reader's own task, not as a group.
            except Exception as error:  # noqa: BLE001
                self._fault = self._fault or error
                self._leaving = True

    async def _deliver(self, results: MemoryObjectSendStream[Answered[T]], chunk: Answered[T]) -> None:
        try:
            await results.send(chunk)
        except anyio.BrokenResourceError:  # The reader has left.
            self._leaving = True

    async def _next(self) -> Answered[T] | None:
        """Take a chunk and ask for it. Until the key is proven, the first goes alone."""
        async with self._turn:
            ids = None if self._leaving else await self._chunks.next()
            if not ids:
                return None
            if self._is_first and not self._line.proven:
                self._is_first = False
                return await self._asked(ids)
        return await self._asked(ids)

    async def _asked(self, ids: list[Id]) -> Answered[T]:
        try:
            chunk = await answered(self._line, self._batch, ids)
        finally:
            self._chunks.landed(ids)
        if chunk.fatal is not None:
            self._fault = self._fault or chunk.fatal
            self._leaving = True
        self._call.note(chunk.outcomes)
        return chunk


@final
class Given:
    """Chunks of ids from a lazy iterable, without those that are in flight."""

    def __init__(self, ids: Iterable[Id] | AsyncIterable[Id], size: int) -> None:
        batching.checked_iterable(ids)
        self._ids = ids
        self._size = size
        self._in_flight: set[str] = set()
        self._iterator: Any = None
        self._fault: Exception | None = None

    async def next(self) -> list[Id]:
        """The next ids, at most a chunk of them; none at the end. What the iterable raises comes after what it gave."""
        if self._fault is not None:
            raise self._fault
        ids: list[Id] = []
        try:
            await self._fill(ids)
        except Exception as error:
            if not ids:
                raise
            self._fault = error
        return ids

    async def _fill(self, ids: list[Id]) -> None:
        if isinstance(self._ids, AsyncIterable):
            self._iterator = aiter(self._ids) if self._iterator is None else self._iterator
            while len(ids) < self._size and (id_ := await anext(self._iterator, _END)) is not _END:
                self._take(id_, ids)
        else:
            self._iterator = iter(self._ids) if self._iterator is None else self._iterator
            while len(ids) < self._size and (id_ := next(self._iterator, _END)) is not _END:
                self._take(id_, ids)

    def _take(self, id_: Any, ids: list[Id]) -> None:  # noqa: ANN401 - id_text checks what a user's iterable gives
        text = id_text(id_)
        if text not in self._in_flight:
            self._in_flight.add(text)
            ids.append(id_)

    def landed(self, ids: Sequence[Id]) -> None:
        """These ids are in flight no more."""
        self._in_flight.difference_update(map(id_text, ids))


_END = object()


@final
class _Listed:
    """Chunks of ids that are all there, each once."""

    def __init__(self, ids: Sequence[Id], size: int) -> None:
        self._chunks = (list(ids[start : start + size]) for start in range(0, len(ids), size))

    async def next(self) -> list[Id]:
        """The next ids, at most a chunk of them; none at the end."""
        return next(self._chunks, [])

    def landed(self, ids: Sequence[Id]) -> None:
        """Nothing: no id comes again."""


async def gathered(
    line: Line, batch: Batch[T], ids: Iterable[Id], *, chunk_size: int, concurrency: int, method: str
) -> BatchResult[T]:
    """Every outcome of a known number of ids, in the order asked.

    Raises:
        AuthenticationError: the key was refused; ``.result`` says what is known of each id.
    """
    asked = batching.unique(ids)
    known: dict[str, Outcome[T]] = {}
    if not asked:
        return batching.merged(asked, known, requests=0)
    width = min(concurrency, -(-len(asked) // chunk_size))
    async with Outcomes(line, batch, _Listed(asked, chunk_size), width=width, method=method) as outcomes:
        try:
            while (chunk := await outcomes.next_chunk()) is not None:
                known |= {id_text(outcome.id): outcome for outcome in chunk.outcomes}
        except AuthenticationError as error:
            error.result = _with_unsent(asked, known, requests=outcomes.requests)
            raise
    return batching.merged(asked, known, requests=outcomes.requests)


def _with_unsent(asked: Sequence[Id], known: Mapping[str, Outcome[T]], *, requests: int) -> BatchResult[T]:
    """The known outcomes, and "not sent" for the others."""
    unsent = NotSentError("not sent: the key was refused before its turn")
    return batching.merged(
        asked,
        {text: known.get(text, Failed(id_, unsent)) for id_ in asked for text in (id_text(id_),)},
        requests=requests,
    )
