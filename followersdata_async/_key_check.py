"""Finds out with a single request whether the panel accepts the key."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, TypeVar, final

import anyio
from attrs import define, field

from .errors import AuthenticationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


@final
@define(eq=False)
class _Probe:
    """The request that goes alone, and the rejection of the key that it ended in, if any."""

    done: anyio.Event = field(factory=anyio.Event)
    rejection: AuthenticationError | None = None


@final
class KeyCheck:
    """Lets one request go alone, and the others wait for it, until the panel has accepted the key once.

    Panels block clients that insist with a wrong key.
    """

    def __init__(self) -> None:
        self.is_accepted: bool = False
        self._probe: _Probe | None = None

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run an attempt, after the one that is finding out about the key, if there is one.

        Raises:
            AuthenticationError: the key was rejected. Attempts that were waiting are not started.
        """
        if (probe := self._probe) is not None:
            await probe.done.wait()
            if probe.rejection is not None:
                raise copy(probe.rejection)
            return await attempt()
        self._probe = probe = _Probe()
        try:
            return await attempt()
        except AuthenticationError as error:
            probe.rejection = copy(error)
            raise
        finally:
            self._probe = None
            probe.done.set()
