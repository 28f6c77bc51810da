"""Orders that are followed: claimed by one, asked in full requests, written back, and their changes on record."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from sqlalchemy import event

from followersdata_async import AsyncClient, AuthenticationError, LedgerError, PollPolicy, orders
from followersdata_async.events import PollStarted
from followersdata_async.ledger import Ledger
from followersdata_async.ledger.database import create_engine
from followersdata_async.ledger.store_tracked import add_orders, claim, find_next_due
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
    from pathlib import Path

    from followersdata_async import Id, OrderStatus
    from followersdata_async._batch.outcomes import Outcomes
    from followersdata_async.models import Outcome

pytestmark = pytest.mark.anyio

NOBODY = "http://127.0.0.1:9/api/v2"
ORDER = orders.Package(service=3, link="https://example.com/p/1")


class Clock:
    """The time of day, moved by hand."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Of the ledger, and of the panel."""
    return Clock()


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Sandbox]:
    """A panel with thirty thousand orders of the past."""
    async with Sandbox(past=30_000, clock=clock) as sandbox:
        yield sandbox


class Meddling:
    """A client that does something else before it answers."""

    def __init__(self, client: AsyncClient, before: Callable[[], Awaitable[None]]) -> None:
        self._panel = client
        self._before = before
        self.max_retry_after = client.max_retry_after
        self.events = client.events

    @asynccontextmanager
    async def stream_status(self, ids: Iterable[Id]) -> AsyncIterator[Outcomes[OrderStatus]]:
        """The statuses, after that."""
        async with self._panel.stream_status(ids) as outcomes:
            await self._before()
            yield outcomes


# --- adopting


async def test_orders_are_followed_however_many(database_url: str) -> None:
    """Each once, whether they come as numbers or texts."""
    async with Ledger(database_url) as ledger:
        assert await ledger.track(range(12_000)) == 12_000
        assert await ledger.track(iter(["7", 11_999, 12_000])) == 1
        assert await ledger.track([7], panel="spare") == 1
        assert await ledger.track([]) == 0


@pytest.mark.parametrize("bad", ["", "1,2", None, 1.5])
async def test_a_bad_id_adopts_none(database_url: str, client: AsyncClient, bad: Any) -> None:
    """All or nothing."""
    async with Ledger(database_url) as ledger:
        with pytest.raises((ValueError, TypeError)):
            await ledger.track([*range(6_000), bad])
        assert (await ledger.poll_once(client)).orders == 0
        with pytest.raises(TypeError, match=r"^ids is one str"):
            await ledger.track("123")


# --- a round


