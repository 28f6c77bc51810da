"""Bulk status: orders per second by how long the panel takes and how many requests are in flight."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from followersdata_async import AsyncClient

from . import rivals
from .measure import Result, compared
from .serving import serving

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .measure import Way

BATCH = 100
_OURS = "followersdata_async"
_RIVAL = "a semaphore over one httpx client"
_FEW = 40
"""How many orders are asked one by one."""


def run(*, quick: bool) -> list[Result]:
    """Compare what people write; the loop that asks one by one gets a few orders alone."""
    results: list[Result] = []
    for latency, orders in ((0.05, 10_000 if quick else 40_000), (0.0, 10_000 if quick else 40_000)):
        with serving("benchmarks.server", latency) as url:
            for concurrency in (16,) if quick else (8, 16, 64):
                case = f"{orders:,} orders, {concurrency} in flight, {latency * 1000:.0f} ms"
                results += compared("bulk", case, _ways(url, orders, concurrency), against=_RIVAL)
    return results


def _ways(url: str, orders: int, concurrency: int) -> Mapping[str, Way]:
    chunks = [range(start, start + BATCH) for start in range(1, orders, BATCH)]
    rivals_of = {
        _RIVAL: rivals.gated,
        "asyncio.gather over one httpx client": rivals.gathered,
        "aiohttp by hand": rivals.by_aiohttp,
        "babismm in threads": rivals.by_babismm,
        "bare sockets, unread": rivals.sockets,
    }
    return {
        "a loop, a request for each order": partial(rivals.looped, url, [range(1, _FEW + 1)], concurrency),
        **{name: partial(_orders, way, url, chunks, concurrency) for name, way in rivals_of.items()},
        _OURS: partial(_ours, url, orders, concurrency),
    }


async def _orders(way: rivals.Rival, url: str, chunks: Sequence[Sequence[int]], concurrency: int) -> int:
    return BATCH * await way(url, chunks, concurrency)


async def _ours(url: str, orders: int, concurrency: int) -> int:
    async with AsyncClient(rivals.KEY, url=url, concurrency=concurrency) as panel:
        return len((await panel.multi_status(range(1, orders + 1))).ok)
