"""Emits a client's events, and counts what each of its calls does. Nothing of it runs without listeners."""

from __future__ import annotations

import logging
from collections import Counter
from contextvars import Context, ContextVar, Token, copy_context
from inspect import iscoroutinefunction
from itertools import count
from typing import TYPE_CHECKING, Self, final

import anyio
from attrs import define, field

from .errors import FollowersDataError, PanelError, is_unknown
from .events import CallEnded, CallStarted, RequestEnded, RequestStarted
from .models import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from ._retry import RetryBudget
    from ._wire.messages import Request
    from .events import ClientEvent, Listener
    from .models import Outcome

_LOGGER = logging.getLogger(__name__)
_CURRENT: ContextVar[Call | None] = ContextVar("followersdata_call", default=None)
_NUMBERS = count(1)


@final
class Listeners:
    """The functions that receive a client's events. ``is_active``: there is at least one."""

    def __init__(self, clock: Callable[[], float] = anyio.current_time) -> None:
        self.clock = clock
        self.is_active: bool = False
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> None:
        """Call ``listener`` with every event from now on, immediately and in the task in which it happens.

        Raises:
            TypeError: it is not callable, or a coroutine function.
        """
        _check_listener(listener)
        self._listeners.append(listener)
        self.is_active = True

    def emit(self, event: ClientEvent) -> None:
        """Pass an event to every listener. Exceptions are logged, so that a listener can't cost a response."""
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
    """One call of a client method. It counts the requests of all tasks that start in its context."""

    _listeners: Listeners
    method: str
    action: str
    ids: int = 0
    number: int = field(default=0, init=False)
    chunks: int = field(default=0, init=False)
    requests: int = field(default=0, init=False)
    attempts: int = field(default=0, init=False)
    outcomes: Counter[str] = field(factory=Counter, init=False)
    _started_at: float = field(default=0.0, init=False)
    _token: Token[Call | None] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        """Start it in the current task."""
        self._token = _CURRENT.set(self)
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it. Without chunks, its result is its outcome."""
        if not self.chunks:
            self.outcomes.update(_classify_result(error))
        self.end(error)
        if self._token is not None:
            _CURRENT.reset(self._token)

    def start_in_new_context(self) -> Context:
        """Start it in a new context, and return that context, to start tasks in."""
        context = copy_context()
        context.run(_CURRENT.set, self)
        context.run(self._start)
        return context

    def _start(self) -> None:
        self.number = next(_NUMBERS)
        self._started_at = self._listeners.clock()
        self._listeners.emit(CallStarted(call=self.number, method=self.method, action=self.action))

    def record_chunk(self, outcomes: Iterable[Outcome[object]]) -> None:
        """Count one chunk and its outcomes."""
        self.chunks += 1
        self.outcomes.update(map(_name_outcome, outcomes))
        self.ids = self.outcomes.total()

    def end(self, error: BaseException | None) -> None:
        """End it, and emit ``CallEnded``."""
        self._listeners.emit(
            CallEnded(
                call=self.number,
                method=self.method,
                action=self.action,
                duration=self._listeners.clock() - self._started_at,
                ids=self.ids,
                chunks=self.chunks,
                requests=self.requests,
                attempts=self.attempts,
                outcomes=dict(self.outcomes),
                error=error,
            )
        )


def _name_outcome(outcome: Outcome[object]) -> str:
    return "unknown" if isinstance(outcome, Failed) and is_unknown(outcome.error) else outcome.outcome


def _classify_result(error: BaseException | None) -> tuple[str, ...]:
    """Return the outcome of a call for a single value; none if it was cancelled, or if the caller made a mistake."""
    match error:
        case None:
            return ("ok",)
        case FollowersDataError() if is_unknown(error):
            return ("unknown",)
        case PanelError():
            return ("refused",)
        case FollowersDataError():
            return ("failed",)
    return ()


@final
class RequestObserver:
    """Emits the events of a request's attempts: ``with observer:`` spans one attempt."""

    __slots__ = ("_attempt", "_budget", "_call", "_listeners", "_request", "_started_at", "_waiting_since")

    def __init__(self, listeners: Listeners, request: Request, budget: RetryBudget) -> None:
        self._listeners = listeners
        self._request = request
        self._budget = budget
        self._attempt = 0
        self._call = _CURRENT.get()
        if self._call is not None:
            self._call.requests += 1

    def start_waiting(self) -> None:
        """Note that the next attempt begins to wait for a slot and the rate limit."""
        self._waiting_since = self._listeners.clock()

    def __enter__(self) -> None:
        self._attempt += 1
        if self._call is not None:
            self._call.attempts += 1
        self._started_at = self._listeners.clock()
        self._listeners.emit(
            RequestStarted(
                call=self._number,
                action=self._request.action,
                ids=len(self._request.ids),
                attempt=self._attempt,
                rate_limit_wait=self._started_at - self._waiting_since,
            )
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listeners.emit(
            RequestEnded(
                call=self._number,
                action=self._request.action,
                ids=len(self._request.ids),
                attempt=self._attempt,
                duration=self._listeners.clock() - self._started_at,
                budget=self._budget.tokens,
                error=error,
            )
        )

    @property
    def _number(self) -> int | None:
        return None if self._call is None else self._call.number
