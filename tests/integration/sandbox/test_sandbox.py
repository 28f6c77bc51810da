"""The sandbox as callers hold it: in process and on a port, on both event loops."""

from __future__ import annotations

import socket

import anyio
import httpx
import pytest

from followersdata_async import AsyncClient, orders
from followersdata_async.sandbox import Sandbox

anyio_test = pytest.mark.anyio

ORDER = orders.Default(service=1, link="https://example.com/p/1", quantity=1000)


@anyio_test
@pytest.mark.parametrize("serve", [False, True], ids=["in-process", "on-a-port"])
async def test_a_client_places_an_order_and_the_sandbox_lists_it(serve: bool) -> None:
    """In process and over a real socket."""
    async with Sandbox(seed=1, serve=serve, past=10) as sandbox:
        if serve:
            async with AsyncClient(sandbox.key, url=sandbox.url) as panel:
                placed = await panel.add(ORDER)
        else:
            async with sandbox.http() as http, AsyncClient(sandbox.key, url=sandbox.url, http=http) as panel:
                placed = await panel.add(ORDER)
        assert [entry["order"] for entry in sandbox.orders()] == [placed.order] == [11]
        assert sandbox.requests == 1


@anyio_test
async def test_the_orders_are_served_as_json() -> None:
    """One object for each order that was taken, with its key masked."""
    async with Sandbox(serve=True, clock=lambda: 5.0) as sandbox, httpx.AsyncClient() as http:
        form = {"key": sandbox.key, "action": "add", "service": "3", "link": "a.b"}
        assert (await http.post(sandbox.url, data=form)).json() == {"order": 1}
        orders = (await http.get(sandbox.url.replace("/api/v2", "/__sandbox__/orders"))).json()
    assert orders == sandbox.orders()
    assert list(orders[0]) == ["order", "key", "service", "link", "quantity", "fields", "charge", "taken_at"]
    assert "sandbox-key" not in str(orders)


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"a=1&" * 200, b"x" * 1024 * 1024, b'{"key": ', b'{"a":' * 100_000, b"[]"]
)
@anyio_test
async def test_a_body_without_a_readable_key_is_rejected(body: bytes) -> None:
    """With HTTP 200, like all errors."""
    async with Sandbox() as sandbox, sandbox.http() as http:
        reply = await http.post(sandbox.url, content=body)
    assert (reply.status_code, reply.json()) == (200, {"error": "Invalid API key"})


def test_an_unknown_dialect_is_an_error() -> None:
    """The message lists the known ones."""
    with pytest.raises(ValueError, match=r"^there is no dialect 'klingon': take one of documented, capital, "):
        Sandbox(dialect="klingon")


@anyio_test
async def test_a_taken_port_is_an_error() -> None:
    """When the sandbox is entered."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await Sandbox(serve=True, port=taken.getsockname()[1]).__aenter__()


@anyio_test
async def test_a_sandbox_that_was_never_entered_can_be_exited() -> None:
    """There is no server to stop."""
    await Sandbox(serve=True).__aexit__(None, None, None)


@anyio_test
async def test_requests_wait_for_the_latency() -> None:
    """No order is taken before."""
    form = {"key": Sandbox.key, "action": "add", "service": "3", "link": "a.b"}
    async with Sandbox(latency=3600.0) as sandbox, sandbox.http() as http:
        with anyio.move_on_after(0.05) as scope:
            await http.post(sandbox.url, data=form)
        assert scope.cancelled_caught
        assert sandbox.orders() == []
    async with Sandbox(latency=0.001) as sandbox, sandbox.http() as http:
        assert (await http.post(sandbox.url, data=form)).json() == {"order": 1}
