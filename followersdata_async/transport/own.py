"""One attempt through our own pool, with proof of what was sent."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from ..errors import NotSentError
from ..wire.encoding import form
from ..wire.envelope import unusable
from ..wire.messages import Answer
from .body import UnusableBodyError, body_of, most_bytes
from .failures import described, lost
from .headers import headers_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..errors import OutcomeUnknownError, TransportError
    from ..settings import Settings
    from ..wire.messages import Request, Trail
    from .pool import Pool

_FOREIGN = (
    httpx.RequestError,
    ssl.SSLError,
    OSError,
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
)


_BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""What httpx raises before a request leaves. It is asked only where no trace was seen, as under a mock."""


class OwnTransport:
    """Sends through a pool that belongs to the client alone."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self._settings = settings
        self._pool = pool
        self._headers = headers_for(settings)

    async def open(self) -> None:
        """Get ready; no connection is made yet."""
        await self._pool.open()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    async def send(self, request: Request, trail: Trail) -> Answer:
        """Send one request once and read its whole answer.

        Raises:
            NotSentError: proven by httpcore's trace: no byte of the request left.
            OutcomeUnknownError: of a write: it left, and no whole answer came.
            RequestTimeoutError: of a read: no whole answer in ``attempt_timeout``.
            PanelUnavailableError: of a read: the connection or the body broke.
        """
        trail.begin()
        async with self._pool.lease() as shard:
            try:
                with anyio.fail_after(self._settings.attempt_timeout):
                    return await self._exchange(shard, request, trail)
            except UnusableBodyError as error:
                raise unusable(request, None, str(error)) from error
            except _FOREIGN as error:
                raise _failure(request, trail, error, self._settings.attempt_timeout) from error

    async def _exchange(self, shard: httpx.AsyncHTTPTransport, request: Request, trail: Trail) -> Answer:
        trail.hand_over()
        response = await shard.handle_async_request(
            httpx.Request(
                "POST",
                self._settings.url,
                headers=self._headers,
                content=form(request, self._settings.api_key),
                extensions={"timeout": _timeouts(self._settings), "trace": _Watch(trail)},
            )
        )
        try:
            body = await body_of(response, most_bytes(request.action))
        finally:
            await response.aclose()
        return Answer(status=response.status_code, headers=dict(response.headers.items()), body=body)


def _timeouts(settings: Settings) -> dict[str, float]:
    return dict.fromkeys(("connect", "read", "write", "pool"), settings.attempt_timeout)


class _Watch:
    """A trace hook: it notes when the first byte of the request leaves, and closes what httpcore forgets."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._connection: Any = None

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Look at one event of an exchange."""
        if event.endswith("connect_tcp.started"):
            self._trail.hold()
        elif event.endswith("send_request_headers.started"):
            self._trail.leave()
        elif event.endswith("connect_tcp.complete"):
            self._connection = info["return_value"]
        elif event.endswith("start_tls.failed") and self._connection is not None:
            # httpcore closes it after an exception, but not after a cancellation.
            with anyio.CancelScope(shield=True):
                await self._connection.aclose()


def _failure(request: Request, trail: Trail, error: Exception, seconds: float) -> TransportError | OutcomeUnknownError:
    """The error for an exchange that broke."""
    late = isinstance(error, (TimeoutError, httpx.TimeoutException))
    what = f"no whole answer within {seconds:g} s" if late else described(error)
    if isinstance(error, _BEFORE_SENDING):
        trail.hold()
    if trail.sent is False:
        return NotSentError(
            f"{request.action}: nothing was sent: {what}; check the network and the address, then try again",
            action=request.action,
        )
    return lost(request, what, late=late, sent=trail.sent)
