"""Law 6: cancelling anything, anywhere, leaks nothing; a write that has left is finished."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
import trustme

from followersdata_async import (
    AsyncClient,
    ConfigurationError,
    FollowersDataError,
    OutcomeUnknownError,
    RateLimit,
    RetryPolicy,
    orders,
)
from followersdata_async._transport.h11_transport import H11Transport
from followersdata_async._wire.encoding import encode_add
from followersdata_async._wire.messages import SendState
from followersdata_async._wire.writes import (
    decode_placed_order,
)
from followersdata_async.sandbox import Sandbox
from tests.helpers.fakes import FakeTransport, answer, make_pipeline, row
from tests.helpers.sockets import response, serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import SocketStream

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning"),
]

ORDER = orders.Package(service=3, link="x.y")


CALLS = (
    lambda client: client.balance(),
    lambda client: client.status(1),
    lambda client: client.multi_status(range(1, 250)),
    lambda client: client.add(ORDER),
    lambda client: client.cancel([1, 2]),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "backend", [("asyncio", {}), ("asyncio", {"use_uvloop": True}), ("trio", {})], ids=["asyncio", "uvloop", "trio"]
)
@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "encrypted"])
def test_random_cancellations_leave_nothing(backend: tuple[str, dict[str, object]], is_encrypted: bool) -> None:
    """Of every kind and at every moment, while connecting, sending, waiting and reading.

    No descriptor, connection, task, slot, retry token or turn of the limiter is left.
    """
    authority = trustme.CA()
    server_context, client_context = (
        ssl.SSLContext(kind) for kind in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)
    )
    authority.issue_cert("localhost").configure_cert(server_context)
    authority.configure_trust(client_context)

    async def script(stream: SocketStream, _: bytes) -> None:
        whole = response(b'{"order": 1, "balance": "1", "status": "Completed", "charge": "1"}')
        await stream.send(whole[:40])
        await anyio.sleep(chance.random() * 0.002)
        await stream.send(whole[40:])
        if chance.random() < 0.2:
            await stream.aclose()

    chance = random.Random(7)  # noqa: S311 - a seed, not a secret

    async def call_and_cancel(client: AsyncClient, times: int) -> None:
        for _ in range(times):
            with suppress(FollowersDataError):
                await cancel_somehow(chance.choice(CALLS), client, chance)

    async def main() -> None:
        # An event loop opens descriptors of its own when it first needs them.
        await exercise(times=1)
        descriptors = count_descriptors()
        await exercise(times=CANCELLATIONS // TASKS)
        await anyio.wait_all_tasks_blocked()
        assert count_descriptors() == descriptors

    async def exercise(times: int) -> None:
        async with serving(script, ssl_context=server_context if is_encrypted else None) as server:
            client = AsyncClient(
                "sandbox-key",
                url=server.url,
                concurrency=10,
                rate_limit=RateLimit(100_000),
                retry=RetryPolicy(initial_delay=0, max_delay=0.001),
                ssl_context=client_context if is_encrypted else None,
            )
            async with client:
                async with anyio.create_task_group() as group:
                    for _ in range(TASKS):
                        group.start_soon(call_and_cancel, client, times)
                transport = client._pipeline._transport
                assert isinstance(transport, H11Transport)
                assert transport._pool._in_use == set()
                assert transport._pool.open_connections <= 10
                assert client._pipeline._slots.value == 10
                with anyio.fail_after(30):
                    async with anyio.create_task_group() as group:
                        for _ in range(40):
                            group.start_soon(client.multi_status, [1])
            assert transport._pool.open_connections == 0

    name, options = backend
    anyio.run(main, backend=name, backend_options=options)


DESCRIPTORS = Path("/proc/self/fd")
CANCELLATIONS, TASKS = 1_700, 20
"""For each of six cases: 10,000 in all."""


def count_descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(list(DESCRIPTORS.iterdir())) if DESCRIPTORS.exists() else 0


async def cancel_somehow(
    call: Callable[[AsyncClient], Awaitable[object]], client: AsyncClient, chance: random.Random
) -> None:
    """Cancel a call after a random time: by a scope, or on asyncio also by its own ways."""
    delay = chance.choice([0.0, chance.random() * 0.0005, chance.random() * 0.005])
    kind = chance.choice(["scope", "task", "wait_for", "timeout"] if in_asyncio() else ["scope"])
    with suppress(TimeoutError):
        if kind == "scope":
            with anyio.move_on_after(delay):
                await call(client)
        elif kind == "task":
            task = asyncio.ensure_future(call(client))
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.wait([task])
            task.cancelled() or task.exception()
        elif kind == "wait_for":
            await asyncio.wait_for(call(client), delay)
        else:
            async with asyncio.timeout(delay):
                await call(client)


def in_asyncio() -> bool:
    """Return whether this is asyncio."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def test_a_cancelled_write_that_has_left_is_finished() -> None:
    """Its answer is read to the end: the connection is whole, and used again."""
    arrived, released = anyio.Event(), anyio.Event()

    async def script(stream: SocketStream, _: bytes) -> None:
        arrived.set()
        await released.wait()
        await stream.send(response(b'{"order": 1, "balance": "1"}'))

    async with serving(script) as server, AsyncClient("sandbox-key", url=server.url) as panel:
        async with anyio.create_task_group() as group:
            group.start_soon(panel.add, ORDER)
            await arrived.wait()
            group.cancel_scope.cancel()
            released.set()
        await panel.balance()
        assert (len(server.forms), server.connections) == (2, 1)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("lent", [False, True], ids=["own", "lent"])
