"""A limit that programs share: what one program does by itself, and what it tells its database."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from followersdata_async import NotSentError
from followersdata_async.rate_limit import PostgresRateLimit
from followersdata_async.rate_limit.postgres import PostgresAccountLimiter

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.anyio


class Database:
    """What programs share: their statements are calculated as a server would, and it can be away."""

    def __init__(self) -> None:
        self.is_away = False
        self.due = -math.inf

    @property
    def pause(self) -> float:
        """For how many seconds another program's request would wait, which has no burst left."""
        return self.due - anyio.current_time()

    async def execute(self, statement: str, values: Mapping[str, Any]) -> Database:
        """Calculate a statement."""
        await anyio.lowlevel.checkpoint()
        if self.is_away:
            msg = "no route"
            raise OSError(msg)
        now = anyio.current_time()
        self.due = max(self.due, now + values["hold"])
        self._told = 0.0
        if "burst" in statement:
            self.due += values["interval"]
            self._told = self.due - values["burst"] * values["interval"] - now
        return self

    async def fetchone(self) -> tuple[float]:
        """Tell the value of the last one."""
        return (self._told,)

    async def close(self) -> None:
        """Close nothing."""


class Program:
    """A limiter of a program; it notes for how long it would sleep, and forgets its pause instead."""

    def __init__(self, database: Database, requests: int = 1000, **settings: Any) -> None:
        self.delays: list[float] = []
        self.database = database
        limit = PostgresRateLimit("postgresql://nobody@127.0.0.1:9/nothing", requests, **settings)
        self.limiter = PostgresAccountLimiter(limit, limit._conninfo, "some account", sleep=self.sleep)
        self.limiter._connect = self.connect  # type: ignore[method-assign, assignment]

    async def connect(self) -> Database:
        """Reach the database, if it is there."""
        await anyio.lowlevel.checkpoint()
        if self.database.is_away:
            msg = "no route"
            raise OSError(msg)
        return self.database

    async def sleep(self, delay: float) -> None:
        """Note it, and forget the pause."""
        self.delays.append(delay)
        self.limiter._paused_until = 0.0
        await anyio.lowlevel.checkpoint()

    async def wait(self) -> float:
        """Return for how many seconds the next request would wait."""
        self.delays.clear()
        self.limiter._outage_until = 0.0
        await self.limiter.wait()
        return sum(self.delays)

    @property
    def local_delay(self) -> float:
        """For how many seconds the next request would wait without the database."""
        return self.limiter._local._gcra.delay(anyio.current_time())


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """The panel has asked for both, and all programs and the fallback keep to the longer one."""
    program, other = Program(Database(), burst=3), Program(Database(), burst=3)
    other.database = program.database
    await program.limiter.pause(600.0)
    await program.limiter.pause(1.0)
    await other.limiter.pause(1.0)
    assert 500 < program.local_delay <= 600
    assert 500 < await program.wait() <= 600
    assert 500 < await other.wait() <= 601


@pytest.mark.parametrize("durations", [(600.0, 1.0), (1.0, 600.0)])
async def test_the_longer_of_two_pauses_at_once_holds(durations: tuple[float, float]) -> None:
    """Whichever reaches the database first."""
    one, two, other = (Program(Database()) for _ in range(3))
    one.database = two.database = other.database
    async with anyio.create_task_group() as group:
        for program, duration in zip((one, two), durations, strict=True):
            group.start_soon(program.limiter._share_pause, duration)
            program.limiter._paused_until = anyio.current_time() + duration
    assert 500 < await other.wait() <= 601


async def test_a_pause_holds_from_the_moment_it_is_asked_for() -> None:
    """Also before its database knows of it."""
    program = Program(Database())
    pausing = program.limiter.pause(600.0)
    assert 500 < await program.wait() <= 600
    await pausing


