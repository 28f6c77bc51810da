"""The way of a client's requests: sent, interpreted, and tried again where that is right."""

from __future__ import annotations

import logging
from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeVar, final

import anyio
from attrs import define, field

from ._concurrency import finished
from ._instrumentation import Asking, Listeners
from ._retry import Retrying
from ._wire.error_phrases import Words
from ._wire.retry_after import pause_asked
from .errors import ConfigurationError
from .rate_limit.postgres import AccountLimit, PostgresRateLimit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._concurrency import Hold
    from ._wire.messages import Answer, Request, Trail

_LOGGER = logging.getLogger(__name__)
T = TypeVar("T")


class Transport(Protocol):
    """What sends one request once."""

    async def open(self) -> None:
        """Get ready."""
        ...

    def stop(self) -> None:
        """Let nothing more leave; what waits for a place is refused with a ``ConfigurationError``."""
        ...

    async def aclose(self) -> None:
        """Let go of what was opened."""
        ...

    async def send(self, request: Request, trail: Trail) -> Answer:
        """Send it, and read the whole answer."""
        ...


class Limiter(Protocol):
    """What holds requests back, e.g. ``RateLimit``."""

    async def wait(self) -> None:
        """Wait for the next request's turn, and take it."""
        ...

    def pause(self, duration: float) -> Awaitable[None] | None:
        """Let nobody go for ``duration`` seconds."""
        ...


def limiter_for(rate: Limiter | PostgresRateLimit | None, account: str) -> Limiter | None:
    """The limiter that was given, if it is one; of a shared one, this account's side.

    Raises:
        TypeError: it cannot hold requests back.
    """
    if isinstance(rate, PostgresRateLimit):
        return rate.of(account)
    if rate is None or all(callable(getattr(rate, name, None)) for name in ("wait", "pause")):
        return rate
    msg = f"rate is a limiter such as RateLimit(10, per=1.0), or None, not {rate!r}"
    raise TypeError(msg)


class Bulk(Enum):
    """What is known of how a panel takes many ids in one request."""

    UNTRIED = "untried"
    UNDERSTOOD = "understood"
    IGNORED = "ignored"
    """It takes single ids only: their requests succeed where those of many are refused."""
    REFUSED = "refused"
    """It takes neither."""


@final
@define(eq=False)
class Line:
    """What all requests of one client go through, and what was learned from them.

    ``proven``: the panel has accepted the key at least once. ``bulk``: how it
    takes many ids, by action, and ``singles`` how many were asked one by one
    since that was found out.
    """

    transport: Transport
    retrying: Retrying
    words: Words
    limiter: Limiter | None = None
    events: Listeners = field(factory=Listeners)
    proven: bool = False
    bulk: dict[str, Bulk] = field(factory=dict)
    singles: Counter[str] = field(factory=Counter)
    is_closed: bool = False
    writes: int = 0
    _landed: anyio.Event = field(factory=anyio.Event, init=False)

    async def aclose(self) -> None:
        """Let go of what was opened; nothing is sent any more, but what is on its way and costs money is waited for."""
        self.is_closed = True
        self.transport.stop()
        await finished(self._closed)

    async def _closed(self, hold: Hold) -> None:
        hold()
        try:
            while self.writes:
                await self._landed.wait()
            await self.transport.aclose()
        finally:
            # Any other limiter was lent.
            if isinstance(self.limiter, AccountLimit):
                await self.limiter.aclose()

    def check_open(self) -> None:
        """Refuse what begins after the end: it would open connections that nobody closes.

        Raises:
            ConfigurationError: the client was closed.
        """
        if self.is_closed:
            msg = "the client is closed: use it, and streams of it, inside its `async with`"
            raise ConfigurationError(msg)

    async def ask(self, request: Request, read: Callable[[Request, Answer, Words], T], trail: Trail) -> T:
        """The value that ``read`` makes of the answer, after as many attempts as allowed.

        Raises:
            ConfigurationError: the client was closed meanwhile.
        """
        self.check_open()
        asking = Asking(self.events, request, self.retrying.budget)

        async def attempt() -> T:
            trail.begin()
            asking.wait()
            if self.limiter is not None:
                await self.limiter.wait()
            # The client may have been closed meanwhile, also while a retry waited.
            self.check_open()
            with asking:
                return read(request, await self._sent(request, trail), self.words)

        value = await self.retrying.run(request, trail, attempt)
        # The catalogue may be public, so it proves nothing.
        self.proven = self.proven or request.action != "services"
        return value

    async def _sent(self, request: Request, trail: Trail) -> Answer:
        if request.repeatable:
            answer = await self.transport.send(request, trail)
        else:
            self.writes += 1
            try:
                answer = await self.transport.send(request, trail)
            finally:
                self.writes -= 1
                self._landed.set()
                self._landed = anyio.Event()
        if self.limiter is not None and (asked := pause_asked(answer)):
            await self._pause(self.limiter, min(asked, _LONGEST_PAUSE))
        return answer

    async def _pause(self, limiter: Limiter, duration: float) -> None:
        """Tell the limiter. The answer is here: whatever happens now must not lose it, and with it an order."""

        async def pause(hold: Hold) -> None:
            hold()
            pausing = limiter.pause(duration)
            if pausing is not None:
                await pausing

        try:
            await finished(pause)
        except Exception:
            _LOGGER.exception("the limiter could not be told to pause for %.1f s", duration)


_LONGEST_PAUSE = 60.0
