"""Bulk status: orders per second, for a panel that takes 50 ms to answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from followersdata_async import AsyncClient

from . import rivals
from .measure import Result, compared
from .serving import serving

if TYPE_CHECKING:
    from collections.abc import Sequence

LATENCY = 0.05
CONCURRENCY = 16
BATCH = 100
_RIVAL = "workers over one httpx client, untyped"


def run(*, quick: bool) -> list[Result]:
    """Compare ways to ask for many orders; the way without batches gets a twentieth of them."""
    orders = 20_000 if quick else 100_000
    chunks = [range(start, start + BATCH) for start in range(1, orders, BATCH)]
    few = chunks[: len(chunks) // 20]
    with serving("benchmarks.server", LATENCY) as url:
        ways = {
            _RIVAL: partial(_orders, rivals.bounded, url, chunks),
            "a request for each order": partial(_single, url, few),
            "followersdata_async": partial(_ours, url, orders),
        }
        case = f"{orders} orders, {CONCURRENCY} in flight, {LATENCY * 1000:.0f} ms"
        return compared("bulk", case, ways, against=_RIVAL)


async def _orders(way: rivals.Rival, url: str, chunks: Sequence[Sequence[int]]) -> int:
    return BATCH * await way(url, chunks, CONCURRENCY)


async def _single(url: str, chunks: Sequence[Sequence[int]]) -> int:
    return await rivals.one_by_one(url, chunks, CONCURRENCY)


async def _ours(url: str, orders: int) -> int:
    async with AsyncClient(rivals.KEY, url=url, concurrency=CONCURRENCY) as panel:
        return len((await panel.multi_status(range(1, orders + 1))).ok)
