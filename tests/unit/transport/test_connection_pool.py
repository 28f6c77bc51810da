"""Connections in small shards behind one gate."""

from __future__ import annotations

import ssl

import anyio
import pytest

from followersdata_async._settings import Settings
from followersdata_async._transport import Pool, httpx_shard

pytestmark = pytest.mark.anyio


def pool_of(concurrency: int, **changes: object) -> Pool:
    """A pool to nowhere."""
    url = str(changes.pop("url", "http://127.0.0.1:1/"))
    settings = Settings(api_key="sandbox-key", url=url, concurrency=concurrency, error_phrases={}, **changes)  # type: ignore[arg-type]
    return Pool(settings, httpx_shard)


@pytest.mark.parametrize(("concurrency", "shards"), [(1, 1), (2, 1), (3, 2), (16, 8), (100, 50)])
async def test_a_shard_has_two_connections_at_most(concurrency: int, shards: int) -> None:
    """One large pool slows down with every request in flight."""
    assert len(pool_of(concurrency)._shards) == shards


async def test_the_least_loaded_shard_is_taken() -> None:
    """Requests spread evenly."""
    pool = pool_of(24)
    leased = []
    all_leased = anyio.Event()

    async def hold() -> None:
        async with pool.lease() as shard:
            leased.append(shard)
            if len(leased) == 24:
                all_leased.set()
            await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        for _ in range(24):
            group.start_soon(hold)
        await all_leased.wait()
        assert [leased.count(shard) for shard in pool._shards] == [2] * 12
        assert pool.in_flight == 24
        group.cancel_scope.cancel()
    assert pool.in_flight == 0
    assert set(pool._loads) == {0}


async def intrude(pool: Pool) -> None:
    """Take a place where there is none."""
    async with pool.lease():
        pytest.fail("two at once")


async def test_the_gate_holds_back_what_is_too_much() -> None:
    """A cancelled wait takes no place with it."""
    pool = pool_of(1)
    async with pool.lease(), anyio.create_task_group() as group:
        group.start_soon(intrude, pool)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    async with pool.lease():
        assert pool.in_flight == 1
    assert pool.in_flight == 0


async def test_all_shards_share_one_ssl_context() -> None:
    """Reading the certificates takes longer than anything else."""
    own = ssl.create_default_context()
    for pool in (pool_of(16, url="https://panel.example/"), pool_of(16, ssl_context=own)):
        contexts = {id(shard._pool._ssl_context) for shard in pool._shards}
        assert len(contexts) == 1
    assert contexts == {id(own)}
