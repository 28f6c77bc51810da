"""Everything that a network and a panel can do wrong: what comes out, and how often the panel saw the request.

Every fault meets every action through every transport. What is proven not to
have left may be repeated; a write that may have arrived is unknown, and the
panel has seen it once.
"""

from __future__ import annotations

import gzip
import tracemalloc
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest

from followersdata_async import (
    AsyncClient,
    BatchResult,
    FollowersDataError,
    NotSentError,
    OutcomeUnknownError,
    PanelUnavailableError,
    RequestTimeoutError,
    RetryPolicy,
    orders,
)
from tests.helpers.sockets import closed_port, hang_up, replying, reset, response, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import SocketStream

    from tests.helpers.sockets import Greeting, Script

pytestmark = [
    pytest.mark.anyio,
    # httpx gives the request's body as an async generator, and leaves it where the connection broke.
    pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning"),
]

READS: dict[str, Callable[[AsyncClient], Awaitable[object]]] = {
    "services": lambda panel: panel.services(),
    "balance": lambda panel: panel.balance(),
    "status": lambda panel: panel.status(1),
    "multi_status": lambda panel: panel.multi_status([1]),
    "refill_status": lambda panel: panel.refill_status(1),
    "multi_refill_status": lambda panel: panel.multi_refill_status([1]),
}
WRITES: dict[str, Callable[[AsyncClient], Awaitable[object]]] = {
    "add": lambda panel: panel.add(orders.Package(service=3, link="x.y")),
    "refill": lambda panel: panel.refill(1),
    "multi_refill": lambda panel: panel.multi_refill([1]),
    "cancel": lambda panel: panel.cancel([1]),
}
ATTEMPTS = 2
LENT = {"httpx", "httpx2"}
GOOD = b'{"balance": "1"}'


async def drip(stream: SocketStream, _: bytes) -> None:
    """A body that comes, but never whole."""
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        await stream.send(b" ")
        await anyio.sleep(0.005)


async def half_close(stream: SocketStream, _: bytes) -> None:
    """Close the sending half of the connection, and keep the other one open."""
    await stream.send_eof()


