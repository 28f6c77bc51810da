"""The connections to one panel over real sockets: when one is used again, and that none is left open."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import httpx
import pytest
import trustme

from followersdata_async._transport.connection_pool import ConnectionPool
from tests.helpers.fakes import StepCounter
from tests.helpers.sockets import closed_port, hang_up, replying, response, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from anyio.abc import SocketStream

    from tests.helpers.sockets import Server

pytestmark = pytest.mark.anyio

ONE = b'{"order": 1}'
OTHER = b'{"order": 2}'


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture(name="clock")
def _clock() -> Clock:
    return Clock()


@pytest.fixture(name="authority", scope="session")
def _authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def pool_to(
    server: Server,
    *,
    max_connections: int = 4,
    clock: Callable[[], float] = anyio.current_time,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncIterator[ConnectionPool]:
    """Open a pool, and close it."""
    async with ConnectionPool(
        httpx.URL(server.url), max_connections=max_connections, clock=clock, ssl_context=ssl_context
    ) as pool:
        yield pool
        await pool.aclose()
        assert pool.open_connections == 0


async def send(pool: ConnectionPool, *, is_write: bool = False) -> bytes:
    """Send a request, and return the body of its response."""
    extensions = {"commit": lambda: None} if is_write else {}
    request = httpx.Request("POST", "http://panel.example/api/v2", content=b"a=b", extensions=extensions)
    response = await pool.handle_async_request(request)
    try:
        return b"".join([part async for part in response.stream])  # type: ignore[union-attr]
    finally:
        await response.aclose()


def server_context(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    """Return the context of a server with a certificate for this name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    """Return the context of a client that trusts this authority only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


# --- keep-alive


async def test_connection_is_used_again() -> None:
    """Requests one after the other share a connection."""
    async with serving(replying(response(ONE))) as server, pool_to(server) as pool:
        for _ in range(5):
            assert await send(pool) == ONE
        assert (server.connections, pool.open_connections) == (1, 1)


@pytest.mark.parametrize(
    ("idle", "is_write", "connections"), [(4.9, False, 1), (5.1, False, 2), (0.9, True, 1), (1.1, True, 2)]
)
async def test_connection_is_used_again_only_for_seconds(
    clock: Clock, idle: float, is_write: bool, connections: int
) -> None:
    """Five seconds for a read, one for a write: servers close idle connections, and a lost write is unknown."""
    async with serving(replying(response(ONE))) as server, pool_to(server, clock=clock) as pool:
        await send(pool)
        clock.now += idle
        await send(pool, is_write=is_write)
        assert server.connections == connections


async def test_latest_connection_is_used_first(clock: Clock) -> None:
    """Those that are not needed get old, and are closed."""
    async with serving(replying(response(ONE))) as server, pool_to(server, clock=clock) as pool:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(send, pool)
        assert pool.open_connections == server.connections == 3
        for _ in range(6):
            clock.now += 1
            await send(pool)
        assert (pool.open_connections, server.connections) == (1, 3)


async def test_idle_connection_is_closed_for_a_new_one(clock: Clock) -> None:
    """There are never more than ``max_connections``."""
    async with serving(replying(response(ONE))) as server, pool_to(server, clock=clock, max_connections=2) as pool:
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(send, pool)
        clock.now += 2
        await send(pool, is_write=True)
        assert (pool.open_connections, server.connections) == (2, 3)


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "encrypted"])
@pytest.mark.parametrize("in_one_send", [True, False], ids=["in one segment", "in two segments"])
async def test_second_response_is_never_taken_for_that_of_the_next_request(
    authority: trustme.CA, is_encrypted: bool, in_one_send: bool
) -> None:
    """The connection is closed, so that no order gets another one's response."""
    first, second = response(ONE), response(OTHER)
    answered: list[bytes] = []

    async def script(stream: SocketStream, _: bytes) -> None:
        if answered:
            await stream.send(response(b"[]"))
        elif in_one_send:
            await stream.send(first + second)
        else:
            await stream.send(first)
            await stream.send(second)
        answered.append(b"")

    context = server_context(authority) if is_encrypted else None
    trust = client_context(authority) if is_encrypted else None
    async with serving(script, ssl_context=context) as server, pool_to(server, ssl_context=trust) as pool:
        assert await send(pool) == ONE
        await anyio.wait_all_tasks_blocked()
        assert await send(pool) == b"[]"
        assert server.connections == 2


async def test_connection_that_the_server_closed_is_not_used_again() -> None:
    """Also not if only its sending half is closed."""

    async def script(stream: SocketStream, _: bytes) -> None:
        await stream.send(response(ONE))
        await stream.send_eof()

    async with serving(script) as server, pool_to(server) as pool:
        for _ in range(3):
            assert await send(pool, is_write=True) == ONE
            await anyio.wait_all_tasks_blocked()
        assert server.connections == len(server.forms) == 3


