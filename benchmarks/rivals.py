"""What a user would write instead, each as its readers would. All of them parse the responses, and keep the rows."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    Chunks = Sequence[Sequence[int]]
    Rival = Callable[[str, Chunks, int], Awaitable[int]]
    Post = Callable[[dict[str, str]], Awaitable[bytes]]
    """Sends a form, and returns the body of the response."""

KEY = "sandbox-key"


def form(ids: Sequence[int]) -> dict[str, str]:
    """Return the form of a status request."""
    return {"key": KEY, "action": "status", "orders": ",".join(map(str, ids))}


@asynccontextmanager
async def _connect_httpx(url: str, connections: int | None = None) -> AsyncIterator[Post]:
    limits = httpx.Limits(max_connections=connections or 100, max_keepalive_connections=connections or 20)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:

        async def post(fields: dict[str, str]) -> bytes:
            return (await client.post(url, data=fields)).content

        yield post


@asynccontextmanager
async def _connect_aiohttp(url: str, concurrency: int) -> AsyncIterator[Post]:
    import aiohttp  # noqa: PLC0415 - for this alone: the tests run the other benchmarks without it

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:

        async def post(fields: dict[str, str]) -> bytes:
            async with session.post(url, data=fields) as response:
                return await response.read()

        yield post


@asynccontextmanager
async def _connect_pyreqwest(url: str, concurrency: int) -> AsyncIterator[Post]:
    from pyreqwest.client import ClientBuilder  # noqa: PLC0415 - for this alone

    async with ClientBuilder().max_connections(concurrency).build() as client:
        header = {"content-type": "application/x-www-form-urlencoded"}

        async def post(fields: dict[str, str]) -> bytes:
            request = client.post(url).headers(header).body_text(urlencode(fields)).build()
            return bytes(await (await request.send()).bytes())

        yield post


async def _send_behind_semaphore(
    connection: AbstractAsyncContextManager[Post], chunks: Chunks, concurrency: int
) -> int:
    """Start all requests at once behind a semaphore."""
    gate = asyncio.Semaphore(concurrency)
    rows: dict[str, object] = {}
    async with connection as post:

        async def request(chunk: Sequence[int]) -> None:
            async with gate:
                rows.update(json.loads(await post(form(chunk))))

        await asyncio.gather(*map(request, chunks))
    return len(chunks)


async def _send_by_workers(connection: AbstractAsyncContextManager[Post], chunks: Chunks, concurrency: int) -> int:
    """Send requests from as many tasks as ``concurrency``."""
    left = iter(chunks)
    rows: dict[str, object] = {}
    async with connection as post:

        async def worker() -> None:
            for chunk in left:
                rows.update(json.loads(await post(form(chunk))))

        await asyncio.gather(*(worker() for _ in range(concurrency)))
    return len(chunks)


async def httpx_semaphore(url: str, chunks: Chunks, concurrency: int) -> int:
    """Send through one httpx client as it comes: its own limits keep 20 connections open, of 100."""
    return await _send_behind_semaphore(_connect_httpx(url), chunks, concurrency)


async def httpx_pool(url: str, chunks: Chunks, concurrency: int) -> int:
    """Send through one httpx client whose limits are as many connections."""
    return await _send_by_workers(_connect_httpx(url, concurrency), chunks, concurrency)


async def aiohttp_workers(url: str, chunks: Chunks, concurrency: int) -> int:
    """Send through one aiohttp session."""
    return await _send_by_workers(_connect_aiohttp(url, concurrency), chunks, concurrency)


async def pyreqwest_workers(url: str, chunks: Chunks, concurrency: int) -> int:
    """Send through one client of pyreqwest, which is written in Rust."""
    return await _send_by_workers(_connect_pyreqwest(url, concurrency), chunks, concurrency)


async def one_by_one(url: str, chunks: Chunks, concurrency: int) -> int:
    """Send a request for each order, one after the other: what a client without batches does."""
    del concurrency
    rows: dict[str, object] = {}
    async with httpx.AsyncClient(timeout=60) as client:
        for chunk in chunks:
            for id_ in chunk:
                rows[str(id_)] = json.loads((await client.post(url, data=form([id_]))).content)
    return len(rows)


async def sockets(url: str, chunks: Chunks, concurrency: int) -> int:
    """Send over bare sockets, one for each task, with no more HTTP than the server needs: the limit for all others."""
    parts = urlsplit(url)
    left = iter(chunks)
    rows: dict[str, object] = {}

    async def worker() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for chunk in left:
            body = urlencode(form(chunk)).encode()
            writer.write(b"POST /api/v2 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
            rows.update(json.loads(await reader.readexactly(length)))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return len(chunks)


COMPARED: dict[str, Rival] = {
    "httpx and json.loads, a semaphore": httpx_semaphore,
    "httpx and json.loads, a pool": httpx_pool,
    "aiohttp and json.loads": aiohttp_workers,
    "pyreqwest and json.loads": pyreqwest_workers,
    "bare sockets and json.loads": sockets,
}
COLLAPSING = {"httpx and json.loads, a semaphore", "httpx and json.loads, a pool"}
"""With many requests in flight, these take so long that they get a part of the work."""


def bind(rival: Rival, url: str, chunks: Chunks, concurrency: int) -> Callable[[], Awaitable[int]]:
    """Return a way for ``measure.compared``."""
    return partial(rival, url, chunks, concurrency)
