"""Typed against untyped: the CPU of a request for a hundred statuses, and of one row without the request."""

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
_OURS = "followersdata_async"
_OURS_WITHOUT_ROWS = "followersdata_async, the balance"
_UNTYPED = "httpx and json.loads"
_UNREAD = "httpx, the body unread"
_LOADS = "json.loads"
_PYDANTIC = "pydantic"
_BODY = answer_to("orders=" + ",".join(map(str, range(1, BATCH + 1))))
_BALANCE = b'{"balance":"100.84292","currency":"USD"}'
_URL = "http://127.0.0.1/api/v2"


class _Status(BaseModel):
    charge: str
    start_count: int
    status: str
    remains: int
    currency: str


_parse_with_pydantic: Callable[[bytes], object] = TypeAdapter(dict[str, _Status]).validate_json


def run(*, quick: bool) -> list[Result | dict[str, object]]:
    """Compare requests of 100 orders, one after the other, and their rows without the requests."""
    times = 200 if quick else 2_000
    in_process = compared("decoding", "100 statuses, in process", _create_ways(times), against=_UNTYPED, repeats=5)
    with serving("benchmarks.server", 0.0) as url:
        chunks = [range(start, start + BATCH) for start in range(1, times * BATCH, BATCH)]
        requests = {_UNTYPED: partial(_request_untyped, url, chunks), _OURS: partial(_request, url, times)}
        connected = compared("decoding", "100 statuses, over a connection", requests, against=_UNTYPED, repeats=5)
    return [*in_process, *connected, *_compare_rows(in_process)]


def _create_ways(times: int) -> dict[str, Way]:
    """Return ways to read the same response, alone or from a transport in this process that returns it at once."""
    parsers: dict[str, Callable[[bytes], object]] = {_LOADS: json.loads, _PYDANTIC: _parse_with_pydantic}
    readers = {_UNREAD: len, _UNTYPED: parsers[_LOADS], "httpx and pydantic": parsers[_PYDANTIC]}
    return {
        **{name: partial(_parse, parse, times) for name, parse in parsers.items()},
        **{name: partial(_read_in_process, read, times) for name, read in readers.items()},
        _OURS_WITHOUT_ROWS: partial(_request_balance_in_process, times),
        _OURS: partial(_request_in_process, times),
    }


def _compare_rows(results: Sequence[Result]) -> list[dict[str, object]]:
    """Compare the CPU of one row with that of ``json.loads`` of the same body.

    Ours is that of a request in process, less that of a request for the
    balance, which has no rows. It includes what ids take before they are sent.
    """
    found = {result.way: result for result in results}
    ours, floor = found[_OURS], found[_OURS_WITHOUT_ROWS]
    cpu = {way: found[way].cpu_us for way in (_LOADS, _PYDANTIC)} | {_OURS: ours.cpu_us - floor.cpu_us}
    is_noisy = {way: found[way].is_noisy for way in cpu} | {_OURS: ours.is_noisy or floor.is_noisy}
    return [
        {
            "benchmark": "decoding",
            "case": "a row of 100, without the request",
            "way": way,
            "cpu_us": round(cpu[way] / BATCH, 2),
            "cost_ratio": round(cpu[way] / cpu[_LOADS], 1),
            "noisy": is_noisy[way],
        }
        for way in cpu
    ]


async def _parse(parse: Callable[[bytes], object], times: int) -> int:
    for _ in range(times):
        parse(_BODY)
    return times


def _create_http(body: bytes) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body)))


async def _read_in_process(read: Callable[[bytes], object], times: int) -> int:
    async with _create_http(_BODY) as http:
        for _ in range(times):
            read((await http.post(_URL, data=rivals.form(range(1, BATCH + 1)))).content)
    return times


async def _request_in_process(times: int) -> int:
    async with _create_http(_BODY) as http, AsyncClient(rivals.KEY, url=_URL, http=http) as panel:
        for _ in range(times):
            await panel.multi_status(range(1, BATCH + 1))
    return times


async def _request_balance_in_process(times: int) -> int:
    async with _create_http(_BALANCE) as http, AsyncClient(rivals.KEY, url=_URL, http=http) as panel:
        for _ in range(times):
            await panel.balance()
    return times


async def _request_untyped(url: str, chunks: Sequence[Sequence[int]]) -> int:
    """Keep what came, as ours does."""
    found: dict[str, object] = {}
    async with httpx.AsyncClient(timeout=60) as client:
        for chunk in chunks:
            found |= json.loads((await client.post(url, data=rivals.form(chunk))).content)
    return len(found) // BATCH


async def _request(url: str, times: int) -> int:
    async with AsyncClient(rivals.KEY, url=url, concurrency=1) as panel:
        return (await panel.multi_status(range(1, times * BATCH + 1))).requests