@pytest.mark.parametrize("on_outage", ["raise", "local"])
async def test_a_pause_in_an_outage_is_told_to_all_with_the_next_request(on_outage: str) -> None:
    """The longest of several, before that request passes; what the others do meanwhile adds nothing to it."""
    database = Database()
    program, other = Program(database, on_outage=on_outage), Program(database)
    database.is_away = True
    await program.limiter.pause(600.0)
    await program.limiter.pause(5.0)
    database.is_away = False
    assert await other.wait() == 0.0
    assert 500 < await program.wait() <= 601
    assert 500 < database.pause <= 601
    assert 500 < await other.wait() <= 601


async def test_a_pause_in_an_outage_is_told_with_the_next_pause() -> None:
    """Which is shorter."""
    database = Database()
    program, other = Program(database, burst=3), Program(database)
    database.is_away = True
    await program.limiter.pause(600.0)
    database.is_away = False
    program.limiter._outage_until = 0.0
    await program.limiter.pause(1.0)
    assert 500 < await other.wait() <= 601


async def test_a_pause_that_is_over_is_not_told() -> None:
    """Nobody waits for it."""
    database = Database()
    program, other = Program(database, burst=3), Program(database, burst=3)
    database.is_away = True
    await program.limiter.pause(600.0)
    program.limiter._paused_until = anyio.current_time() - 1.0
    database.is_away = False
    assert await program.wait() == 0.0
    assert await other.wait() == 0.0


async def test_a_pause_whose_sharing_is_cancelled_is_told_with_the_next_request() -> None:
    """It was asked for all the same."""
    database = Database()
    program, other = Program(database), Program(database)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await program.limiter.pause(600.0)
    assert await other.wait() == 0.0
    with anyio.CancelScope() as scope:
        scope.cancel()
        await program.limiter.wait()
    assert 500 < await program.wait() <= 601
    assert 500 < await other.wait() <= 601


async def test_a_pause_that_the_database_has_lost_is_told_again() -> None:
    """A server that has crashed has forgotten it."""
    database = Database()
    program, other = Program(database), Program(database)
    await program.limiter.pause(600.0)
    database.due = -math.inf
    assert 500 < await program.wait() <= 601
    assert 500 < await other.wait() <= 601


@pytest.mark.parametrize("on_outage", ["raise", "local"])
async def test_one_that_waits_out_a_pause_tells_the_others_when_the_database_is_back(on_outage: str) -> None:
    """Not when it is over."""
    database = Database()
    program = Program(database, on_outage=on_outage)
    pauses: list[float] = []

    async def sleep(delay: float) -> None:
        program.delays.append(delay)
        program.limiter._outage_until = 0.0
        pauses.append(database.pause)
        if len(pauses) == 1 and on_outage == "raise":
            database.is_away = True
            await program.limiter.pause(600.0)
        database.is_away = len(pauses) < 4
        if pauses[-1] > 500:
            program.limiter._paused_until = 0.0
        await anyio.lowlevel.checkpoint()

    program.limiter._sleep = sleep
    if on_outage == "raise":
        database.due = anyio.current_time() + 5.0
    else:
        database.is_away = True
        await program.limiter.pause(600.0)
        program.limiter._outage_until = 0.0
    await program.limiter.wait()
    assert [pause > 500 for pause in pauses] == [False] * 4 + [True]
    assert program.delays[1:4] == [1.0] * 3
    assert 500 < program.delays[4] <= 601


async def test_what_the_database_asked_for_holds_without_it() -> None:
    """Another program's pause, of which a wait was told that was cancelled."""
    database = Database()
    program, other = Program(database, on_outage="local", burst=3), Program(database, burst=3)
    await other.limiter.pause(600.0)

    async def sleep(_: float) -> None:
        scope.cancel()
        await anyio.lowlevel.checkpoint()

    program.limiter._sleep = sleep
    with anyio.CancelScope() as scope:
        await program.limiter.wait()
    assert scope.cancelled_caught
    assert 500 < program.local_delay <= 601


async def test_an_outage_is_an_error_until_the_pause_can_be_told() -> None:
    """And no request passes."""
    database = Database()
    program = Program(database)
    database.is_away = True
    await program.limiter.pause(600.0)
    for _ in range(3):
        with pytest.raises(NotSentError, match="does not answer"):
            await program.wait()
    database.is_away = False
    assert 500 < await program.wait() <= 601
