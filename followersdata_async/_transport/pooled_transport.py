"""Sends requests through our own pool, with proof of what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import httpx

from .._concurrency import run_to_completion
from .._wire.encoding import encode_form
from .._wire.envelope import no_usable_response
from .error_mapping import describe_error, find_foreign_errors
from .httpx_transport import build_headers
from .response import UnusableBodyError, read_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from .._concurrency import Commit
    from .._settings import Settings
    from .._wire.messages import Request, Response, SendState
    from .connection_pool import ConnectionPool

_RAISED_BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""What httpx raises before a request is sent. Only used where no trace was seen, as with a mock.

The same classes of other libraries prove nothing: aiohttp's lost connections also become ``ConnectTimeout``.
"""


class PooledTransport:
    """Sends through a pool that belongs to one client.

    A write that was sent runs to completion even if its caller is cancelled,
    within ``attempt_timeout``: otherwise its outcome would never be known.
    ``libraries`` are used by a shard instead of httpcore. Their exceptions are
    mapped, but prove nothing.
    """

    def __init__(self, settings: Settings, pool: ConnectionPool, *libraries: str) -> None:
        self._settings = settings
        self._pool = pool
        self._url = httpx.URL(settings.url)
        self._headers = httpx.Headers(build_headers(settings))
        self._foreign_errors = find_foreign_errors("httpx", *libraries)
        self._before_sending = () if libraries else _RAISED_BEFORE_SENDING
        self._timeout_errors = (TimeoutError,) if libraries else (TimeoutError, httpx.TimeoutException)

    async def open(self) -> None:
        """Prepare the pool. No connection is made yet."""
        await self._pool.open()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    async def send(self, request: Request, state: SendState) -> Response:
        """Send one request once and read the whole response.

        Raises:
            NotSentError: proven by httpcore's trace: no byte of the request was sent.
            OutcomeUnknownError: a write: it was sent, and no whole response arrived.
            RequestTimeoutError: a read: no whole response within ``attempt_timeout``.
            PanelUnavailableError: a read: the connection or the body failed.
        """
        with self._pool.lease() as shard:
            try:
                if request.is_write:
                    return await run_to_completion(lambda commit: self._exchange(shard, request, state, commit))
                return await self._exchange(shard, request, state, None)
            except UnusableBodyError as error:
                raise no_usable_response(request, str(error)) from error
            except self._foreign_errors as error:
                if isinstance(error, self._before_sending):
                    state.mark_not_sent()
                is_timeout = isinstance(error, self._timeout_errors)
                timeout = f"no whole answer within {self._settings.attempt_timeout:g} s"
                reason = timeout if is_timeout else describe_error(error)
                raise no_usable_response(request, reason, sent=state.sent, is_timeout=is_timeout) from error

    async def _exchange(
        self, shard: httpx.AsyncBaseTransport, request: Request, state: SendState, commit: Commit | None
    ) -> Response:
        with anyio.fail_after(self._settings.attempt_timeout):
            outgoing = self._build_request(request, _SendTrace(state, commit))
            state.mark_handed_over()
            response = await shard.handle_async_request(outgoing)
            return await read_response(response, request, self._settings.api_key)

    def _build_request(self, request: Request, trace: _SendTrace) -> httpx.Request:
        body = encode_form(request, self._settings.api_key)
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), self._settings.attempt_timeout)
        outgoing = httpx.Request(
            "POST",
            self._url,
            headers=self._headers,
            content=body,
            extensions={"timeout": timeouts, "trace": trace},
        )
        outgoing.stream = _SinglePieceBody(body)
        return outgoing


class _SinglePieceBody(httpx.AsyncByteStream):
    """A body in one piece. httpx's own is a generator, which a failed write leaves to the garbage collector."""

    def __init__(self, body: bytes) -> None:
        self._pieces = [body]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()


class _SendTrace:
    """A trace hook that records when the first byte of a request is sent, and closes what httpcore forgets.

    ``commit`` is called at that moment, for what must run to completion.
    """

    def __init__(self, state: SendState, commit: Commit | None) -> None:
        self._state = state
        self._commit = commit
        self._connection: Any = None

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Handle one event. A CONNECT request to a proxy is not the request."""
        if getattr(info.get("request"), "method", None) == b"CONNECT":
            return
        if event.endswith("connect_tcp.started"):
            self._state.mark_not_sent()
        elif event.endswith("send_request_headers.started"):
            self._state.mark_sent()
            if self._commit is not None:
                self._commit()
        elif event.endswith("connect_tcp.complete"):
            self._connection = info["return_value"]
        elif event.endswith("start_tls.failed") and self._connection is not None:
            # httpcore closes it after an exception, but not after a cancellation.
            with anyio.CancelScope(shield=True):
                await self._connection.aclose()
