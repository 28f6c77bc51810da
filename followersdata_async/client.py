"""The client: each method names the steps of one call, and decides nothing."""

from __future__ import annotations

import os
import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING, Literal, Self, TypeVar, overload

import anyio

from ._batch.chunk import send_one
from ._batch.coalesce import Coalescer
from ._batch.operations import CANCEL, REFILL, REFILL_STATUS, STATUS, Operation
from ._batch.outcomes import Outcomes, collect_outcomes
from ._batch.sources import DEFAULT_MAX_CHUNK_WAIT, make_source
from ._batch.stream import ChunkStream, OpenStreams
from ._catalogue import ServicesCache
from ._instrumentation import Call, Listeners
from ._pipeline import Pipeline
from ._polling.policy import PollPolicy
from ._polling.watch import Changes, wait_until_final
from ._retry import DEFAULT_MAX_RETRY_AFTER, RetryPolicy
from ._settings import (
    DEFAULT_ATTEMPT_TIMEOUT,
    DEFAULT_CONCURRENCY,
    DEFAULT_MAX_REQUEST_BYTES,
    DEFAULT_TIMEOUT,
    Settings,
    build_body_format,
    build_words,
    hide,
    read_environment,
    resolve_api_key,
    resolve_url,
)
from ._transport import create_transport
from ._validators import check_duration
from ._wire.encoding import encode_add, encode_balance, encode_services
from ._wire.messages import SendState
from ._wire.reads import decode_balance, decode_services
from ._wire.writes import decode_placed_order
from .errors import ConfigurationError
from .models import MAX_CHUNK_SIZE, Change, Failed, Refused, Unreported, format_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from ssl import SSLContext
    from types import TracebackType

    from ._pipeline import Decode
    from ._transport import HttpClient
    from ._wire.messages import Request
    from .errors import PanelError
    from .events import Listener
    from .models import (
        Balance,
        BatchResult,
        Cancellation,
        Catalogue,
        Id,
        OrderInput,
        OrderState,
        OrderStatus,
        PlacedOrder,
        Refill,
        RefillState,
        RefillStatus,
        WatchEvent,
    )
    from .rate_limit.base import Limiter, SharedLimiter

T = TypeVar("T")


