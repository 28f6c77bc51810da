"""Sends chunks concurrently, at most ``concurrency`` at once, and no faster than the caller reads the outcomes."""

from __future__ import annotations

from collections import deque
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, final

import anyio

from .._instrumentation import Call
from .._wire.messages import SendState
from ..errors import ConfigurationError
from ..models import Failed
from .chunk import ChunkResult, send_chunk
from .sources import AsyncIterableSource, ChunkSource

if TYPE_CHECKING:
    from types import TracebackType

    from anyio.abc import TaskGroup

    from .._pipeline import Pipeline
    from .ids import Ids
    from .operations import Operation

T = TypeVar("T")


@final
class OpenStreams:
    """The streams of one client that are being read, so that they end when it is closed."""

    def __init__(self) -> None:
        self._streams: set[ChunkStream[Any]] = set()

    def add(self, stream: ChunkStream[Any]) -> None:
        """Note that a stream was entered."""
        self._streams.add(stream)

    def discard(self, stream: ChunkStream[Any]) -> None:
        """Note that a stream was left."""
        self._streams.discard(stream)

    async def end_all(self) -> None:
        """End all streams, and wait for their workers. The pipeline must be closed, or marked so."""
        for stream in list(self._streams):
            await stream.end_with_client()


@final
class ChunkStream(Generic[T]):
    """Chunks in the order in which they finish, for ``async with`` in one task.

    The source is read only as fast as chunks are taken: at most ``max_waiting``
    finished chunks wait for the reader, besides those that are in flight. Workers
    are started as chunks need them, at most ``concurrency``. After leaving early
    nothing more is sent, and writes in flight are completed. When the client is
    closed, reading ends with an error; a batch fails the ids that are left.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        operation: Operation[T],
        source: ChunkSource,
        *,
        method: str,
        max_waiting: float = 0,
        streams: OpenStreams | None = None,
        is_batch: bool = False,
    ) -> None:
        self.is_entered: bool = False
        self._streams = streams
        self._is_batch = is_batch
        self._finished_requests = 0
        self._sending: set[SendState] = set()
        self._pipeline = pipeline
        self._method = method
        self._call: Call | None = None
        self._operation = operation
        self._source = source
        self._max_waiting = max_waiting
        self._more_workers = pipeline.settings.concurrency
        self._is_first = True
        self._source_lock = anyio.Lock(fast_acquire=True)
        self._error: Exception | None = None
        self._closing_error: Exception | None = None
        self._is_stopping = False
        self._worker_scopes: set[anyio.CancelScope] = set()
        self._source_scope: anyio.CancelScope | None = None
        self._group: TaskGroup | None = None
        self._context: Context | None = None
        self._finished: deque[ChunkResult[T]] = deque()
        self._running = 0

    @property
    def requests(self) -> int:
        """The number of requests sent so far, retries included."""
        return self._finished_requests + sum(state.requests for state in self._sending)

    async def __aenter__(self) -> Self:
        """Start sending.

        Raises:
            ConfigurationError: the client was closed or is of another event loop, or the stream was entered before.
        """
        if self._group is not None:
            msg = "a stream can be entered once: make a new one for each `async with`"
            raise ConfigurationError(msg)
        self._pipeline.check_open()
        self._chunk_finished, self._chunk_taken = anyio.Event(), anyio.Event()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self.is_entered = True
        if self._streams is not None:
            self._streams.add(self)
        self._context = self._start_call()
        if isinstance(self._source, AsyncIterableSource):
            self._context.run(self._group.start_soon, self._read_source, self._source)
        self._start_worker()
        return self

    async def _read_source(self, source: AsyncIterableSource) -> None:
        """Read the source. What a generator raises when it is closed is kept for the caller's task."""
        try:
            await source.read()
        except Exception as error:  # noqa: BLE001 - raised by __aexit__, not as an exception group
            self._closing_error = error

    def _start_worker(self) -> None:
        if self._more_workers and self._context is not None and self._group is not None:
            self._more_workers -= 1
            self._running += 1
            self._context.run(self._group.start_soon, self._work)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop sending. Reads in flight are cancelled; writes are completed by their transport.

        Raises:
            Exception: what a generator of ids raises when it is closed, unless there is another error.
        """
        if self._group is None or not self.is_entered:
            return
        self.is_entered = False
        self._is_stopping = True
        if self._streams is not None:
            self._streams.discard(self)
        try:
            self._source.close()
        except Exception as failure:  # noqa: BLE001 - raised when the tasks have ended
            self._closing_error = failure
        self._group.cancel_scope.cancel()
        # The group is not given the body's exception, so that it does not wrap it in an exception group.
        try:
            await self._group.__aexit__(None, None, None)
        finally:
            if self._call is not None:
                self._call.end(error)
        if self._closing_error is not None and error is None:
            raise self._closing_error

    def _start_call(self) -> Context:
        """Return the context for the tasks. With listeners, it is one in which their requests belong to this call."""
        if self._pipeline.events.is_active:
            self._call = Call(self._pipeline.events, self._method, self._operation.action)
            return self._call.start_in_new_context()
        return copy_context()

    def check_entered(self) -> None:
        """Check that this is inside ``async with``.

        Raises:
            ConfigurationError: the stream was not entered, or it was left.
        """
        if self.is_entered:
            return
        if self._group is None:
            msg = "use it as: async with panel.stream_…(ids) as outcomes, or panel.watch(ids) as changes"
        else:
            msg = "this stream was left: read it inside its `async with`, and make a new one to read on"
        raise ConfigurationError(msg)

    async def next_chunk(self) -> ChunkResult[T] | None:
        """Return the outcomes of the next chunk, ``None`` at the end.

        Raises:
            AuthenticationError: the key was rejected; raised after all outcomes that are known.
            ConfigurationError: not inside ``async with``, or the client was closed; then after what is known.
        """
        self.check_entered()
        while not self._finished:
            if not self._running:
                if self._error is not None:
                    raise self._error from None
                return None
            await self._wait_for_worker()
            self.check_entered()
        chunk = self._finished.popleft()
        self._chunk_taken.set()
        return chunk

    async def _wait_for_worker(self) -> None:
        """Wait until a chunk has finished, or a worker has ended."""
        if self._chunk_finished.is_set():
            self._chunk_finished = anyio.Event()
        await self._chunk_finished.wait()

    async def end_with_client(self) -> None:
        """Send nothing more, and wait for the workers: those that read are cancelled, writes in flight completed.

        The reader gets what is known, and then the error of a closed client.
        """
        try:
            self._pipeline.check_open()
        except ConfigurationError as error:
            self._stop(error)
        for scope in self._worker_scopes:
            scope.cancel()
        while self._running:
            await self._wait_for_worker()

    async def _work(self) -> None:
        """Send chunk after chunk until there are no more, or the caller has left."""
        scope = anyio.CancelScope()
        self._worker_scopes.add(scope)
        try:
            with scope:
                while (chunk := await self._send_next()) is not None:
                    await self._deliver(chunk)
        # An exception of the caller's iterable is raised in the caller's task, not as an exception group.
        except Exception as error:  # noqa: BLE001
            self._stop(error)
        finally:
            self._worker_scopes.discard(scope)
            self._running -= 1
            self._chunk_finished.set()

    async def _deliver(self, chunk: ChunkResult[T]) -> None:
        """Pass a chunk to the reader, and wait while too many of them wait."""
        self._finished.append(chunk)
        self._chunk_finished.set()
        while len(self._finished) > self._max_waiting:
            if self._chunk_taken.is_set():
                self._chunk_taken = anyio.Event()
            await self._chunk_taken.wait()

    async def _send_next(self) -> ChunkResult[T] | None:
        """Send the next chunk. Until the key was accepted once, the first chunk goes alone."""
        if self._pipeline.key.is_accepted and not self._source.is_async:
            # The lock would let only one worker continue in each tick of the event loop.
            ids = await self._take_chunk()
        else:
            async with self._source_lock:
                ids = await self._take_chunk()
                if ids and self._is_first and not self._pipeline.key.is_accepted:
                    self._is_first = False
                    return await self._send(ids)
        return await self._send(ids) if ids else None

    async def _take_chunk(self) -> Ids:
        """Return the next ids, and start a worker for those that follow."""
        ids: Ids = {}
        if not self._is_stopping:
            ids = await (self._wait_for_ids() if self._source.is_async else self._source.next_chunk())
        if ids and not self._source.is_exhausted:
            self._start_worker()
        return ids

    async def _wait_for_ids(self) -> Ids:
        """Return the next ids of a source that can keep one waiting, none if the stream stops meanwhile."""
        ids: Ids = {}
        with anyio.CancelScope() as self._source_scope:
            ids = await self._source.next_chunk()
        return {} if self._is_stopping else ids

    async def _send(self, ids: Ids) -> ChunkResult[T]:
        state = SendState()
        self._sending.add(state)
        try:
            chunk = await send_chunk(self._pipeline, self._operation, ids, state)
        finally:
            self._source.release(ids)
            self._sending.discard(state)
            self._finished_requests += state.requests
        if (fatal := chunk.fatal or self._find_misuse(chunk)) is not None:
            self._stop(fatal)
        if self._call is not None:
            self._call.record_chunk(chunk.outcomes.values())
        return chunk

    def _find_misuse(self, chunk: ChunkResult[T]) -> ConfigurationError | None:
        """Return the error of a chunk that could not be sent because something was closed: nor could the next ones."""
        first = next(iter(chunk.outcomes.values()), None)
        if isinstance(first, Failed) and isinstance(first.error, ConfigurationError) and not self._is_batch:
            return first.error
        return None

    def _stop(self, error: Exception) -> None:
        self._error = self._error or error
        self._is_stopping = True
        if self._source_scope is not None:
            self._source_scope.cancel()