async def test_a_time_limit_of_asyncios_loses_no_order(*, lent: bool) -> None:
    """``wait_for`` cancels the task, which no scope's shield holds off: the order's id comes late, but it comes."""
    released = anyio.Event()

    async def script(stream: SocketStream, _: bytes) -> None:
        await released.wait()
        await stream.send(response(b'{"order": 1}'))

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(script))
        http = await stack.enter_async_context(httpx.AsyncClient()) if lent else None
        panel = await stack.enter_async_context(AsyncClient("sandbox-key", url=server.url, http=http))
        asyncio.get_running_loop().call_later(0.1, released.set)
        placed = await asyncio.wait_for(panel.add(ORDER), 0.03)
        assert (placed.order, len(server.forms)) == (1, 1)


async def test_closing_waits_for_a_write_that_is_on_its_way() -> None:
    """A server that ends closes its clients while handlers still run: cut off, nobody would know of their orders."""
    arrived, released = anyio.Event(), anyio.Event()
    placed = []

    async def script(stream: SocketStream, _: bytes) -> None:
        arrived.set()
        await released.wait()
        await stream.send(response(b'{"order": 1}'))

    async def order(panel: AsyncClient) -> None:
        placed.append((await panel.add(ORDER)).order)

    async def release() -> None:
        await anyio.wait_all_tasks_blocked()
        released.set()

    async with serving(script) as server, anyio.create_task_group() as group:
        async with AsyncClient("sandbox-key", url=server.url) as panel:
            group.start_soon(order, panel)
            await arrived.wait()
            group.start_soon(release)
        assert placed == [1]


@pytest.mark.parametrize("lent", [False, True], ids=["own", "lent"])
@pytest.mark.parametrize("waits_for", ["a place", "the limiter"])
async def test_closing_sends_nothing_that_still_waits(*, lent: bool, waits_for: str) -> None:
    """It is refused, proven not to be sent, whatever it waits for; and no connection is opened that nobody closes."""
    arrived, released, all_told = anyio.Event(), anyio.Event(), anyio.Event()
    told: list[object] = []

    async def script(stream: SocketStream, _: bytes) -> None:
        arrived.set()
        await released.wait()
        await stream.send(response(b'{"order": 1}'))

    async def order(panel: AsyncClient) -> None:
        try:
            told.append((await panel.add(ORDER)).order)
        except ConfigurationError as error:
            told.append(type(error))
        if len(told) == 3:
            all_told.set()

    async def release() -> None:
        await anyio.wait_all_tasks_blocked()
        released.set()

    rate = RateLimit(1, per=0.2) if waits_for == "the limiter" else None
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(script))
        http = await stack.enter_async_context(httpx.AsyncClient()) if lent else None
        group = await stack.enter_async_context(anyio.create_task_group())
        async with AsyncClient("sandbox-key", url=server.url, concurrency=1, http=http, rate_limit=rate) as panel:
            for _ in range(3):
                group.start_soon(order, panel)
            await arrived.wait()
            group.start_soon(release)
        await all_told.wait()
        assert told == [1, ConfigurationError, ConfigurationError]
        assert len(server.forms) == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_close_that_asyncio_cancels_closes_all_the_same() -> None:
    """It waits for the order, and then lets go of the connection; whoever cancelled is heard afterwards."""
    arrived, released = anyio.Event(), anyio.Event()

    async def script(stream: SocketStream, _: bytes) -> None:
        arrived.set()
        await released.wait()
        await stream.send(response(b'{"order": 1}'))

    async with serving(script) as server:
        panel = await AsyncClient("sandbox-key", url=server.url).__aenter__()
        order = asyncio.create_task(panel.add(ORDER))
        await arrived.wait()
        closing = asyncio.create_task(panel.__aexit__(None, None, None))
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.sleep(0)
        released.set()
        assert (await order).order == 1
        await asyncio.wait([closing])
        transport = panel._pipeline._transport
        assert isinstance(transport, H11Transport)
        assert transport._pool.open_connections == 0