async def flood(stream: SocketStream, _: bytes) -> None:
    """Send a compressed body, and far more bytes after it."""
    body = gzip.compress(GOOD)
    await stream.send(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 400000000\r\n\r\n" + body)
    for _ in range(400_000_000 // 65536):
        await stream.send(bytes(65536))


async def nothing(_: SocketStream) -> None:
    """No greeting."""


def closing(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """Return a response that says that the connection closes: otherwise the next request could still use it."""
    return response(body, b"Connection: close", *headers, status=status)


Fault = tuple["Greeting", "Script"]
HEAD = b"HTTP/1.1 200 OK\r\n"
UNSEEN: dict[str, Fault] = {
    "accepts and closes": (hang_up, hang_up),
    "resets before reading": (reset, reset),
}
BROKEN: dict[str, Fault] = {
    "reads and closes": (nothing, hang_up),
    "reads and resets": (nothing, reset),
    "cuts the head": (nothing, replying(HEAD, close=True)),
    "cuts the body": (nothing, replying(HEAD + b"Content-Length: 100\r\n\r\n{", close=True)),
    "cuts a chunk": (nothing, replying(HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{", close=True)),
    "lies about chunks": (nothing, replying(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", close=True)),
    "cuts a body without length": (nothing, replying(HEAD + b"\r\n" + GOOD[:-1], close=True)),
    "sends garbage": (nothing, replying(b"\x00\xff" * 50, close=True)),
    "speaks another protocol": (nothing, replying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", close=True)),
    "packs twice": (
        nothing,
        replying(closing(gzip.compress(gzip.compress(GOOD)), b"Content-Encoding: gzip, gzip"), close=True),
    ),
    "packs in layers": (nothing, replying(closing(GOOD, b"Content-Encoding: br, gzip"), close=True)),
    "packs wrongly": (nothing, replying(closing(GOOD, b"Content-Encoding: gzip"), close=True)),
    "cuts the packing": (nothing, replying(closing(gzip.compress(GOOD)[:-5], b"Content-Encoding: gzip"), close=True)),
    "sends a page": (nothing, replying(closing(b"<html>Just a moment...</html>"), close=True)),
    "sends nothing": (nothing, replying(closing(b""), close=True)),
    "sends null": (nothing, replying(closing(b"null"), close=True)),
    "is down": (nothing, replying(closing(b"bad gateway", status=b"502 Bad Gateway"), close=True)),
    "redirects": (nothing, replying(closing(b"", b"Location: /", status=b"301 Moved"), close=True)),
}
BROKEN |= {
    "sends two lengths that differ": (
        nothing,
        replying(HEAD + b"Content-Length: 16\r\nContent-Length: 2\r\n\r\n" + GOOD, close=True),
    ),
    "sends a negative length": (nothing, replying(HEAD + b"Content-Length: -16\r\n\r\n" + GOOD, close=True)),
    "sends headers without an end": (nothing, replying(HEAD + b"X-A: b\r\n" * 20_000, close=True)),
    "sends a header without an end": (nothing, replying(HEAD + b"X-A: " + b"b" * 200_000, close=True)),
    "sends a chunk extension without an end": (
        nothing,
        replying(HEAD + b"Transfer-Encoding: chunked\r\n\r\n10;" + b"a" * 200_000, close=True),
    ),
    "sends a chunk longer than its size": (
        nothing,
        replying(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n" + GOOD + b"\r\n0\r\n\r\n", close=True),
    ),
    "closes its sending half": (nothing, half_close),
}
BROKEN_FOR_OWN: dict[str, Fault] = {
    "sends 17 informational responses": (
        nothing,
        replying(b"HTTP/1.1 100 Continue\r\n\r\n" * 17 + closing(GOOD), close=True),
    ),
    "sends 2,000 headers": (nothing, replying(HEAD + b"A: b\r\n" * 2000 + b"Content-Length: 2\r\n\r\n{}", close=True)),
    "sends 400 MB after a compressed body": (nothing, flood),
}
LATE: dict[str, Fault] = {
    "hangs": (nothing, replying(b"")),
    "hangs in the head": (nothing, replying(HEAD)),
    "announces 10 GB": (nothing, replying(HEAD + b"Content-Length: 10000000000\r\n\r\n{")),
    "drips": (nothing, drip),
}


@asynccontextmanager
async def panel_through(
    transport: str, url: str, *, patience: float = 5.0, attempts: int = ATTEMPTS
) -> AsyncIterator[AsyncClient]:
    """A client that sends as named, and tries reads twice."""
    settings: dict[str, Any] = {
        "url": url,
        "retry": RetryPolicy(max_attempts=attempts, initial_delay=0),
        "attempt_timeout": patience,
    }
    async with AsyncExitStack() as stack:
        if transport == "httpx":
            settings["http"] = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        elif transport == "httpx2":
            settings["http"] = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False))
        yield await stack.enter_async_context(AsyncClient("sandbox-key", **settings))


async def error_of(panel: AsyncClient, call: Callable[[AsyncClient], Awaitable[object]]) -> FollowersDataError:
    """What a call ends in, raised or as the outcome of its id."""
    try:
        result = await call(panel)
    except FollowersDataError as error:
        return error
    assert isinstance(result, BatchResult)
    return result.errors[1]


@pytest.fixture(name="transport", params=["own", "httpx", "httpx2"])
def _transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_broken_answer(transport: str, fault: str) -> None:
    """A read is tried again; a write is unknown, and was seen once."""
    greet, script = BROKEN[fault]
    async with serving(script, greet=greet) as server, panel_through(transport, server.url) as panel:
        for name, call in READS.items():
            server.forms.clear()
            assert type(await error_of(panel, call)) is PanelUnavailableError, name
            assert len(server.forms) == ATTEMPTS, name
        for name, call in WRITES.items():
            server.forms.clear()
            assert type(await error_of(panel, call)) is OutcomeUnknownError, name
            assert len(server.forms) == 1, name


@pytest.mark.parametrize("fault", BROKEN_FOR_OWN)
async def test_response_without_limits(fault: str) -> None:
    """Our own connections bound what they read; memory stays within the limit for a body and 8 MiB."""
    greet, script = BROKEN_FOR_OWN[fault]
    async with serving(script, greet=greet) as server, panel_through("own", server.url) as panel:
        for call, expected, count in (
            (READS["balance"], PanelUnavailableError, ATTEMPTS),
            (WRITES["add"], OutcomeUnknownError, 1),
        ):
            server.forms.clear()
            tracemalloc.start()
            error = await error_of(panel, call)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert (type(error), len(server.forms)) == (expected, count)
            assert peak < 16 * 1024 * 1024


@pytest.mark.parametrize(
    "raw",
    [
        response(GOOD) + response(b'{"balance": "2"}'),
        response(GOOD) + b"trailing",
        HEAD + b"Content-Length: 16\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + GOOD + b"\r\n0\r\n\r\n",
    ],
    ids=["two responses in one segment", "a body longer than its length", "two lengths"],
)
async def test_response_with_something_after_it(raw: bytes) -> None:
    """It is valid, and its connection is closed, so that what follows is nobody's response."""
    async with serving(replying(raw)) as server, panel_through("own", server.url) as panel:
        for requests in (1, 2, 3):
            assert (await panel.balance()).balance == 1
            assert (len(server.forms), server.connections) == (requests, requests)


@pytest.mark.parametrize("fault", UNSEEN)
async def test_a_connection_that_dies_unread(transport: str, fault: str) -> None:
    """Nobody can tell whether it was read, so a write is not sent again."""
    greet, script = UNSEEN[fault]
    async with serving(script, greet=greet) as server, panel_through(transport, server.url) as panel:
        for name, call in WRITES.items():
            server.connections = 0
            assert type(await error_of(panel, call)) is OutcomeUnknownError, name
            assert server.connections == 1, name
        for name, call in READS.items():
            assert type(await error_of(panel, call)) is PanelUnavailableError, name
        assert server.forms == []


@pytest.mark.parametrize("fault", LATE)
async def test_an_answer_that_is_late(transport: str, fault: str) -> None:
    """One deadline for all of it."""
    greet, script = LATE[fault]
    found: dict[str, type[FollowersDataError]] = {}
    async with (
        serving(script, greet=greet) as server,
        panel_through(transport, server.url, patience=1.0, attempts=1) as panel,
    ):

        async def note(name: str, call: Callable[[AsyncClient], Awaitable[object]]) -> None:
            found[name] = type(await error_of(panel, call))

        async with anyio.create_task_group() as group:
            for name, call in (READS | WRITES).items():
                group.start_soon(note, name, call)
        assert found == dict.fromkeys(READS, RequestTimeoutError) | dict.fromkeys(WRITES, OutcomeUnknownError)
        assert len(server.forms) == len(READS) + len(WRITES)


async def test_a_refused_connection(transport: str) -> None:
    """Our own connections prove that nothing left; others prove nothing."""
    of_reads = NotSentError if transport == "own" else PanelUnavailableError
    of_writes = OutcomeUnknownError if transport in LENT else NotSentError
    async with panel_through(transport, f"http://127.0.0.1:{closed_port()}/") as panel:
        for name, call in READS.items():
            assert type(await error_of(panel, call)) is of_reads, name
        for name, call in WRITES.items():
            assert type(await error_of(panel, call)) is of_writes, name


async def test_a_handshake_that_dies(transport: str) -> None:
    """Before a byte of the request could leave."""
    async with serving(hang_up, greet=hang_up) as server:
        url = server.url.replace("http:", "https:")
        async with panel_through(transport, url) as panel:
            for name, call in WRITES.items():
                error = await error_of(panel, call)
                assert type(error) is (OutcomeUnknownError if transport in LENT else NotSentError), name
            for name, call in READS.items():
                error = await error_of(panel, call)
                assert type(error) is (NotSentError if transport == "own" else PanelUnavailableError), name


async def test_an_answer_cut_at_every_byte(transport: str) -> None:
    """Of head and body, for every action: whole, or no answer at all."""
    whole = response(b'{"order": 23501}', b"Content-Type: application/json")
    sent = b""

    async def script(stream: SocketStream, _: bytes) -> None:
        await stream.send(sent)
        await stream.aclose()

    expected = dict.fromkeys(READS, PanelUnavailableError) | dict.fromkeys(WRITES, OutcomeUnknownError)
    async with serving(script) as server, panel_through(transport, server.url, attempts=1) as panel:
        for cut in range(len(whole)):
            sent = whole[:cut]
            for name, call in (READS | WRITES).items():
                server.forms.clear()
                assert type(await error_of(panel, call)) is expected[name], (name, sent)
                assert len(server.forms) == 1, (name, sent)


async def test_a_connection_closed_at_the_wrong_moment(transport: str) -> None:
    """Kept alive after a good answer, and closed when the next request has come."""
    answered: set[int] = set()

    async def once(stream: SocketStream, _: bytes) -> None:
        if id(stream) in answered:
            await stream.aclose()
            return
        answered.add(id(stream))
        keep.append(stream)
        await stream.send(response(GOOD))

    keep: list[SocketStream] = []
    async with serving(once) as server, panel_through(transport, server.url) as panel:
        await panel.balance()
        await panel.balance()
        assert len(server.forms) == 3
        error = await error_of(panel, WRITES["add"])
        assert type(error) is OutcomeUnknownError
        assert len(server.forms) == 4
