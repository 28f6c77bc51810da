"""One attempt through a client that the user lends: used as it is, never configured, never closed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from .._concurrency import finished, unheld
from .._wire.encoding import form
from .._wire.envelope import unusable
from ..errors import ConfigurationError
from .body import UnusableBodyError
from .error_mapping import check_running, described, foreign_errors, lost
from .headers import headers_for
from .response import received

if TYPE_CHECKING:
    from .._concurrency import Hold
    from .._settings import Settings
    from .._wire.messages import Answer, Request, Trail

_FAMILY = frozenset({"httpx", "httpx2"})


class HttpClient(Protocol):
    """What is needed of a lent client: an ``httpx.AsyncClient``, or httpx2's."""

    def build_request(self, method: str, url: str) -> Any:
        """A request with the client's own settings."""
        ...

    async def send(self, request: Any) -> Any:
        """Send it."""
        ...


class LentTransport:
    """Sends through a lent client, which cannot prove what it sent: a failed write is always unknown.

    A write that was handed over is finished even if its caller is cancelled,
    within ``attempt_timeout``.
    """

    def __init__(self, settings: Settings, client: HttpClient) -> None:
        self._settings = settings
        self._client: Any = client
        self._is_stopped = False
        self._library = _library_of(client)
        self._foreign = foreign_errors(self._library.__name__)
        self._headers = headers_for(settings)
        self._gate = anyio.CapacityLimiter(settings.concurrency)

    async def open(self) -> None:
        """Nothing to do: the client is open already, or it is its owner's mistake."""

    def stop(self) -> None:
        """Let nothing more leave."""
        self._is_stopped = True

    async def aclose(self) -> None:
        """Nothing to do: who opens, closes."""

    async def send(self, request: Request, trail: Trail) -> Answer:
        """Send one request once and read its whole answer.

        Raises:
            ConfigurationError: this client or the lent one is closed; nothing was sent.
            OutcomeUnknownError: of a write: no whole answer came.
            RequestTimeoutError: of a read: no whole answer in ``attempt_timeout``.
            PanelUnavailableError: of a read: the connection or the body broke.
        """
        trail.begin()
        async with self._gate:
            check_running(is_stopped=self._is_stopped)
            if self._client.is_closed:
                msg = "the lent client is closed: keep it open for as long as this one"
                raise ConfigurationError(msg)
            try:
                return await self._in_time(request, trail)
            except UnusableBodyError as error:
                raise unusable(request, None, str(error)) from error
            except self._foreign as error:
                late = isinstance(error, (TimeoutError, self._library.TimeoutException))
                what = "no whole answer in time" if late else described(error)
                raise lost(request, what, late=late, sent=trail.sent) from error

    async def _in_time(self, request: Request, trail: Trail) -> Answer:
        async def exchange(hold: Hold) -> Answer:
            hold()
            with anyio.fail_after(self._settings.attempt_timeout):
                return await self._exchange(request, trail)

        return await (exchange(unheld) if request.repeatable else finished(exchange))

    async def _exchange(self, request: Request, trail: Trail) -> Answer:
        outgoing = self._client.build_request(
            "POST",
            self._settings.url,
            headers=self._headers,
            content=form(request, self._settings.api_key),
            timeout=self._settings.attempt_timeout,
        )
        trail.hand_over()
        response = await self._client.send(outgoing, stream=True, follow_redirects=False)
        return await received(response, request, self._settings.api_key)


def _library_of(client: object) -> Any:
    """The library whose client it is, found without importing either.

    Raises:
        TypeError: it is no asynchronous client of httpx or httpx2.
    """
    for class_ in type(client).__mro__:
        root = class_.__module__.partition(".")[0]
        if root in _FAMILY and class_.__name__ == "AsyncClient":
            return sys.modules[root]
    msg = f"http is an httpx.AsyncClient (or httpx2.AsyncClient), not {type(client).__name__}"
    raise TypeError(msg)
