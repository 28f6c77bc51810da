"""Spans and metrics, by the real SDK and httpx's own instrumentation."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from opentelemetry import context, trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from followersdata_async import AsyncClient, OutcomeUnknownError, RateLimit, RetryPolicy, orders
from followersdata_async.integrations.opentelemetry import instrument
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan

pytestmark = pytest.mark.anyio

KEY = "sandbox-very-secret"
LINK = "https://example.com/the-customers-link"


class Watching:
    """Providers of a test's own, and what they were told."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meters = MeterProvider([self._reader])

    def client(self, sandbox: Sandbox, **settings: Any) -> AsyncClient:
        """A client that is watched."""
        panel = AsyncClient(KEY, url=sandbox.url, retry=RetryPolicy(initial_delay=0), **settings)
        return instrument(panel, tracer_provider=self.tracers, meter_provider=self.meters)

    def spans(self) -> list[ReadableSpan]:
        """Those that have ended, by their beginning."""
        return sorted(self._spans.get_finished_spans(), key=lambda span: span.start_time or 0)

    def metrics(self) -> dict[str, list[Any]]:
        """Each metric's points."""
        data = self._reader.get_metrics_data()
        assert data is not None
        return {
            metric.name.removeprefix("followersdata.client."): list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture(name="watching")
def _watching() -> Watching:
    return Watching()


@pytest.fixture(name="panel", scope="module")
def _panel() -> Iterator[Sandbox]:
    with Sandbox(serve=True, past=1000, balances={KEY: 1000}) as sandbox:
        yield sandbox


@pytest.fixture(name="_httpx")
def _httpx_fixture(watching: Watching) -> Iterator[None]:
    HTTPXClientInstrumentor().instrument(tracer_provider=watching.tracers)
    yield
    HTTPXClientInstrumentor().uninstrument()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """Ours, without their prefix."""
    return {
        name.removeprefix("followersdata."): value
        for name, value in (span.attributes or {}).items()
        if name.startswith("followersdata.") or name == "error.type"
    }


@pytest.mark.usefixtures("_httpx")
async def test_a_call_is_a_span_with_its_requests_below(watching: Watching, panel: Sandbox) -> None:
    """A bulk status of three requests, of which one was sent again; httpx's spans are its children."""
    panel.next("broken")
    async with watching.client(panel) as client:
        await client.multi_status([*range(1, 250), 10**9])
    (call, *requests) = watching.spans()
    assert (call.name, call.parent) == ("followersdata multi_status", None)
    assert attributes(call) == {
        "method": "multi_status",
        "action": "status",
        "ids": 250,
        "chunks": 3,
        "requests": 3,
        "attempts": 4,
        "outcomes.ok": 249,
        "outcomes.refused": 1,
    }
    assert call.attributes is not None
    assert call.attributes["server.address"] == "127.0.0.1"
    assert call.attributes["server.port"] == int(panel.url.rpartition(":")[2].partition("/")[0])
    assert [request.name for request in requests] == ["POST"] * 4
    assert {request.parent.span_id for request in requests if request.parent} == {call.context.span_id}


async def test_a_call_is_below_what_the_application_does(watching: Watching, panel: Sandbox) -> None:
    """Its own span is current again afterwards, and in the body of a stream."""
    tracer = watching.tracers.get_tracer("shop")
    async with watching.client(panel) as client:
        with tracer.start_as_current_span("checkout") as checkout:
            await client.balance()
            assert trace.get_current_span() is checkout
            async with client.stream_status([1]) as outcomes:
                async for _ in outcomes:
                    assert trace.get_current_span() is checkout
            assert trace.get_current_span() is checkout
        assert trace.get_current_span() is trace.INVALID_SPAN
    _, balance, stream = watching.spans()
    assert [balance.name, stream.name] == ["followersdata balance", "followersdata stream_status"]
    assert {balance.parent.span_id, stream.parent.span_id} == {checkout.get_span_context().span_id}  # type: ignore[union-attr]


async def test_an_error_is_told_by_its_name_and_nothing_tells_keys_links_or_ids(
    watching: Watching, panel: Sandbox
) -> None:
    """Neither a span nor a metric."""
    panel.next("dropped")
    order = orders.Package(service=3, link=LINK)
    async with watching.client(panel) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.add(order)
        await client.cancel([777_777_777])
        await client.multi_status([777_777_777, "strange-id"])
    add, *_ = watching.spans()
    assert attributes(add)["error.type"] == "OutcomeUnknownError"
    assert attributes(add)["outcomes.unknown"] == 1
    assert add.status.status_code is trace.StatusCode.ERROR
    told = "".join(span.to_json() for span in watching.spans()) + repr(watching.metrics())
    for secret in (KEY, LINK, "777777777", "strange-id"):
        assert secret not in told


async def test_a_cancelled_call_is_no_error(watching: Watching, panel: Sandbox) -> None:
    """Somebody wanted it."""
    async with watching.client(panel) as client:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await client.balance()
    (span,) = watching.spans()
    assert span.status.status_code is trace.StatusCode.UNSET
    assert "Cancelled" in attributes(span)["error.type"]


async def test_the_metrics_add_up(watching: Watching, panel: Sandbox) -> None:
    """Requests, ids, retries, what is left for them, shared calls, fill, outcomes, waits and lags."""
    async with watching.client(panel, rate_limit=RateLimit(1000)) as client:
        panel.next("broken")
        await client.multi_status([*range(1, 250), 10**9])
        async with anyio.create_task_group() as group:
            for order in range(1, 11):
                group.start_soon(client.status, order)
        async with client.watch([1, 2]) as changes:
            async for _ in changes:
                break
    told = watching.metrics()
    assert sum(point.count for point in told["request.duration"]) == 6
    assert sum(point.sum for point in told["request.ids"]) == 100 + 100 + 100 + 50 + 10 + 2
    assert sum(point.value for point in told["active_requests"]) == 0
    assert sum(point.value for point in told["retries"]) == 1
    assert 480 <= told["retry.budget"][0].value <= 500
    assert sum(point.value for point in told["coalesced_calls"]) == 10
    assert sum(point.count for point in told["limiter.wait.duration"]) == 6
    assert sum(point.count for point in told["poll.lag"]) == 1
    assert {point.attributes["followersdata.outcome"]: point.value for point in told["outcomes"]} == {
        "ok": 249 + 10 + 2,
        "refused": 1,
    }
    calls = {point.attributes["followersdata.method"]: point.count for point in told["operation.duration"]}
    assert calls == {"multi_status": 1, "status": 10, "watch": 1}


async def test_many_calls_at_once_are_many_spans(watching: Watching, panel: Sandbox) -> None:
    """Each with its own context; streams in one another, too."""
    async with watching.client(panel) as client:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(client.balance)
        async with client.stream_status([1]) as outer, client.stream_status([2]) as inner:
            async for _ in outer:
                pass
            async for _ in inner:
                pass
    spans = watching.spans()
    assert len(spans) == 22
    assert {span.parent for span in spans} == {None}


async def test_a_lent_client_is_traced_as_well(watching: Watching, panel: Sandbox) -> None:
    """What it does is its own; the call is ours."""
    async with httpx.AsyncClient() as http, watching.client(panel, http=http) as client:
        await client.balance()
    assert [span.name for span in watching.spans()] == ["followersdata balance"]


async def test_without_an_sdk_nothing_happens(panel: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """Without a word in the log, and the caller's context is as it was."""
    before = context.get_current()
    async with instrument(AsyncClient(KEY, url=panel.url)) as client:
        await client.balance()
        await client.multi_status([1])
        async with client.stream_status([1]), client.stream_status([2]):
            pass
    assert context.get_current() is before
    assert [record for record in caplog.records if record.levelname != "DEBUG"] == []


def test_without_its_extra_it_says_what_to_install() -> None:
    """And the core does not need it."""
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import followersdata_async\n"
        "try:\n    import followersdata_async.integrations.opentelemetry\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'followersdata_async[otel]'" in done.stdout
