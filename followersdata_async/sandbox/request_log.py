"""The log of a sandbox: its last requests, within a bound. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, final

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_CHARACTERS = 16 * 1024 * 1024


@final
@define
class RequestLog:
    """The last ``max_requests`` requests, oldest first, fewer if they are long; ``None`` means all."""

    _max_requests: int | None
    _rows: deque[tuple[dict[str, object], int]] = field(factory=deque, init=False)
    _characters: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[dict[str, object]]:
        return (row for row, _ in self._rows)

    def add(self, row: dict[str, object], characters: int) -> None:
        """Add a request with this many characters, and remove the oldest until all are within the bound."""
        self._rows.append((row, characters))
        self._characters += characters
        while not self._is_within_bounds():
            _, removed = self._rows.popleft()
            self._characters -= removed

    def clear(self) -> None:
        """Remove all requests."""
        self._rows.clear()
        self._characters = 0

    def _is_within_bounds(self) -> bool:
        count = len(self._rows)
        return self._max_requests is None or (
            count <= self._max_requests and (count == 1 or self._characters <= _MAX_CHARACTERS)
        )
