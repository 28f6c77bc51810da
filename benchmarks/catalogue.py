"""A catalogue of 5,000 services: read whole, beside httpx and ``json.loads``."""

from __future__ import annotations

import json
from functools import partial

import httpx

from followersdata_async import AsyncClient

from . import rivals
from .measure import Result, compared
from .server import SERVICES
from .serving import serving

_UNTYPED = "httpx and json.loads"


def run(*, quick: bool) -> list[Result]:
    """Compare catalogues per second, one after the other."""
    times = 5 if quick else 20
    with serving("benchmarks.server", 0.0) as url:
        ways = {_UNTYPED: partial(_untyped, url, times), "followersdata_async": partial(_ours, url, times)}
        return compared("catalogue", f"{SERVICES:,} services", ways, against=_UNTYPED, repeats=5)


async def _untyped(url: str, times: int) -> int:
    async with httpx.AsyncClient(timeout=60) as client:
        for _ in range(times):
            rows = json.loads((await client.post(url, data={"key": rivals.KEY, "action": "services"})).content)
            assert len(rows) == SERVICES  # noqa: S101 - a benchmark of wrong answers is worth nothing
    return times


async def _ours(url: str, times: int) -> int:
    async with AsyncClient(rivals.KEY, url=url) as panel:
        for _ in range(times):
            assert len(await panel.services()) == SERVICES  # noqa: S101 - as above
    return times
