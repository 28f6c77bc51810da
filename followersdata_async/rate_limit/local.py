"""A limit for one process: shared by whatever clients it is given to."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import final

import anyio
from attrs import Factory, field, frozen

from .._validators import duration, integer
from .gcra import Gcra


@final
class PauseLimit:
    """No limit, but pauses: what a client without a rate limit has. Without a pause, ``wait`` yields to nobody."""

    def __init__(
        self,
        clock: Callable[[], float] = anyio.current_time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._paused_until = -math.inf

    async def wait(self) -> None:
        """Wait until no pause holds."""
        # Another one may come while this one waits.
        while (delay := self._paused_until - self._clock()) > 0:
            await self._sleep(delay)

    def pause(self, duration: float) -> None:
        """Let no request pass for ``duration`` seconds."""
        self._paused_until = max(self._paused_until, self._clock() + duration)


@final
@frozen
class RateLimit:
    """``requests`` in ``per`` seconds, evenly spaced, in the order in which they asked to go.

    After a quiet while, ``burst`` of them may go at once, and then ``burst - 1``
    more than ``requests`` in the first ``per`` seconds. Give the
    same limit to all clients that share a key in this process; it belongs to
    one event loop. A wait that is cancelled takes nothing with it.

    Raises:
        ValueError: a number out of its bounds.
        TypeError: it is none.
    """

    requests: int = field(validator=integer(1))
    per: float = field(default=1.0, kw_only=True, validator=duration())
    burst: int = field(default=1, kw_only=True, validator=integer(1))
    _clock: Callable[[], float] = field(default=anyio.current_time, kw_only=True, repr=False, eq=False)
    _sleep: Callable[[float], Awaitable[None]] = field(default=anyio.sleep, kw_only=True, repr=False, eq=False)
    _turn: anyio.Lock = field(factory=anyio.Lock, init=False, repr=False, eq=False)
    _gcra: Gcra = field(
        default=Factory(lambda self: Gcra(self.requests, self.per, self.burst), takes_self=True),
        init=False,
        repr=False,
        eq=False,
    )

    async def wait(self) -> None:
        """Wait for the next request's turn, and take it."""
        async with self._turn:
            # A pause may come while this one waits.
            while delay := self._gcra.delay(self._clock()):
                await self._sleep(delay)
            self._gcra.take(self._clock())

    def pause(self, duration: float) -> None:
        """Let nobody go for ``duration`` seconds: the panel has asked for it."""
        self._gcra.pause(self._clock() + duration)
