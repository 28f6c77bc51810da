"""Spending limits: reserved with the intent, across programs, and free again when an order costs nothing."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from sqlalchemy import text

from followersdata_async import (
    AsyncClient,
    ConfigurationError,
    InvalidOrderError,
    NotSentError,
    OutcomeUnknownError,
    PanelUnavailableError,
    PlacedOrder,
    Service,
    ServiceKind,
    SpendingLimitError,
    orders,
)
from followersdata_async.ledger import Ledger, ReceiptState, SpendingLimit
from followersdata_async.ledger.database import create_engine
from followersdata_async.ledger.spending import EXACT
from followersdata_async.sandbox import Sandbox
from tests.helpers.panels import Breaking, raising
from tests.helpers.sandbox import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

ONE_A_DAY = SpendingLimit(per_day=Decimal(1))


def make_order(number: int, quantity: int = 1000) -> orders.Default:
    """An order of its own link. A thousand cost 0.90."""
    return orders.Default(service=1, link=f"https://example.com/p/{number}", quantity=quantity)


async def test_what_is_over_the_limit_is_not_sent(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """The error says what, how much is left, and when enough is free; nothing is on record."""
    clock = ManualClock()
    async with Ledger(database_url, spending_limit=ONE_A_DAY, clock=clock) as ledger:
        receipt = await ledger.place(client, make_order(1), ref="a")
        assert receipt.cost == Decimal("0.9")
        clock.now += 600
        with pytest.raises(SpendingLimitError) as caught:
            await ledger.place(client, make_order(2), ref="b")
        error = caught.value
        assert (error.limit, error.ref, error.cost, error.left) == ("per_day", "b", Decimal("0.9"), Decimal("0.1"))
        assert error.frees_at == pytest.approx(clock.now + 86_400 - 600)
        assert str(error).endswith("(SpendingLimit.per_day). Enough is free in 85,800 s")
        with pytest.raises(LookupError):
            await ledger.receipt("b")
        # The same ref again sends nothing, and so needs no room.
        assert await ledger.place(client, make_order(1), ref="a") == receipt
        assert (await ledger.place(client, make_order(3, 100), ref="c")).cost == Decimal("0.09")
        clock.now += 86_400 - 600
        assert (await ledger.place(client, make_order(2), ref="b")).state is ReceiptState.PLACED
    assert len(sandbox.orders()) == 3


async def test_an_order_that_never_fits_says_so(database_url: str, client: AsyncClient) -> None:
    """No time is given for which one could wait."""
    async with Ledger(database_url, spending_limit=SpendingLimit(per_hour=Decimal("0.5"))) as ledger:
        with pytest.raises(SpendingLimitError, match=r"Raise the limit$") as caught:
            await ledger.place(client, make_order(1), ref="a")
        assert caught.value.frees_at is None


async def test_a_limit_is_exact_whatever_the_precision_of_the_program(database_url: str, client: AsyncClient) -> None:
    """Rounded to two digits, the third order would fit; and so is the evidence."""
    limit = SpendingLimit(per_hour=Decimal("100.1"))
    clock = ManualClock()
    with localcontext(prec=2):
        async with Ledger(database_url, spending_limit=limit, clock=clock) as ledger:
            await ledger.place(client, make_order(1), ref="a", cost=Decimal("50.04"), balance_before=Decimal("1000.01"))
            await ledger.place(client, make_order(2), ref="b", cost=Decimal("50.04"))
            with pytest.raises(SpendingLimitError) as caught:
                await ledger.place(client, make_order(3), ref="c", cost=Decimal("0.03"))
            assert caught.value.left == Decimal("0.02")
            assert caught.value.frees_at == pytest.approx(clock.now + 3600)
            evidence = await ledger.evidence(client, "a")
            assert evidence.spent == EXACT.subtract(Decimal("1000.01"), evidence.balance)


@pytest.mark.parametrize(
    ("error", "state", "is_counted"),
    [
        (NotSentError("no network"), ReceiptState.NOT_SENT, False),
        (InvalidOrderError("bad link", action="add"), ReceiptState.REFUSED, False),
        (OutcomeUnknownError("cut off", action="add"), ReceiptState.UNKNOWN, True),
    ],
)
async def test_what_costs_nothing_is_free_again(
    database_url: str, client: AsyncClient, error: Exception, state: ReceiptState, *, is_counted: bool
) -> None:
    """What is unknown counts, until somebody decides that it was not placed."""
    broken: Any = Breaking(client, before=raising(error))
    async with Ledger(database_url, spending_limit=ONE_A_DAY) as ledger:
        assert (await ledger.place(broken, make_order(1), ref="a", cost=Decimal("0.9"))).state is state
        if is_counted:
            with pytest.raises(SpendingLimitError):
                await ledger.place(client, make_order(2), ref="b")
            await ledger.resolve("a", placed=False)
        assert (await ledger.place(client, make_order(2), ref="b")).state is ReceiptState.PLACED
        if state is ReceiptState.NOT_SENT:
            with pytest.raises(SpendingLimitError):
                await ledger.place(client, make_order(1), ref="a", cost=Decimal("0.9"))


async def test_an_intent_reserves_and_its_sending_does_not_count_again(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """A day later it has to fit again, as of then."""
    clock = ManualClock()
    engine = create_engine(database_url)
    async with Ledger(engine, spending_limit=ONE_A_DAY, clock=clock) as ledger:
        async with engine.begin() as connection:
            await ledger.intend(connection, make_order(1), ref="a", cost=Decimal("0.9"))
            with pytest.raises(ValueError, match=r"^the cost of 'z' must be known"):
                await ledger.intend(connection, make_order(9), ref="z")
        async with engine.begin() as connection:
            await ledger.intend(connection, make_order(1), ref="a", cost=Decimal("0.9"))
            with pytest.raises(SpendingLimitError):
                await ledger.intend(connection, make_order(2), ref="b", cost=Decimal("0.9"))
        with pytest.raises(SpendingLimitError):
            await ledger.place(client, make_order(3), ref="c")
        clock.now += 90_000
        assert (await ledger.place(client, make_order(3), ref="c")).state is ReceiptState.PLACED
        with pytest.raises(SpendingLimitError):
            await ledger.send(client, "a")
        clock.now += 90_000
        assert (await ledger.send(client, "a")).state is ReceiptState.PLACED
    await engine.dispose()
    assert len(sandbox.orders()) == 2


async def test_an_intent_without_a_cost_is_priced_when_it_is_sent(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """By a worker with a limit, of an order that a program without one wrote down."""
    engine = create_engine(database_url)
    async with Ledger(engine) as without, Ledger(engine, spending_limit=ONE_A_DAY) as ledger:
        async with engine.begin() as connection:
            await without.intend(connection, make_order(1), ref="a")
            await without.intend(connection, make_order(2), ref="b")
        assert (await ledger.send(client, "a")).cost == Decimal("0.9")
        assert (await ledger.receipt("a")).cost == Decimal("0.9")
        with pytest.raises(SpendingLimitError):
            await ledger.send(client, "b")
    await engine.dispose()
    assert len(sandbox.orders()) == 1


async def test_what_programs_without_a_limit_spend_counts(database_url: str, client: AsyncClient) -> None:
    """With the charge that the panel gave, if no cost is on record."""
    charging: Any = Charging()
    async with Ledger(database_url) as without:
        assert (await without.place(charging, make_order(1), ref="a")).cost is None
    for limit in (ONE_A_DAY, SpendingLimit(orders_per_hour=1)):
        async with Ledger(database_url, spending_limit=limit) as ledger:
            with pytest.raises(SpendingLimitError, match=" of 1 is left"):
                await ledger.place(client, make_order(2), ref="b")


class Charging:
    """A panel that says what an order cost."""

    async def add(self, _: object) -> PlacedOrder:
        """Take an order."""
        return PlacedOrder(order=1, charge=Decimal("0.9"))


async def test_a_limit_is_for_each_panel(database_url: str, client: AsyncClient) -> None:
    """Each has a currency and a balance of its own."""
    async with Ledger(database_url, spending_limit=SpendingLimit(orders_per_hour=1)) as ledger:
        for panel in ("main", "spare"):
            await ledger.place(client, make_order(1), ref=panel, panel=panel)
            with pytest.raises(SpendingLimitError):
                await ledger.place(client, make_order(2), ref=f"{panel}-2", panel=panel)


async def test_a_cost_that_cannot_be_looked_up_sends_nothing(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """A limit that cannot be checked is not ignored."""
    unreachable: Any = Unreadable()
    async with Ledger(database_url, spending_limit=ONE_A_DAY) as ledger:
        with pytest.raises(NotSentError, match=r"^'a' was not sent: its cost could not be looked up \(HTTP 503\)"):
            await ledger.place(unreachable, make_order(1), ref="a")
        with pytest.raises(ValueError, match=r"^the cost of 'a' is unknown: the catalogue has no service 9999"):
            await ledger.place(client, orders.Raw(service=9999), ref="a")
        with pytest.raises(ValueError, match=r"^cost must be 0 or more, got -5$"):
            await ledger.place(client, make_order(1), ref="a", cost=Decimal(-5))
        with pytest.raises(NotSentError):
            await ledger.place_many(unreachable, [("a", make_order(1))])
    assert sandbox.orders() == []


class Unreadable:
    """A panel whose catalogue cannot be read."""

    async def services(self, *, max_age: float) -> None:
        """Fail."""
        del max_age
        raise PanelUnavailableError("HTTP 503", action="services")


async def test_reserved_long_ago_is_checked_again(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """A batch that waits for hours must not be spent on top of what was spent in the meantime."""
    clock = ManualClock()
    limit = SpendingLimit(per_hour=Decimal(2))
    async with Ledger(database_url, spending_limit=limit, clock=clock) as ledger:

        async def wait_for_hours() -> None:
            if not sandbox.orders():
                while not [receipt async for receipt in ledger.intended()]:  # noqa: ASYNC110 - of a database
                    await anyio.sleep(0.01)
                clock.now += 3_700
                await ledger.place(client, make_order(7, 2000), ref="meanwhile")

        slow: Any = Slow(client, wait_for_hours)
        receipts = await ledger.place_many(slow, [(f"r-{n}", make_order(n)) for n in range(2)], concurrency=1)
    assert sorted(receipt.state.value for receipt in receipts.values()) == ["not_sent", "placed"]
    assert len(sandbox.orders()) == 2


class Slow(Breaking):
    """A panel that waits before it takes an order, and has a catalogue."""

    def __init__(self, panel: AsyncClient, before: Any) -> None:
        super().__init__(panel, before=before)
        self.services = panel.services


async def test_a_snapshot_cannot_hide_what_others_spent(request: pytest.FixtureRequest, client: AsyncClient) -> None:
    """A transaction of the caller's must see what was committed since it began."""
    engine = create_engine(str(request.getfixturevalue("database")))
    async with Ledger(engine, spending_limit=ONE_A_DAY) as ledger:
        await ledger.place(client, make_order(1), ref="a", cost=Decimal("0.1"))
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                await connection.execute(text("SELECT 1"))
                with pytest.raises(ConfigurationError, match=r"must be READ COMMITTED, got REPEATABLE READ"):
                    await ledger.intend(connection, make_order(2), ref="b", cost=Decimal("0.1"))
    await engine.dispose()


