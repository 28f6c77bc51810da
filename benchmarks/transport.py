"""Requests for one order each: CPU and rate of the exchange, by requests in flight and the panel's latency."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

from .bulk import create_ways, request_ours, split
from .measure import Result, compared
from .server import connections
from .serving import serving

BATCH = 1
_CONCURRENCIES = (1, 4, 16, 64, 128, 256)
_AGAINST = "bare sockets and json.loads"
_SNIFFIO = "with sniffio" if find_spec("sniffio") else "without sniffio"
"""httpcore, and so httpx, takes half as much CPU again without it."""


def run(*, quick: bool) -> list[Result]:
    """Compare ways to send the same requests. The numbers of connections are the server's."""
    results: list[Result] = []
    for latency in (0.0, 0.05):
        with serving("benchmarks.server", latency) as url:
            for concurrency in (10, 50) if quick else (1, 10, 50, 200):
                case = f"{concurrency} in flight, {latency * 1000:.0f} ms, {_SNIFFIO}"
                ways = create_ways(url, BATCH, concurrency, latency=latency, quick=quick)
                results += compared("transport", case, ways, against=_AGAINST, connections=partial(connections, url))
    return [*results, *_compare_concurrency(quick=quick)]


def _compare_concurrency(*, quick: bool) -> list[Result]:
    """Compare our rates with 1 to 256 requests in flight, 100 orders in each."""
    with serving("benchmarks.server", 0.0) as url:
        chunks = split(500 if quick else 2000, 100)
        ways = {
            f"followersdata_async, {concurrency} in flight": partial(request_ours, url, chunks, concurrency)
            for concurrency in _CONCURRENCIES
        }
        return compared("transport", "typed, 1 to 256 in flight, 0 ms", ways, against=next(iter(ways)))