async def test_connection_after_a_large_response_is_not_used_again() -> None:
    """Bytes that follow it could be in a buffer below."""
    large = bytes(64 * 1024)
    async with serving(replying(response(large))) as server, pool_to(server) as pool:
        for _ in range(2):
            assert await send(pool) == large
        assert server.connections == 2


# --- TLS


async def test_encrypted_connection_is_used_again(authority: trustme.CA) -> None:
    """The handshake is done once."""
    context = server_context(authority)
    async with (
        serving(replying(response(ONE)), ssl_context=context) as server,
        pool_to(server, ssl_context=client_context(authority)) as pool,
    ):
        for _ in range(3):
            assert await send(pool) == ONE
        assert server.connections == 1


@pytest.mark.filterwarnings("ignore:.*:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("mistake", ["another host", "another authority"])
async def test_certificate_is_checked_before_anything_is_sent(authority: trustme.CA, mistake: str) -> None:
    """Its host and who signed it."""
    context = server_context(authority, "panel.example" if mistake == "another host" else "localhost")
    trusted = authority if mistake == "another host" else trustme.CA()
    async with (
        serving(replying(response(ONE)), ssl_context=context) as server,
        pool_to(server, ssl_context=client_context(trusted)) as pool,
    ):
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await send(pool, is_write=True)
        assert server.forms == []


async def test_handshake_that_hangs_is_cancelled_with_its_connection(authority: trustme.CA) -> None:
    """Nothing stays open."""
    gone = anyio.Event()

    async def greet(stream: SocketStream) -> None:
        try:
            while True:
                await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            gone.set()

    async with serving(hang_up, greet=greet) as server:
        server.url = server.url.replace("http:", "https:")
        async with pool_to(server, ssl_context=client_context(authority)) as pool:
            with anyio.move_on_after(0.1) as scope:
                await send(pool)
            assert scope.cancelled_caught
            with anyio.fail_after(5):
                await gone.wait()


# --- errors, cancellation, closing


async def test_refused_connection_is_an_error() -> None:
    """Of a class that says that nothing was sent."""
    async with ConnectionPool(httpx.URL(f"http://127.0.0.1:{closed_port()}/"), max_connections=1) as pool:
        with pytest.raises(httpx.ConnectError):
            await send(pool)


@pytest.mark.parametrize(
    "error",
    [OSError("broken"), ssl.SSLError("bad"), TimeoutError("slow"), anyio.EndOfStream(), UnicodeError("label too long")],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_fails_while_connecting_is_a_connect_error(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the first error as its cause."""

    async def connect(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(anyio, "connect_tcp", connect)
    async with ConnectionPool(httpx.URL("http://127.0.0.1:1/"), max_connections=1) as pool:
        with pytest.raises(httpx.ConnectError) as caught:
            await send(pool)
    assert caught.value.__cause__ is error


async def test_cancelled_request_closes_its_connection() -> None:
    """In the middle of the headers, and of the body."""
    for start in (b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"):
        async with serving(replying(start)) as server, pool_to(server) as pool:
            with anyio.move_on_after(0.05) as scope:
                await send(pool)
            assert scope.cancelled_caught
            assert pool.open_connections == 0


async def test_closing_ends_requests_in_flight() -> None:
    """They fail, and a connection that opens in the meantime is closed."""
    errors: list[type[Exception]] = []

    async def fail(pool: ConnectionPool) -> None:
        try:
            await send(pool)
        except httpx.TransportError as error:
            errors.append(type(error))

    arrived = anyio.Event()

    async def script(_: SocketStream, __: bytes) -> None:
        arrived.set()
        await anyio.sleep_forever()

    async with serving(script) as server, pool_to(server) as pool, anyio.create_task_group() as group:
        group.start_soon(fail, pool)
        await arrived.wait()
        await pool.aclose()
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(httpx.ConnectError, match="closed"):
            await send(pool)
    assert errors == [httpx.ReadError]


async def test_tiny_chunks_do_not_keep_the_event_loop_busy() -> None:
    """Other tasks run while a body of thousands of chunks is parsed."""
    body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n{\r\n" * 5000 + b"0\r\n\r\n"
    counter = StepCounter()

    async with serving(replying(body)) as server, pool_to(server) as pool, anyio.create_task_group() as group:
        request = httpx.Request("POST", "http://panel.example/", content=b"a=b")
        incoming = await pool.handle_async_request(request)
        await anyio.sleep(0.05)
        group.start_soon(counter.run)
        await anyio.lowlevel.checkpoint()
        counter.steps = 0
        assert len(b"".join([part async for part in incoming.stream])) == 5000  # type: ignore[union-attr]
        await incoming.aclose()
        group.cancel_scope.cancel()
    assert counter.steps >= 10
