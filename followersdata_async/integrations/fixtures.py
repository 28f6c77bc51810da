"""A client for fixtures that are no coroutines, and so have no event loop to open one on."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import anyio.lowlevel

from ..client import CLOSED, AsyncClient

if TYPE_CHECKING:
    from .._pipeline import Line


@final
class FixtureClient(AsyncClient):
    """A client of a lent in-process one, which is opened by its first call. There is nothing to close."""

    def _opened(self) -> Line:
        if self._loop is None:
            self._loop = anyio.lowlevel.current_token()
        return super()._opened()

    def end(self) -> None:
        """Say no to calls that come after the test."""
        self._loop = CLOSED
