"""A server of a few lines that answers each connection's requests with the bytes it is told."""

from __future__ import annotations

import socket
import struct
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSListener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from ssl import SSLContext

    from anyio.abc import SocketStream

    Script = Callable[[SocketStream, bytes], Awaitable[None]]
    Greeting = Callable[[SocketStream], Awaitable[None]]


class Server:
    """A listening server: its address, and what arrived."""

    def __init__(self, port: int, scheme: str) -> None:
        self.url = f"{scheme}://localhost:{port}/api/v2" if scheme == "https" else f"http://127.0.0.1:{port}/api/v2"
        self.heads: list[bytes] = []
        self.forms: list[bytes] = []
        self.connections = 0


@asynccontextmanager
async def serving(
    script: Script, *, greet: Greeting | None = None, ssl_context: SSLContext | None = None
) -> AsyncIterator[Server]:
    """Serve on a free loopback port; the script answers a request, or does not. ``greet`` comes before any of it."""
    listener: Any = await anyio.create_tcp_listener(local_host="127.0.0.1")
    server = Server(listener.extra(SocketAttribute.local_port), "https" if ssl_context else "http")
    if ssl_context is not None:
        listener = TLSListener(listener, ssl_context, standard_compatible=False)

    async def connection(stream: SocketStream) -> None:
        server.connections += 1
        async with stream:
            if greet is not None:
                await greet(stream)
            while request := await _request(stream):
                head, form = request
                server.heads.append(head)
                server.forms.append(form)
                with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                    await script(stream, form)

    async with anyio.create_task_group() as group:
        group.start_soon(_serve, listener, connection, group)
        try:
            yield server
        finally:
            group.cancel_scope.cancel()


async def _serve(listener: Any, connection: Any, group: Any) -> None:
    async with listener:
        await listener.serve(connection, group)


async def _request(stream: SocketStream) -> tuple[bytes, bytes] | None:
    """One request's head and body, or ``None`` when the client has closed."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        head, _, form = data.partition(b"\r\n\r\n")
        length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))[15:])
        while len(form) < length:
            form += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        return None
    return head, form


def response(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole HTTP response."""
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def replying(data: bytes, *, close: bool = False) -> Script:
    """A script that always sends these bytes, and may then hang up."""

    async def script(stream: SocketStream, _: bytes) -> None:
        if data:
            await stream.send(data)
        if close:
            await stream.aclose()

    return script


async def reset(stream: SocketStream, _: bytes = b"") -> None:
    """Cut the connection off without a goodbye."""
    raw = stream.extra(SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()


async def hang_up(stream: SocketStream, _: bytes = b"") -> None:
    """Close the connection."""
    await stream.aclose()


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
