"""One attempt through our own pool, with proof of what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import httpx

from .._concurrency import finished, unheld
from .._wire.encoding import form
from .._wire.envelope import unusable
from ..errors import NotSentError
from .body import UnusableBodyError
from .error_mapping import check_running, described, foreign_errors, lost
from .headers import headers_for
from .response import received

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from .._concurrency import Hold
    from .._settings import Settings
    from .._wire.messages import Answer, Request, Trail
    from ..errors import OutcomeUnknownError, TransportError
    from .connection_pool import Pool

_BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""What httpx raises before a request leaves. It is asked only where no trace was seen, as under a mock.

Of other libraries it proves nothing: aiohttp's lost connections come as ``ConnectTimeout``, too.
"""


class OwnTransport:
    """Sends through a pool that belongs to the client alone.

    A write that has left is finished even if its caller is cancelled, within
    ``attempt_timeout``: otherwise nobody would ever know what became of it.
    ``libraries`` are those that a shard uses instead of httpcore: their
    exceptions are known, but prove nothing.
    """

    def __init__(self, settings: Settings, pool: Pool, *libraries: str) -> None:
        self._settings = settings
        self._pool = pool
        self._url = httpx.URL(settings.url)
        self._headers = httpx.Headers(headers_for(settings))
        self._is_stopped = False
        self._foreign = foreign_errors("httpx", *libraries)
        self._before_sending = () if libraries else _BEFORE_SENDING
        self._late = (TimeoutError,) if libraries else (TimeoutError, httpx.TimeoutException)

    async def open(self) -> None:
        """Get ready; no connection is made yet."""
        await self._pool.open()

    def stop(self) -> None:
        """Let nothing more leave."""
        self._is_stopped = True

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    async def send(self, request: Request, trail: Trail) -> Answer:
        """Send one request once and read its whole answer.

        Raises:
            ConfigurationError: the client was closed while this waited; nothing was sent.
            NotSentError: proven by httpcore's trace: no byte of the request left.
            OutcomeUnknownError: of a write: it left, and no whole answer came.
            RequestTimeoutError: of a read: no whole answer in ``attempt_timeout``.
            PanelUnavailableError: of a read: the connection or the body broke.
        """
        trail.begin()
        async with self._pool.lease() as shard:
            check_running(is_stopped=self._is_stopped)
            try:
                return await self._in_time(shard, request, trail)
            except UnusableBodyError as error:
                raise unusable(request, None, str(error)) from error
            except self._foreign as error:
                if isinstance(error, self._before_sending):
                    trail.hold()
                late = isinstance(error, self._late)
                what = f"no whole answer within {self._settings.attempt_timeout:g} s" if late else described(error)
                raise _failure(request, trail, what, late=late) from error

    async def _in_time(self, shard: httpx.AsyncBaseTransport, request: Request, trail: Trail) -> Answer:
        async def exchange(hold: Hold) -> Answer:
            with anyio.fail_after(self._settings.attempt_timeout):
                return await self._exchange(shard, request, _Watch(trail, hold))

        return await (exchange(unheld) if request.repeatable else finished(exchange))

    async def _exchange(self, shard: httpx.AsyncBaseTransport, request: Request, watch: _Watch) -> Answer:
        watch.trail.hand_over()
        response = await shard.handle_async_request(self._outgoing(request, watch))
        return await received(response, request, self._settings.api_key)

    def _outgoing(self, request: Request, watch: _Watch) -> httpx.Request:
        body = form(request, self._settings.api_key)
        outgoing = httpx.Request(
            "POST",
            self._url,
            headers=self._headers,
            content=body,
            extensions={"timeout": _timeouts(self._settings), "trace": watch},
        )
        outgoing.stream = _Whole(body)
        return outgoing


class _Whole(httpx.AsyncByteStream):
    """A body in one piece. httpx's own is a generator, which a failing write leaves to the garbage collector."""

    def __init__(self, body: bytes) -> None:
        self._pieces = [body]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()


def _timeouts(settings: Settings) -> dict[str, float]:
    return dict.fromkeys(("connect", "read", "write", "pool"), settings.attempt_timeout)


class _Watch:
    """A trace hook: it notes when the first byte of the request leaves, and closes what httpcore forgets.

    ``hold`` is called then, for what must not be cut off any more.
    """

    def __init__(self, trail: Trail, hold: Hold) -> None:
        self.trail = trail
        self._hold = hold
        self._connection: Any = None

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Look at one event of an exchange. What is sent to a proxy, to have a way through it, is not the request."""
        if getattr(info.get("request"), "method", None) == b"CONNECT":
            return
        if event.endswith("connect_tcp.started"):
            self.trail.hold()
        elif event.endswith("send_request_headers.started"):
            self.trail.leave()
            self._hold()
        elif event.endswith("connect_tcp.complete"):
            self._connection = info["return_value"]
        elif event.endswith("start_tls.failed") and self._connection is not None:
            # httpcore closes it after an exception, but not after a cancellation.
            with anyio.CancelScope(shield=True):
                await self._connection.aclose()


def _failure(request: Request, trail: Trail, what: str, *, late: bool) -> TransportError | OutcomeUnknownError:
    """The error for an exchange that broke."""
    if trail.sent is False:
        return NotSentError(
            f"{request.action}: nothing was sent: {what}; check the network and the address, then try again",
            action=request.action,
        )
    return lost(request, what, late=late, sent=trail.sent)
