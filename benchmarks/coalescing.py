"""Handlers that each ask for one order: requests, what a caller waits, and the CPU of an await."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, final

import anyio
import httpx
from attrs import frozen

from followersdata_async import AsyncClient

from . import rivals, server
from .serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from followersdata_async import Id, OrderStatus

LATENCY = 0.02
CONCURRENCY = 16
_PLAIN = "httpx, a request for each order"

Ask = Callable[[int], Awaitable[object]]
"""What a handler does."""


@final
@frozen
class _Run:
    waits: list[float]
    cpu: float


def run(*, quick: bool) -> list[dict[str, object]]:
    """Compare handlers that come one by one, and a hundred in the same moment."""
    awaits = 1_000 if quick else 5_000
    rows: list[dict[str, object]] = []
    with serving("benchmarks.server", LATENCY) as url:
        for together in (1, 100):
            ways: dict[str, Callable[[], object]] = {
                _PLAIN: partial(_plain, url),
                "followersdata_async, chunk_size=1": partial(_ours, url, 1),
                "followersdata_async": partial(_ours, url, 100),
            }
            if find_spec("aiodataloader"):
                ways["aiodataloader over multi_status"] = partial(_loader, url)
            else:
                sys.stderr.write("aiodataloader is not installed, so it is left out: pip install aiodataloader\n")
            rows += _compared(url, ways, awaits if together > 1 else awaits // 20, together)
    return rows


def _compared(
    url: str, ways: Mapping[str, Callable[[], object]], awaits: int, together: int
) -> list[dict[str, object]]:
    found: dict[str, tuple[int, _Run]] = {}
    for name, way in ways.items():
        before = server.requests(url)
        result: _Run = anyio.run(_timed, way, awaits, together)
        found[name] = (server.requests(url) - before - 1, result)  # One was to warm up.
    plain = statistics.median(found[_PLAIN][1].waits)
    return [
        {
            "benchmark": "coalescing",
            "case": f"{awaits} awaits, {together} at once, {LATENCY * 1000:.0f} ms",
            "way": name,
            "requests": requests,
            "p50_ms": round(statistics.median(result.waits) * 1000, 1),
            "p99_ms": round(statistics.quantiles(result.waits, n=100)[98] * 1000, 1),
            "added_ms": round((statistics.median(result.waits) - plain) * 1000, 1),
            "cpu_us": round(result.cpu / awaits * 1e6),
        }
        for name, (requests, result) in found.items()
    ]


async def _timed(way: Callable[[], object], awaits: int, together: int) -> _Run:
    waits: list[float] = []

    async def handler(ask: Ask, order: int) -> None:
        began = time.perf_counter()
        await ask(order)
        waits.append(time.perf_counter() - began)

    async with way() as ask:  # type: ignore[attr-defined]  # each way is a context manager
        await ask(1)
        cpu = time.process_time()
        for first in range(0, awaits, together):
            async with anyio.create_task_group() as group:
                for order in range(first + 1, first + 1 + together):
                    group.start_soon(handler, ask, order)
        return _Run(waits, time.process_time() - cpu)


@asynccontextmanager
async def _plain(url: str) -> AsyncIterator[Ask]:
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:

        async def ask(order: int) -> object:
            form = {"key": rivals.KEY, "action": "status", "order": str(order)}
            return json.loads((await client.post(url, data=form)).content)

        yield ask


@asynccontextmanager
async def _ours(url: str, chunk_size: int) -> AsyncIterator[Ask]:
    async with AsyncClient(rivals.KEY, url=url, concurrency=CONCURRENCY, chunk_size=chunk_size) as panel:
        yield panel.status


@asynccontextmanager
async def _loader(url: str) -> AsyncIterator[Ask]:
    from aiodataloader import DataLoader  # noqa: PLC0415 - looked for before

    async with AsyncClient(rivals.KEY, url=url, concurrency=CONCURRENCY) as panel:

        async def load(ids: list[Id]) -> list[OrderStatus]:
            result = await panel.multi_status(ids)
            return [result.ok[id_] for id_ in ids]

        yield DataLoader(load, max_batch_size=100, cache=False).load
