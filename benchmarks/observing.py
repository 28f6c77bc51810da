"""The cost of listeners: small calls, by the CPU that each takes, without a listener and with one."""

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

    from followersdata_async.events import Listener

_WORKERS = 16
_OFF = "nobody listens"


def run(*, quick: bool) -> list[dict[str, object]]:
    """Request as many single statuses with each listener; a batch spreads the same cost over a hundred ids."""
    calls = 2_000 if quick else 10_000
    with serving("benchmarks.server", 0) as url:
        ways = {name: partial(_request_statuses, url, calls, create) for name, create in _WAYS.items()}
        results = compared("observing", f"{calls} calls, {_WORKERS} in flight, 0 ms", ways, against=_OFF, repeats=5)
    return [result.row() for result in results]


async def _request_statuses(url: str, calls: int, create: Callable[[str], AsyncClient]) -> int:
    async with create(url) as panel:

        async def work() -> None:
            for order in range(1, calls // _WORKERS + 1):
                await panel.multi_status([order])

        async with anyio.create_task_group() as group:
            for _ in range(_WORKERS):
                group.start_soon(work)
    return calls // _WORKERS * _WORKERS


def _create_client(url: str, on_event: Listener | None = None) -> AsyncClient:
    return AsyncClient(rivals.KEY, url=url, concurrency=_WORKERS, on_event=on_event)


def _create_traced_client(url: str) -> AsyncClient:
    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
    meters = MeterProvider(metric_readers=[InMemoryMetricReader()])
    return instrument(_create_client(url), tracer_provider=tracers, meter_provider=meters)


_WAYS: dict[str, Callable[[str], AsyncClient]] = {
    _OFF: _create_client,
    "a function that does nothing": partial(_create_client, on_event=lambda _: None),
    "logging, at WARNING": partial(_create_client, on_event=log_to(logging.getLogger("benchmarks"))),
    "OpenTelemetry's API, no SDK": lambda url: instrument(_create_client(url)),
    "OpenTelemetry with its SDK": _create_traced_client,
}
