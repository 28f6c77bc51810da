"""Typed against untyped: the CPU of reading a hundred statuses, alone and with the request that they came by."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import httpx
from pydantic import BaseModel, TypeAdapter

from followersdata_async import AsyncClient
from followersdata_async._wire import decoding as answers
from followersdata_async._wire import encoding
from followersdata_async._wire.error_phrases import Words
from followersdata_async._wire.messages import Answer

from . import rivals
from .measure import Result, compared
from .server import answer_to
from .serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .measure import Way

BATCH = 100
_UNTYPED = "httpx and json.loads"
_LOADS = "json.loads"


class _Status(BaseModel):
    charge: str
    start_count: int
    status: str
    remains: int
    currency: str


def run(*, quick: bool) -> list[Result]:
    """Compare per 100 orders: reading alone, and whole requests one after the other."""
    times = 200 if quick else 2_000
    with serving("benchmarks.server", 0.0) as url:
        chunks = [range(start, start + BATCH) for start in range(1, times * BATCH, BATCH)]
        requests = {
            _UNTYPED: partial(_untyped, url, chunks),
            "followersdata_async": partial(_ours, url, times),
        }
        return [
            *compared("decoding", "100 statuses, read alone", _reading(times), against=_LOADS, repeats=5),
            *compared("decoding", "100 statuses, with their request", requests, against=_UNTYPED, repeats=5),
        ]


def _reading(times: int) -> dict[str, Way]:
    ids = range(1, BATCH + 1)
    body = answer_to("orders=" + ",".join(map(str, ids)))
    request, answer, words = encoding.statuses_request(ids), Answer(status=200, body=body), Words({})
    readers: dict[str, Callable[[], object]] = {
        _LOADS: lambda: json.loads(body),
        "pydantic": partial(TypeAdapter(dict[str, _Status]).validate_json, body),
        "followersdata_async": lambda: answers.order_statuses(request, answer, words, ids),
    }
    return {name: partial(_repeated, read, times) for name, read in readers.items()}


async def _repeated(read: Callable[[], object], times: int) -> int:
    for _ in range(times):
        read()
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
