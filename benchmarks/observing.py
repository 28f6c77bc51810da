"""What it costs to be watched: small calls, by the CPU each takes, with nobody listening and with somebody."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

import anyio
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from followersdata_async import AsyncClient
from followersdata_async.integrations.logging import log_to
from followersdata_async.integrations.opentelemetry import instrument

from . import rivals
from .measure import compared
from .serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    Watched = Callable[[AsyncClient], AsyncClient]

_WORKERS = 16
_OFF = "nobody listens"


def run(*, quick: bool) -> list[dict[str, object]]:
    """Ask for as many single things, watched in each way; a batch spreads the same cost over a hundred ids."""
    calls = 2_000 if quick else 10_000
    with serving("benchmarks.server", 0) as url:
        ways = {name: partial(_asked, url, calls, watch) for name, watch in _WAYS.items()}
        results = compared("observing", f"{calls} calls, {_WORKERS} in flight, 0 ms", ways, against=_OFF, repeats=5)
    return [result.row() for result in results]


async def _asked(url: str, calls: int, watch: Watched) -> int:
    async with watch(AsyncClient(rivals.KEY, url=url, concurrency=_WORKERS)) as panel:

        async def work() -> None:
            for order in range(1, calls // _WORKERS + 1):
                await panel.multi_status([order])

        async with anyio.create_task_group() as group:
            for _ in range(_WORKERS):
                group.start_soon(work)
    return calls // _WORKERS * _WORKERS


def _listened(panel: AsyncClient) -> AsyncClient:
    panel.events.add(lambda _: None)
    return panel


def _logged(panel: AsyncClient) -> AsyncClient:
    panel.events.add(log_to(logging.getLogger("benchmarks")))
    return panel


def _traced(panel: AsyncClient) -> AsyncClient:
    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
    return instrument(
        panel, tracer_provider=tracers, meter_provider=MeterProvider(metric_readers=[InMemoryMetricReader()])
    )


_WAYS: dict[str, Watched] = {
    _OFF: lambda panel: panel,
    "a function that does nothing": _listened,
    "logging, at WARNING": _logged,
    "OpenTelemetry's API, no SDK": instrument,
    "OpenTelemetry with its SDK": _traced,
}
