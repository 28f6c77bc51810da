"""What is old and settled is pruned; what somebody still needs stays, and no ref is placed a second time."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from sqlalchemy import event, func, insert, select, text

from followersdata_async import (
    AsyncClient,
    LedgerError,
    NotSentError,
    OutcomeUnknownError,
    orders,
)
from followersdata_async.ledger import Ledger, PruneReport, ReceiptState, SpendingLimit, bulk_intents, placement
from followersdata_async.ledger.database import create_engine
from followersdata_async.ledger.schema import CHANGES, INTENTS, ORDERS, USED_REFS
from followersdata_async.ledger.store_retention import prune_changes, prune_receipts
from followersdata_async.sandbox import Sandbox
from tests.helpers.panels import Breaking, raising

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncEngine

pytestmark = pytest.mark.anyio

DAY = 86_400.0
ORDER = orders.Package(service=3, link="https://example.com/p/1")
START = 1_700_000_000.0


class Clock:
    """The time of day, moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Of the ledger, and of the panel."""
    return Clock()


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Sandbox]:
    """A panel whose old orders are final."""
    async with Sandbox(past=30_000, clock=clock) as sandbox:
        sandbox.set_balance(1_000_000)
        yield sandbox


async def finish(ledger: Ledger, client: AsyncClient, clock: Clock) -> None:
    """Poll until no order is open."""
    for _ in range(60):
        await ledger.poll_once(client)
        clock.now += 3_600


async def count_rows(ledger: Ledger) -> tuple[int, ...]:
    """How many receipts, orders, changes and used refs are on record."""
    async with ledger._database.transaction() as connection:
        return tuple(
            [
                (await connection.execute(select(func.count()).select_from(table))).scalar_one()
                for table in (INTENTS, ORDERS, CHANGES, USED_REFS)
            ]
        )


async def numbers(ledger: Ledger, **what: Any) -> list[int]:
    """The numbers of changes."""
    return [recorded.number async for recorded in ledger.changes(**what)]


async def insert_changes(ledger: Ledger, count: int, at: float) -> None:
    """Changes at a time."""
    after = '{"status": "Active", "state": "active", "orders": [], "extra": {}}'
    rows = [{"panel": "main", "order_id": "1", "at": at, "before": None, "after": after} for _ in range(count)]
    async with ledger._database.transaction() as connection:
        await connection.execute(insert(CHANGES), rows)


async def insert_receipts(ledger: Ledger, count: int, *states: str) -> None:
    """Receipts that were settled at the start, in each of these states in turn."""
    rows = [
        {
            "ref": f"{number:05}",
            "panel": "main",
            "fields": "{}",
            "state": states[number % len(states)],
            "intended_at": START,
            "settled_at": START,
        }
        for number in range(count)
    ]
    async with ledger._database.transaction() as connection:
        await connection.execute(insert(INTENTS), rows)


# --- what is pruned


async def test_what_is_old_and_settled_is_pruned(database_url: str, client: AsyncClient, clock: Clock) -> None:
    """All that it left behind is its ref; the last change stays for its number."""
    async with Ledger(database_url, clock=clock) as ledger:
        await ledger.place(client, ORDER, ref="cart-81")
        await finish(ledger, client, clock)
        changes = len(await numbers(ledger))
        assert changes >= 2
        clock.now += 3 * DAY
        report = await ledger.prune(older_than=3 * DAY)
        assert report == PruneReport(receipts=1, orders=1, changes=changes - 1)
        assert await count_rows(ledger) == (0, 0, 1, 1)
        assert await ledger.prune(older_than=DAY) == PruneReport(receipts=0, orders=0, changes=0)


async def test_what_is_younger_stays(database_url: str, client: AsyncClient, clock: Clock) -> None:
    """Each row counts from its own end."""
    async with Ledger(database_url, clock=clock) as ledger:
        await ledger.place(client, ORDER, ref="cart-81")
        await finish(ledger, client, clock)
        before = await count_rows(ledger)
        assert await ledger.prune(older_than=clock.now - START) == PruneReport(receipts=0, orders=0, changes=0)
        assert await count_rows(ledger) == before
        # The receipt was settled before the order was final.
        last = [recorded.at async for recorded in ledger.changes()][-1]
        report = await ledger.prune(older_than=clock.now - last)
        assert (report.receipts, report.orders) == (1, 0)


@pytest.mark.parametrize("state", ["intended", "sending", "unknown", "open"])
async def test_what_is_not_settled_stays(database_url: str, client: AsyncClient, clock: Clock, state: str) -> None:
    """However old it is."""
    engine = create_engine(database_url)
    async with Ledger(engine, clock=clock) as ledger:
        if state == "intended":
            async with engine.begin() as connection:
                await ledger.intend(connection, ORDER, ref="cart-81")
        elif state == "unknown":
            lost: Any = Breaking(client, after=raising(OutcomeUnknownError("cut off", action="add")))
            await ledger.place(lost, ORDER, ref="cart-81")
        else:
            await ledger.place(client, ORDER, ref="cart-81")
        if state == "sending":
            async with engine.begin() as connection:
                await connection.execute(text("UPDATE followersdata_intents SET state = 'sending'"))
                await connection.execute(text("DELETE FROM followersdata_orders"))
        before = await count_rows(ledger)
        receipt = await ledger.receipt("cart-81")
        clock.now += 1000 * DAY
        assert await ledger.prune(older_than=DAY) == PruneReport(receipts=0, orders=0, changes=0)
        assert await count_rows(ledger) == before
        assert await ledger.receipt("cart-81") == receipt
    await engine.dispose()


async def test_a_receipt_of_an_order_that_is_not_tracked_is_pruned(
    database_url: str, client: AsyncClient, clock: Clock
) -> None:
    """An order of the same number at another panel does not keep it."""
    async with Ledger(database_url, clock=clock) as ledger:
        receipt = await ledger.place(client, ORDER, ref="cart-81")
        assert receipt.order is not None
        async with ledger._database.transaction() as connection:
            await connection.execute(text("DELETE FROM followersdata_orders"))
        await ledger.track([receipt.order], panel="spare")
        clock.now += 2 * DAY
        assert (await ledger.prune(older_than=DAY)).receipts == 1
        assert await ledger.counts(panel="spare") == {None: 1}


async def test_an_order_that_was_given_up_stays_as_long_as_any_other(
    database_url: str, client: AsyncClient, clock: Clock
) -> None:
    """It has no change at its end, only a poll."""
    async with Ledger(database_url, clock=clock) as ledger:
        await ledger.track([99_999_999])
        clock.now += 10 * DAY
        await finish(ledger, client, clock)
        assert (await ledger.prune(older_than=5 * DAY)).orders == 0
        clock.now += 5 * DAY
        assert (await ledger.prune(older_than=5 * DAY)).orders == 1
        assert await ledger.counts() == {}


async def test_an_old_order_that_was_settled_lately_stays(database_url: str, client: AsyncClient, clock: Clock) -> None:
    """Somebody has just looked."""
    async with Ledger(database_url, clock=clock) as ledger:
        lost: Any = Breaking(client, before=raising(OutcomeUnknownError("cut off", action="add")))
        await ledger.place(lost, ORDER, ref="cart-81")
        clock.now += 10 * DAY
        await ledger.resolve("cart-81", placed=False)
        clock.now += 5 * DAY
        assert (await ledger.prune(older_than=5 * DAY)).receipts == 0
        clock.now += 1
        assert (await ledger.prune(older_than=5 * DAY)).receipts == 1


async def test_what_a_limit_counts_stays(database_url: str, client: AsyncClient, clock: Clock) -> None:
    """Even if it was settled by a clock that was put back."""
    engine = create_engine(database_url)
    async with Ledger(engine, clock=clock) as ledger:
        async with engine.begin() as connection:
            await ledger.intend(connection, ORDER, ref="cart-81")
        clock.now += 2 * DAY

        async def put_back() -> None:
            clock.now = START

        await ledger.send(Breaking(client, after=put_back), "cart-81")  # type: ignore[arg-type]
        async with engine.begin() as connection:
            await connection.execute(text("DELETE FROM followersdata_orders"))
        clock.now = START + 2 * DAY + 60
        assert (await ledger.prune(older_than=DAY)).receipts == 0
        clock.now += DAY
        assert (await ledger.prune(older_than=DAY)).receipts == 1
    await engine.dispose()


@pytest.mark.parametrize("count", [500, 1203])
async def test_more_than_one_transaction_takes(database_url: str, clock: Clock, count: int) -> None:
    """With rows among them that stay, of the same moment, and of several panels."""
    async with Ledger(database_url, clock=clock) as ledger:
        tracked = [
            {
                "panel": "main" if number % 2 else "spare",
                "order_id": str(number),
                "moved_at": START,
                "failures": 0,
                "refusals": 0,
                "is_open": number % 3 == 0,
                "due_at": START,
                "leased_until": 0.0,
            }
            for number in range(count)
        ]
        async with ledger._database.transaction() as connection:
            await connection.execute(insert(ORDERS), tracked)
        await insert_receipts(ledger, count, "placed", "refused", "unknown")
        await insert_changes(ledger, count, START)
        clock.now += 2 * DAY
        unknown, still_open = count // 3, -(-count // 3)
        assert await ledger.prune(older_than=DAY) == PruneReport(
            receipts=count - unknown, orders=count - still_open, changes=count - 1
        )
        assert await count_rows(ledger) == (unknown, still_open, 1, count - unknown)


@pytest.mark.parametrize("older_than", [0, -1, 86_399.9, float("nan"), float("inf"), True, "86400", None])
async def test_an_age_that_is_none_is_refused(database_url: str, older_than: Any) -> None:
    """Nothing of the last day is pruned, because spending limits count it."""
    async with Ledger(database_url) as ledger:
        with pytest.raises((TypeError, ValueError), match=r"^older_than must be .+, got "):
            await ledger.prune(older_than=older_than)


# --- readers


async def test_numbers_go_on_after_pruning(database_url: str, client: AsyncClient, clock: Clock) -> None:
    """A reader who remembers the last number misses nothing."""
    async with Ledger(database_url, clock=clock) as ledger:
        await ledger.track([1])
        await ledger.poll_once(client)
        last = (await numbers(ledger))[-1]
        clock.now += 10 * DAY
        await ledger.prune(older_than=DAY)
        await ledger.track([2])
        await ledger.poll_once(client)
        assert await numbers(ledger, since=last) == [last + 1]


async def test_what_a_reader_has_not_read_stays(database_url: str, clock: Clock) -> None:
    """The slowest reader counts, until it is forgotten."""
    async with Ledger(database_url, clock=clock) as ledger:
        await insert_changes(ledger, 1203, START)
        every = await numbers(ledger, reader="shipping")
        assert await ledger.readers() == {"shipping": 0}
        clock.now += 2 * DAY
        assert (await ledger.prune(older_than=DAY)).changes == 0
        await ledger.acknowledge("shipping", every[899])
        await ledger.acknowledge("accounts", every[9])
        assert await ledger.readers() == {"accounts": every[9], "shipping": every[899]}
        assert (await ledger.prune(older_than=DAY)).changes == 10
        assert await numbers(ledger, reader="accounts") == every[10:]
        assert await numbers(ledger, reader="shipping") == every[900:]
        await ledger.forget_reader("accounts")
        assert (await ledger.prune(older_than=DAY)).changes == 890
        await ledger.acknowledge("shipping", every[-1])
        assert (await ledger.prune(older_than=DAY)).changes == 302


async def test_a_reader_misses_no_change_of_an_order_that_was_pruned(
    database_url: str, client: AsyncClient, clock: Clock
) -> None:
    """Changes are rows of their own."""
    async with Ledger(database_url, clock=clock) as ledger:
        await ledger.acknowledge("shipping", 0)
        await ledger.place(client, ORDER, ref="cart-81")
        await finish(ledger, client, clock)
        told = [recorded async for recorded in ledger.changes()]
        clock.now += 3 * DAY
        assert await ledger.prune(older_than=DAY) == PruneReport(receipts=1, orders=1, changes=0)
        assert [recorded async for recorded in ledger.changes(reader="shipping")] == told


async def test_an_acknowledged_number_never_goes_back(database_url: str, clock: Clock) -> None:
    """Whichever of two programs comes last."""
    async with Ledger(database_url, clock=clock) as ledger:
        for number, known in ((7, 7), (3, 7), (9, 9), (0, 9)):
            await ledger.acknowledge("shipping", number)
            assert await ledger.readers() == {"shipping": known}


@pytest.mark.parametrize("number", [-1, 1.0, True, "7", None, 2**63])
async def test_a_number_that_is_none_is_refused(database_url: str, number: Any) -> None:
    """And no reader is registered."""
    async with Ledger(database_url) as ledger:
        with pytest.raises((TypeError, ValueError), match=r"^number must be .+, got "):
            await ledger.acknowledge("shipping", number)
        assert await ledger.readers() == {}


async def test_a_reader_has_a_name_and_no_number_beside_it(database_url: str) -> None:
    """Said by the call itself, before anything is read."""
    async with Ledger(database_url) as ledger:
        with pytest.raises(ValueError, match=r"^say either since=…, the last number, or reader=…"):
            ledger.changes(since=0, reader="shipping")
        for call in (ledger.forget_reader, lambda name: ledger.acknowledge(name, 1)):
            with pytest.raises(ValueError, match=r"^reader has 0 characters"):
                await call("")
        with pytest.raises(TypeError, match=r"^reader is a text, not int$"):
            ledger.changes(reader=7)  # type: ignore[arg-type]
        with pytest.raises(LookupError, match=r"^no reader is registered as 'shipping'$"):
            await ledger.forget_reader("shipping")


# --- refs


async def test_a_pruned_ref_stays_refused(
    database_url: str, client: AsyncClient, clock: Clock, sandbox: Sandbox
) -> None:
    """Whatever became of its order, and however it is placed."""
    engine = create_engine(database_url)
    errors = {"refused": OutcomeUnknownError("cut off", action="add"), "not sent": NotSentError("away")}
    async with Ledger(engine, clock=clock) as ledger:
        await ledger.place(client, ORDER, ref="placed")
        for ref, error in errors.items():
            broken: Any = Breaking(client, before=raising(error))
            await ledger.place(broken, ORDER, ref=ref)
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE followersdata_intents SET state = 'refused' WHERE ref = 'refused'"))
            await connection.execute(text("UPDATE followersdata_intents SET settled_at = intended_at"))
        await finish(ledger, client, clock)
        assert (await ledger.prune(older_than=DAY)).receipts == 3
        for ref in ("placed", *errors):
            with pytest.raises(ValueError, match=r"^the ref '.+' was used for an order whose receipt was pruned"):
                await ledger.place(client, ORDER, ref=ref)
            with pytest.raises(ValueError, match=r"^the ref '.+' was used for an order whose receipt was pruned"):
                await ledger.place_many(client, {ref: ORDER})
            async with engine.begin() as connection:
                with pytest.raises(ValueError, match=r"^the ref '.+' was used for an order whose receipt was pruned"):
                    await ledger.intend(connection, ORDER, ref=ref)
            with pytest.raises(LookupError):
                await ledger.send(client, ref)
    assert len(sandbox.orders()) == 1
    await engine.dispose()


class Elsewhere:
    """Another program, which has the order placed and pruned in the middle of ours."""

    def __init__(self, database_url: str, client: AsyncClient) -> None:
        self._database_url = database_url
        self._client = client
        self.reports: list[PruneReport] = []

    async def place(self, *refs: str) -> None:
        """Place, and let the order be final."""
        async with Ledger(self._database_url, clock=lambda: START) as ledger:
            for ref in refs:
                await ledger.place(self._client, ORDER, ref=ref)
            async with ledger._database.transaction() as connection:
                await connection.execute(text("DELETE FROM followersdata_orders"))

    async def prune(self) -> None:
        """Prune as if two days were gone."""
        async with Ledger(self._database_url, clock=lambda: START + 2 * DAY) as ledger:
            self.reports.append(await ledger.prune(older_than=DAY))


def meddle(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, before: Callable[[], Awaitable[None]]) -> None:
    """Do something right before a function of ours is called."""
    original = getattr(module, name)

    async def call(*arguments: Any, **named: Any) -> Any:
        await before()
        return await original(*arguments, **named)

    monkeypatch.setattr(module, name, call)


async def test_a_ref_that_is_pruned_while_many_are_placed_is_refused(
    database_url: str, client: AsyncClient, clock: Clock, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at what is on record, and the transaction that writes the intents."""
    other = Elsewhere(database_url, client)
    limit = SpendingLimit(per_day=Decimal(50))
    async with Ledger(database_url, clock=clock, spending_limit=limit) as ledger:
        away: Any = Breaking(client, before=raising(NotSentError("away")))
        assert (await ledger.place(away, ORDER, ref="cart-81", cost=Decimal(1))).state is ReceiptState.NOT_SENT
        meddle(monkeypatch, bulk_intents, "read_rates", other.prune)
        with pytest.raises(ValueError, match=r"^the ref 'cart-81' was used for an order whose receipt was pruned"):
            await ledger.place_many(client, {"cart-81": ORDER, "cart-82": ORDER})
        assert [report.receipts for report in other.reports] == [1]
        assert await count_rows(ledger) == (0, 0, 0, 1)
    assert sandbox.orders() == []


