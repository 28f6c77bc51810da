"""What a user would write instead, each as its readers would."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

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


async def one_by_one(url: str, chunks: Sequence[Sequence[int]], concurrency: int) -> int:
    """A request for each order: what a client without batches does."""
    ids = [[id_] for chunk in chunks for id_ in chunk]
    return await bounded(url, ids, concurrency)


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
