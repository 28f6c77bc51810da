"""Bulk status: CPU and rate of requests for 100 typed statuses, by requests in flight and the panel's latency."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from followersdata_async import AsyncClient, Ok

from . import rivals
from .measure import Result, compared
from .serving import serving

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .measure import Way

BATCH = 100
_OURS = "followersdata_async, typed"
_STREAMED = "followersdata_async, typed, streamed"
_RIVAL = "httpx and json.loads, a semaphore"
_MANY = 50
_FEW = 40
"""How many orders are sent one by one."""


def run(*, quick: bool) -> list[Result]:
    """Compare with what people write. A unit of work is a request for 100 orders, and its rows as values."""
    results: list[Result] = []
    for latency in (0.0, 0.05):
        with serving("benchmarks.server", latency) as url:
            for concurrency in (10, 50) if quick else (1, 10, 50, 200):
                case = f"{concurrency} in flight, {latency * 1000:.0f} ms"
                ways = create_ways(url, BATCH, concurrency, latency=latency, quick=quick)
                results += compared("bulk", case, ways, against=_RIVAL)
    with serving("benchmarks.server", 0.05) as url:
        results += compared(
            "bulk", "a request for each order, 50 ms, 1 in flight", _create_slow_ways(url), against=_OURS
        )
    return results


def create_ways(url: str, batch: int, concurrency: int, *, latency: float, quick: bool) -> Mapping[str, Way]:
    """Return our way and those of rivals, for requests of ``batch`` ids."""
    # Our first request goes alone, until the key is accepted: with few rounds it would be what is measured.
    rounds = (10 if quick else 40) if latency else (5 if quick else 20)
    requests = max(concurrency * rounds, 40 if latency else 300 if quick else 1000)
    chunks = split(requests, batch)
    few = chunks if concurrency < _MANY else chunks[: concurrency * 3]
    return {
        _OURS: partial(request_ours, url, chunks, concurrency),
        _STREAMED: partial(stream_ours, url, chunks, concurrency),
        **{
            name: rivals.bind(rival, url, few if name in rivals.COLLAPSING else chunks, concurrency)
            for name, rival in rivals.COMPARED.items()
        },
    }


def _create_slow_ways(url: str) -> Mapping[str, Way]:
    """Return what takes so long that it gets a few orders only. A unit of work is an order."""
    chunks = split(_FEW, BATCH)
    return {
        "httpx and json.loads, a loop": rivals.bind(rivals.one_by_one, url, [range(1, _FEW + 1)], 1),
        _OURS: partial(_request_orders, url, chunks),
    }


def split(requests: int, batch: int) -> list[range]:
    """Return the ids of requests of ``batch`` ids each."""
    return [range(start * batch + 1, (start + 1) * batch + 1) for start in range(requests)]


async def _request_orders(url: str, chunks: Sequence[range]) -> int:
    return BATCH * await request_ours(url, chunks, 1)


async def request_ours(url: str, chunks: Sequence[range], concurrency: int) -> int:
    """Request the status of all ids by this library, and return how many requests that took."""
    ids = range(chunks[0].start, chunks[-1].stop)
    async with AsyncClient(rivals.KEY, url=url, concurrency=concurrency, chunk_size=len(chunks[0])) as client:
        result = await client.multi_status(ids)
    assert len(result.ok) == len(ids)  # noqa: S101 - a benchmark of wrong results is worth nothing
    return result.requests


async def stream_ours(url: str, chunks: Sequence[range], concurrency: int) -> int:
    """Stream the status of all ids by this library, keep none, and return how many requests that took."""
    ids = range(chunks[0].start, chunks[-1].stop)
    found = 0
    async with (
        AsyncClient(rivals.KEY, url=url, concurrency=concurrency, chunk_size=len(chunks[0])) as client,
        client.stream_status(ids) as outcomes,
    ):
        async for outcome in outcomes:
            found += isinstance(outcome, Ok)
    assert found == len(ids)  # noqa: S101
    return outcomes.requests