async def test_a_cancelled_read_is_dropped() -> None:
    """Nobody waits for it: its connection is closed."""
    arrived = anyio.Event()

    async def script(stream: SocketStream, form: bytes) -> None:
        if b"services" in form:
            arrived.set()
            await anyio.sleep_forever()
        await stream.send(response(b'{"balance": "1"}'))

    async with serving(script) as server, AsyncClient("sandbox-key", url=server.url) as panel:
        async with anyio.create_task_group() as group:
            group.start_soon(panel.services)
            await arrived.wait()
            group.cancel_scope.cancel()
        await panel.balance()
        assert (len(server.forms), server.connections) == (2, 2)


async def test_a_caller_that_gives_up_leaves_the_others_their_request() -> None:
    """Ten calls are one request on one connection, which is used again."""
    arrived, released = anyio.Event(), anyio.Event()

    async def script(stream: SocketStream, form: bytes) -> None:
        arrived.set()
        await released.wait()
        rows = {number: row() for number in range(10)}
        await stream.send(response(json.dumps(rows if b"orders=" in form else row()).encode()))

    scope = anyio.CancelScope()

    async def call_until_cancelled(panel: AsyncClient) -> None:
        with scope:
            await panel.status(0)
        assert scope.cancelled_caught

    async with serving(script) as server, AsyncClient("sandbox-key", url=server.url) as panel:
        async with anyio.create_task_group() as group:
            group.start_soon(call_until_cancelled, panel)
            for number in range(1, 10):
                group.start_soon(panel.status, number)
            await arrived.wait()
            scope.cancel()
            await anyio.wait_all_tasks_blocked()
            released.set()
        await panel.status(1)
        assert (len(server.forms), server.connections) == (2, 1)


async def test_shared_calls_that_are_all_cancelled_close_their_connection() -> None:
    """Before the last of them has returned."""
    arrived = anyio.Event()

    async def script(_: SocketStream, __: bytes) -> None:
        arrived.set()
        await anyio.sleep_forever()

    async with serving(script) as server, AsyncClient("sandbox-key", url=server.url) as panel:
        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(panel.status, number)
            await arrived.wait()
            group.cancel_scope.cancel()
        transport = panel._pipeline._transport
        assert isinstance(transport, H11Transport)
        assert transport._pool.open_connections == 0
        assert panel._pipeline._slots.value == panel._pipeline.settings.concurrency


async def test_closing_a_client_ends_the_calls_that_share_a_request() -> None:
    """They are told that it was closed, each by an error of its own."""
    arrived = anyio.Event()
    told: list[FollowersDataError] = []

    async def script(_: SocketStream, __: bytes) -> None:
        arrived.set()
        await anyio.sleep_forever()

    async def call(panel: AsyncClient, number: int) -> None:
        try:
            await panel.status(number)
        except FollowersDataError as error:
            told.append(error)

    async with (
        serving(script) as server,
        anyio.create_task_group() as group,
        AsyncClient("sandbox-key", url=server.url) as panel,
    ):
        for number in range(10):
            group.start_soon(call, panel, number)
        await arrived.wait()
    assert [type(error) for error in told] == [ConfigurationError] * 10
    assert len(set(map(id, told))) == 10


async def test_a_write_that_waits_for_its_turn_is_dropped_when_cancelled() -> None:
    """Nothing has left yet, so nothing is finished."""
    transport = FakeTransport(lambda _: answer({"1": row()}))
    limit = RateLimit(1, per=3600.0)
    pipeline = make_pipeline(transport, rate_limit=limit)
    await limit.wait()
    with anyio.move_on_after(0.01) as scope:
        await pipeline.execute(encode_add({}), decode_placed_order, SendState())
    assert scope.cancelled_caught
    assert transport.requests == []


async def test_a_write_that_is_cut_off_by_its_own_deadline_is_unknown() -> None:
    """The shield does not last for ever."""
    async with (
        Sandbox(serve=True, latency=2.0) as sandbox,
        AsyncClient(sandbox.key, url=sandbox.url, attempt_timeout=0.5) as panel,
    ):
        with pytest.raises(OutcomeUnknownError) as caught:
            await panel.add(ORDER)
    assert caught.value.sent is True
