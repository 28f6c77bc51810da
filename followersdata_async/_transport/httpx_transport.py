"""Sends requests through an ``httpx.AsyncClient``: a custom one, or our own for a proxy or while httpx is patched."""

from __future__ import annotations

import ssl
import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any, Protocol

import httpx
from attrs import evolve

from .._settings import DEFAULT_URL, redact_url
from .._wire.encoding import encode_body
from ..errors import ConfigurationError
from .attempt import ErrorClasses, run_attempt
from .response import build_headers, read_response

if TYPE_CHECKING:
    from .._concurrency import Commit
    from .._settings import Settings
    from .._wire.messages import Request, Response, SendState

_LIBRARIES = frozenset({"httpx", "httpx2"})
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
"""What httpx's own transport raises before a request is sent. Any other transport can raise them after it."""
_IDLE_SECONDS = 5.0
_PATCHED_METHODS = {
    ("httpx", "AsyncClient"): ("send", "_send_single_request", "_transport_for_url"),
    ("httpx", "AsyncHTTPTransport"): ("handle_async_request",),
    ("httpcore", "AsyncConnectionPool"): ("handle_async_request",),
    ("httpcore", "AsyncHTTPConnection"): ("handle_async_request",),
}
"""What mocks, recorders and instrumentation replace: respx, pytest-httpx, VCR.py, OpenTelemetry, Sentry."""


class HttpClient(Protocol):
    """What is needed of a custom client: an ``httpx.AsyncClient`` or an ``httpx2.AsyncClient``."""

    def build_request(self, method: str, url: str) -> Any:
        """Build a request with the client's own settings."""
        ...

    async def send(self, request: Any) -> Any:
        """Send a request."""
        ...


class HttpxTransport:
    """Sends through a client of httpx or httpx2, which is used as it is."""

    def __init__(self, settings: Settings, client: HttpClient) -> None:
        self._settings = settings
        self._client: Any = client
        self._errors = ErrorClasses((TimeoutError, _find_library(client).TimeoutException))
        self._headers = build_headers(settings)

    async def open(self) -> None:
        """Do nothing: the client is open."""

    async def aclose(self) -> None:
        """Do nothing: a custom client is closed by its owner."""

    async def send(self, request: Request, state: SendState) -> Response:
        """Send one request once and read the whole response. For errors see ``run_attempt``.

        Raises:
            ConfigurationError: the client is closed; nothing was sent.
        """
        if self._client.is_closed:
            msg = "the client that was passed as http= is closed: keep it open for as long as this one"
            raise ConfigurationError(msg)
        return await run_attempt(self._exchange, request, state, self._settings, self._errors)

    async def _exchange(self, request: Request, state: SendState, commit: Commit) -> Response:
        commit()
        outgoing = self._client.build_request(
            "POST",
            self._settings.url,
            headers=self._headers,
            content=encode_body(request, self._settings.api_key, self._settings.body_format),
            timeout=self._settings.attempt_timeout,
        )
        state.mark_handed_over()
        response = await self._client.send(outgoing, stream=True, follow_redirects=False)
        return await read_response(response, request, self._settings.api_key)


class OwnHttpxTransport(HttpxTransport):
    """Sends through a client of httpx that belongs to us: to a proxy, or while httpx is patched.

    Some of its exceptions prove that nothing was sent.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, _create_client(settings))
        self._errors = evolve(self._errors, not_sent=_NOT_SENT, of_tests=(AssertionError,))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()


def _create_client(settings: Settings) -> httpx.AsyncClient:
    # httpcore loses places of a limited pool on cancellation; the pipeline's slots are the limit.
    limits = httpx.Limits(
        max_connections=None, max_keepalive_connections=settings.concurrency, keepalive_expiry=_IDLE_SECONDS
    )
    try:
        transport = httpx.AsyncHTTPTransport(
            verify=create_ssl_context(settings), trust_env=False, limits=limits, proxy=settings.proxy
        )
    except (ValueError, httpx.InvalidURL, ImportError) as error:
        msg = f"the proxy {redact_url(settings.proxy or '')} can't be used: {error}"
        raise ConfigurationError(msg) from error
    return httpx.AsyncClient(transport=transport, trust_env=False)


def parse_url(text: str) -> httpx.URL:
    """Parse the address of the API.

    Raises:
        ConfigurationError: httpx can't parse it, or its host can't be looked up.
    """
    try:
        url = httpx.URL(text)
        # httpx parses hosts that neither DNS nor TLS can encode, and some that it can't decode itself.
        url.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError) as error:
        msg = f"the address {redact_url(text)} can't be used: {error}; it looks like {DEFAULT_URL}"
        raise ConfigurationError(msg) from error
    return url


def create_ssl_context(settings: Settings) -> ssl.SSLContext:
    """Create the context for all connections: loading the certificates is the slowest part."""
    if settings.ssl_context is not None:
        return settings.ssl_context
    if settings.url.startswith("https:") or settings.proxy:
        return httpx.create_ssl_context(trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def is_httpx_patched() -> bool:
    """Return whether a method of httpx or httpcore that sends requests was replaced."""
    for (library, class_name), methods in _PATCHED_METHODS.items():
        # httpx imports httpcore when it is first needed.
        module = sys.modules.get(library)
        if module is None:
            continue
        class_ = getattr(module, class_name)
        module_globals = getattr(class_.__init__, "__globals__", None)
        for method in methods:
            # A subclass in the place of the class does not have the method itself.
            function = vars(class_).get(method)
            if type(function) is not FunctionType or function.__globals__ is not module_globals:
                return True
    return False


def _find_library(client: object) -> Any:
    """Return the library of a client, without importing either of them.

    Raises:
        TypeError: it is not an asynchronous client of httpx or httpx2.
    """
    for class_ in type(client).__mro__:
        root = class_.__module__.partition(".")[0]
        if root in _LIBRARIES and class_.__name__ == "AsyncClient":
            return sys.modules[root]
    msg = f"http must be an httpx.AsyncClient (or httpx2.AsyncClient), got {type(client).__name__}"
    raise TypeError(msg)
