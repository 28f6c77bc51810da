"""A server on a loopback port, whose connections can be reset or closed by faults (uvicorn)."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, final

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from .asgi import API_PATH, ConnectionDropped

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from .panel import Panel

_LOOPBACK = "127.0.0.1"
_GRACE_SECONDS = 1
_KEEP_ALIVE_SECONDS = 75
"""As nginx. Clients stop using an idle connection after 5 s: a server that closed it then would cause retries."""
_LINGER_ZERO = struct.pack("ii", 1, 0)
_API_REQUEST_STARTS = (f"POST {API_PATH}".encode(), f"GET {API_PATH}".encode())


@final
class Server:
    """A server in a thread of its own: uvicorn runs on asyncio only, and the caller may be on trio.

    Raises:
        OSError: The port is taken.
    """

    def __init__(self, app: ASGIApp, panel: Panel, port: int) -> None:
        self._listener = socket.create_server((_LOOPBACK, port))
        self.address: str = f"{_LOOPBACK}:{self._listener.getsockname()[1]}"
        self._server = uvicorn.Server(_create_config(app, panel))
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), name="sandbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; requests in flight have a second to end."""
        self._server.should_exit = True
        self._thread.join()
        # uvicorn leaves the socket open if it was stopped before it started to serve.
        self._listener.close()


def _create_config(app: ASGIApp, panel: Panel) -> uvicorn.Config:
    connections: dict[tuple[str, int], asyncio.Transport] = {}
    return uvicorn.Config(
        _close_dropped_connections(app, connections),
        http=partial(_Protocol, panel, connections),  # type: ignore[arg-type]  # it is called as the class would be
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _close_dropped_connections(app: ASGIApp, connections: dict[tuple[str, int], asyncio.Transport]) -> ASGIApp:
    """Return the application with its connection closed where it would raise ``ConnectionDropped``."""

    async def run_app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except ConnectionDropped:
            connections[scope["client"]].close()
            # uvicorn sends a response of its own if the application returns before the connection has ended.
            while (await receive())["type"] != "http.disconnect":
                pass

    return run_app


@final
class _Protocol(asyncio.Protocol):
    """The protocol of one connection: uvicorn's own, unless a fault resets the connection before it is read."""

    def __init__(
        self,
        panel: Panel,
        connections: dict[tuple[str, int], asyncio.Transport],
        **settings: Any,  # noqa: ANN401 - uvicorn's
    ) -> None:
        self._panel = panel
        self._connections = connections
        self._http: Any = AutoHTTPProtocol(**settings)
        self._transport: Any = None
        self._peer = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._peer = transport.get_extra_info("peername")[:2]
        self._connections[self._peer] = self._transport
        self._http.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if data.startswith(_API_REQUEST_STARTS) and self._panel.take_unread_fault():
            # A kernel resets a connection that is closed while there is unread data.
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            self._transport.abort()
        else:
            self._http.data_received(data)

    def eof_received(self) -> bool | None:
        return self._http.eof_received()  # type: ignore[no-any-return]  # uvicorn's own

    def connection_lost(self, exc: Exception | None) -> None:
        del self._connections[self._peer]
        self._http.connection_lost(exc)

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()
