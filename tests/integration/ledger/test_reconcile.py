"""Settling what is unknown: the ledger says what is known, and a person decides."""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from followersdata_async import AsyncClient, OutcomeUnknownError, orders
from followersdata_async.ledger import Ledger, ReceiptState, Reconciliation, Suggestion
from tests.helpers.panels import Breaking, raising
from tests.helpers.sandbox import ManualClock

if TYPE_CHECKING:
    from followersdata_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

LOST = raising(OutcomeUnknownError("cut off", action="add"))


def make_order(number: int) -> orders.Default:
    """An order of its own link and cost: 0.90, 1.80, …."""
    return orders.Default(service=1, link=f"https://example.com/p/{number}", quantity=1000 * number)


async def place(ledger: Ledger, client: Any, number: int) -> None:
    """Place an order with its cost and the balance before it."""
    before = (await client.balance()).balance
    cost = Decimal("0.90") * number
    await ledger.place(client, make_order(number), ref=f"r-{number}", cost=cost, balance_before=before)


async def reconcile(ledger: Ledger, client: AsyncClient) -> dict[str, Reconciliation]:
    """What is known, by ref."""
    return {found.receipt.ref: found async for found in ledger.reconcile(client)}


async def test_it_says_what_is_known_and_decides_nothing(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """One request for the balance, whatever the number of orders."""
    clock = ManualClock()
    async with Ledger(database_url, clock=clock) as ledger:
        for number, panel in enumerate((Breaking(client, after=LOST), client, Breaking(client, before=LOST)), 1):
            await place(ledger, panel, number)
            clock.now += 30
        assert {found.suggestion for found in (await reconcile(ledger, client)).values()} == {Suggestion.UNDECIDED}
        clock.now += 600
        before = sandbox.requests
        found = await reconcile(ledger, client)
        assert sandbox.requests == before + 1
        assert [found[ref].suggestion for ref in ("r-1", "r-3")] == [
            Suggestion.PROBABLY_PLACED,
            Suggestion.PROBABLY_NOT_PLACED,
        ]
        assert found["r-1"].reason.startswith("the balance fell by 2.7")
        assert [other.ref for other in found["r-1"].others] == ["r-2", "r-3"]
        assert found["r-1"].spent == Decimal("2.7")
        assert found["r-1"].receipt.message == "cut off"
        assert [receipt.state async for receipt in ledger.unknown()] == [ReceiptState.UNKNOWN] * 2
        assert await reconcile(ledger, client) == found


async def test_orders_of_other_panels_are_left_out(database_url: str, client: AsyncClient) -> None:
    """They have a balance of their own."""
    lost: Any = Breaking(client, after=LOST)
    async with Ledger(database_url) as ledger:
        await ledger.place(lost, make_order(1), ref="a", panel="spare")
        assert await reconcile(ledger, client) == {}
        assert [found.receipt.ref async for found in ledger.reconcile(client, panel="spare")] == ["a"]


async def test_an_id_settles_one_order(database_url: str, client: AsyncClient) -> None:
    """Mistyped, it could be that of another ref."""
    lost: Any = Breaking(client, after=LOST)
    async with Ledger(database_url) as ledger:
        assert (await ledger.place(client, make_order(1), ref="a")).order == 1
        await ledger.place(lost, make_order(2), ref="b")
        with pytest.raises(ValueError, match=r"^the order 1 is on record for the ref 'a': find the one of 'b'$"):
            await ledger.resolve("b", order=1)
        assert (await ledger.resolve("b", order=2)).state is ReceiptState.PLACED


async def test_orders_that_are_unknown_for_an_hour_are_logged(
    database_url: str, client: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """When the ledger is opened."""
    clock = ManualClock()
    lost: Any = Breaking(client, after=LOST)
    async with Ledger(database_url, clock=clock) as ledger:
        await ledger.place(lost, make_order(1), ref="a")
    for seconds, warnings in ((3_500, 0), (200, 1)):
        clock.now += seconds
        caplog.clear()
        with caplog.at_level(logging.WARNING, "followersdata_async"):
            async with Ledger(database_url, clock=clock):
                """It is logged by now."""
        assert [record.getMessage() for record in caplog.records] == [
            "orders that have been unknown for over an hour: 1. Settle them with `followersdata ledger reconcile`"
        ] * warnings


async def test_orders_that_overlap_suggest_nothing_that_is_not_so(database_url: str, client: AsyncClient) -> None:
    """Two of the same cost at the same time: of the one that was lost nobody can tell."""
    clock = ManualClock()
    async with Ledger(database_url, clock=clock) as ledger:
        before = (await client.balance()).balance
        cost = Decimal("0.9")

        async def first() -> None:
            clock.now += 1
            await ledger.place(client, make_order(1), ref="placed", cost=cost, balance_before=before)
            clock.now += 1

        lost: Any = Breaking(client, before=LOST)

        async def fail_later() -> None:
            await first()
            raise OutcomeUnknownError("cut off", action="add")

        lost = Breaking(client, before=fail_later)
        await ledger.place(lost, make_order(1), ref="lost", cost=cost, balance_before=before)
        clock.now += 600
        found = await reconcile(ledger, client)
        assert found["lost"].suggestion is Suggestion.PROBABLY_NOT_PLACED

        async def place_more() -> None:
            await ledger.place(client, make_order(1), ref="later", cost=cost)

        await place(ledger, Breaking(client, before=LOST), 2)
        clock.now += 600

        class Moving:
            async def balance(self) -> Any:
                balance = await client.balance()
                await place_more()
                return balance

        moving: Any = Moving()
        found = await reconcile(ledger, moving)
        assert found["r-2"].suggestion is not Suggestion.PROBABLY_PLACED


async def test_a_refund_suggests_nothing(database_url: str, client: AsyncClient) -> None:
    """The balance rose by it, and may hide what an order has cost."""
    clock = ManualClock()
    async with Ledger(database_url, clock=clock) as ledger:
        await place(ledger, Breaking(client, after=LOST), 1)
        clock.now += 600
        assert (await reconcile(ledger, client))["r-1"].suggestion is Suggestion.PROBABLY_PLACED
        await ledger.track([77])
        async with ledger._database.transaction() as connection:
            await connection.execute(
                text("UPDATE followersdata_orders SET state = 'canceled', moved_at = :now"), {"now": clock.now}
            )
        found = (await reconcile(ledger, client))["r-1"]
        assert (found.suggestion, "cancelled or refunded" in found.reason) == (Suggestion.UNDECIDED, True)


async def test_an_id_settles_one_order_at_a_time(database_url: str, client: AsyncClient) -> None:
    """Two persons that type the same id at the same moment."""
    lost: Any = Breaking(client, after=LOST)
    async with Ledger(database_url) as one, Ledger(database_url) as two:
        for ref in ("a", "b"):
            await one.place(lost, make_order(1), ref=ref)
        results = await asyncio.gather(one.resolve("a", order=7), two.resolve("b", order=7), return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == ["Receipt", "ValueError"]
