"""While httpx is patched, requests go through it: whoever mocks it must not place a real order."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
import respx
import vcr
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from followersdata_async import AsyncClient, InsufficientFundsError, NotSentError, OutcomeUnknownError, orders
from tests.helpers.sockets import replying, response, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_httpx import HTTPXMock

pytestmark = pytest.mark.anyio

ORDER = orders.Package(service=3, link="x.y")
REAL = response(b'{"order": 1, "balance": "1"}')


async def place(client: AsyncClient) -> object:
    """Place an order, and return its id."""
    return (await client.add(ORDER)).order


@pytest.mark.parametrize("using", ["httpcore", "httpx"])
@pytest.mark.parametrize("is_client_older", [True, False], ids=["client first", "mock first"])
async def test_respx_sees_every_request(using: str, is_client_older: bool) -> None:
    """Whether it patches httpcore, as by default, or httpx. Afterwards, requests are real again."""
    async with serving(replying(REAL)) as server, AsyncClient("sandbox-key", url=server.url) as client:
        if is_client_older:
            assert await place(client) == 1
        connections = server.connections
        with respx.mock(using=using) as router:
            route = router.post(server.url).respond(json={"order": 7, "balance": "7"})
            assert await place(client) == 7
            assert (await client.balance()).balance == 7
        assert route.calls[0].request.content.startswith(b"key=sandbox-key&action=add")
        assert server.connections == connections
        assert await place(client) == 1
        assert server.connections == 1


@pytest.mark.parametrize("using", ["httpcore", "httpx"])
async def test_respx_lets_no_unexpected_request_through(using: str) -> None:
    """Its own error reaches the test, alone."""
    async with serving(replying(REAL)) as server, AsyncClient("sandbox-key", url=server.url) as client:
        with respx.mock(using=using, assert_all_called=False) as router:
            router.post("https://elsewhere.example/")
            for call in (client.add(ORDER), client.balance(), client.multi_status(range(1, 300)), client.status(1)):
                with pytest.raises(AssertionError, match="not mocked"):
                    await call
        assert server.connections == 0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx.ConnectError("refused"), NotSentError),
        (httpx.ConnectTimeout("slow"), NotSentError),
        (httpx.ReadTimeout("slow"), OutcomeUnknownError),
        (httpx.RemoteProtocolError("cut"), OutcomeUnknownError),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_errors_of_a_mock_mean_what_those_of_httpx_mean(error: Exception, expected: type[Exception]) -> None:
    """So that a test of a lost order can be written with respx."""
    async with AsyncClient("sandbox-key", url="https://panel.example/api/v2", retry=None) as client:
        with respx.mock as router:
            router.post("https://panel.example/api/v2").mock(side_effect=error)
            with pytest.raises(expected):
                await client.add(ORDER)


async def test_pytest_httpx_sees_every_request(httpx_mock: HTTPXMock) -> None:
    """It patches the transports of httpx."""
    async with serving(replying(REAL)) as server, AsyncClient("sandbox-key", url=server.url) as client:
        httpx_mock.add_response(url=server.url, json={"error": "Not enough funds on balance"})
        with pytest.raises(InsufficientFundsError):
            await client.add(ORDER)
        assert server.connections == 0
    assert httpx_mock.get_requests()[0].content.startswith(b"key=sandbox-key&action=add")


async def test_vcr_records_and_replays(tmp_path: Path) -> None:
    """The second time, nothing is sent."""
    cassette = str(tmp_path / "cassette.yaml")
    async with serving(replying(REAL)) as server:
        for connections in (1, 1):
            async with AsyncClient("sandbox-key", url=server.url) as client:
                with vcr.use_cassette(cassette, record_mode="once"):
                    assert await place(client) == 1
            assert server.connections == connections


@contextmanager
def instrument() -> Iterator[InMemorySpanExporter]:
    """Instrument httpx, and return the spans."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        yield exporter
    finally:
        instrumentor.uninstrument()


async def test_opentelemetry_sees_every_request() -> None:
    """A span for each, and requests are sent as usual."""
    async with serving(replying(REAL)) as server, AsyncClient("sandbox-key", url=server.url) as client:
        with instrument() as exporter:
            assert await place(client) == 1
            assert (await client.balance()).balance == 1
        assert [span.name for span in exporter.get_finished_spans()] == ["POST", "POST"]
        assert len(server.forms) == 2
        await client.balance()
    assert len(exporter.get_finished_spans()) == 2


@pytest.mark.parametrize("method", ["send", "_send_single_request"])
async def test_replaced_method_of_the_client_is_called(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As error reporting tools do, and tests by hand."""

    async def reply(_: httpx.AsyncClient, request: httpx.Request, **__: object) -> httpx.Response:
        return httpx.Response(200, json={"order": 7}, request=request)

    async with serving(replying(REAL)) as server, AsyncClient("sandbox-key", url=server.url) as client:
        monkeypatch.setattr(httpx.AsyncClient, method, reply)
        assert await place(client) == 7
        assert server.connections == 0