RACING = """
import asyncio, sys
from decimal import Decimal, localcontext
from followersdata_async import AsyncClient, SpendingLimitError, orders
from followersdata_async.ledger import Ledger, SpendingLimit

database_url, url, name = sys.argv[1:]

async def main():
    limit = SpendingLimit(per_day=Decimal("50.00"))
    async with Ledger(database_url, spending_limit=limit) as ledger, AsyncClient("sandbox-key", url=url) as client:
        for number in range(1_000):
            order = orders.Default(service=1, link=f"https://example.com/{name}/{number}", quantity=100)
            try:
                await ledger.place(client, order, ref=f"{name}-{number}")
            except SpendingLimitError:
                return

asyncio.run(main())
"""


async def test_programs_that_race_a_limit_spend_at_most_the_limit(database_url: str, tmp_path: Path) -> None:
    """And all of it, up to the last whole order."""
    script = tmp_path / "racing.py"
    script.write_text(RACING, encoding="utf-8")
    async with Ledger(database_url):
        """The tables exist before the race."""
    async with Sandbox(serve=True) as sandbox:
        racers = [
            subprocess.Popen([sys.executable, script, database_url, sandbox.url, f"p{number}"])  # noqa: ASYNC220
            for number in range(10)
        ]
        assert [racer.wait(120) for racer in racers] == [0] * len(racers)
        placed = sandbox.orders()
    assert len(placed) == int(Decimal("50.00") / Decimal("0.09")) == 555
    async with Ledger(database_url) as ledger:
        assert await ledger.counts() == {None: 555}


