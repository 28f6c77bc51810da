"""The client of the pytest fixtures."""

from __future__ import annotations

from typing import Any, final

from ..client import AsyncClient


@final
class FixtureClient(AsyncClient):
    """A client that its first call opens, for fixtures that are not coroutines and have no event loop.

    Its custom HTTP client needs neither opening nor closing.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401 - those of AsyncClient
        super().__init__(*args, **settings)
        self._pipeline.opens_on_use = True

    def end(self) -> None:
        """Reject calls that come after the test."""
        self._pipeline.mark_closed()
