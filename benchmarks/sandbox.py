"""What the sandbox serves, and what its orders cost in memory: it must not be what other benchmarks measure.

Its server has a process of its own, which tells the CPU it used: on a machine
with few cores that says more than the time that passed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from followersdata_async.sandbox import Sandbox
from followersdata_async.sandbox.backend import World

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH = 100
_CONNECTIONS = 8
_FORM = {"key": Sandbox.key, "action": "add", "service": "1", "link": "https://example.com/p/1", "quantity": "50"}


def run(*, orders: int) -> list[dict[str, object]]:
    """Ask for the status of ``orders`` orders, a hundred at once; then place as many."""
    fast = all(importlib.util.find_spec(name) for name in ("uvloop", "httptools"))
    with _told("serve", orders) as (url, use):
        before = use()
        began = time.perf_counter()
        requests = asyncio.run(_asked(url, orders))
        seconds, after = time.perf_counter() - began, use()
    with _told("place", orders) as (_, use):
        placed = use()
    return [
        {
            "benchmark": "sandbox",
            "case": f"{orders:,} orders asked",
            "uvloop_and_httptools": fast,
            "requests_per_second": round(requests / seconds),
            "requests_per_cpu_second": round(requests / (after["cpu"] - before["cpu"])),
            "peak_mib_before": before["mib"],
            "peak_mib": after["mib"],
        },
        {
            "benchmark": "sandbox",
            "case": f"{orders:,} orders placed",
            "placed_per_cpu_second": round(orders / placed["cpu"]),
            "peak_mib": placed["mib"],
            "bytes_per_order": round((placed["mib"] - before["mib"]) * 1024 * 1024 / orders),
        },
    ]


@contextmanager
def _told(what: str, orders: int) -> Iterator[tuple[str, Any]]:
    """A process that prints what it is, and for each line what it has used so far."""
    command = [sys.executable, "-m", "benchmarks.sandbox", what, str(orders)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:  # noqa: S603 - our own module
        assert process.stdin is not None  # noqa: S101 - as they are pipes
        assert process.stdout is not None  # noqa: S101
        told, heard = process.stdin, process.stdout

        def use() -> dict[str, float]:
            told.write("use\n")
            used: dict[str, float] = json.loads(heard.readline())
            return used

        try:
            yield heard.readline().strip(), use
        finally:
            told.close()


async def _asked(url: str, orders: int) -> int:
    """As cheaply as asyncio can: the client's CPU is not what is measured."""
    starts = iter(range(1, orders + 1, _BATCH))
    counts = await asyncio.gather(*(_asked_by_one(url, starts, orders) for _ in range(_CONNECTIONS)))
    return sum(counts)


async def _asked_by_one(url: str, starts: Iterator[int], orders: int) -> int:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    count = 0
    for start in starts:
        ids = ",".join(map(str, range(start, min(start + _BATCH, orders + 1))))
        body = urlencode({"key": Sandbox.key, "action": "status", "orders": ids}).encode()
        writer.write(b"POST /api/v2 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        head = await reader.readuntil(b"\r\n\r\n")
        answer = await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))
        assert answer.count(b'"charge"') == len(ids.split(","))  # noqa: S101 - wrong answers are worth nothing
        count += 1
    writer.close()
    return count


def _use() -> str:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return json.dumps({"cpu": used.ru_utime + used.ru_stime, "mib": round(used.ru_maxrss / 1024)})


def _tell_use() -> None:
    for _ in sys.stdin:
        sys.stdout.write(_use() + "\n")
        sys.stdout.flush()


def _serve(orders: int) -> None:
    with Sandbox(serve=True, past=orders) as sandbox:
        sys.stdout.write(sandbox.url + "\n")
        sys.stdout.flush()
        _tell_use()


def _place(orders: int) -> None:
    world = World(balances={Sandbox.key: Decimal(10**12)})
    for number in range(orders):
        world.answer(_FORM, number / 1000)
    sys.stdout.write(f"{len(world.entries)}\n")
    sys.stdout.flush()
    _tell_use()


if __name__ == "__main__":
    {"serve": _serve, "place": _place}[sys.argv[1]](int(sys.argv[2]))
