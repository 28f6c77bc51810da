"""The connections to one panel: opened, kept alive, and used again only if that is safe."""

from __future__ import annotations

import select
import ssl
from typing import TYPE_CHECKING, Any, Self, final

import anyio
import anyio.lowlevel
import h11
import httpx
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute

from .error_mapping import describe_error
from .h11_connection import H11Connection

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

MAX_IDLE_SECONDS = 5.0
"""A connection that was idle for longer is not used again: many servers close it at that age."""
MAX_IDLE_SECONDS_FOR_WRITE = 1.0
"""The same for a write: a new connection costs less than an order whose outcome is unknown."""
_READ_SIZE = 64 * 1024
_PARTS_PER_CHECKPOINT = 256
_STREAM_ERRORS = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.BusyResourceError)
_CONNECT_ERRORS = (*_STREAM_ERRORS, anyio.EndOfStream, ValueError)


@final
class ConnectionPool(httpx.AsyncBaseTransport):
    """Connections to one origin, the one used last first.

    The pipeline sends at most ``max_connections`` requests at once. Idle
    connections are closed for new ones, so that there are never more.

    Of a request's extensions it reads ``send_state``, which is marked
    immediately before the first byte is sent, and ``commit``, a function that is
    called at the same moment. Only a write has it.
    """

    def __init__(
        self,
        url: httpx.URL,
        *,
        max_connections: int,
        ssl_context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._host = url.raw_host.decode("ascii")
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._ssl_context = ssl_context if url.scheme == "https" else None
        self._max_connections = max_connections
        self._clock = clock
        self._idle: list[_Connection] = []
        self._in_use: set[_Connection] = set()
        self._opening = 0
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request once, and return the response when its headers have arrived.

        Raises:
            httpx.ConnectError: there is no connection. Nothing was sent.
            httpx.LocalProtocolError: the request can't be written as HTTP/1.1. Nothing was sent.
            httpx.WriteError: sending failed.
            httpx.ReadError: the connection failed before the headers were complete.
            httpx.RemoteProtocolError: the response is not HTTP/1.1, or incomplete.
        """
        connection = await self._take_idle(is_write="commit" in request.extensions) or await self._open()
        try:
            await connection.send(request)
            head = await connection.receive_head()
        # Also when cancelled: the rest of this exchange would be read as the next response.
        except BaseException:
            await self._close(connection)
            raise
        return httpx.Response(head.status_code, headers=head.headers.raw_items(), stream=_Body(self, connection))

    async def aclose(self) -> None:
        """Close every connection, and open no new one."""
        self._is_closed = True
        while self._idle:
            await self._idle.pop().aclose()
        for connection in list(self._in_use):
            await self._close(connection)

    @property
    def open_connections(self) -> int:
        """Return how many connections are open."""
        return len(self._idle) + len(self._in_use)

    async def release(self, connection: _Connection) -> None:
        """Keep a connection for the next request if it is clean, otherwise close it."""
        if connection not in self._in_use:
            return
        if not connection.finish_exchange():
            await self._close(connection)
            return
        self._in_use.discard(connection)
        connection.idle_since = self._clock()
        self._idle.append(connection)

    async def _take_idle(self, *, is_write: bool) -> _Connection | None:
        """Return the connection that was used last, unless it is too old or no longer usable."""
        now = self._clock()
        while self._idle and now - self._idle[0].idle_since > MAX_IDLE_SECONDS:
            await self._idle.pop(0).aclose()
        max_idle = MAX_IDLE_SECONDS_FOR_WRITE if is_write else MAX_IDLE_SECONDS
        while self._idle and now - self._idle[-1].idle_since <= max_idle:
            connection = self._idle.pop()
            if connection.is_quiet():
                self._in_use.add(connection)
                return connection
            await connection.aclose()
        return None

    async def _open(self) -> _Connection:
        self._opening += 1
        try:
            while self._idle and self.open_connections + self._opening > self._max_connections:
                await self._idle.pop(0).aclose()
            connection = await _Connection.open(self._host, self._port, self._ssl_context)
        finally:
            self._opening -= 1
        self._in_use.add(connection)
        if self._is_closed:
            await self._close(connection)
            msg = "the pool was closed in the meantime"
            raise httpx.ConnectError(msg)
        return connection

    async def _close(self, connection: _Connection) -> None:
        self._in_use.discard(connection)
        await connection.aclose()


@final
class _Connection:
    """An open connection: its stream and its protocol state."""

    def __init__(self, stream: ByteStream) -> None:
        self.idle_since = 0.0
        self._stream = stream
        self._socket: socket.socket = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - not Django's
        self._ssl_object: ssl.SSLObject | None = stream.extra(TLSAttribute.ssl_object, None)  # noqa: S610
        self._http = H11Connection()
        self._received = 0

    @classmethod
    async def open(cls, host: str, port: int, ssl_context: ssl.SSLContext | None) -> Self:
        """Connect, with the first address that answers, and do the TLS handshake."""
        try:
            stream: Any = await (
                anyio.connect_tcp(host, port)
                if ssl_context is None
                else anyio.connect_tcp(host, port, ssl_context=ssl_context, tls_standard_compatible=False)
            )
        except _CONNECT_ERRORS as error:
            # anyio says "All connection attempts failed", and has the reason as the cause.
            reason = error.__cause__ if isinstance(error.__cause__, OSError) else error
            raise httpx.ConnectError(describe_error(reason)) from error
        return cls(stream)

    async def send(self, request: httpx.Request) -> None:
        """Send a whole request."""
        data = self._http.encode_request(
            request.method.encode("ascii"), request.url.raw_path, request.headers.raw, request.read()
        )
        if (state := request.extensions.get("send_state")) is not None:
            state.mark_sent()
        if (commit := request.extensions.get("commit")) is not None:
            commit()
        self._received = 0
        try:
            await self._stream.send(data)
        except _STREAM_ERRORS as error:
            raise httpx.WriteError(describe_error(error)) from error

    async def receive_head(self) -> h11.Response:
        """Return the status and headers of the response."""
        while not isinstance(event := self._http.next_event(), h11.Response):
            await self._receive()
        return event

    async def receive_part(self) -> bytes | None:
        """Return the next part of the response's body, or ``None`` at its end."""
        while (event := self._http.next_event()) is None:
            await self._receive()
        return event.data if isinstance(event, h11.Data) else None

    async def _receive(self) -> None:
        try:
            # No local variable may hold a response: it can repeat the key.
            self._http.receive_data(self._count(await self._stream.receive(_READ_SIZE)))
        except anyio.EndOfStream:
            self._http.receive_data(b"")
        except _STREAM_ERRORS as error:
            raise httpx.ReadError(describe_error(error)) from error

    def _count(self, data: bytes) -> bytes:
        self._received += len(data)
        return data

    def finish_exchange(self) -> bool:
        """Prepare for the next request, and return whether one may follow.

        A response of one read or more may have left bytes after it in a buffer
        below, where they would be taken for the next response.
        """
        if not self._http.is_clean or self._received >= _READ_SIZE or self._has_decrypted_bytes():
            return False
        self._http.finish_exchange()
        return True

    def _has_decrypted_bytes(self) -> bool:
        """Return whether TLS holds bytes that came after the response. Reads from memory only."""
        if self._ssl_object is None:
            return False
        try:
            self._ssl_object.read(1)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            pass
        return True

    def is_quiet(self) -> bool:
        """Return whether the server has neither sent anything nor closed the connection since the last response."""
        if self._socket.fileno() < 0:
            return False
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            return not poll.poll(0)
        return not select.select([self._socket], [], [], 0)[0]

    async def aclose(self) -> None:
        """Close the connection at once, also while being cancelled."""
        with anyio.CancelScope(shield=True):
            await self._stream.aclose()


@final
class _Body(httpx.AsyncByteStream):
    """The body of a response as it arrives. Closing it releases the connection."""

    def __init__(self, pool: ConnectionPool, connection: _Connection) -> None:
        self._pool = pool
        self._connection = connection
        self._parts = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        part = await self._connection.receive_part()
        if part is None:
            raise StopAsyncIteration
        self._parts += 1
        if self._parts % _PARTS_PER_CHECKPOINT == 0:
            # A body of many tiny chunks must not keep the event loop busy.
            await anyio.lowlevel.checkpoint()
        return part

    async def aclose(self) -> None:
        await self._pool.release(self._connection)
