"""Settling what is unknown: the ledger says what is known, and a person decides."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

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
