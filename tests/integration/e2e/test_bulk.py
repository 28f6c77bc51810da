"""The main job over real sockets: bulk status, its numbers and its laws."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import pytest

from followersdata_async import AsyncClient, AuthenticationError, OrderNotFoundError, PollPolicy, orders
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from followersdata_async import Id, OrderStatus

pytestmark = pytest.mark.anyio


async def test_ten_thousand_orders_are_a_hundred_requests() -> None:
    """As few as there can be, and one outcome for each."""
    async with (
        Sandbox(serve=True, past=9_990) as sandbox,
        AsyncClient(sandbox.key, url=sandbox.url) as panel,
    ):
        result = await panel.multi_status(range(1, 10_001))
        assert (result.requests, sandbox.requests) == (100, 100)
    assert list(result) == list(range(1, 10_001))
    assert len(result.ok) == 9_990
    assert {type(error) for error in result.errors.values()} == {OrderNotFoundError}


@pytest.mark.parametrize("window", [0.0, 0.05])
async def test_single_calls_of_one_moment_share_requests(window: float) -> None:
    """As of a service's handlers that each ask for one order."""
    found: dict[int, OrderStatus] = {}
    async with (
        Sandbox(serve=True, past=1_000) as sandbox,
        AsyncClient(sandbox.key, url=sandbox.url, coalesce_window=window) as panel,
    ):

        async def handler(order: int) -> None:
            found[order] = await panel.status(order)

        async with anyio.create_task_group() as group:
            for order in range(1, 1_001):
                group.start_soon(handler, order)
        requests = sandbox.requests
        many = await panel.multi_status(range(1, 1_001))
    assert requests == 10
    assert {id_: status.start_count for id_, status in many.ok.items()} == {
        order: status.start_count for order, status in found.items()
    }


async def test_orders_are_watched_to_their_end() -> None:
    """Each is told when it is first seen, when it changes, and when it is final; then nobody asks for it."""
    began = time.time()
    policy = PollPolicy(min_delay=0.005, max_delay=0.05, max_chunk_wait=0.0)
    async with (
        Sandbox(serve=True, past=150, clock=lambda: began + (time.time() - began) * 5000) as sandbox,
        AsyncClient(sandbox.key, url=sandbox.url) as panel,
    ):
        ids = [
            (await panel.add(orders.Package(service=3, link=f"https://example.com/{number}"))).order
            for number in range(150)
        ]
        last: dict[Id, OrderStatus | None] = {}
        async with panel.watch(ids, poll_policy=policy) as changes:
            async for change in changes:
                assert change.before == last.get(change.order)
                last[change.order] = change.after
        assert list(changes.known) == ids
        assert dict(changes.known.ok) == last
        assert all(status.is_final for status in changes.known.ok.values())
        assert changes.requests >= 2
        settled = sandbox.requests
        final = await panel.wait_until_final([*ids, 10**9], poll_policy=policy, timeout=30)
        assert len(final.ok) == 150
        assert isinstance(final.errors[10**9], OrderNotFoundError)
        assert sandbox.requests > settled


async def test_refills_and_cancellations_of_hundreds() -> None:
    """Every id has what the panel said of it."""
    async with (
        Sandbox(serve=True, past=300) as sandbox,
        AsyncClient(sandbox.key, url=sandbox.url) as panel,
    ):
        refills = await panel.multi_refill(range(1, 301))
        states = await panel.multi_refill_status(refill.refill for refill in refills.ok.values())  # type: ignore[misc]
        cancellations = await panel.cancel(range(1, 301))
    assert len(refills.ok) + len(refills.refused) == 300
    assert len(states.ok) == len(refills.ok) > 0
    assert len(cancellations.ok) + len(cancellations.refused) == 300


async def test_a_wrong_key_is_one_request() -> None:
    """However many ids."""
    async with Sandbox(serve=True) as sandbox, AsyncClient("wrong-key", url=sandbox.url) as panel:
        with pytest.raises(AuthenticationError):
            await panel.multi_status(range(1, 10_001))
        assert sandbox.requests == 1


async def test_a_stream_holds_the_place_of_a_batch() -> None:
    """As chunks finish, over any number of ids."""
    async with (
        Sandbox(serve=True, past=2_000) as sandbox,
        AsyncClient(sandbox.key, url=sandbox.url) as panel,
        panel.stream_status(iter(range(1, 2_001))) as outcomes,
    ):
        found = [outcome.id async for outcome in outcomes]
    assert sorted(found) == list(range(1, 2_001))  # type: ignore[type-var]
    assert outcomes.requests == sandbox.requests == 20