async def test_a_round_asks_for_what_is_due_and_writes_it_down(
    database_url: str, client: AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    """In full requests; what is final is not asked again."""
    async with Ledger(database_url, clock=clock) as ledger:
        await ledger.track(range(1, 251))
        report = await ledger.poll_once(client)
        assert (report.chunks, report.requests, report.orders, len(report.changes)) == (3, 3, 250, 250)
        assert 0 < report.final <= 250
        assert sandbox.requests == 3
        assert (await ledger.poll_once(client)).chunks == 0
        clock.now += 100_000
        counts = await ledger.counts()
        assert sum(counts.values()) == 250
        assert sum(count for state, count in counts.items() if state and state.is_final) == report.final
        await ledger.track([1, 2], panel="spare")
        assert await ledger.counts(panel="spare") == {None: 2}
        later = await ledger.poll_once(client)
        assert later.orders == later.final == 250 - report.final
        recorded = [change async for change in ledger.changes()]
        assert sorted(int(one.change.order) for one in recorded[:250]) == list(range(1, 251))
        assert [one.change for one in recorded] == [*report.changes, *later.changes]
        assert [one.number for one in recorded] == sorted(one.number for one in recorded)
        assert [one async for one in ledger.changes(since=recorded[-3].number)] == recorded[-2:]


async def test_a_round_is_bounded(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """As many requests as it may, and the rest another time."""
    async with Ledger(database_url) as ledger:
        await ledger.track(range(1, 1001))
        assert (await ledger.poll_once(client, max_requests=3)).orders == 300
        assert (await ledger.poll_once(client, max_requests=100)).orders == 700
        assert sandbox.requests == 10


async def test_placed_orders_are_followed(database_url: str, client: AsyncClient) -> None:
    """And those that somebody settled as placed."""
    async with Ledger(database_url) as ledger:
        receipt = await ledger.place(client, ORDER, ref="cart-81")
        report = await ledger.poll_once(client)
        assert [change.order for change in report.changes] == [receipt.order]


async def test_several_panels_in_one_ledger(database_url: str, client: AsyncClient) -> None:
    """The same ids, and nothing in common."""
    async with Ledger(database_url) as ledger:
        await ledger.track([1, 2], panel="main")
        await ledger.track([2, 3], panel="spare")
        assert sorted(change.order for change in (await ledger.poll_once(client)).changes) == [1, 2]  # type: ignore[type-var]
        spare = await ledger.poll_once(client, panel="spare")
        assert sorted(change.order for change in spare.changes) == [2, 3]  # type: ignore[type-var]
        assert [one.panel async for one in ledger.changes()] == ["main", "main", "spare", "spare"]


async def test_rounds_beside_each_other_share_the_work(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """Of two programs each order is asked by one."""
    async with Ledger(database_url) as one, Ledger(database_url) as two:
        await one.track(range(1, 2001))
        reports = []

        async def poll(ledger: Ledger) -> None:
            reports.append(await ledger.poll_once(client, max_requests=20))

        async with anyio.create_task_group() as group:
            for ledger in (one, two, one, two):
                group.start_soon(poll, ledger)
        assert sum(report.orders for report in reports) == 2000
        # PostgreSQL passes over rows that another one is claiming: then two requests are not full.
        assert 20 <= sandbox.requests <= 22
        assert len([change async for change in one.changes()]) == 2000


async def test_an_answer_after_its_lease_is_dropped(database_url: str, client: AsyncClient, clock: Clock) -> None:
    """Somebody else has asked meanwhile, and wrote what is newer."""
    async with Ledger(database_url, clock=clock) as one, Ledger(database_url, clock=clock) as two:
        await one.track(range(1, 51))

        async def meanwhile() -> None:
            clock.now += 400
            assert (await two.poll_once(client)).orders == 50

        late = await one.poll_once(Meddling(client, meanwhile), max_requests=1)  # type: ignore[arg-type]
        assert (late.orders, late.lost, late.changes) == (0, 50, ())
        assert len([change async for change in one.changes()]) == 50


async def test_what_fails_is_looked_at_again_later(database_url: str, client: AsyncClient, clock: Clock) -> None:
    """After the shortest delay, then after twice as long."""
    policy = PollPolicy(min_delay=10.0)
    async with (
        AsyncClient("some-key", url=NOBODY, retry=None) as dead,
        Ledger(database_url, clock=clock) as ledger,
    ):
        await ledger.track(range(1, 4))
        for delay in (10.0, 20.0, 40.0):
            assert (await ledger.poll_once(dead, poll_policy=policy)).failed == 3
            clock.now += delay - 1
            assert (await ledger.poll_once(client, poll_policy=policy)).orders == 0
            clock.now += 1
        assert len((await ledger.poll_once(client, poll_policy=policy)).changes) == 3


async def test_a_panel_can_delay_a_poll_for_as_long_as_its_client_allows(
    database_url: str, sandbox: Sandbox, clock: Clock
) -> None:
    """Not for years."""
    sandbox.next("limited", retry_after=3600)
    async with (
        Ledger(database_url, clock=clock) as ledger,
        sandbox.http() as http,
        AsyncClient(sandbox.key, url=sandbox.url, http=http, retry=None, max_retry_after=0.1) as panel,
    ):
        await ledger.track(range(1, 4))
        policy = PollPolicy(min_delay=0.05)
        assert (await ledger.poll_once(panel, poll_policy=policy)).failed == 3
        clock.now += 0.09
        assert (await ledger.poll_once(panel, poll_policy=policy)).orders == 0
        clock.now += 0.02
        assert len((await ledger.poll_once(panel, poll_policy=policy)).changes) == 3


async def test_a_refused_key_is_raised_as_itself(database_url: str, sandbox: Sandbox) -> None:
    """Not as a group of errors."""
    async with (
        Ledger(database_url) as ledger,
        sandbox.http() as http,
        AsyncClient("wrong-key", url=sandbox.url, http=http) as stranger,
    ):
        await ledger.track(range(1, 1001))
        with pytest.raises(AuthenticationError):
            await ledger.poll_once(stranger)
        assert sandbox.requests == 1


async def test_when_its_time_is_over_a_round_gives_free_what_it_claimed(database_url: str, client: AsyncClient) -> None:
    """So that nobody waits for its lease."""
    async with Ledger(database_url) as ledger:
        await ledger.track(range(1, 101))
        report = await ledger.poll_once(Meddling(client, anyio.sleep_forever), deadline=0.3)  # type: ignore[arg-type]
        assert report.orders == 0
        assert (await ledger.poll_once(client)).orders == 100


class Stalling:
    """A client whose answers stop coming in the middle."""

    requests = 1

    def __init__(self, client: AsyncClient, answers: int) -> None:
        self._panel = client
        self._answers = answers
        self.max_retry_after = client.max_retry_after
        self.events = client.events

    @asynccontextmanager
    async def stream_status(self, ids: Iterable[Id]) -> AsyncIterator[Stalling]:
        """Some answers, and then none for ever."""
        self._outcomes = iter((await self._panel.multi_status(ids)).values())
        yield self

    async def __aiter__(self) -> AsyncIterator[Outcome[OrderStatus]]:
        for outcome in islice(self._outcomes, self._answers):
            yield outcome
        await anyio.sleep_forever()


async def test_when_its_time_is_over_a_round_writes_down_what_it_saw(database_url: str, client: AsyncClient) -> None:
    """What was answered was paid for with a request."""
    async with Ledger(database_url) as ledger:
        await ledger.track(range(1, 101))
        report = await ledger.poll_once(Stalling(client, 60), deadline=2.0)  # type: ignore[arg-type]
        assert (report.orders, len(report.changes)) == (60, 60)
        rest = await ledger.poll_once(client)
        first_seen = [change.order for one in (report, rest) for change in one.changes if change.before is None]
        assert sorted(first_seen, key=int) == list(range(1, 101))


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"max_requests": 0}, ValueError),
        ({"deadline": 0}, ValueError),
        ({"lease": -1}, ValueError),
        ({"poll_policy": 5}, TypeError),
    ],
)
async def test_a_round_that_makes_no_sense_is_refused(
    database_url: str, client: AsyncClient, setting: dict[str, Any], error: type[Exception]
) -> None:
    """Before anything is claimed."""
    async with Ledger(database_url) as ledger:
        with pytest.raises(error, match=next(iter(setting))):
            await ledger.poll_once(client, **setting)


