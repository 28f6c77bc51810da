"""Workers of Procrastinate: jobs that run again never order again, and what a killed worker left is taken up."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import psycopg
import pytest
from procrastinate import App, PsycopgConnector
from sqlalchemy.ext.asyncio import create_async_engine

from followersdata_async import AsyncClient, ConfigurationError, PollPolicy, orders
from followersdata_async.integrations.procrastinate import blueprint
from followersdata_async.ledger import Ledger, ReceiptState
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

NOBODY = "http://127.0.0.1:9/api/v2"
PACE = PollPolicy(min_delay=0.1, max_delay=0.5)


@pytest.fixture(scope="module", params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The only event loop that the queue knows."""
    return str(request.param)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A panel whose orders take seconds."""
    began = time.time()
    async with Sandbox(serve=True, clock=lambda: began + (time.time() - began) * 5000) as sandbox:
        yield sandbox


def app_of(database: str, url: str, **settings: Any) -> App:
    """An app of a user's, with our tasks."""
    app = App(connector=PsycopgConnector(conninfo=database))
    panels = {"main": lambda: AsyncClient("sandbox-key", url=url, retry=None, timeout=5.0)}
    tasks = blueprint(database, panels=panels, poll_policy=PACE, **({"cron": None, "duration": 5.0} | settings))
    app.add_tasks_from(tasks, namespace="followersdata")
    return app


@asynccontextmanager
async def opened(database: str, url: str, **settings: Any) -> AsyncIterator[App]:
    """An open one, with its tables."""
    app = app_of(database, url, **settings)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        yield app


async def work(app: App) -> None:
    """A worker, until there is nothing to do."""
    await app.run_worker_async(wait=False, listen_notify=False, install_signal_handlers=False)


async def intend(database: str, *refs: str, panel: str = "main") -> None:
    """Write orders down, in a transaction of a user's."""
    engine = create_async_engine(database.replace("postgresql://", "postgresql+psycopg://"))
    async with Ledger(engine) as ledger, engine.begin() as connection:
        for ref in refs:
            await ledger.intend(connection, order_of(ref), ref=ref, panel=panel)
    await engine.dispose()


def order_of(ref: str) -> orders.Package:
    """A ref's order."""
    return orders.Package(service=3, link=link_of(ref))


def link_of(ref: str) -> str:
    """The link that a ref's order is for."""
    return f"https://example.com/{ref}"


def jobs_in(database: str) -> list[tuple[str, str, int]]:
    """The queue's jobs: task, status and how often they were tried."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT task_name, status::text, attempts FROM procrastinate_jobs ORDER BY id")
        return [(name.removeprefix("followersdata:"), status, attempts) for name, status, attempts in rows]


async def test_a_job_orders_once(database: str, sandbox: Sandbox) -> None:
    """However often it runs."""
    await intend(database, "cart-81")
    async with opened(database, sandbox.url) as app:
        for _ in range(3):
            await app.configure_task("followersdata:place").defer_async(ref="cart-81")
        await work(app)
        assert jobs_in(database) == [("place", "succeeded", 1)] * 3
    assert len(sandbox.orders()) == 1


async def test_what_was_rolled_back_is_not_ordered(database: str, sandbox: Sandbox) -> None:
    """Its job waits for the transaction, for a while."""
    async with Ledger(database), opened(database, sandbox.url) as app:
        await app.configure_task("followersdata:place").defer_async(ref="cart-81")
        await work(app)
        assert jobs_in(database) == [("place", "todo", 1)]
    assert sandbox.orders() == []


async def test_what_was_not_sent_is_tried_again(database: str) -> None:
    """It is proven that nothing left."""
    await intend(database, "cart-81")
    async with opened(database, NOBODY) as app, Ledger(database) as ledger:
        await app.configure_task("followersdata:place").defer_async(ref="cart-81")
        await work(app)
        assert jobs_in(database) == [("place", "todo", 1)]
        assert (await ledger.receipt("cart-81")).state is ReceiptState.NOT_SENT


async def test_a_refusal_is_a_result(database: str, sandbox: Sandbox) -> None:
    """The receipt has the panel's words."""
    await intend(database, "cart-81")
    async with opened(database, sandbox.url) as app, Ledger(database) as ledger:
        async with ledger._database.transaction() as connection:
            await connection.exec_driver_sql(
                "UPDATE followersdata_intents SET fields = replace(fields, '\"3\"', '\"333\"')"
            )
        await app.configure_task("followersdata:place").defer_async(ref="cart-81")
        await work(app)
        assert jobs_in(database) == [("place", "succeeded", 1)]
        assert (await ledger.receipt("cart-81")).state is ReceiptState.REFUSED


