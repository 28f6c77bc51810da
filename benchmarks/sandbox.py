"""The speed of the sandbox and the memory of its orders: it must not be the bottleneck of the other benchmarks.

The sandbox runs in a process of its own, which reports the CPU time that it
used. On a machine with few cores that is more exact than the elapsed time.
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
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from followersdata_async.sandbox import Sandbox

from .asgi import post_form

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH = 100
_CONNECTIONS = 8
_FORM = urlencode(
    {"key": Sandbox.key, "action": "add", "service": "1", "link": "https://example.com/p/1", "quantity": "50"}
).encode()


def run(*, orders: int) -> list[dict[str, object]]:
    """Request the status of ``orders`` orders, a hundred at a time, then place as many."""
    fast = all(importlib.util.find_spec(name) for name in ("uvloop", "httptools"))
    with _start_process("serve", orders) as (url, measure):
        before = measure()
        began = time.perf_counter()
        requests = asyncio.run(_request_statuses(url, orders))
        seconds, after = time.perf_counter() - began, measure()
    with _start_process("place", orders) as (_, measure):
        placed = measure()
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
def _start_process(mode: str, orders: int) -> Iterator[tuple[str, Any]]:
    """Start a process of this module, and yield its first line and a function that measures its CPU time and memory."""
    command = [sys.executable, "-m", "benchmarks.sandbox", mode, str(orders)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:  # noqa: S603 - our own module
        assert process.stdin is not None  # noqa: S101 - as they are pipes
        assert process.stdout is not None  # noqa: S101
        requests, reports = process.stdin, process.stdout

        def measure() -> dict[str, float]:
            requests.write("measure\n")
            usage: dict[str, float] = json.loads(reports.readline())
            return usage

        try:
            yield reports.readline().strip(), measure
        finally:
            requests.close()


async def _request_statuses(url: str, orders: int) -> int:
    """Request all statuses with as little CPU time of the client as possible, and return the number of requests."""
    starts = iter(range(1, orders + 1, _BATCH))
    counts = await asyncio.gather(*(_request_on_one_connection(url, starts, orders) for _ in range(_CONNECTIONS)))
    return sum(counts)


async def _request_on_one_connection(url: str, starts: Iterator[int], orders: int) -> int:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    count = 0
    for start in starts:
        ids = ",".join(map(str, range(start, min(start + _BATCH, orders + 1))))
        body = urlencode({"key": Sandbox.key, "action": "status", "orders": ids}).encode()
        writer.write(b"POST /api/v2 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        head = await reader.readuntil(b"\r\n\r\n")
        content = await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))
        assert content.count(b'"charge"') == len(ids.split(","))  # noqa: S101 - wrong responses must not count
        count += 1
    writer.close()
    return count


def _measure_usage() -> str:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return json.dumps({"cpu": usage.ru_utime + usage.ru_stime, "mib": round(usage.ru_maxrss / 1024)})


def _report_usage() -> None:
    """Print a report for each line that is read."""
    for _ in sys.stdin:
        sys.stdout.write(_measure_usage() + "\n")
        sys.stdout.flush()


def _serve(orders: int) -> None:
    with Sandbox(serve=True, past=orders) as sandbox:
        sys.stdout.write(sandbox.url + "\n")
        sys.stdout.flush()
        _report_usage()


def _place(orders: int) -> None:
    asyncio.run(_place_without_server(orders))
    sys.stdout.write(f"{orders}\n")
    sys.stdout.flush()
    _report_usage()


async def _place_without_server(orders: int) -> None:
    sandbox = Sandbox(balances={Sandbox.key: 10**12}, max_orders=None)
    for number in range(1, orders + 1):
        response = await post_form(sandbox.app, _FORM)
        assert response == b'{"order":%d}' % number, response  # noqa: S101 - wrong responses must not count


if __name__ == "__main__":
    {"serve": _serve, "place": _place}[sys.argv[1]](int(sys.argv[2]))