class AsyncClient:
    """A client for followersdata.com and panels with the same API. Runs on asyncio and on trio.

    Use it as ``async with AsyncClient() as client``.

    Args:
        api_key: The panel's key; ``None`` reads ``FOLLOWERSDATA_API_KEY``, or the
            file that ``FOLLOWERSDATA_API_KEY_FILE`` names.
        url: The API's full address; ``None`` reads ``FOLLOWERSDATA_API_URL``,
            else https://followersdata.com/api/v2. ``http://`` is for this machine only.
        http: A custom ``httpx.AsyncClient`` (or ``httpx2.AsyncClient``): used, never
            configured, never closed. It cannot prove what it sent, so any failed
            write through it is an ``OutcomeUnknownError``.
        concurrency: Requests in flight at once, over all calls of this client.
        timeout: Seconds for one request with its retries: waiting, attempts, delays. A write that
            was sent by then is still awaited, up to ``attempt_timeout``.
        attempt_timeout: Seconds for one attempt.
        retry: A ``RetryPolicy``, or ``None`` for no retries at all.
        max_retry_after: The longest time in seconds that a panel can make this client wait: with
            ``Retry-After``, ``X-RateLimit-Reset`` or ``RateLimit-Reset`` when no requests are
            left, or ``retry_after`` in the body of a response that rejects too many. Until it is
            over, or this time if that is shorter, no request of the client is sent, and no order
            is polled again. A request that would have to wait for longer than this is not
            retried. With 0 the client never waits.
        rate_limit: A limiter, e.g. ``RateLimit(10, per=1.0)``, or ``PostgresRateLimit`` for many
            processes; ``None`` means no limit. A panel that asks to wait pauses the limiter for all
            of its clients.
        coalesce_window: Seconds for which single ``status`` and ``refill_status`` calls wait for
            others, to share a request; 0 merges the calls of one tick of the event loop.
        chunk_size: Ids in one request, 1 to 100.
        max_request_bytes: The largest body of a request, 8 MiB, which is PHP's default; ``None`` means no
            limit. A larger one, e.g. of an order with very many comments, is not sent.
        user_agent: The ``User-Agent`` header, where a panel wants a certain one.
        proxy: A proxy's address. Without it, the environment's proxies are not used.
        ssl_context: How certificates are checked.
        key_field: The name of the form field with the key, where a panel wants another one.
        json_body: Whether requests are sent as JSON instead of a form.
        error_phrases: Phrases of this panel's rejections and the error class of each, checked
            before the built-in ones: ``{"bakiye yok": InsufficientFundsError}``.
        status_words: Status words of this panel and the state of each, compared without case,
            accents and punctuation, before the built-in ones: ``{"yayında": OrderState.ACTIVE}``.
            An ``OrderState`` is of orders, a ``RefillState`` of refills.
        on_event: A function that is called with calls, requests and retries as they happen
            (``followersdata_async.events``), in the task in which they do. It should be quick.
            Its exceptions are logged.

    Raises:
        ConfigurationError: no key, or an address that cannot be used.
        ValueError: a number out of its bounds.
        TypeError: something of another type.

    Every call raises ``ConfigurationError`` outside ``async with`` or on another
    event loop. So does every stream and watch outside its own ``async with``, and
    when the client is closed while it is read, after what is known. Besides the
    errors that a method lists, every call can raise ``AuthenticationError`` and the
    other ``PanelError`` classes; reads also raise ``TransportError`` and
    ``DecodeError``, and writes ``NotSentError`` and ``OutcomeUnknownError``.
    """

    def __init__(  # noqa: PLR0913 - settings, each by its keyword and with a default
        self,
        api_key: str | None = None,
        *,
        url: str | None = None,
        http: HttpClient | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
        timeout: float = DEFAULT_TIMEOUT,
        attempt_timeout: float = DEFAULT_ATTEMPT_TIMEOUT,
        retry: RetryPolicy | None = RetryPolicy(),
        max_retry_after: float = DEFAULT_MAX_RETRY_AFTER,
        rate_limit: Limiter | SharedLimiter | None = None,
        coalesce_window: float = 0.0,
        chunk_size: int = MAX_CHUNK_SIZE,
        max_request_bytes: int | None = DEFAULT_MAX_REQUEST_BYTES,
        user_agent: str | None = None,
        proxy: str | None = None,
        ssl_context: SSLContext | None = None,
        key_field: str = "key",
        json_body: bool = False,
        error_phrases: Mapping[str, type[PanelError]] | None = None,
        status_words: Mapping[str, OrderState | RefillState] | None = None,
        on_event: Listener | None = None,
    ) -> None:
        # A traceback can show the frame's locals.
        api_key = hide(api_key)
        environment = read_environment(os.environ)
        settings = Settings(
            api_key=resolve_api_key(api_key, environment),
            url=resolve_url(url, environment),
            concurrency=concurrency,
            timeout=timeout,
            attempt_timeout=attempt_timeout,
            retry=retry,
            max_retry_after=max_retry_after,
            coalesce_window=coalesce_window,
            chunk_size=chunk_size,
            max_request_bytes=max_request_bytes,
            user_agent=user_agent,
            proxy=proxy,
            ssl_context=ssl_context,
            body_format=build_body_format(key_field, json_body),
            words=build_words(error_phrases, status_words),
        )
        self.events: Listeners = Listeners()
        if on_event is not None:
            self.events.add(on_event)
        self._pipeline = Pipeline(settings, create_transport(settings, http), rate_limit=rate_limit, events=self.events)
        self._status_coalescer = Coalescer(self._pipeline, STATUS)
        self._refill_status_coalescer = Coalescer(self._pipeline, REFILL_STATUS)
        self._streams = OpenStreams()
        self._services_cache = ServicesCache(self._request_services, anyio.current_time)

    @property
    def url(self) -> str:
        """The API's address (panel-api §1)."""
        return self._pipeline.settings.url

    @property
    def max_retry_after(self) -> float:
        """The longest time in seconds for which the panel can make this client wait (panel-api §1.3)."""
        return self._pipeline.settings.max_retry_after

    def __repr__(self) -> str:
        """Return the address, never the key."""
        pipeline: Pipeline | None = getattr(self, "_pipeline", None)
        return f"<AsyncClient of {'nothing yet' if pipeline is None else pipeline.settings.url}>"

    async def __aenter__(self) -> Self:
        """Open the client on the running event loop. It can be opened once."""
        await self._pipeline.open()
        return self

    def __del__(self, warn: Callable[..., None] = warnings.warn) -> None:
        """Warn about a client that was not closed. Closing it here would need its event loop."""
        pipeline: Pipeline | None = getattr(self, "_pipeline", None)
        if pipeline is not None and pipeline.is_open:
            warn(f"unclosed {self!r}: use it as `async with`", ResourceWarning, source=self, stacklevel=2)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client's own connections. A custom client stays open.

        Orders, refills and cancellations in flight are awaited, for at most
        ``attempt_timeout`` seconds. Otherwise their outcome would be unknown.
        Streams, watches and single reads that share a request end with a
        ``ConfigurationError``.
        """
        try:
            await self._end_calls()
        finally:
            await self._pipeline.aclose()

    async def _end_calls(self) -> None:
        """Reject new calls, and end those that have no end of their own, or run in a task of nobody's."""
        try:
            self._pipeline.check_open()
        except ConfigurationError:
            # It was never opened, or on another event loop, which has ended with its tasks.
            return
        self._pipeline.mark_closed()
        await self._streams.end_all()
        await self._status_coalescer.aclose()
        await self._refill_status_coalescer.aclose()

    # --- reads of the account

    async def services(self, *, max_age: float = 0) -> Catalogue:
        """Return the catalogue: one request, or none if the last one is at most ``max_age`` seconds old (panel-api §3).

        The catalogue is large and rarely changes, and some panels allow few
        requests for it: an hour is a good age. Concurrent calls with an age
        share one request, and its error. A call without an age always sends its
        own, whose result later calls with an age can get. ``.unreadable`` of the list has
        the rows that are left out.

        Raises:
            ValueError: ``max_age`` is negative.
        """
        if not max_age >= 0:
            msg = f"max_age is {max_age}, but must be 0 seconds or more"
            raise ValueError(msg)
        self._pipeline.check_open()
        return await self._services_cache.get(max_age)

    async def balance(self) -> Balance:
        """Return the account's balance: one request (panel-api §9)."""
        return await self._execute(encode_balance(), decode_balance)

    # --- orders

    async def add(self, order: OrderInput) -> PlacedOrder:
        """Place an order: one request, which costs money and is never sent twice (panel-api §4).

        It is retried only if it is proven that nothing was sent.

        Raises:
            NotSentError: nothing was sent; the order was not placed.
            RequestTooLargeError: it is larger than ``max_request_bytes``; nothing was sent.
            OutcomeUnknownError: it was sent, and its outcome is unknown. Check the panel before you order again.
            InvalidOrderError, ServiceNotFoundError, InsufficientFundsError: the panel rejected it.
            ConflictError: the same link is still active.
        """
        return await self._execute(encode_add(order.fields()), decode_placed_order)

    async def status(self, order: Id) -> OrderStatus:
        """Return the status of one order (panel-api §5).

        All calls of one tick of the event loop, or of ``coalesce_window``
        seconds, share one request for up to ``chunk_size`` ids. The same id is
        sent once, and a single call uses the form for single ids. Each caller
        gets its own value or its own exception.

        Raises:
            OrderNotFoundError: the panel does not know the order.
        """
        self._pipeline.check_open()
        with self._observe("status", ids=1):
            return await self._status_coalescer.get(order)

    async def multi_status(self, orders: Iterable[Id]) -> BatchResult[OrderStatus]:
        """Return the status of any number of orders: one request for each ``chunk_size`` of them (panel-api §5).

        Duplicates are sent once. Outcomes are in the order of ``orders``. If a
        chunk fails, only its ids are ``Failed``.

        Raises:
            AuthenticationError: the key was rejected; ``.result`` has what is known.
        """
        return await self._collect("multi_status", STATUS, orders)

    def stream_status(
        self, orders: Iterable[Id] | AsyncIterable[Id], *, max_chunk_wait: float = DEFAULT_MAX_CHUNK_WAIT
    ) -> Outcomes[OrderStatus]:
        """Stream the status of any number of orders, as their chunks finish (panel-api §5).

        ``async with client.stream_status(ids) as outcomes: async for outcome in outcomes: …``

        ``orders`` is read lazily. One request for each ``chunk_size`` of them. An
        order that comes again after its chunk has finished is sent again. From an
        async iterable, ids wait for others to fill a request for up to
        ``max_chunk_wait`` seconds; with 0 they are sent as they come.

        Raises:
            ValueError: ``max_chunk_wait`` is negative.
            AuthenticationError: while reading: the key was rejected, after all outcomes that are known.
        """
        return self._stream("stream_status", STATUS, orders, max_chunk_wait)

    @overload
    def watch(
        self, orders: Iterable[Id], *, poll_policy: PollPolicy = ..., include_failures: Literal[False] = False
    ) -> Changes[Change]: ...
    @overload
    def watch(
        self, orders: Iterable[Id], *, poll_policy: PollPolicy = ..., include_failures: Literal[True]
    ) -> Changes[WatchEvent]: ...
    @overload
    def watch(
        self, orders: Iterable[Id], *, poll_policy: PollPolicy = ..., include_failures: bool
    ) -> Changes[Change] | Changes[WatchEvent]: ...
    def watch(
        self, orders: Iterable[Id], *, poll_policy: PollPolicy = PollPolicy(), include_failures: bool = False
    ) -> Changes[Change] | Changes[WatchEvent]:
        """Watch orders, and yield their changes until all of them are final (panel-api §5).

        ``async with client.watch(ids) as changes: async for change in changes: …``

        The first status of each order is a change, too. Orders are polled as
        ``poll_policy`` says, and those that are due share requests. Failed
        requests, rate limits and missing rows are survived: their orders are
        polled again later. ``include_failures`` yields them, too, as
        ``Refused``, ``Unreported`` and ``Failed``. An order that never ends is
        watched forever; one that the panel does not know is given up after
        ``poll_policy.max_not_found`` polls. ``changes.known`` has what is known
        of every order at any moment.

        Raises:
            AuthenticationError: while reading: the key was rejected; ``.result`` has what is known.
        """
        self._pipeline.check_open()
        event_types = (Change, Refused, Unreported, Failed) if include_failures else (Change,)
        return Changes(self._pipeline, orders, poll_policy, event_types=event_types, streams=self._streams)

    async def wait_until_final(
        self,
        orders: Iterable[Id],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - a scope from outside would lose what is known
        poll_policy: PollPolicy = PollPolicy(),
    ) -> BatchResult[OrderStatus]:
        """Watch orders until they are final, for up to ``timeout`` seconds, and return their status (panel-api §5).

        ``None`` waits as long as it takes, ``0`` polls each order once. An order
        that the panel does not know is ``Refused`` in the result.

        Raises:
            PollTimeoutError: some are not final yet; ``.result`` has what is known.
            AuthenticationError: the key was rejected; ``.result`` has what is known.
            ConfigurationError: the client was closed in the meantime.
        """
        self._pipeline.check_open()
        return await wait_until_final(self._pipeline, orders, poll_policy, timeout=timeout, streams=self._streams)

    # --- refills

    async def refill(self, order: Id) -> Refill:
        """Request a refill of one order: one request, never sent twice (panel-api §6).

        Raises:
            OrderNotFoundError, NotSupportedError, ConflictError: the panel rejected it.
            NotSentError: nothing was sent.
            OutcomeUnknownError: it was sent, and its outcome is unknown.
        """
        self._pipeline.check_open()
        with self._observe("refill", ids=1):
            return await send_one(self._pipeline, REFILL, format_id(order), order)

    async def multi_refill(self, orders: Iterable[Id]) -> BatchResult[Refill]:
        """Request refills of any number of orders: one request for each ``chunk_size`` (panel-api §6).

        No chunk is sent twice. If a response is lost, the ids of its chunk are
        ``Failed`` with an ``OutcomeUnknownError``.

        Raises:
            AuthenticationError: the key was rejected; ``.result`` has what is known.
        """
        return await self._collect("multi_refill", REFILL, orders)

    def stream_refill(
        self, orders: Iterable[Id] | AsyncIterable[Id], *, max_chunk_wait: float = DEFAULT_MAX_CHUNK_WAIT
    ) -> Outcomes[Refill]:
        """Request refills of any number of orders, and stream the outcomes as their chunks finish (panel-api §6).

        ``orders`` is read lazily. One request for each ``chunk_size`` of them. This
        is a write: an order that comes again after its chunk has finished is
        sent again, so pass each one once. ``max_chunk_wait`` as in ``stream_status``.

        Raises:
            ValueError: ``max_chunk_wait`` is negative.
            AuthenticationError: while reading: the key was rejected, after all outcomes that are known.
        """
        return self._stream("stream_refill", REFILL, orders, max_chunk_wait)

    async def refill_status(self, refill: Id) -> RefillStatus:
        """Return the status of one refill, by the refill's id (panel-api §7). Calls share requests as in ``status``.

        Raises:
            RefillNotFoundError: the panel does not know the refill.
        """
        self._pipeline.check_open()
        with self._observe("refill_status", ids=1):
            return await self._refill_status_coalescer.get(refill)

    async def multi_refill_status(self, refills: Iterable[Id]) -> BatchResult[RefillStatus]:
        """Return the status of any number of refills: one request for each ``chunk_size`` (panel-api §7).

        Raises:
            AuthenticationError: the key was rejected; ``.result`` has what is known.
        """
        return await self._collect("multi_refill_status", REFILL_STATUS, refills)

    def stream_refill_status(
        self, refills: Iterable[Id] | AsyncIterable[Id], *, max_chunk_wait: float = DEFAULT_MAX_CHUNK_WAIT
    ) -> Outcomes[RefillStatus]:
        """Stream the status of any number of refills, as their chunks finish (panel-api §7).

        ``refills`` is read lazily. One request for each ``chunk_size`` of them.
        ``max_chunk_wait`` as in ``stream_status``.

        Raises:
            ValueError: ``max_chunk_wait`` is negative.
            AuthenticationError: while reading: the key was rejected, after all outcomes that are known.
        """
        return self._stream("stream_refill_status", REFILL_STATUS, refills, max_chunk_wait)

    # --- cancellations

    async def cancel(self, orders: Iterable[Id]) -> BatchResult[Cancellation]:
        """Request the cancellation of any number of orders: one request for each ``chunk_size`` (panel-api §8).

        ``Ok`` means that the cancellation was *requested*: poll the status for
        the result. No chunk is sent twice. If a response is lost, the ids of its
        chunk are ``Failed`` with an ``OutcomeUnknownError``.

        Raises:
            AuthenticationError: the key was rejected; ``.result`` has what is known.
        """
        return await self._collect("cancel", CANCEL, orders)

    def stream_cancel(
        self, orders: Iterable[Id] | AsyncIterable[Id], *, max_chunk_wait: float = DEFAULT_MAX_CHUNK_WAIT
    ) -> Outcomes[Cancellation]:
        """Request cancellations of any number of orders, and stream the outcomes as their chunks finish (panel-api §8).

        ``orders`` is read lazily. One request for each ``chunk_size`` of them. This
        is a write: an order that comes again after its chunk has finished is
        sent again, so pass each one once. ``max_chunk_wait`` as in ``stream_status``.

        Raises:
            ValueError: ``max_chunk_wait`` is negative.
            AuthenticationError: while reading: the key was rejected, after all outcomes that are known.
        """
        return self._stream("stream_cancel", CANCEL, orders, max_chunk_wait)

    # --- shared by the methods above

    async def _request_services(self) -> Catalogue:
        return await self._execute(encode_services(), decode_services)

    def _observe(self, action: str, ids: int = 0) -> AbstractContextManager[object]:
        """Return a context that emits the events of a call, if there are listeners."""
        return Call(self.events, action, action, ids=ids) if self.events.is_active else nullcontext()

    async def _execute(self, request: Request, decode: Decode[T]) -> T:
        self._pipeline.check_open()
        with self._observe(request.action):
            return await self._pipeline.execute(request, decode, SendState())

    async def _collect(self, method: str, operation: Operation[T], ids: Iterable[Id]) -> BatchResult[T]:
        self._pipeline.check_open()
        return await collect_outcomes(self._pipeline, operation, ids, method=method)

    def _stream(
        self, method: str, operation: Operation[T], ids: Iterable[Id] | AsyncIterable[Id], max_chunk_wait: float
    ) -> Outcomes[T]:
        self._pipeline.check_open()
        check_duration("max_chunk_wait", max_chunk_wait, zero=True)
        source = make_source(ids, self._pipeline.settings.chunk_size, max_chunk_wait=max_chunk_wait)
        # A worker that had to wait for the reader would leave its connection idle.
        max_waiting = self._pipeline.settings.concurrency
        return Outcomes(
            ChunkStream(
                self._pipeline, operation, source, method=method, max_waiting=max_waiting, streams=self._streams
            )
        )
