"""Outcomes as callers get them: all at once, or one by one as their chunks finish."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import nullcontext
from math import inf
from typing import TYPE_CHECKING, Self, TypeVar, final

from .._instrumentation import Call
from ..errors import AuthenticationError, NotSentError
from ..models import BatchResult, Failed, Id, Ok, Outcome, Refused, Unreported
from .chunk import send_chunk
from .ids import Ids, format_ids
from .sources import ListSource
from .stream import ChunkStream

if TYPE_CHECKING:
    from types import TracebackType

    from .._pipeline import Pipeline
    from .operations import Operation

T = TypeVar("T")


@final
class Outcomes(AsyncIterator[Outcome[T]]):
    """The outcomes of any number of ids, in the order in which their chunks finish.

    Use it as ``async with … as outcomes``, in one task. Ids are read only as
    fast as outcomes are taken. An id that comes again while it is in flight is
    sent once. After leaving early nothing more is sent, and writes in flight
    are completed.
    """

    def __init__(self, stream: ChunkStream[T]) -> None:
        self._stream = stream
        self._ready: deque[Outcome[T]] = deque()

    @property
    def requests(self) -> int:
        """The number of requests sent so far, retries included."""
        return self._stream.requests

    async def __aenter__(self) -> Self:
        """Start sending.

        Raises:
            ConfigurationError: the client was closed or is of another event loop, or the stream was entered before.
        """
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop sending. Reads in flight are cancelled, and writes in flight are completed."""
        await self._stream.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> Outcome[T]:
        """Return the next outcome.

        Raises:
            AuthenticationError: the key was rejected; raised after all outcomes that are known.
            ConfigurationError: not inside ``async with``, or the client was closed; then after what is known.
        """
        if not self._stream.is_entered:
            self._stream.check_entered()
        while not self._ready:
            chunk = await self._stream.next_chunk()
            if chunk is None:
                raise StopAsyncIteration
            self._ready.extend(chunk.outcomes.values())
        return self._ready.popleft()


async def collect_outcomes(
    pipeline: Pipeline, operation: Operation[T], ids: Iterable[Id], *, method: str
) -> BatchResult[T]:
    """Return the outcome of every id, in the order of the ids.

    Raises:
        AuthenticationError: the key was rejected; ``.result`` has what is known of each id.
    """
    unique = format_ids(ids)
    known: dict[str, T | Refused | Unreported | Failed] = {}
    if not unique:
        return BatchResult(requests=0)
    if len(unique) <= pipeline.settings.chunk_size:
        return await _collect_chunk(pipeline, operation, unique, method=method)
    source = ListSource(unique, pipeline.settings.chunk_size)
    async with ChunkStream(pipeline, operation, source, method=method, max_waiting=inf, is_batch=True) as stream:
        try:
            while (chunk := await stream.next_chunk()) is not None:
                known.update(_unwrap(chunk.outcomes))
        except AuthenticationError as error:
            unsent = NotSentError("not sent: the key was refused before its turn")
            values = {id_: known[text] if text in known else Failed(id_, unsent) for text, id_ in unique.items()}
            error.result = BatchResult.from_values(values, requests=stream.requests)
            raise
    return BatchResult.from_values({id_: known[text] for text, id_ in unique.items()}, requests=stream.requests)


def _unwrap(outcomes: Mapping[str, Outcome[T]]) -> dict[str, T | Refused | Unreported | Failed]:
    """Return the value, or the other outcome, of each id."""
    return {text: outcome.value if isinstance(outcome, Ok) else outcome for text, outcome in outcomes.items()}


async def _collect_chunk(pipeline: Pipeline, operation: Operation[T], ids: Ids, *, method: str) -> BatchResult[T]:
    """Return the outcomes of a single chunk, without tasks."""
    call = Call(pipeline.events, method, operation.action) if pipeline.events.is_active else None
    with call or nullcontext():
        chunk = await send_chunk(pipeline, operation, ids)
        if call is not None:
            call.record_chunk(chunk.outcomes.values())
        values = _unwrap(chunk.outcomes)
        result = BatchResult.from_values({id_: values[text] for text, id_ in ids.items()}, requests=chunk.requests)
        if chunk.fatal is not None:
            chunk.fatal.result = result
            raise chunk.fatal
        return result
