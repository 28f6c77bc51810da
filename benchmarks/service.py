"""The example service under load: its rate, its slowest answers, and how often it asks the panel."""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import frozen

from . import rivals
from .measure import NOISY
from .server import requests
from .serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

LATENCY = 0.05
_CUSTOMERS = 100
_REPEATS = 3
_ROOT = Path(__file__).parent.parent
_PLAIN = "a request of httpx's for each"
_WAYS = {
    _PLAIN: ("plain_service:app", _ROOT / "benchmarks", 1),
    "the example, one worker": ("service:app", _ROOT / "docs", 1),
    "the example, four workers": ("service:app", _ROOT / "docs", 4),
}


@frozen
class _Run:
    per_second: float
    median: float
    slow: float
    asked: float


def run(*, quick: bool) -> list[dict[str, object]]:
    """A hundred customers, each with a connection of its own, ask for an order at a time; services take turns."""
    each = 20 if quick else 100
    runs: dict[str, list[_Run]] = {name: [] for name in _WAYS}
    for _ in range(_REPEATS):
        for name, (app, folder, workers) in _WAYS.items():
            with serving("benchmarks.server", LATENCY) as panel, _running(app, folder, workers, panel) as url:
                asyncio.run(_load(url, 2))
                before = requests(panel)
                began = time.perf_counter()
                times = sorted(asyncio.run(_load(url, each)))
                seconds = time.perf_counter() - began
                asked = (requests(panel) - before) / len(times) * 1000
            runs[name].append(
                _Run(len(times) / seconds, statistics.median(times), times[int(len(times) * 0.99)], asked)
            )
    plain = statistics.median(run.per_second for run in runs[_PLAIN])
    return [_row(name, those, plain, each * _CUSTOMERS) for name, those in runs.items()]


def _row(name: str, runs: list[_Run], plain: float, count: int) -> dict[str, object]:
    rates = [run.per_second for run in runs]
    rate = statistics.median(rates)
    spread = (max(rates) - min(rates)) / rate
    return {
        "benchmark": "service",
        "case": f"{count} GET /orders/…, {_CUSTOMERS} customers, a panel of {LATENCY * 1000:.0f} ms",
        "way": name,
        "requests_per_second": round(rate),
        "ratio": round(rate / plain, 2),
        "median_ms": round(statistics.median(run.median for run in runs) * 1000),
        "p99_ms": round(statistics.median(run.slow for run in runs) * 1000),
        "panel_requests_per_1000": round(statistics.median(run.asked for run in runs)),
        "spread": round(spread, 2),
        "noisy": spread > NOISY,
    }


@contextmanager
def _running(app: str, folder: Path, workers: int, panel: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as place:
        environment = os.environ | {
            "FOLLOWERSDATA_API_KEY": rivals.KEY,
            "FOLLOWERSDATA_API_URL": panel,
            "FOLLOWERSDATA_LEDGER_URL": f"sqlite:///{place}/service.db",
        }
        port = asyncio.run(_free_port())
        command = [sys.executable, "-m", "uvicorn", "--app-dir", str(folder), app, "--no-access-log"]
        command += [f"--port={port}", f"--workers={workers}"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
            assert process.stderr is not None  # noqa: S101 - as it is a pipe
            for _ in range(workers):
                while "startup complete" not in process.stderr.readline():
                    pass
            # A worker that is alone listens a moment later.
            while not _answers(port):
                time.sleep(0.01)
            try:
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


async def _free_port() -> int:
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    return port


async def _load(url: str, each: int) -> list[float]:
    """As cheaply as asyncio can; how long each answer took, in seconds."""
    customers = (_customer(url, number, each) for number in range(_CUSTOMERS))
    return [took for times in await asyncio.gather(*customers) for took in times]


async def _customer(url: str, number: int, each: int) -> list[float]:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    times = []
    for order in range(number * each + 1, (number + 1) * each + 1):
        began = time.perf_counter()
        writer.write(b"GET /orders/%d HTTP/1.1\r\nHost: x\r\n\r\n" % order)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))
        assert head.startswith(b"HTTP/1.1 200"), head  # noqa: S101 - wrong answers are worth nothing
        times.append(time.perf_counter() - began)
    writer.close()
    return times