async def test_where_nobody_knows_the_job_fails_and_sends_nothing(
    database: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody has to look; the error says how."""
    await intend(database, "cart-81")
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE followersdata_intents SET state = 'sending'")
    async with opened(database, sandbox.url) as app:
        await app.configure_task("followersdata:place").defer_async(ref="cart-81")
        await work(app)
        assert jobs_in(database) == [("place", "failed", 1)]
    assert sandbox.orders() == []
    assert "'cart-81': look at the panel, then settle it with Ledger.resolve" in caplog.text


async def test_an_answer_that_cannot_be_written_down_is_in_the_log(
    database: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """It is nowhere else."""
    await intend(database, "cart-81")
    async with opened(database, sandbox.url) as app:
        with psycopg.connect(database) as connection:
            connection.execute(
                "ALTER TABLE followersdata_intents ADD CONSTRAINT broken CHECK (state <> 'placed') NOT VALID"
            )
        await app.configure_task("followersdata:place").defer_async(ref="cart-81")
        await work(app)
        assert jobs_in(database) == [("place", "todo", 1)]
    placed = sandbox.orders()[0]["order"]
    assert f"'cart-81' is placed, order {placed}, and the ledger could not write it down" in caplog.text


async def test_an_order_of_another_panel_is_a_mistake(
    database: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the configuration."""
    await intend(database, "cart-81", panel="spare")
    async with opened(database, sandbox.url) as app:
        await app.configure_task("followersdata:place").defer_async(ref="cart-81")
        await work(app)
        assert jobs_in(database) == [("place", "failed", 1)]
    assert "the panel 'spare' is none of this blueprint's: main" in caplog.text


async def test_a_job_polls_until_all_is_final(database: str, sandbox: Sandbox) -> None:
    """Placed orders and those that were tracked."""
    async with opened(database, sandbox.url, duration=30.0) as app, Ledger(database) as ledger:
        async with AsyncClient(sandbox.key, url=sandbox.url) as panel:
            for number in range(3):
                await ledger.place(panel, order_of(f"cart-{number}"), ref=f"cart-{number}")
        await app.configure_task("followersdata:poll").defer_async(panel="main")
        await work(app)
        assert jobs_in(database) == [("poll", "succeeded", 1)]
        final = {one.change.order: one.change.after.is_final async for one in ledger.changes()}
        assert final == {1: True, 2: True, 3: True}


async def test_a_job_ends_when_its_time_is_over(database: str) -> None:
    """Whether there is more to do or not."""
    async with opened(database, NOBODY, duration=0.3) as app, Ledger(database) as ledger:
        await ledger.track([1, 2, 3])
        await app.configure_task("followersdata:poll").defer_async(panel="main", shard=0)
        await work(app)
        assert jobs_in(database) == [("poll", "succeeded", 1)]


async def test_orders_are_followed_however_many_wait_to_be_placed(
    database: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """And jobs of a killed worker are run again."""
    refs = [f"cart-{number}" for number in range(3)]
    await intend(database, *refs)
    async with opened(database, sandbox.url) as app:
        for ref in refs:
            await app.configure_task("followersdata:place").defer_async(ref=ref)
        await app.configure_task("followersdata:poll").defer_async(panel="main")
        await app.configure_task("followersdata:retry_stalled").defer_async()
        with caplog.at_level("INFO", logger="procrastinate"):
            await work(app)
    started = [match[1] for text in caplog.messages if (match := re.match(r"Starting job followersdata:(\w+)", text))]
    assert started == ["poll", "retry_stalled", "place", "place", "place"]


async def test_jobs_of_a_killed_worker_run_again(database: str, sandbox: Sandbox) -> None:
    """Unless one like it waits already."""
    await intend(database, "cart-81")
    async with opened(database, sandbox.url) as app:
        place = app.configure_task("followersdata:place")
        poll = app.configure_task("followersdata:poll", queueing_lock="poll:main:0")
        await place.defer_async(ref="cart-81")
        await poll.defer_async(panel="main")
        with psycopg.connect(database) as connection:
            connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        await poll.defer_async(panel="main")
        await app.configure_task("followersdata:retry_stalled", priority=1000).defer_async()
        await work(app)
        assert jobs_in(database) == [
            ("place", "succeeded", 2),
            ("poll", "failed", 1),
            ("poll", "succeeded", 1),
            ("retry_stalled", "succeeded", 1),
        ]
    assert len(sandbox.orders()) == 1


def test_each_panel_and_shard_is_started_by_itself(database: str) -> None:
    """One job of each waits at the most."""
    panels = {name: lambda: AsyncClient("sandbox-key", url=NOBODY) for name in ("main", "spare")}
    tasks = blueprint(database, panels=panels, shards=2)
    periodic = tasks.periodic_registry.periodic_tasks.values()
    assert {one.configure_kwargs["queueing_lock"] for one in periodic} == {
        "retry_stalled",
        *(f"poll:{panel}:{shard}" for panel in panels for shard in (0, 1)),
    }
    assert not blueprint(database, panels=panels, cron=None).periodic_registry.periodic_tasks


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"panels": {}}, ValueError),
        ({"shards": 0}, ValueError),
        ({"duration": 0}, ValueError),
        ({"lease": -1}, ValueError),
        ({"stalled_after": "soon"}, TypeError),
        ({"poll_policy": 5}, TypeError),
        ({"ledger": "mysql://a@b/c"}, ConfigurationError),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], error: type[Exception]) -> None:
    """When the program starts, and not in a job."""
    panels = {"main": lambda: AsyncClient("sandbox-key", url=NOBODY)}
    with pytest.raises(error, match=next(iter(settings)) if error is not ConfigurationError else "address"):
        blueprint(**({"ledger": "postgresql://a@b/c", "panels": panels} | settings))


