"""Telling a client's events, and counting what each of its calls does; nothing of it where nobody listens."""

from __future__ import annotations

import logging
from collections import Counter
from contextvars import Context, ContextVar, Token, copy_context
from inspect import iscoroutinefunction
from itertools import count
from typing import TYPE_CHECKING, Self, final

import anyio
from attrs import define, field

from .errors import FollowersDataError, OutcomeUnknownError, PanelError, is_unknown
from .events import CallEnded, CallStarted, RequestEnded, RequestStarted
from .models import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from ._pacing import RetryBudget
    from ._wire.messages import Request
    from .events import ClientEvent, Listener
    from .models import Outcome

_LOGGER = logging.getLogger(__name__)
_CURRENT: ContextVar[Call | None] = ContextVar("followersdata_call", default=None)
_NUMBERS = count(1)


@final
class Listeners:
    """Whoever wants to know what a client does. It is false where nobody does."""

    def __init__(self, clock: Callable[[], float] = anyio.current_time) -> None:
        self.clock = clock
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> None:
        """Tell it all that happens from now on, at once and in the task in which it happens.

        Raises:
            TypeError: it cannot be called.
        """
        _check_listener(listener)
        self._listeners.append(listener)

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def tell(self, event: ClientEvent) -> None:
        """Tell everybody. What a listener raises is logged: an answer, and with it an order, is not lost for it."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                _LOGGER.exception("a listener failed at %s", type(event).__name__)


def _check_listener(listener: object) -> None:
    if not callable(listener) or iscoroutinefunction(listener):
        msg = f"on_event is a function (no coroutine function) that takes an event, or None, not {listener!r}"
        raise TypeError(msg)


@final
@define(eq=False)
class Call:
    """One call of a method. Requests of tasks that begin in its context are counted as its own."""

    _listeners: Listeners
    method: str
    action: str
    ids: int = 0
    number: int = field(default=0, init=False)
    chunks: int = field(default=0, init=False)
    requests: int = field(default=0, init=False)
    attempts: int = field(default=0, init=False)
    outcomes: Counter[str] = field(factory=Counter, init=False)
    _began_at: float = field(default=0.0, init=False)
    _token: Token[Call | None] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        """Begin it, in the task that waits for it."""
        if self._listeners:
            self._token = _CURRENT.set(self)
            self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it; of one thing that was asked, that is its outcome."""
        if self.number:
            self.outcomes.update(_outcomes_of(error))
            self.end(error)
        if self._token is not None:
            _CURRENT.reset(self._token)

    def begin_apart(self) -> Context:
        """Begin it in a context of its own, in which its tasks are to be started."""
        context = copy_context()
        if self._listeners:
            context.run(_CURRENT.set, self)
            context.run(self._begin)
        return context

    def _begin(self) -> None:
        self.number = next(_NUMBERS)
        self._began_at = self._listeners.clock()
        self._listeners.tell(CallStarted(call=self.number, method=self.method, action=self.action))

    def note(self, outcomes: Iterable[Outcome[object]]) -> None:
        """Count a chunk that was asked, and what came."""
        if self.number:
            self.chunks += 1
            self.outcomes.update(map(_name_of, outcomes))
            self.ids = self.outcomes.total()

    def end(self, error: BaseException | None) -> None:
        """Tell what it came to."""
        if self.number:
            self._listeners.tell(
                CallEnded(
                    call=self.number,
                    method=self.method,
                    action=self.action,
                    duration=self._listeners.clock() - self._began_at,
                    ids=self.ids,
                    chunks=self.chunks,
                    requests=self.requests,
                    attempts=self.attempts,
                    outcomes=dict(self.outcomes),
                    error=error,
                )
            )


def _name_of(outcome: Outcome[object]) -> str:
    return "unknown" if isinstance(outcome, Failed) and is_unknown(outcome.error) else outcome.outcome


def _outcomes_of(error: BaseException | None) -> tuple[str, ...]:
    """What a call for one thing came to; nothing that is ours, if it was cancelled or asked for nonsense."""
    match error:
        case None:
            return ("ok",)
        case OutcomeUnknownError():
            return ("unknown",)
        case PanelError():
            return ("refused",)
        case FollowersDataError():
            return ("failed",)
    return ()


@final
class Asking:
    """One request's attempts, each told from its beginning (``with asking:``) to its end."""

    __slots__ = ("_attempt", "_began_at", "_budget", "_call", "_is_told", "_listeners", "_request", "_waiting_since")

    def __init__(self, listeners: Listeners, request: Request, budget: RetryBudget) -> None:
        self._listeners = listeners
        self._request = request
        self._budget = budget
        self._call: Call | None = None
        self._attempt = 0
        self._is_told = bool(listeners)
        if self._is_told:
            self._call = _CURRENT.get()
            if self._call is not None:
                self._call.requests += 1

    def wait(self) -> None:
        """The next attempt waits for its turn."""
        if self._is_told:
            self._waiting_since = self._listeners.clock()

    def __enter__(self) -> None:
        if not self._is_told:
            return
        self._attempt += 1
        if self._call is not None:
            self._call.attempts += 1
        self._began_at = self._listeners.clock()
        self._listeners.tell(
            RequestStarted(
                call=self._number,
                action=self._request.action,
                ids=self._request.ids,
                attempt=self._attempt,
                rate_limit_wait=self._began_at - self._waiting_since,
            )
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_told:
            return
        self._listeners.tell(
            RequestEnded(
                call=self._number,
                action=self._request.action,
                ids=self._request.ids,
                attempt=self._attempt,
                duration=self._listeners.clock() - self._began_at,
                budget=self._budget.tokens,
                error=error,
            )
        )

    @property
    def _number(self) -> int | None:
        return None if self._call is None else self._call.number