async def test_a_database_that_is_away_is_an_error_of_ours(database_url: str, client: AsyncClient) -> None:
    """Not a group, and not the driver's."""
    engine = create_engine(database_url)
    async with Ledger(engine) as ledger:
        async with engine.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE followersdata_orders RENAME TO elsewhere")
        with pytest.raises(LedgerError):
            await ledger.poll_once(client)
    await engine.dispose()


# --- round after round


async def test_orders_are_polled_to_their_end(database_url: str) -> None:
    """With every change told, and on record."""
    began = time.time()
    policy = PollPolicy(min_delay=0.01, max_delay=0.05)
    async with (
        Sandbox(clock=lambda: began + (time.time() - began) * 5000) as sandbox,
        sandbox.http() as http,
        AsyncClient(sandbox.key, url=sandbox.url, http=http) as client,
        Ledger(database_url) as ledger,
    ):
        for number in range(5):
            await ledger.place(client, ORDER, ref=f"cart-{number}")
        async with ledger.poll(client, poll_policy=policy, until_final=True) as changes:
            told = [change async for change in changes]
        assert [one.change async for one in ledger.changes()] == told
        final = {change.order: change.after.is_final for change in told}
        assert final == dict.fromkeys(range(1, 6), True)
        assert changes.requests > 1


async def test_what_another_program_has_claimed_is_not_waited_for_in_a_hurry(database_url: str, clock: Clock) -> None:
    """It is due, and leased: nothing can be done before the lease is over."""
    async with Ledger(database_url, clock=clock) as ledger, ledger._database.transaction() as connection:
        now = clock.now
        await add_orders(connection, "main", range(1, 101), now=now - 10)
        await claim(connection, "main", now=now, until=now + 300, chunks=1)
        await add_orders(connection, "main", [101], now=now - 20)
        assert await find_next_due(connection, "main", now=now) == now - 20
        await claim(connection, "main", now=now, until=now + 200, chunks=1)
        assert await find_next_due(connection, "main", now=now) == now + 200
        assert await find_next_due(connection, "spare", now=now) is None


async def test_each_claim_is_an_event_with_its_lag(database_url: str, sandbox: Sandbox, clock: Clock) -> None:
    """The lag is the time since the first of its orders was due."""
    events: list[object] = []
    async with (
        sandbox.http() as http,
        AsyncClient(sandbox.key, url=sandbox.url, http=http, on_event=events.append) as client,
        Ledger(database_url, clock=clock) as ledger,
    ):
        await ledger.track([1, 2, 3])
        clock.now += 7
        await ledger.poll_once(client)
    assert [each for each in events if isinstance(each, PollStarted)] == [PollStarted(orders=3, lag=7.0)]


