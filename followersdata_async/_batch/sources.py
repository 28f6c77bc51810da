"""Where the chunks of a batch call come from: ids that are all known, or an iterable that is read lazily."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any, Protocol, final

from ..models import Id, format_id
from .ids import Ids, check_iterable, split_ids

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


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


@final
class IterableSource:
    """Chunks of ids from a lazy iterable, without the ids that are in flight."""

    def __init__(self, ids: Iterable[Id] | AsyncIterable[Id], size: int) -> None:
        check_iterable(ids)
        self._ids = ids
        self._size = size
        self._in_flight: set[str] = set()
        self._iterator: Any = None
        self._error: Exception | None = None
        self.is_async: bool = isinstance(ids, AsyncIterable)
        self.is_exhausted: bool = False

    async def next_chunk(self) -> Ids:
        """Return the next ids. If the iterable raises, the ids before come first."""
        if self._error is not None:
            raise self._error
        ids: Ids = {}
        try:
            await self._fill(ids)
        except Exception as error:
            if not ids:
                raise
            self._error = error
        self._in_flight.update(ids)
        return ids

    async def _fill(self, ids: Ids) -> None:
        if isinstance(self._ids, AsyncIterable):
            self._iterator = aiter(self._ids) if self._iterator is None else self._iterator
            while (id_ := await anext(self._iterator, _END)) is not _END:
                if self._is_full_with(id_, ids):
                    return
        else:
            self._iterator = iter(self._ids) if self._iterator is None else self._iterator
            while (id_ := next(self._iterator, _END)) is not _END:
                if self._is_full_with(id_, ids):
                    return
        self.is_exhausted = True

    def _is_full_with(self, id_: Any, ids: Ids) -> bool:  # noqa: ANN401 - format_id checks the item of a user's iterable
        """Add an id to a chunk unless it is in flight, and return whether the chunk is full."""
        text = format_id(id_)
        if text not in self._in_flight:
            ids[text] = id_
        return len(ids) == self._size

    def release(self, ids: Collection[str]) -> None:
        """Note that these ids are not in flight any more."""
        self._in_flight.difference_update(ids)


_END = object()


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
