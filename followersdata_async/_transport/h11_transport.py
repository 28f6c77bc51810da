"""Sends requests through our own connections, and knows exactly what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import httpx

from .._wire.encoding import encode_body
from .attempt import ErrorClasses, run_attempt
from .connection_pool import ConnectionPool
from .httpx_transport import OwnHttpxTransport, create_ssl_context, is_httpx_patched, parse_url
from .response import build_headers, read_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .._concurrency import Commit
    from .._settings import Settings
    from .._wire.messages import Request, Response, SendState

_ERRORS = ErrorClasses()


class H11Transport:
    """Sends through a pool that belongs to one client.

    While httpx is patched, requests go through httpx instead, so that mocks,
    recorders and instrumentation see them.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = parse_url(settings.url)
        self._pool = ConnectionPool(
            self._url, max_connections=settings.concurrency, ssl_context=create_ssl_context(settings)
        )
        headers = {"host": self._url.netloc.decode("ascii")} | build_headers(settings)
        self._headers = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        self._httpx: OwnHttpxTransport | None = None

    async def open(self) -> None:
        """Do nothing: connections are opened for requests."""

    async def aclose(self) -> None:
        """Close every connection."""
        try:
            await self._pool.aclose()
        finally:
            if self._httpx is not None:
                await self._httpx.aclose()

    async def send(self, request: Request, state: SendState) -> Response:
        """Send one request once and read the whole response. For errors see ``run_attempt``."""
        if is_httpx_patched():
            if self._httpx is None:
                self._httpx = OwnHttpxTransport(self._settings)
            return await self._httpx.send(request, state)
        return await run_attempt(self._exchange, request, state, self._settings, _ERRORS)

    async def _exchange(self, request: Request, state: SendState, commit: Commit) -> Response:
        body = encode_body(request, self._settings.api_key, self._settings.body_format)
        response = await self._pool.handle_async_request(
            httpx.Request(
                "POST",
                self._url,
                headers=[*self._headers, (b"content-length", b"%d" % len(body))],
                stream=httpx.ByteStream(body),
                extensions={"send_state": state} | ({"commit": commit} if request.is_write else {}),
            )
        )
        chunks = cast("AsyncIterator[bytes]", response.stream)
        return await read_response(response, request, self._settings.api_key, chunks=chunks)
