"""Typed against untyped: the CPU of a request for a hundred statuses, in process and over a connection."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import httpx
from pydantic import BaseModel, TypeAdapter

from followersdata_async import AsyncClient

from . import rivals
from .measure import Result, compared
from .server import answer_to
from .serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .measure import Way

BATCH = 100
_UNTYPED = "httpx and json.loads"
_UNREAD = "httpx, the body unread"
_URL = "http://127.0.0.1/api/v2"


class _Status(BaseModel):
    charge: str
    start_count: int
    status: str
    remains: int
    currency: str


def run(*, quick: bool) -> list[Result]:
    """Compare requests of 100 orders, one after the other."""
    times = 200 if quick else 2_000
    with serving("benchmarks.server", 0.0) as url:
        chunks = [range(start, start + BATCH) for start in range(1, times * BATCH, BATCH)]
        requests = {
            _UNTYPED: partial(_untyped, url, chunks),
            "followersdata_async": partial(_ours, url, times),
        }
        return [
            *compared("decoding", "100 statuses, in process", _in_process(times), against=_UNTYPED, repeats=5),
            *compared("decoding", "100 statuses, over a connection", requests, against=_UNTYPED, repeats=5),
        ]


def _in_process(times: int) -> dict[str, Way]:
    """Return ways to read the same response, which a transport in this process returns at once."""
    body = answer_to("orders=" + ",".join(map(str, range(1, BATCH + 1))))
    readers: dict[str, Callable[[bytes], object]] = {
        _UNREAD: len,
        _UNTYPED: json.loads,
        "httpx and pydantic": TypeAdapter(dict[str, _Status]).validate_json,
    }
    ways: dict[str, Way] = {name: partial(_read_in_process, body, read, times) for name, read in readers.items()}
    return {**ways, "followersdata_async": partial(_ours_in_process, body, times)}


def _create_client(body: bytes) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body)))


async def _read_in_process(body: bytes, read: Callable[[bytes], object], times: int) -> int:
    async with _create_client(body) as client:
        for _ in range(times):
            read((await client.post(_URL, data=rivals.form(range(1, BATCH + 1)))).content)
    return times


async def _ours_in_process(body: bytes, times: int) -> int:
    async with _create_client(body) as http, AsyncClient(rivals.KEY, url=_URL, http=http) as panel:
        for _ in range(times):
            await panel.multi_status(range(1, BATCH + 1))
    return times


async def _untyped(url: str, chunks: Sequence[Sequence[int]]) -> int:
    """Keeps what came, as ours does."""
    found: dict[str, object] = {}
    async with httpx.AsyncClient(timeout=60) as client:
        for chunk in chunks:
            found |= json.loads((await client.post(url, data=rivals.form(chunk))).content)
    return len(found) // BATCH


async def _ours(url: str, times: int) -> int:
    async with AsyncClient(rivals.KEY, url=url, concurrency=1) as panel:
        return (await panel.multi_status(range(1, times * BATCH + 1))).requests
