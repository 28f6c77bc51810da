"""Reads through aiohttp, writes through our own connections."""

from __future__ import annotations

import sys

import pytest

from followersdata_async import AsyncClient, ConfigurationError, orders
from followersdata_async.sandbox import Sandbox
from tests.helpers.sockets import replying, response, serving


@pytest.mark.asyncio
async def test_reads_and_writes_go_their_own_ways() -> None:
    """Both arrive; the connections are not the same."""
    async with serving(replying(response(b'{"order": 1, "balance": "1"}'))) as server:
        async with AsyncClient("sandbox-key", url=server.url, transport="aiohttp") as panel:
            await panel.balance()
            await panel.add(orders.Package(service=3, link="x.y"))
            await panel.balance()
        assert server.connections == 2
        assert [b"aiohttp" in head.lower() for head in server.heads] == [False] * 3


@pytest.mark.asyncio
async def test_the_main_job_runs_through_it() -> None:
    """As through our own."""
    async with (
        Sandbox(serve=True, past=2000) as sandbox,
        AsyncClient(sandbox.key, url=sandbox.url, transport="aiohttp") as panel,
    ):
        result = await panel.multi_status(range(1, 2001))
    assert (len(result.ok), result.requests, sandbox.requests) == (2000, 20, 20)


def test_on_trio_it_says_that_it_cannot() -> None:
    """When it is opened."""
    import anyio  # noqa: PLC0415

    async def opening() -> None:
        async with AsyncClient("sandbox-key", transport="aiohttp"):
            pass

    with pytest.raises(ConfigurationError, match=r"^transport='aiohttp' runs on asyncio only: leave it out on trio$"):
        anyio.run(opening, backend="trio")


@pytest.mark.parametrize(
    ("module", "settings", "says"),
    [
        ("httpx_aiohttp", {"transport": "aiohttp"}, r"pip install 'followersdata_async\[aiohttp\]'"),
        ("h2", {"http2": True}, r"pip install 'followersdata_async\[http2\]'"),
    ],
)
def test_without_its_extra_it_says_what_to_install(
    module: str, settings: dict[str, object], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the client is made."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=says):
        AsyncClient("sandbox-key", **settings)  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_http2_falls_back_where_a_panel_does_not_offer_it() -> None:
    """It is agreed on in the TLS handshake; without one it is HTTP/1.1."""
    async with (
        serving(replying(response(b'{"balance": "1"}'))) as server,
        AsyncClient("sandbox-key", url=server.url, http2=True) as panel,
    ):
        assert (await panel.balance()).balance == 1
    assert server.heads[0].startswith(b"POST /api/v2 HTTP/1.1")