async def test_polling_nothing_until_it_is_final_ends_at_once(database_url: str, client: AsyncClient) -> None:
    """Nothing is open."""
    async with Ledger(database_url) as ledger, ledger.poll(client, until_final=True) as changes:
        assert [change async for change in changes] == []


# --- a process that dies

DYING = """
import asyncio, os, signal, sys
from contextlib import asynccontextmanager
from sqlalchemy import event
from followersdata_async import AsyncClient
from followersdata_async.ledger import Ledger
from followersdata_async.ledger.database import create_engine

database_url, url, step = sys.argv[1:]

def pass_by(name):
    if name == step:
        os.kill(os.getpid(), signal.SIGKILL)

class Panel:
    def __init__(self, client):
        self.panel = client
        self.max_retry_after = client.max_retry_after
        self.events = client.events

    @asynccontextmanager
    async def stream_status(self, ids):
        pass_by("orders are claimed")
        async with self.panel.stream_status(ids) as outcomes:
            yield outcomes
        pass_by("panel has answered")

async def main():
    engine = create_engine(database_url)
    async with Ledger(engine) as ledger, AsyncClient("sandbox-key", url=url) as client:
        await ledger.track(range(1, 101))
        commits = iter(["orders are to be claimed", "answer is to be committed"])
        event.listen(engine.sync_engine, "commit", lambda _: pass_by(next(commits, "")))
        await ledger.poll_once(Panel(client), max_requests=1)
        pass_by("answer is committed")

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("step", "is_free", "is_written"),
    [
        ("orders are to be claimed", True, False),
        ("orders are claimed", False, False),
        ("panel has answered", False, False),
        ("answer is to be committed", False, False),
        ("answer is committed", True, True),
    ],
)
async def test_a_process_killed_in_a_round(
    database_url: str, step: str, tmp_path: Path, *, is_free: bool, is_written: bool
) -> None:
    """Whatever it had claimed is asked again when its lease is over, and every change is told once."""
    script = tmp_path / "dying.py"
    script.write_text(DYING, encoding="utf-8")
    clock = Clock()
    async with (
        Sandbox(serve=True, past=100) as sandbox,
        AsyncClient(sandbox.key, url=sandbox.url) as client,
        Ledger(database_url, clock=clock) as ledger,
    ):
        died = subprocess.run([sys.executable, script, database_url, sandbox.url, step], check=False)  # noqa: ASYNC221
        assert died.returncode == -signal.SIGKILL
        assert len([change async for change in ledger.changes()]) == (100 if is_written else 0)
        clock.now = time.time() + 1
        at_once = await ledger.poll_once(client)
        assert at_once.orders == (100 if is_free and not is_written else 0)
        clock.now += 1000
        await ledger.poll_once(client)
        firsts = [one.change.order async for one in ledger.changes() if one.change.before is None]
        assert sorted(firsts) == list(range(1, 101))  # type: ignore[type-var]


async def test_a_round_reads_no_more_than_it_takes(tmp_path: Path, client: AsyncClient) -> None:
    """By indexes, so that a million open orders cost no more than a thousand."""
    statements: list[tuple[str, Any]] = []
    engine = create_engine(f"sqlite:///{tmp_path}/orders.db")

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        statements.append((statement, parameters))

    plans: list[str] = []
    async with Ledger(engine) as ledger:
        await ledger.track(range(1, 1001))
        event.listen(engine.sync_engine, "before_cursor_execute", note)
        await ledger.poll_once(client, max_requests=1)
        event.remove(engine.sync_engine, "before_cursor_execute", note)
        async with engine.connect() as connection:
            for statement, parameters in statements:
                if "followersdata_orders" in statement:
                    # Of a statement for many rows, the first one's will do.
                    one = parameters[0] if isinstance(parameters, list) else parameters
                    plan = await connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, one)
                    plans += [row[3] for row in plan]
    assert plans[0] == "SEARCH followersdata_orders USING INDEX followersdata_orders_due (panel=?)"
    assert "(panel=? AND order_id=?)" in plans[1]
    assert not [step for step in plans if step.startswith("SCAN followersdata")]
    await engine.dispose()


def _numbers() -> Iterator[int]:
    yield 1
    msg = "the file is gone"
    raise LookupError(msg)


async def test_an_iterable_that_raises_adopts_none(database_url: str, client: AsyncClient) -> None:
    """And its error comes out as it is."""
    async with Ledger(database_url) as ledger:
        with pytest.raises(LookupError, match=r"^the file is gone$"):
            await ledger.track(_numbers())
        assert (await ledger.poll_once(client)).orders == 0