async def test_what_is_checked_is_what_counts(database_url: str, client: AsyncClient) -> None:
    """An order that is sent again with another cost counts with that."""
    limit = SpendingLimit(per_day=Decimal(100))
    away: Any = Breaking(client, before=raising(NotSentError("away")))
    async with Ledger(database_url, spending_limit=limit) as ledger:
        await ledger.place(away, make_order(1), ref="a", cost=Decimal(1))
        assert (await ledger.place(client, make_order(1), ref="a", cost=Decimal(90))).cost == 90
        assert (await ledger.receipt("a")).cost == 90
        with pytest.raises(SpendingLimitError):
            await ledger.place(client, make_order(2), ref="b", cost=Decimal(90))
        await ledger.place(away, make_order(3), ref="c", cost=Decimal(5))
        with pytest.raises(SpendingLimitError):
            await ledger.place(client, make_order(3), ref="c", cost=Decimal(500))


async def test_a_negative_rate_does_not_raise_the_limit(database_url: str) -> None:
    """A cost that cannot be is unknown."""

    class Negative:
        async def services(self, *, max_age: float) -> list[Service]:
            del max_age
            kind = ServiceKind.DEFAULT
            return [Service(service=1, name="x", type="Default", kind=kind, category="x", rate=Decimal(-1000))]

    panel: Any = Negative()
    async with Ledger(database_url, spending_limit=ONE_A_DAY) as ledger:
        with pytest.raises(ValueError, match=r"^the cost of 'a' is unknown: the catalogue has the rate -1000"):
            await ledger.place(panel, make_order(1), ref="a")
        with pytest.raises(ValueError, match=r"has the rate -1000"):
            await ledger.place_many(panel, [("a", make_order(1))])


async def test_an_order_counts_from_when_it_is_sent(database_url: str, client: AsyncClient) -> None:
    """Not from when it was asked for: it may wait for a lock or the catalogue."""
    clock = ManualClock()

    class Slow:
        async def services(self, *, max_age: float) -> Any:
            clock.now += 3_000
            return await client.services(max_age=max_age)

        add = client.add

    panel: Any = Slow()
    async with Ledger(database_url, spending_limit=SpendingLimit(per_hour=Decimal(1)), clock=clock) as ledger:
        await ledger.place(panel, make_order(1), ref="a")
        clock.now += 1_000
        with pytest.raises(SpendingLimitError):
            await ledger.place(client, make_order(2), ref="b")