def test_a_missing_extra_is_named() -> None:
    """Where it is used."""
    code = "import sys; sys.modules['procrastinate'] = None; import followersdata_async.integrations.procrastinate"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "this integration needs its extra: pip install 'followersdata_async[procrastinate]'" in done.stderr


# --- two workers, one of which is killed

RATE = 25
ORDERS = 60

WORKER = f"""
import asyncio, sys
from procrastinate import App, PsycopgConnector
from followersdata_async import AsyncClient, PollPolicy
from followersdata_async.integrations.procrastinate import blueprint
from followersdata_async.rate_limit import PostgresRateLimit

where, url = sys.argv[1:]
limit = PostgresRateLimit(where, {RATE})
tasks = blueprint(
    where,
    panels={{"main": lambda: AsyncClient("sandbox-key", url=url, rate_limit=limit)}},
    shards=2,
    cron="* * * * * *",
    duration=1.0,
    lease=3.0,
    poll_policy=PollPolicy(min_delay=0.2, max_delay=0.5),
    stalled_after=2.0,
)

async def main():
    app = App(connector=PsycopgConnector(conninfo=where))
    app.add_tasks_from(tasks, namespace="followersdata")
    async with app.open_async():
        await app.run_worker_async(
            concurrency=6, fetch_job_polling_interval=0.2, update_heartbeat_interval=0.5, stalled_worker_timeout=2.0
        )

asyncio.run(main())
"""


@contextmanager
def worker(script: Path, database: str, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, told to stop at the end."""
    with subprocess.Popen([sys.executable, script, database, url]) as process:
        try:
            yield process
        finally:
            process.terminate()


async def test_of_two_workers_one_is_killed(database: str, tmp_path: Path) -> None:
    """No order twice, none lost, all final in the end, and both together within the limit."""
    refs = [f"cart-{number}" for number in range(ORDERS)]
    script = tmp_path / "worker.py"
    script.write_text(WORKER, encoding="utf-8")
    await intend(database, *refs)
    async with Sandbox(serve=True, past=250, speed=2000) as sandbox, opened(database, sandbox.url) as app:
        for ref in refs:
            await app.configure_task("followersdata:place").defer_async(ref=ref)
        async with Ledger(database) as ledger:
            await ledger.track(range(1, 251))
            with worker(script, database, sandbox.url) as killed, worker(script, database, sandbox.url) as left:
                with anyio.fail_after(120):
                    await until(lambda: len(sandbox.orders()) >= ORDERS // 3)
                    killed.send_signal(signal.SIGKILL)
                    await settled_by_hand(ledger, sandbox, app, refs)
                    await until(lambda: nothing_is_open(database))
            assert (killed.returncode, left.returncode) == (-signal.SIGKILL, 0)
            receipts = [await ledger.receipt(ref) for ref in refs]
    taken = {row["link"]: row["order"] for row in sandbox.orders()}
    assert len(taken) == len(sandbox.orders()) == ORDERS
    assert {link_of(receipt.ref): receipt.order for receipt in receipts} == taken
    arrivals = [float(str(row["at"])) / 2000 for row in sandbox.log()]
    # Requests come late at times, but never early: none before its turn, if the first was the latest.
    early = [number for number, at in enumerate(arrivals) if number > RATE * (at - arrivals[0]) + RATE / 5]
    assert early == []


async def settled_by_hand(ledger: Ledger, sandbox: Sandbox, app: App, refs: list[str]) -> None:
    """What a person does: look at the panel for each order of which nobody knows, until all are placed."""
    left = set(refs)
    while left:
        await anyio.sleep(0.5)
        for ref in sorted(left):
            receipt = await ledger.receipt(ref)
            if receipt.state is ReceiptState.PLACED:
                left.remove(ref)
            # Nobody has sent it for longer than a request takes: nobody will.
            elif receipt.state is ReceiptState.UNKNOWN and time.time() - (receipt.sent_at or 0.0) > 10:
                found = [row["order"] for row in sandbox.orders() if row["link"] == link_of(ref)]
                if found:
                    await ledger.resolve(ref, order=found[0])  # type: ignore[arg-type]
                else:
                    await ledger.resolve(ref, placed=False)
                    await app.configure_task("followersdata:place").defer_async(ref=ref)


async def until(is_true: Callable[[], bool]) -> None:
    """Wait for what other processes do."""
    while not is_true():  # noqa: ASYNC110 - they set no event
        await anyio.sleep(0.05)


def nothing_is_open(database: str) -> bool:
    """Whether every order that is followed is final."""
    with psycopg.connect(database) as connection:
        return connection.execute("SELECT 1 FROM followersdata_orders WHERE is_open LIMIT 1").fetchone() is None
