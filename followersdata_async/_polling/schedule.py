"""Orders by the time at which they are due, grouped into requests. Pure: the clock is an argument."""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import final


@final
class Schedule:
    """Orders by the time at which they are due, in chunks of at most ``size``."""

    def __init__(self, *, size: int, max_chunk_wait: float) -> None:
        self._size = size
        self._max_chunk_wait = max_chunk_wait
        self._later: list[tuple[float, str]] = []
        self._due: deque[tuple[float, str]] = deque()

    def add(self, order: str, due_at: float) -> None:
        """Schedule an order."""
        heapq.heappush(self._later, (due_at, order))

    def pop_chunks(self, now: float) -> list[list[str]]:
        """Remove and return the chunks that are due. A chunk with room is filled up with the orders due next."""
        while self._later and self._later[0][0] <= now:
            self._due.append(heapq.heappop(self._later))
        chunks = []
        while self._is_chunk_due(now):
            due = [self._due.popleft() for _ in range(min(self._size, len(self._due)))]
            next_due = [heapq.heappop(self._later) for _ in range(min(self._size - len(due), len(self._later)))]
            chunks.append([order for _, order in due + next_due])
        return chunks

    def next_due_at(self) -> float:
        """Return when the next chunk can be due, infinity if nothing is scheduled."""
        latest = self._due[0][0] + self._chunk_wait if self._due else math.inf
        return min(latest, self._later[0][0] if self._later else math.inf)

    def _is_chunk_due(self, now: float) -> bool:
        return len(self._due) >= self._size or (len(self._due) > 0 and self._due[0][0] + self._chunk_wait <= now)

    @property
    def _chunk_wait(self) -> float:
        """Return how long a due order waits for its chunk to fill up: 0 if all orders fit into one request."""
        return self._max_chunk_wait if len(self._due) + len(self._later) > self._size else 0.0
