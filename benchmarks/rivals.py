"""What a user would write instead, each as its readers would."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import aiohttp
import httpx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Rival = Callable[[str, Sequence[Sequence[int]], int], Awaitable[int]]

KEY = "sandbox-key"


def form(ids: Sequence[int]) -> dict[str, str]:
    """The form of a status request."""
    return {"key": KEY, "action": "status", "orders": ",".join(map(str, ids))}


async def naive(url: str, chunks: Sequence[Sequence[int]], concurrency: int) -> int:
    """Workers over one httpx client as it comes: its own limits keep 20 connections open, of 100."""
    async with httpx.AsyncClient(timeout=60) as client:
        return await _worked(client, url, chunks, concurrency)


async def bounded(url: str, chunks: Sequence[Sequence[int]], concurrency: int) -> int:
    """Workers over one httpx client whose limits are as many connections."""
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        return await _worked(client, url, chunks, concurrency)


async def _worked(client: httpx.AsyncClient, url: str, chunks: Sequence[Sequence[int]], concurrency: int) -> int:
    left = iter(chunks)

    async def worker() -> int:
        done = 0
        for chunk in left:
            json.loads((await client.post(url, data=form(chunk))).content)
            done += 1
        return done

    return sum(await asyncio.gather(*(worker() for _ in range(concurrency))))


async def looped(url: str, chunks: Sequence[Sequence[int]], concurrency: int) -> int:
    """A request for each order, one after the other: what a client without batches does. It ignores ``concurrency``."""
    del concurrency
    done = 0
    async with httpx.AsyncClient(timeout=60) as client:
        for chunk in chunks:
            for id_ in chunk:
                json.loads((await client.post(url, data=form([id_]))).content)
                done += 1
    return done


async def gathered(url: str, chunks: Sequence[Sequence[int]], concurrency: int) -> int:
    """All requests at once over one httpx client with as many connections as ``concurrency``."""
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx.AsyncClient(timeout=None, limits=limits) as client:  # noqa: S113 - the pool's queue takes long

        async def ask(chunk: Sequence[int]) -> object:
            return json.loads((await client.post(url, data=form(chunk))).content)

        return len(await asyncio.gather(*map(ask, chunks)))


async def gated(url: str, chunks: Sequence[Sequence[int]], concurrency: int) -> int:
    """All requests at once behind a semaphore, over one httpx client as it comes."""
    gate = asyncio.Semaphore(concurrency)
    async with httpx.AsyncClient(timeout=60) as client:

        async def ask(chunk: Sequence[int]) -> object:
            async with gate:
                return json.loads((await client.post(url, data=form(chunk))).content)

        return len(await asyncio.gather(*map(ask, chunks)))


async def by_aiohttp(url: str, chunks: Sequence[Sequence[int]], concurrency: int) -> int:
    """The same over one aiohttp session."""
    gate = asyncio.Semaphore(concurrency)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:

        async def ask(chunk: Sequence[int]) -> object:
            async with gate, session.post(url, data=form(chunk)) as response:
                return json.loads(await response.read())

        return len(await asyncio.gather(*map(ask, chunks)))


async def by_babismm(url: str, chunks: Sequence[Sequence[int]], concurrency: int) -> int:
    """The client of that name from the package index, which blocks, in as many threads."""
    from requests.adapters import HTTPAdapter  # noqa: PLC0415 - for this alone
    from smm import SMM  # type: ignore[import-untyped]  # noqa: PLC0415 - it is called otherwise than its package

    client = SMM(url, KEY)
    client.session.mount("http://", HTTPAdapter(pool_maxsize=concurrency))
    with ThreadPoolExecutor(concurrency) as threads:
        loop = asyncio.get_running_loop()
        asked = [loop.run_in_executor(threads, client.get_multi_status, list(chunk)) for chunk in chunks]
        return len(await asyncio.gather(*asked))


async def sockets(url: str, chunks: Sequence[Sequence[int]], concurrency: int) -> int:
    """Bare sockets, one for each worker, and answers that nobody reads: the limit for all others."""
    parts = urlsplit(url)
    left = iter(chunks)

    async def worker() -> int:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        done = 0
        for chunk in left:
            body = urlencode(form(chunk)).encode()
            writer.write(b"POST /api/v2 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]))
            done += 1
        writer.close()
        await writer.wait_closed()
        return done

    return sum(await asyncio.gather(*(worker() for _ in range(concurrency))))