@pytest.fixture
def postgres_url(database: str) -> str:
    """The address of a database in which others write during a transaction of ours."""
    return database


@pytest.mark.parametrize("way", ["place", "place_many", "intend"])
async def test_a_ref_that_is_placed_and_pruned_right_before_it_is_written_is_refused(
    postgres_url: str, client: AsyncClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Between two statements of one transaction, and even if the caller commits it."""
    other = Elsewhere(postgres_url, client)

    async def place_and_prune() -> None:
        monkeypatch.undo()
        await other.place("cart-81")
        await other.prune()

    engine = create_engine(postgres_url)
    async with Ledger(engine) as ledger:
        module = bulk_intents if way == "place_many" else placement
        meddle(monkeypatch, module, "insert_intents", place_and_prune)
        said = pytest.raises(ValueError, match=r"^the ref 'cart-81' was used for an order whose receipt was pruned")
        if way == "place":
            with said:
                await ledger.place(client, ORDER, ref="cart-81")
        elif way == "place_many":
            with said:
                await ledger.place_many(client, {"cart-81": ORDER})
        else:
            async with engine.begin() as connection:
                with said:
                    await ledger.intend(connection, ORDER, ref="cart-81")
        assert [report.receipts for report in other.reports] == [1]
        assert await count_rows(ledger) == (0, 0, 0, 1)
        assert len(sandbox.orders()) == 1
    await engine.dispose()


@pytest.mark.parametrize("way", ["place", "place_many"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_claim_and_pruning_exclude_each_other(
    postgres_url: str, client: AsyncClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, way: str, when: str
) -> None:
    """What was not sent is either pruned and refused, or claimed and placed."""
    other = Elsewhere(postgres_url, client)
    engine = create_engine(postgres_url)
    async with Ledger(engine, clock=lambda: START) as ledger:
        away: Any = Breaking(client, before=raising(NotSentError("away")))
        await ledger.place(away, ORDER, ref="cart-81")
        module: Any = bulk_intents if way == "place_many" else placement
        claim = module.claim_intents

        async def settle_and_prune() -> None:
            async with engine.begin() as connection:
                # As if another program had withdrawn it.
                await connection.execute(text("UPDATE followersdata_intents SET state = 'not_sent', settled_at = 1.0"))
            await other.prune()

        async def meddling(*arguments: Any, **named: Any) -> Any:
            if when == "before":
                await settle_and_prune()
            claimed = await claim(*arguments, **named)
            if when == "after":
                await other.prune()
            return claimed

        monkeypatch.setattr(module, "claim_intents", meddling)

        async def place() -> Any:
            if way == "place":
                return await ledger.place(client, ORDER, ref="cart-81")
            return (await ledger.place_many(client, {"cart-81": ORDER}))["cart-81"]

        if when == "after":
            assert (await place()).state is ReceiptState.PLACED
        else:
            with pytest.raises(ValueError, match=r"^the ref 'cart-81' was used for an order whose receipt was pruned"):
                await place()
        assert [report.receipts for report in other.reports] == [1 if when == "before" else 0]
        assert len(sandbox.orders()) == (1 if when == "after" else 0)
    await engine.dispose()


async def wait_for_lock(engine: AsyncEngine, done: list[Any]) -> None:
    """Wait until a transaction waits for another one, or something is done without that."""
    async with engine.connect() as connection:
        while not done:
            if (await connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))).scalar():
                return


async def test_a_ref_whose_pruning_is_not_committed_yet_is_refused(
    postgres_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """Placing waits for the commit, and looks again."""
    engine = create_engine(postgres_url)
    done: list[Any] = []

    async def place(ledger: Ledger) -> None:
        try:
            done.append(await ledger.place_many(client, {"cart-81": ORDER}))
        except ValueError as error:
            done.append(str(error))

    async with Ledger(engine, clock=lambda: START) as ledger, anyio.create_task_group() as group:
        away: Any = Breaking(client, before=raising(NotSentError("away")))
        await ledger.place(away, ORDER, ref="cart-81")
        async with engine.begin() as connection:
            assert (await prune_receipts(connection, None, state="not_sent", before=START + DAY)).count == 1
            group.start_soon(place, ledger)
            await wait_for_lock(engine, done)
            assert done == []
    assert str(done[0]).startswith("the ref 'cart-81' was used for an order whose receipt was pruned")
    assert sandbox.orders() == []
    await engine.dispose()


async def test_nothing_is_pruned_after_a_reader_was_registered(postgres_url: str) -> None:
    """Registering waits for what is being pruned."""
    engine = create_engine(postgres_url)
    done: list[Any] = []

    async def read(ledger: Ledger) -> None:
        done.extend(await numbers(ledger, reader="shipping"))

    async with Ledger(engine) as ledger:
        await insert_changes(ledger, 10, START)
        async with anyio.create_task_group() as group, engine.begin() as connection:
            assert (await prune_changes(connection, None, before=START + DAY)).count == 9
            group.start_soon(read, ledger)
            await wait_for_lock(engine, done)
            assert done == []
        assert done == [10]
    await engine.dispose()


# --- at the same time, and broken off


async def test_several_programs_may_prune_at_the_same_time(database_url: str, clock: Clock) -> None:
    """Each row is counted by one of them; others write in between."""
    reports: list[PruneReport] = []
    async with Ledger(database_url, clock=clock) as one, Ledger(database_url, clock=clock) as two:
        rows = [
            {
                "ref": f"{n:05}",
                "panel": "main",
                "fields": "{}",
                "state": "refused",
                "intended_at": START,
                "settled_at": 1.0,
            }
            for n in range(2_000)
        ]
        async with one._database.transaction() as connection:
            await connection.execute(insert(INTENTS), rows)
        await insert_changes(one, 2_000, START)
        clock.now += 2 * DAY

        async def prune(ledger: Ledger) -> None:
            reports.append(await ledger.prune(older_than=DAY))

        async with anyio.create_task_group() as group:
            group.start_soon(prune, one)
            group.start_soon(prune, two)
            group.start_soon(one.track, range(100))
        assert sum(report.receipts for report in reports) == 2_000
        assert sum(report.changes for report in reports) == 1_999
        assert await count_rows(one) == (0, 100, 1, 2_000)


@pytest.mark.parametrize("statement", ["INSERT INTO followersdata_used_refs", "DELETE FROM followersdata_intents"])
async def test_pruning_that_is_broken_off_goes_on_later(database_url: str, clock: Clock, statement: str) -> None:
    """At each moment a ref is on record or refused, and never both or neither."""
    engine = create_engine(database_url)
    async with Ledger(engine, clock=clock) as ledger:
        rows = [
            {
                "ref": f"{n:05}",
                "panel": "main",
                "fields": "{}",
                "state": "refused",
                "intended_at": START,
                "settled_at": 1.0,
            }
            for n in range(1_203)
        ]
        async with ledger._database.transaction() as connection:
            await connection.execute(insert(INTENTS), rows)
        clock.now += 2 * DAY
        seen: list[str] = []

        def kill(_: Any, __: Any, sql: str, *___: Any) -> None:
            if sql.startswith(statement):
                seen.append(sql)
                if len(seen) == 2:
                    raise OSError("killed")

        event.listen(engine.sync_engine, "before_cursor_execute", kill)
        with pytest.raises(LedgerError, match="killed"):
            await ledger.prune(older_than=DAY)
        assert await count_rows(ledger) == (703, 0, 0, 500)
        async with engine.connect() as connection:
            both = select(INTENTS.c.ref).join(USED_REFS, USED_REFS.c.ref == INTENTS.c.ref)
            assert (await connection.execute(both)).all() == []
        assert (await ledger.prune(older_than=DAY)).receipts == 703
        assert await count_rows(ledger) == (0, 0, 0, 1_203)
    await engine.dispose()
