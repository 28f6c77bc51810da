"""The state of a ledger's orders in numbers: exact, of one panel, and without a request."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, insert, text

from followersdata_async import AsyncClient, LedgerError, NotSentError, SpendingLimitError, orders, to_json
from followersdata_async.ledger import Ledger, LedgerHealth, ReceiptState, SpendingLimit
from followersdata_async.ledger.database import create_engine
from followersdata_async.ledger.schema import INTENTS, ORDERS
from tests.helpers.panels import Breaking, raising
from tests.helpers.sandbox import ManualClock

if TYPE_CHECKING:
    from followersdata_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

STATES = ["sending", *(state.value for state in ReceiptState)]
LIMIT = SpendingLimit(per_order=Decimal(5), per_hour=Decimal(1), per_day=Decimal("2.5"), orders_per_hour=3)


def make_order(number: int) -> orders.Default:
    """An order of its own link, for 0.90."""
    return orders.Default(service=1, link=f"https://example.com/p/{number}", quantity=1000)


async def test_a_ledger_without_orders_is_well(database_url: str) -> None:
    """Each state is counted, also with 0: a metric that was higher before must fall."""
    clock = ManualClock()
    async with Ledger(database_url, clock=clock) as ledger:
        health = await ledger.health()
    assert health == LedgerHealth(
        panel="main",
        at=clock.now,
        intents=dict.fromkeys(ReceiptState, 0),
        unknown=0,
        unknown_for_an_hour=0,
        oldest_unknown=None,
        orders_open=0,
        orders_due=0,
        orders_overdue=0,
        lag=0.0,
        spending_left={},
    )
    assert Counter(health.intents) == Counter(dict.fromkeys(ReceiptState, 0))


def make_intents(chance: random.Random, now: float) -> list[dict[str, Any]]:
    """Rows in all states, of two panels, around an hour ago."""
    rows = []
    for number in range(chance.randint(1, 300)):
        state = chance.choice(STATES)
        intended_at = now - chance.choice([0, 10, 3599, 3600, 3601, 90_000])
        was_sent = state not in {"intended", "not_sent"}
        rows.append(
            {
                "ref": f"ref-{number}",
                "panel": chance.choice(["main", "spare"]),
                "fields": "{}",
                "state": state,
                "intended_at": intended_at,
                "sent_at": chance.choice([intended_at, now]) if was_sent else None,
                "counted_at": None if state in {"refused", "not_sent"} else intended_at,
            }
        )
    return rows


def make_orders(chance: random.Random, now: float) -> list[dict[str, Any]]:
    """Rows of open and final orders of two panels, due at all times."""
    return [
        {
            "panel": chance.choice(["main", "spare"]),
            "order_id": str(number),
            "moved_at": 0.0,
            "failures": 0,
            "refusals": 0,
            "is_open": chance.random() < 0.7,
            "due_at": now + chance.choice([-500, -60, -59, 0, 1, 600]),
            "leased_until": 0.0,
        }
        for number in range(chance.randint(1, 300))
    ]


@pytest.mark.parametrize("seed", range(8))
async def test_its_numbers_are_those_of_each_row(database_url: str, seed: int) -> None:
    """Counted one by one."""
    chance, clock = random.Random(seed), ManualClock()  # noqa: S311 - the same rows each time
    now = clock.now
    intents, tracked = make_intents(chance, now), make_orders(chance, now)
    engine = create_engine(database_url)
    async with Ledger(engine, clock=clock) as ledger:
        async with engine.begin() as connection:
            await connection.execute(insert(INTENTS), intents)
            await connection.execute(insert(ORDERS), tracked)
        healths = [await ledger.health(panel=panel) for panel in ("main", "spare", "none")]
    await engine.dispose()
    for health in healths:
        ours = [row for row in intents if row["panel"] == health.panel]
        states = Counter("unknown" if row["state"] == "sending" else row["state"] for row in ours)
        assert health.intents == {state: states[state.value] for state in ReceiptState}
        ages = [now - row["sent_at"] for row in ours if row["state"] in {"sending", "unknown"}]
        assert health.unknown == len(ages)
        assert health.unknown_for_an_hour == sum(age >= 3600 for age in ages)
        assert health.oldest_unknown == max(ages, default=None)
        due = [row["due_at"] for row in tracked if row["panel"] == health.panel and row["is_open"]]
        assert health.orders_open == len(due)
        assert health.orders_due == sum(at <= now for at in due)
        assert health.orders_overdue == sum(at <= now - 60 for at in due)
        assert health.lag == max(0.0, now - min(due, default=now))


async def test_orders_are_seen_through_their_lives(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """Placed, refused, not sent and unknown, until a person decides; then polled."""
    clock = ManualClock()
    cut_off: Any = Breaking(client, after=raising(ConnectionError("cut off")))
    not_sent: Any = Breaking(client, before=raising(NotSentError("no network")))
    async with Ledger(database_url, clock=clock) as ledger:
        await ledger.place(client, make_order(1), ref="placed")
        sandbox.next("refused", message="Incorrect link")
        await ledger.place(client, make_order(2), ref="refused")
        await ledger.place(not_sent, make_order(3), ref="not sent")
        with pytest.raises(ConnectionError):
            await ledger.place(cut_off, make_order(4), ref="unknown")
        before = sandbox.requests
        clock.now += 3600
        health = await ledger.health(overdue=4000)
        assert sandbox.requests == before
        assert [health.intents[state] for state in ReceiptState] == [0, 1, 1, 1, 1]
        assert (health.unknown, health.unknown_for_an_hour, health.oldest_unknown) == (1, 1, 3600.0)
        assert (health.orders_open, health.orders_due, health.orders_overdue, health.lag) == (1, 1, 0, 3600.0)
        await ledger.resolve("unknown", order=sandbox.orders()[-1]["order"])
        await ledger.poll_once(client)
        health = await ledger.health()
        assert (health.unknown, health.oldest_unknown) == (0, None)
        assert (health.orders_open, health.orders_due, health.lag) == (2, 0, 0.0)


async def test_an_order_whose_poller_was_killed_is_overdue(database_url: str) -> None:
    """Its lease holds, and nobody looks."""
    clock = ManualClock()
    engine = create_engine(database_url)
    async with Ledger(engine, clock=clock) as ledger:
        await ledger.track([1])
        async with engine.begin() as connection:
            await connection.execute(ORDERS.update().values(leased_until=clock.now + 300))
        clock.now += 61
        health = await ledger.health()
        assert (health.orders_overdue, health.lag) == (1, 61.0)
    await engine.dispose()


async def test_what_is_left_of_a_limit_is_exact(database_url: str, client: AsyncClient) -> None:
    """It is what the error says, and comes back with time; a limit for one order has nothing that could be left."""
    clock = ManualClock()
    async with Ledger(database_url, clock=clock, spending_limit=LIMIT) as ledger:
        await ledger.place(client, make_order(1), ref="a", cost=Decimal("0.7000000000000000000000000001"))
        left = {
            "per_hour": Decimal("0.2999999999999999999999999999"),
            "per_day": Decimal("1.7999999999999999999999999999"),
            "orders_per_hour": Decimal(2),
        }
        assert (await ledger.health()).spending_left == left
        with pytest.raises(SpendingLimitError) as caught:
            await ledger.place(client, make_order(2), ref="b")
        assert caught.value.left == left["per_hour"]
        assert (await ledger.health(panel="spare")).spending_left["per_hour"] == Decimal(1)
        clock.now += 3600
        left |= {"per_hour": Decimal(1), "orders_per_hour": Decimal(3)}
        assert (await ledger.health()).spending_left == left
    lowered = SpendingLimit(per_day=Decimal("0.1"))
    async with Ledger(database_url, clock=clock, spending_limit=lowered) as ledger:
        assert (await ledger.health()).spending_left == {"per_day": Decimal(0)}


async def test_it_can_be_sent_as_json(database_url: str) -> None:
    """States by their values, and amounts as texts."""
    async with Ledger(database_url, clock=ManualClock(), spending_limit=LIMIT) as ledger:
        plain: Any = to_json(await ledger.health())
    assert plain["intents"] == {"intended": 0, "placed": 0, "refused": 0, "not_sent": 0, "unknown": 0}
    assert plain["spending_left"] == {"per_hour": "1", "per_day": "2.5", "orders_per_hour": "3"}
    assert plain["oldest_unknown"] is None


async def test_a_database_that_cannot_be_read_is_an_error(database_url: str) -> None:
    """And no numbers."""
    engine = create_engine(database_url)
    async with Ledger(engine) as ledger:
        async with engine.begin() as connection:
            await connection.execute(text("DROP TABLE followersdata_orders"))
        with pytest.raises(LedgerError, match="the ledger could not be used"):
            await ledger.health()
    await engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"panel": " "}, ValueError),
        ({"panel": 1}, TypeError),
        ({"overdue": -1.0}, ValueError),
        ({"overdue": float("nan")}, ValueError),
        ({"overdue": "60"}, TypeError),
    ],
)
async def test_arguments_that_make_no_sense_are_refused(
    database_url: str, arguments: dict[str, Any], error: type[Exception]
) -> None:
    """By name."""
    async with Ledger(database_url) as ledger:
        with pytest.raises(error, match=next(iter(arguments))):
            await ledger.health(**arguments)


async def test_sqlite_reads_it_from_indexes(database_url: str) -> None:
    """Millions of placed orders are counted, and not read: nobody can write meanwhile."""
    if not database_url.startswith("sqlite"):
        pytest.skip("how PostgreSQL reads depends on what is in its tables")
    engine = create_engine(database_url)
    statements: list[tuple[str, Any]] = []
    async with Ledger(engine, spending_limit=LIMIT) as ledger:
        event.listen(
            engine.sync_engine,
            "before_cursor_execute",
            lambda _connection, _cursor, statement, values, *_: statements.append((statement, values)),
        )
        await ledger.health()
        plans = []
        async with engine.connect() as connection:
            for statement, values in [one for one in statements if one[0].startswith("SELECT")]:
                plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                plans += [row.detail for row in plan if "followersdata" in row.detail]
    await engine.dispose()
    assert {plan.split(" (")[0] for plan in plans} == {
        "SEARCH followersdata_intents USING INDEX followersdata_intents_by_state",
        "SEARCH followersdata_intents USING COVERING INDEX followersdata_intents_counted",
        "SEARCH followersdata_orders USING INDEX followersdata_orders_due",
    }
