"""Finds out with few requests whether the panel accepts the key."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, TypeVar, final

import anyio
from attrs import define, field

from .errors import AuthenticationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_MAX_PROBES = 3
"""After this many requests in a row that did not tell, all that wait are sent: they may fail for the same reason."""
_MAX_WAIT = 5.0
"""For how many seconds a request waits for another one to tell."""


@final
@define(eq=False)
class _Probe:
    """The request that goes alone, and the rejection of the key that it ended in, if any."""

    done: anyio.Event = field(factory=anyio.Event)
    rejection: AuthenticationError | None = None


@final
class KeyCheck:
    """Lets one request go alone, and the others wait for it, until the panel has accepted the key once.

    Panels block clients that insist with a wrong key. If a request fails for
    another reason, or hangs, one of those that wait goes next.
    """

    def __init__(self) -> None:
        self.is_accepted: bool = False
        self._probe: _Probe | None = None
        self._inconclusive = 0
        self._unchecked = 0

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run an attempt, after the one that is finding out about the key, if there is one.

        Raises:
            AuthenticationError: the key was rejected. Attempts that were waiting are not started.
        """
        while (probe := self._probe) is not None and self._inconclusive < _MAX_PROBES:
            with anyio.move_on_after(_MAX_WAIT):
                await probe.done.wait()
            if probe.rejection is not None:
                raise copy(probe.rejection)
            self._end(probe)
        if self.is_accepted or self._inconclusive >= _MAX_PROBES:
            return await self._run_unchecked(attempt)
        self._probe = probe = _Probe()
        try:
            value = await attempt()
        except AuthenticationError as error:
            probe.rejection = copy(error)
            self._inconclusive = 0
            raise
        else:
            self.is_accepted = True
            return value
        finally:
            self._end(probe)
            probe.done.set()

    def _end(self, probe: _Probe) -> None:
        """Let another attempt go alone, unless one does already."""
        if self._probe is probe:
            self._probe = None
            if not self.is_accepted and probe.rejection is None:
                self._inconclusive += 1

    async def _run_unchecked(self, attempt: Callable[[], Awaitable[T]]) -> T:
        self._unchecked += 1
        try:
            value = await attempt()
            self.is_accepted = True
            return value
        finally:
            self._unchecked -= 1
            if not self._unchecked:
                self._inconclusive = 0
