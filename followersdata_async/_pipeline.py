"""The way of every request: slot, rate limit, send, decode, retry."""

from __future__ import annotations

import logging
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, final

import anyio
import anyio.lowlevel
from attrs import define, field

from ._concurrency import run_to_completion
from ._instrumentation import Listeners, RequestObserver
from ._key_check import KeyCheck
from ._retry import RetryBudget, compute_retry_delay, get_retry_after, get_retry_cost
from ._wire.encoding import encode_body
from ._wire.envelope import no_usable_response
from ._wire.messages import Request, Response, SendState
from ._wire.panel_words import PanelWords
from ._wire.retry_after import parse_retry_after
from .errors import ConfigurationError, FollowersDataError, OutcomeUnknownError, RequestTooLargeError
from .events import RetryPlanned
from .rate_limit.base import open_account_limiter
from .rate_limit.local import PauseLimit

if TYPE_CHECKING:
    from ._concurrency import Commit
    from ._settings import Settings
    from .rate_limit.base import Limiter, SharedLimiter

_LOGGER = logging.getLogger(__name__)
_MAX_OVERHEAD = 4_096
"""More bytes than the key, the action and the punctuation of a body take."""
_PAUSE_GRACE = 1.0
"""For how many seconds a limiter may be told to pause beyond the deadline of the caller."""
T = TypeVar("T")
Decode: TypeAlias = Callable[[Request, Response, PanelWords], T]


class Transport(Protocol):
    """Sends one request once."""

    async def open(self) -> None:
        """Prepare for requests."""
        ...

    async def aclose(self) -> None:
        """Close what was opened."""
        ...

    async def send(self, request: Request, state: SendState) -> Response:
        """Send a request and read the whole response."""
        ...


class BatchSupport(Enum):
    """Whether a panel takes many ids in one request of an action."""

    UNTRIED = "untried"
    SUPPORTED = "supported"
    SINGLE_ONLY = "single_only"
    """Requests for single ids are understood, and those for many are not."""
    UNSUPPORTED = "unsupported"
    """Neither is understood."""


@final
@define(eq=False)
class BatchKnowledge:
    """What is known of a panel's batches of one action.

    ``single_requests`` counts the ids that were sent one by one since batches
    were last tried. ``batches_to_skip``: so many rejected batches are not
    searched for good ids, as there were none in the last one, and none was
    accepted since. ``narrowing`` lets one rejected batch be searched at a time.
    """

    support: BatchSupport = BatchSupport.UNTRIED
    single_requests: int = 0
    batches_to_skip: int = 0
    narrowing: anyio.Lock = field(factory=anyio.Lock)

    def record_success(self) -> None:
        """Note that the panel has accepted a batch."""
        self.support = BatchSupport.SUPPORTED
        self.batches_to_skip = 0

    def count_single_requests(self, count: int, limit: int) -> None:
        """Count ids that were sent one by one. At the limit, batches are to be tried again."""
        self.single_requests += count
        if self.single_requests >= limit:
            self.single_requests = 0
            self.support = BatchSupport.UNTRIED


