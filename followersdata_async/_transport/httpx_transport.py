"""Sends requests through a custom client: it is used as it is, never configured, never closed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from .._concurrency import run_to_completion
from .._wire.encoding import encode_form
from .._wire.envelope import no_usable_response
from ..errors import ConfigurationError
from .error_mapping import describe_error, find_foreign_errors
from .response import ACCEPT_ENCODING, UnusableBodyError, read_response

if TYPE_CHECKING:
    from .._concurrency import Commit
    from .._settings import Settings
    from .._wire.messages import Request, Response, SendState

USER_AGENT = "followersdata-async"
_LIBRARIES = frozenset({"httpx", "httpx2"})


class HttpClient(Protocol):
    """What is needed of a custom client: an ``httpx.AsyncClient`` or an ``httpx2.AsyncClient``."""

    def build_request(self, method: str, url: str) -> Any:
        """Build a request with the client's own settings."""
        ...

    async def send(self, request: Any) -> Any:
        """Send a request."""
        ...


def build_headers(settings: Settings) -> dict[str, str]:
    """Return the headers of every request. None of them contains the key."""
    return {
        "accept": "application/json",
        "accept-encoding": ACCEPT_ENCODING,
        "content-type": "application/x-www-form-urlencoded",
        "user-agent": settings.user_agent or USER_AGENT,
    }


class CustomClientTransport:
    """Sends through a custom client, which cannot prove what it sent: a failed write is always unknown.

    A write that was handed over runs to completion even if its caller is
    cancelled, within ``attempt_timeout``.
    """

    def __init__(self, settings: Settings, client: HttpClient) -> None:
        self._settings = settings
        self._client: Any = client
        self._library = _find_library(client)
        self._foreign_errors = find_foreign_errors(self._library.__name__)
        self._headers = build_headers(settings)

    async def open(self) -> None:
        """Do nothing: the custom client is opened by its owner."""

    async def aclose(self) -> None:
        """Do nothing: the custom client is closed by its owner."""

    async def send(self, request: Request, state: SendState) -> Response:
        """Send one request once and read the whole response.

        Raises:
            ConfigurationError: the custom client is closed; nothing was sent.
            OutcomeUnknownError: a write: no whole response arrived.
            RequestTimeoutError: a read: no whole response within ``attempt_timeout``.
            PanelUnavailableError: a read: the connection or the body failed.
        """
        if self._client.is_closed:
            msg = "the lent client is closed: keep it open for as long as this one"
            raise ConfigurationError(msg)
        try:
            if request.is_write:
                return await run_to_completion(lambda commit: self._exchange_committed(request, state, commit))
            return await self._exchange(request, state)
        except UnusableBodyError as error:
            raise no_usable_response(request, str(error)) from error
        except self._foreign_errors as error:
            is_timeout = isinstance(error, (TimeoutError, self._library.TimeoutException))
            reason = "no whole answer in time" if is_timeout else describe_error(error)
            raise no_usable_response(request, reason, sent=None, is_timeout=is_timeout) from error

    async def _exchange_committed(self, request: Request, state: SendState, commit: Commit) -> Response:
        commit()
        return await self._exchange(request, state)

    async def _exchange(self, request: Request, state: SendState) -> Response:
        with anyio.fail_after(self._settings.attempt_timeout):
            outgoing = self._client.build_request(
                "POST",
                self._settings.url,
                headers=self._headers,
                content=encode_form(request, self._settings.api_key),
                timeout=self._settings.attempt_timeout,
            )
            state.mark_handed_over()
            response = await self._client.send(outgoing, stream=True, follow_redirects=False)
            return await read_response(response, request, self._settings.api_key)


def _find_library(client: object) -> Any:
    """Return the library of a client, without importing either of them.

    Raises:
        TypeError: it is not an asynchronous client of httpx or httpx2.
    """
    for class_ in type(client).__mro__:
        root = class_.__module__.partition(".")[0]
        if root in _LIBRARIES and class_.__name__ == "AsyncClient":
            return sys.modules[root]
    msg = f"http is an httpx.AsyncClient (or httpx2.AsyncClient), not {type(client).__name__}"
    raise TypeError(msg)
