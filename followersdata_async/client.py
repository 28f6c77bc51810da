"""The client: one page that names the rooms of every call, and decides nothing."""

from __future__ import annotations

import os
import random
import time
import warnings
from typing import TYPE_CHECKING, Literal, Self, TypeVar, overload

import anyio
import anyio.lowlevel

from ._batch import chunk as asking
from ._batch import stream as dispatch
from ._batch.coalesce import Coalescing
from ._caching import CachedServices
from ._instrumentation import Call, Listeners
from ._pacing import PollPolicy, RetryBudget, RetryPolicy
from ._pipeline import Line, limiter_for
from ._polling.watch import Changes, finals
from ._retry import Retrying
from ._settings import Settings, environment_of, hidden, key_from, url_from
from ._transport import transport_for
from ._wire import decoding as answers
from ._wire import encoding
from ._wire.messages import Trail
from .errors import ConfigurationError
from .models import Change, Failed, Refused, Unreported

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Mapping
    from ssl import SSLContext
    from types import TracebackType

    from ._pipeline import Limiter
    from ._polling.tracker import Event
    from ._transport.httpx_transport import HttpClient
    from ._wire.error_phrases import Words
    from ._wire.messages import Answer, Request
    from .errors import PanelError
    from .events import Listener
    from .models import Balance, BatchResult, Cancellation, Id, OrderStatus, PlacedOrder, Refill, RefillStatus, Service
    from .orders import Order
    from .rate_limit import PostgresRateLimit

T = TypeVar("T")