@final
class Pipeline:
    """Sends all requests of one client, and owns what they share.

    ``batch_knowledge`` is by action. ``opens_on_use``: the first request opens
    it; only for transports that need no ``open``.
    """

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        *,
        rate_limit: Limiter | SharedLimiter | None = None,
        events: Listeners | None = None,
        clock: Callable[[], float] = time.time,
        random_value: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.settings = settings
        self.events: Listeners = events or Listeners()
        self.key: KeyCheck = KeyCheck()
        self.opens_on_use = False
        self.batch_knowledge: defaultdict[str, BatchKnowledge] = defaultdict(BatchKnowledge)
        self._transport = transport
        self._account_limiter = open_account_limiter(rate_limit, settings.account)
        limiter = self._account_limiter or rate_limit
        self._limiter: Limiter = PauseLimit() if limiter is None else limiter  # type: ignore[assignment]
        self._budget = RetryBudget()
        self._slots = anyio.Semaphore(settings.concurrency, fast_acquire=True)
        self._loop: object = None
        self._is_closed = False
        self._writes = 0
        self._write_done = anyio.Event()
        self._clock = clock
        self._random_value = random_value
        self._sleep = sleep

    # --- the lifetime

    @property
    def is_open(self) -> bool:
        """Return whether it was opened and not closed."""
        return self._loop is not None and not self._is_closed

    async def open(self) -> None:
        """Open it on the running event loop, once."""
        if self._loop is not None or self._is_closed:
            msg = "the client was opened before: make a new AsyncClient for each `async with`"
            raise ConfigurationError(msg)
        await self._transport.open()
        self._loop = anyio.lowlevel.current_token()

    def mark_closed(self) -> None:
        """Reject all further requests. What was opened stays open."""
        self._is_closed = True

    async def aclose(self) -> None:
        """Close it. Nothing more is sent, and writes in flight are awaited."""
        self.mark_closed()
        await run_to_completion(self._close)

    async def _close(self, commit: Commit) -> None:
        commit()
        try:
            while self._writes:
                await self._write_done.wait()
            await self._transport.aclose()
        finally:
            if self._account_limiter is not None:
                await self._account_limiter.aclose()

    def check_open(self) -> None:
        """Check that requests can be sent: it is open, and this is its event loop.

        Raises:
            ConfigurationError: it is not.
        """
        self._check_not_closed()
        if self._loop is None and self.opens_on_use:
            self._loop = anyio.lowlevel.current_token()
        if self._loop is None:
            msg = "the client is not open: use it as `async with AsyncClient(…) as panel`"
            raise ConfigurationError(msg)
        if self._loop != anyio.lowlevel.current_token():
            msg = "the client was opened on another event loop: make one client for each loop"
            raise ConfigurationError(msg)

    def _check_not_closed(self) -> None:
        if self._is_closed:
            msg = "the client is closed: use it, and streams of it, inside its `async with`"
            raise ConfigurationError(msg)

    # --- requests

    def _check_size(self, request: Request) -> None:
        """Check that the body of a request is not larger than the settings allow.

        Raises:
            RequestTooLargeError: it is larger.
        """
        limit = self.settings.max_request_bytes
        # A character takes at most four bytes, each of which can be written with three characters.
        if limit is None or sum(len(name) + len(value) for name, value in request.fields) * 12 < limit - _MAX_OVERHEAD:
            return
        size = len(encode_body(request, self.settings.api_key, self.settings.body_format))
        if size > limit:
            msg = (
                f"{request.action} was not sent: its body has {size:,} bytes, more than max_request_bytes={limit:,}. "
                "Order in parts, or raise the limit if the panel takes more"
            )
            raise RequestTooLargeError(msg, action=request.action)

    async def execute(self, request: Request, decode: Decode[T], state: SendState) -> T:
        """Send a request until an attempt succeeds, within ``timeout`` for all of them, and decode the response.

        Raises:
            FollowersDataError: the error of the last attempt.
            RequestTimeoutError: a read: ``timeout`` is over.
            NotSentError: a write: ``timeout`` is over, and nothing was sent.
            OutcomeUnknownError: a write: ``timeout`` is over after it was sent.
            RequestTooLargeError: the body is larger than the settings allow.
            ConfigurationError: the client was closed in the meantime.
        """
        self.check_open()
        self._check_size(request)
        observer = RequestObserver(self.events, request, self._budget) if self.events.is_active else None
        last: FollowersDataError | None = None
        state.clock = self._clock
        with anyio.move_on_after(self.settings.timeout) as scope:
            refund, attempt = 1, 1
            while True:
                try:
                    attempt_once = partial(self._attempt, request, decode, state, observer, scope.deadline)
                    # The catalogue can be public, so it neither needs the key nor proves that it is accepted.
                    is_key_open = not self.key.is_accepted and request.action != "services"
                    value = await (self.key.run(attempt_once) if is_key_open else attempt_once())
                except OutcomeUnknownError as error:
                    error.at = state.sent_at
                    raise
                except FollowersDataError as error:
                    last = error
                    delay = self._plan_retry(request, error, attempt)
                    if delay is None:
                        raise
                    refund = get_retry_cost(error)
                else:
                    if self._budget.tokens < self._budget.max_tokens:
                        self._budget.refund(refund)
                    return value
                await self._sleep(delay)
                attempt += 1
        raise self._make_timeout_error(request, state) from last

    async def _attempt(
        self,
        request: Request,
        decode: Decode[T],
        state: SendState,
        observer: RequestObserver | None,
        deadline: float,
    ) -> T:
        state.start_attempt()
        if observer is not None:
            observer.start_waiting()
        async with self._slots:
            # The client can be closed while a request waits.
            self._check_not_closed()
            # Inside the slot: a turn that is taken is used at once, and not after a wait for a slot.
            await self._wait_for_limiter(request)
            self._check_not_closed()
            with observer or nullcontext():
                response = await self._send(request, state)
                delay: float | None = None
                try:
                    return decode(request, response, self.settings.words)
                except FollowersDataError as error:
                    delay = get_retry_after(error)
                    raise
                finally:
                    # Inside the slot: otherwise the next request could leave before the limiter knows.
                    if pause := self._find_pause(response, delay):
                        await self._pause_limiter(pause, deadline)

    async def _wait_for_limiter(self, request: Request) -> None:
        """Wait for the limiter's turn. Whatever a limiter of the user's raises, nothing was sent."""
        try:
            await self._limiter.wait()
        except FollowersDataError:
            raise
        except Exception as error:
            reason = f"the limiter raised {type(error).__name__}: {error}"
            raise no_usable_response(request, reason, sent=False) from error

    async def _send(self, request: Request, state: SendState) -> Response:
        if not request.is_write:
            return await self._transport.send(request, state)
        self._writes += 1
        try:
            return await self._transport.send(request, state)
        finally:
            self._writes -= 1
            self._write_done.set()
            self._write_done = anyio.Event()

    def _find_pause(self, response: Response, delay: float | None) -> float:
        """Return for how many seconds the client waits because of a response, usually 0.

        ``delay`` is what its error says, which knows more of it.
        """
        if delay is None:
            delay = parse_retry_after(response)
        return min(delay or 0.0, self.settings.max_retry_after)

    async def _pause_limiter(self, delay: float, deadline: float) -> None:
        """Pause the limiter. The response has arrived, so nothing that happens here may lose it."""
        deadline = min(deadline, max(anyio.current_effective_deadline(), anyio.current_time() + _PAUSE_GRACE))
        try:
            pausing = self._limiter.pause(delay)
            if pausing is not None and not await _finish_by(deadline, pausing):
                _LOGGER.error("the limiter did not take a pause of %.1f s in time", delay)
        except Exception:
            _LOGGER.exception("the limiter could not be told to pause for %.1f s", delay)

    def _plan_retry(self, request: Request, error: FollowersDataError, attempt: int) -> float | None:
        """Return the delay before the next attempt, if the policy, the deadline and the budget allow one."""
        policy = self.settings.retry
        if policy is None:
            return None
        delay = compute_retry_delay(
            error,
            is_write=request.is_write,
            attempt=attempt,
            policy=policy,
            max_retry_after=self.settings.max_retry_after,
            random_value=self._random_value(),
        )
        time_left = anyio.current_effective_deadline() - anyio.current_time()
        if delay is None or delay >= time_left or not self._budget.take(get_retry_cost(error)):
            return None
        if self.events.is_active:
            self.events.emit(RetryPlanned(action=request.action, attempt=attempt + 1, delay=delay, error=error))
        return delay

    def _make_timeout_error(self, request: Request, state: SendState) -> FollowersDataError:
        # The latest attempt of a read may not have been sent, but an earlier one was.
        sent = state.sent if request.is_write else None
        waited = "it had to wait for longer than" if sent is False else "no whole answer within"
        reason = f"{waited} {self.settings.timeout:g} s"
        error = no_usable_response(request, reason, sent=sent, is_timeout=True)
        if isinstance(error, OutcomeUnknownError):
            error.at = state.sent_at
        return error


async def _finish_by(deadline: float, work: Awaitable[None]) -> bool:
    """Await work until a deadline, even if the caller is cancelled. Return whether it has finished."""

    async def run(commit: Commit) -> bool:
        commit()
        with anyio.CancelScope(deadline=deadline) as scope:
            try:
                await work
            except anyio.get_cancelled_exc_class():
                # The work can wait for something that was cancelled, which is not a cancellation of the caller.
                if scope.cancel_called:
                    raise
            else:
                return True
        return False

    return await run_to_completion(run)
