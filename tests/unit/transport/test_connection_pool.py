"""Connections in small shards."""

from __future__ import annotations

import ssl

import anyio
import pytest

from followersdata_async._transport.connection_pool import ConnectionPool, create_httpx_shard
from tests.helpers.fakes import make_settings

pytestmark = pytest.mark.anyio


def make_pool(concurrency: int, **changes: object) -> ConnectionPool:
    """A pool to nowhere."""
    return ConnectionPool(make_settings(concurrency=concurrency, **changes), create_httpx_shard)


@pytest.mark.parametrize(("concurrency", "shards"), [(1, 1), (2, 1), (3, 2), (16, 8), (100, 50)])
async def test_a_shard_has_two_connections_at_most(concurrency: int, shards: int) -> None:
    """One large pool slows down with every request in flight."""
    assert len(make_pool(concurrency)._shards) == shards


async def test_the_least_loaded_shard_is_taken() -> None:
    """Requests spread evenly."""
    pool = make_pool(24)
    leased = []
    all_leased = anyio.Event()

    async def hold() -> None:
        with pool.lease() as shard:
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


async def test_all_shards_share_one_ssl_context() -> None:
    """Reading the certificates takes longer than anything else."""
    own = ssl.create_default_context()
    for pool in (make_pool(16, url="https://panel.example/"), make_pool(16, ssl_context=own)):
        contexts = {id(shard._pool._ssl_context) for shard in pool._shards}
        assert len(contexts) == 1
    assert contexts == {id(own)}