class AsyncClient:
    """A panel of followersdata.com's kind, for ``async with``; on asyncio and on trio.

    Args:
        api_key: The panel's key; ``None`` reads ``FOLLOWERSDATA_API_KEY``, or the
            file that ``FOLLOWERSDATA_API_KEY_FILE`` names.
        url: The API's full address; ``None`` reads ``FOLLOWERSDATA_API_URL``,
            else https://followersdata.com/api/v2. ``http://`` is for this machine only.
        http: A lent ``httpx.AsyncClient`` (or ``httpx2.AsyncClient``): used, never
            configured, never closed. It cannot prove what it sent, so any failed
            write through it is an ``OutcomeUnknownError``.
        concurrency: Requests in flight at once, over all calls of this client.
        timeout: Seconds for one whole call of one request: waiting, attempts, delays. A write that
            has left by then is still waited for, up to ``attempt_timeout``.
        attempt_timeout: Seconds for one attempt.
        retry: A ``RetryPolicy``, or ``None`` for no retries at all.
        rate_limit: A limiter, e.g. ``RateLimit(10, per=1.0)``, or ``PostgresRateLimit`` for many
            processes; ``None`` means no limit. An answer that asks to wait (``Retry-After``,
            ``X-RateLimit-Remaining: 0``) makes it wait for all of its clients, for 60
            seconds at the most.
        coalesce_window: Seconds for which single ``status`` and ``refill_status`` calls wait for company, to
            be asked in one request; 0 means those of the same tick of the event loop.
        chunk_size: Ids in one request, 1 to 100.
        user_agent: The ``User-Agent`` header, where a panel wants a certain one.
        transport: ``"aiohttp"`` sends reads through aiohttp, which is faster (asyncio only, extra
            ``aiohttp``); writes always go through our own connections, which prove what was sent.
        http2: Speak HTTP/2 with panels that offer it (extra ``http2``).
        proxy: A proxy's address. Without it, the environment's proxies are not used.
        ssl_context: How certificates are checked.
        error_phrases: Words of this panel's refusals and the error class each means, looked up
            before the built-in ones: ``{"bakiye yok": InsufficientFundsError}``.
        on_event: A function that is told of calls, requests and retries as they happen, in
            the task in which they do (``followersdata_async.events``). It should be quick; what
            it raises is logged.

    Raises:
        ConfigurationError: no key, or an address that cannot be used.
        ValueError: a number out of its bounds.
        TypeError: something of another type.

    Every call raises ``ConfigurationError`` outside ``async with`` or on another
    event loop, and besides what it lists: ``AuthenticationError`` and the other
    ``PanelError`` classes; of reads ``TransportError`` and ``DecodeError``; of
    writes ``NotSentError`` and ``OutcomeUnknownError``.
    """

    def __init__(  # noqa: PLR0913 - settings, each by its keyword and with a default
        self,
        api_key: str | None = None,
        *,
        url: str | None = None,
        http: HttpClient | None = None,
        concurrency: int = 16,
        timeout: float = 60.0,
        attempt_timeout: float = 20.0,
        retry: RetryPolicy | None = RetryPolicy(),
        rate_limit: Limiter | PostgresRateLimit | None = None,
        coalesce_window: float = 0.0,
        chunk_size: int = 100,
        transport: Literal["aiohttp"] | None = None,
        http2: bool = False,
        user_agent: str | None = None,
        proxy: str | None = None,
        ssl_context: SSLContext | None = None,
        error_phrases: Mapping[str, type[PanelError]] | None = None,
        on_event: Listener | None = None,
    ) -> None:
        # A traceback shows what frames hold.
        api_key = hidden(api_key)
        environment = environment_of(os.environ)
        self._settings = settings = Settings(
            api_key=key_from(api_key, environment),
            url=url_from(url, environment),
            concurrency=concurrency,
            timeout=timeout,
            attempt_timeout=attempt_timeout,
            retry=retry,
            coalesce_window=coalesce_window,
            chunk_size=chunk_size,
            transport=transport,
            http2=http2,
            user_agent=user_agent,
            proxy=proxy,
            ssl_context=ssl_context,
            error_phrases=error_phrases or {},
        )
        self.events: Listeners = Listeners()
        if on_event is not None:
            self.events.add(on_event)
        retrying = Retrying(
            policy=settings.retry,
            budget=RetryBudget(),
            timeout=settings.timeout,
            chance=random.random,
            clock=time.time,
            sleep=anyio.sleep,
            events=self.events,
        )
        self._line = Line(
            transport_for(settings, http),
            retrying,
            settings.words,
            limiter_for(rate_limit, settings.account),
            self.events,
        )
        self._single_statuses = Coalescing(self._line, asking.STATUS, settings.chunk_size, settings.coalesce_window)
        self._single_refill_statuses = Coalescing(
            self._line, asking.REFILL_STATUS, settings.chunk_size, settings.coalesce_window
        )
        self._services = CachedServices(self._read_services, anyio.current_time)
        self._loop: object = None

    @property
    def url(self) -> str:
        """The API's address (panel-api §1)."""
        return self._settings.url

    def __repr__(self) -> str:
        """The address, never the key."""
        settings: Settings | None = getattr(self, "_settings", None)
        return f"<AsyncClient of {'nothing yet' if settings is None else settings.url}>"

    async def __aenter__(self) -> Self:
        """Open the client on the running event loop. It can be opened once."""
        if self._loop is not None:
            msg = "the client was opened before: make a new AsyncClient for each `async with`"
            raise ConfigurationError(msg)
        await self._line.transport.open()
        self._loop = anyio.lowlevel.current_token()
        return self

    def __del__(self, warn: Callable[..., None] = warnings.warn) -> None:
        """Say that a client was forgotten; closing it here would need its event loop."""
        loop = getattr(self, "_loop", None)
        if loop is not None and loop is not CLOSED:
            warn(f"unclosed {self!r}: use it as `async with`", ResourceWarning, source=self, stacklevel=2)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client's own connections; a lent client stays open.

        Orders, refills and cancellations that are on their way are waited for,
        at most ``attempt_timeout`` seconds: cut off, nobody would know of them.
        """
        self._loop = CLOSED
        await self._line.aclose()

    # --- reads of the account

    async def services(self, *, max_age: float = 0) -> list[Service]:
        """The catalogue: one request, or none where this client read it ``max_age`` seconds ago (panel-api §3).

        It changes seldom and is large, and some panels allow few requests for
        it: an hour is a good age. Callers that ask at the same time share one
        request, if they allow any age.

        Raises:
            ValueError: ``max_age`` is negative.
        """
        if not max_age >= 0:
            msg = f"max_age is {max_age}, but must be 0 seconds or more"
            raise ValueError(msg)
        return await self._services.get(max_age) if max_age else await self._read_services()

    async def balance(self) -> Balance:
        """What the account has: one request (panel-api §9)."""
        return await self._ask(encoding.balance_request(), answers.balance)

    # --- orders

    async def add(self, order: Order) -> PlacedOrder:
        """Place an order: one request, which costs money and is never sent twice (panel-api §4).

        It is sent again only where it is proven that nothing had left.

        Raises:
            NotSentError: nothing was sent; the order was not placed.
            OutcomeUnknownError: it was sent, and nobody knows: look before you repeat.
            InvalidOrderError, ServiceNotFoundError, InsufficientFundsError: as named.
            ConflictError: the same link is still active.
        """
        return await self._ask(encoding.add_request(order.fields()), answers.placed_order)

    async def status(self, order: Id) -> OrderStatus:
        """One order's status (panel-api §5): one request for all calls of this tick, or of ``coalesce_window`` seconds.

        Up to ``chunk_size`` ids share one, the same id is asked once, and a
        call that is alone sends the single form. Each caller gets its own
        value or its own exception.

        Raises:
            OrderNotFoundError: the panel does not know the order.
        """
        self._opened()
        with Call(self.events, "status", "status", ids=1):
            return await self._single_statuses.get(order)

    async def multi_status(self, orders: Iterable[Id]) -> BatchResult[OrderStatus]:
        """The status of any number of orders: one request for each ``chunk_size`` of them (panel-api §5).

        Duplicates are asked once; outcomes come in the order asked. A chunk
        that fails is ``Failed`` for its ids alone.

        Raises:
            AuthenticationError: the key was refused; ``.result`` has what is known.
        """
        return await self._many("multi_status", asking.STATUS, orders)

    def stream_status(self, orders: Iterable[Id] | AsyncIterable[Id]) -> dispatch.Outcomes[OrderStatus]:
        """The status of any number of orders, lazily read, as chunks finish (panel-api §5).

        ``async with panel.stream_status(ids) as outcomes: async for outcome in outcomes: …``

        One request for each ``chunk_size`` of them. An order that comes again
        after its chunk was answered is asked again.

        Raises:
            AuthenticationError: while reading: the key was refused, after all outcomes that are known.
        """
        return self._stream("stream_status", asking.STATUS, orders)

    @overload
    def watch(
        self, orders: Iterable[Id], *, poll_policy: PollPolicy = ..., include_failures: Literal[False] = False
    ) -> Changes[Change]: ...
    @overload
    def watch(
        self, orders: Iterable[Id], *, poll_policy: PollPolicy = ..., include_failures: Literal[True]
    ) -> Changes[Event]: ...
    def watch(
        self, orders: Iterable[Id], *, poll_policy: PollPolicy = PollPolicy(), include_failures: bool = False
    ) -> Changes[Change] | Changes[Event]:
        """The changes of orders, the first sighting of each included, until all are final (panel-api §5).

        ``async with panel.watch(ids) as changes: async for change in changes: …``

        Orders are looked at as ``poll_policy`` says; those that are due share
        requests. Dead requests, rate limits and missing rows are survived:
        their orders are looked at again later. ``include_failures`` tells of
        them, too, as ``Refused``, ``Unreported`` and ``Failed``. An order that
        never ends is watched for ever; one that the panel does not know is
        given up after ``poll_policy.max_not_found`` looks. ``changes.known`` has what is
        known of every order, at any moment.

        Raises:
            AuthenticationError: while reading: the key was refused; ``.result`` has what is known.
        """
        told = (Change, Refused, Unreported, Failed) if include_failures else (Change,)
        return Changes(
            self._opened(),
            orders,
            poll_policy,
            told=told,
            chunk_size=self._settings.chunk_size,
            concurrency=self._settings.concurrency,
        )

    async def wait_until_final(
        self,
        orders: Iterable[Id],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - a scope from outside would lose what is known
        poll_policy: PollPolicy = PollPolicy(),
    ) -> BatchResult[OrderStatus]:
        """The final status of every order, watched as by ``watch`` for up to ``timeout`` seconds (panel-api §5).

        ``None`` waits as long as it takes, ``0`` looks once at each order. An
        order that the panel does not know is ``Refused`` in the result.

        Raises:
            PollTimeoutError: some are not final yet; ``.result`` has what is known.
            AuthenticationError: the key was refused; ``.result`` has what is known.
        """
        return await finals(
            self._opened(),
            orders,
            poll_policy,
            patience=timeout,
            chunk_size=self._settings.chunk_size,
            concurrency=self._settings.concurrency,
        )

    # --- refills

    async def refill(self, order: Id) -> Refill:
        """Ask for a refill of one order: one request, never sent twice (panel-api §6).

        Raises:
            OrderNotFoundError, NotSupportedError, ConflictError: as named.
            NotSentError: nothing was sent.
            OutcomeUnknownError: it was sent, and nobody knows.
        """
        line = self._opened()
        with Call(self.events, "refill", "refill", ids=1):
            return await asking.alone(line, asking.REFILL, order)

    async def multi_refill(self, orders: Iterable[Id]) -> BatchResult[Refill]:
        """Ask for refills of any number of orders: one request for each ``chunk_size`` (panel-api §6).

        No chunk is sent twice: one whose answer is lost is ``Failed`` with an
        ``OutcomeUnknownError`` for its ids.

        Raises:
            AuthenticationError: the key was refused; ``.result`` has what is known.
        """
        return await self._many("multi_refill", asking.REFILL, orders)

    def stream_refill(self, orders: Iterable[Id] | AsyncIterable[Id]) -> dispatch.Outcomes[Refill]:
        """Ask for refills of any number of orders, lazily read, as chunks finish (panel-api §6).

        One request for each ``chunk_size`` of them. A write: an order that
        comes again after its chunk was answered is asked for again, so give
        each once.

        Raises:
            AuthenticationError: while reading: the key was refused, after all outcomes that are known.
        """
        return self._stream("stream_refill", asking.REFILL, orders)

    async def refill_status(self, refill: Id) -> RefillStatus:
        """One refill's status, by the refill's id (panel-api §7); calls share requests as those of ``status`` do.

        Raises:
            RefillNotFoundError: the panel does not know the refill.
        """
        self._opened()
        with Call(self.events, "refill_status", "refill_status", ids=1):
            return await self._single_refill_statuses.get(refill)

    async def multi_refill_status(self, refills: Iterable[Id]) -> BatchResult[RefillStatus]:
        """The status of any number of refills: one request for each ``chunk_size`` (panel-api §7).

        Raises:
            AuthenticationError: the key was refused; ``.result`` has what is known.
        """
        return await self._many("multi_refill_status", asking.REFILL_STATUS, refills)

    def stream_refill_status(self, refills: Iterable[Id] | AsyncIterable[Id]) -> dispatch.Outcomes[RefillStatus]:
        """The status of any number of refills, lazily read, as chunks finish (panel-api §7).

        One request for each ``chunk_size`` of them.

        Raises:
            AuthenticationError: while reading: the key was refused, after all outcomes that are known.
        """
        return self._stream("stream_refill_status", asking.REFILL_STATUS, refills)

    # --- cancellations

    async def cancel(self, orders: Iterable[Id]) -> BatchResult[Cancellation]:
        """Ask to cancel any number of orders: one request for each ``chunk_size`` (panel-api §8).

        ``Ok`` means *asked for*, not *cancelled*: the orders' status tells. No
        chunk is sent twice: one whose answer is lost is ``Failed`` with an
        ``OutcomeUnknownError`` for its ids.

        Raises:
            AuthenticationError: the key was refused; ``.result`` has what is known.
        """
        return await self._many("cancel", asking.CANCEL, orders)

    def stream_cancel(self, orders: Iterable[Id] | AsyncIterable[Id]) -> dispatch.Outcomes[Cancellation]:
        """Ask to cancel any number of orders, lazily read, as chunks finish (panel-api §8).

        One request for each ``chunk_size`` of them. A write: an order that
        comes again after its chunk was answered is asked for again, so give
        each once.

        Raises:
            AuthenticationError: while reading: the key was refused, after all outcomes that are known.
        """
        return self._stream("stream_cancel", asking.CANCEL, orders)

    # --- the line

    async def _read_services(self) -> list[Service]:
        return await self._ask(encoding.services_request(), answers.services)

    async def _ask(self, request: Request, read: Callable[[Request, Answer, Words], T]) -> T:
        line = self._opened()
        with Call(self.events, request.action, request.action):
            return await line.ask(request, read, Trail())

    async def _many(self, method: str, batch: asking.Batch[T], ids: Iterable[Id]) -> BatchResult[T]:
        return await dispatch.gathered(
            self._opened(),
            batch,
            ids,
            chunk_size=self._settings.chunk_size,
            concurrency=self._settings.concurrency,
            method=method,
        )

    def _stream(
        self, method: str, batch: asking.Batch[T], ids: Iterable[Id] | AsyncIterable[Id]
    ) -> dispatch.Outcomes[T]:
        return dispatch.Outcomes(
            self._opened(),
            batch,
            dispatch.Given(ids, self._settings.chunk_size),
            width=self._settings.concurrency,
            method=method,
        )

    def _opened(self) -> Line:
        """The line, where the client may be used: between opening and closing, on its own loop."""
        if self._loop is None:
            msg = "the client is not open: use it as `async with AsyncClient(…) as panel`"
            raise ConfigurationError(msg)
        if self._loop is CLOSED:
            msg = "the client is closed: use it inside its `async with`"
            raise ConfigurationError(msg)
        if self._loop != anyio.lowlevel.current_token():
            msg = "the client was opened on another event loop: make one client for each loop"
            raise ConfigurationError(msg)
        return self._line


CLOSED = object()
