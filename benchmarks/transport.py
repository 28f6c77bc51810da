"""Requests per second by requests in flight: where pools collapse, and what bare sockets could do."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

import anyio

from followersdata_async import AsyncClient

from . import rivals
from .measure import Result, compared
from .server import connections
from .serving import serving

BATCH = 1
_MANY = 50
_SNIFFIO = "with sniffio" if find_spec("sniffio") else "without sniffio"
"""httpcore takes half as much CPU again without it."""


def run(*, quick: bool) -> list[Result]:
    """Compare ways to send the same requests, with answers at once and after 50 ms."""
    results: list[Result] = []
    for latency in (0.0, 0.05):
        with serving("benchmarks.server", latency) as url:
            # What is imported on first use is paid once, not by the first case.
            anyio.run(_ours, url, _MANY, 1)
            for concurrency in (8, 50, 200) if quick else (1, 8, 50, 200):
                results += _compared(url, latency, concurrency, quick=quick)
    return results


def _compared(url: str, latency: float, concurrency: int, *, quick: bool) -> list[Result]:
    rounds = 8 if quick else 40
    requests = max(concurrency * rounds, 40 if latency else 1000)
    chunks = [[id_] for id_ in range(1, requests + 1)]
    # What collapses would take minutes with all of them.
    few = chunks if concurrency < _MANY else chunks[: concurrency * 6]
    ways = {
        "bare sockets": partial(rivals.sockets, url, chunks, concurrency),
        "workers over one httpx client": partial(rivals.naive, url, few, concurrency),
        "the same with limits": partial(rivals.bounded, url, few, concurrency),
        "followersdata_async": partial(_ours, url, requests, concurrency),
    }
    case = f"{concurrency} in flight, {latency * 1000:.0f} ms, {_SNIFFIO}"
    return compared("transport", case, ways, against="bare sockets", connections=partial(connections, url))


async def _ours(url: str, requests: int, concurrency: int) -> int:
    async with AsyncClient(rivals.KEY, url=url, concurrency=concurrency, chunk_size=BATCH) as panel:
        return (await panel.multi_status(range(1, requests + 1))).requests
