"""A limit that programs share: what one program does by itself, without its database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from followersdata_async.rate_limit import PostgresRateLimit
from followersdata_async.rate_limit.postgres import PostgresAccountLimiter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.anyio


def make_limiter(sleep: Callable[[float], Awaitable[None]] = anyio.sleep) -> PostgresAccountLimiter:
    """A limiter whose database has a turn for everybody, at once."""
    limit = PostgresRateLimit("postgresql://nobody@127.0.0.1:9/nothing", 1000)
    limiter = PostgresAccountLimiter(limit, limit._conninfo, "some account", sleep=sleep)

    async def execute(*_: object, **__: object) -> float:
        await anyio.lowlevel.checkpoint()
        return 0.0

    limiter._execute = execute  # type: ignore[method-assign]
    return limiter


async def find_wait(limiter: PostgresAccountLimiter) -> float:
    """For how many seconds the next request would wait."""
    delays: list[float] = []

    async def sleep(delay: float) -> None:
        delays.append(delay)
        limiter._paused_until = 0.0
        await anyio.lowlevel.checkpoint()

    limiter._sleep = sleep
    await limiter.wait()
    return sum(delays)


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """The panel has asked for both."""
    limiter = make_limiter()
    await limiter.pause(60.0)
    await limiter.pause(1.0)
    assert 59 < await find_wait(limiter) <= 60


async def test_a_pause_holds_from_the_moment_it_is_asked_for() -> None:
    """Also before its database knows of it."""
    limiter = make_limiter()
    pausing = limiter.pause(60.0)
    assert 59 < await find_wait(limiter) <= 60
    await pausing
