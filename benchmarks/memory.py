"""Peak memory: any number of ids streamed, beside a gather of everything at once. Each way has a process of its own."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from pathlib import Path

import anyio
import httpx

from followersdata_async import AsyncClient, Ok

from . import rivals
from .serving import serving

_BATCH = 100
_RIVAL_SHARE = 10
"""The gather gets a tenth of the ids."""
_KIB_OF_MIB = 1024


def run(*, ids: int) -> list[dict[str, object]]:
    """Stream ``ids`` orders through a real socket, and gather a tenth of them."""
    with serving("benchmarks.server", 0.0) as url:
        return [
            _measured("followersdata_async, streamed", "streamed", url, ids),
            _measured("httpx, gathered", "gathered", url, max(_BATCH, ids // _RIVAL_SHARE)),
        ]


def _measured(name: str, way: str, url: str, ids: int) -> dict[str, object]:
    command = [sys.executable, "-m", "benchmarks.memory", way, url, str(ids)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603 - our own module
    return {"benchmark": "memory", "way": name, "ids": ids, **json.loads(done.stdout)}


async def streamed(url: str, ids: int) -> int:
    """Every outcome looked at, and none kept."""
    async with (
        AsyncClient(rivals.KEY, url=url) as panel,
        panel.stream_status(iter(range(1, ids + 1))) as outcomes,
    ):
        ok = 0
        async for outcome in outcomes:
            ok += isinstance(outcome, Ok)
        assert ok == ids  # noqa: S101 - a benchmark of wrong answers is worth nothing
        return outcomes.requests


async def gathered(url: str, ids: int) -> int:
    """A request for each hundred, all at once."""
    limits = httpx.Limits(max_connections=16, max_keepalive_connections=16)
    async with httpx.AsyncClient(timeout=None, limits=limits) as client:  # noqa: S113 - the pool's queue takes long
        forms = [rivals.form(range(first, first + _BATCH)) for first in range(1, ids + 1, _BATCH)]
        answers = await asyncio.gather(*(client.post(url, data=form) for form in forms))
        statuses = {id_: row for answer in answers for id_, row in answer.json().items()}
        assert len(statuses) == ids  # noqa: S101 - as above
        return len(answers)


def _memory(what: str) -> int:
    """KiB of memory: ``VmRSS`` is what there is now, ``VmHWM`` the most since the program began.

    The most that ``getrusage`` knows is that of whoever started the program.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))


def _main(way: str, url: str, ids: int) -> None:
    work = {"streamed": streamed, "gathered": gathered}[way]
    anyio.run(work, url, _BATCH)  # What is imported and built once is not counted.
    gc.collect()
    before, began = _memory("VmRSS"), time.perf_counter()
    requests = anyio.run(work, url, ids)
    seconds = time.perf_counter() - began
    growth = (_memory("VmHWM") - before) / _KIB_OF_MIB
    report = {"requests": requests, "growth_mib": round(growth, 1), "seconds": round(seconds, 1)}
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
