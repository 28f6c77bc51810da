"""Orders under a ref: on record before they leave, sent once, and never when in doubt."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import create_async_engine

from followersdata_async import (
    AsyncClient,
    AuthenticationError,
    ConfigurationError,
    InsufficientFundsError,
    InvalidOrderError,
    LedgerError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    orders,
)
from followersdata_async.ledger import Ledger, ReceiptState
from followersdata_async.ledger.database import create_engine
from tests.helpers.panels import Breaking, raising

if TYPE_CHECKING:
    import httpx

    from followersdata_async.ledger import Receipt
    from followersdata_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

ORDER = orders.Package(service=3, link="https://example.com/p/1")
OTHER = orders.Package(service=3, link="https://example.com/p/2")


async def refs(listing: Any) -> list[str]:
    """The refs of receipts."""
    return [receipt.ref async for receipt in listing]


async def test_an_order_is_placed_once_under_its_ref(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """The same ref and order give the receipt on record, also after the ledger was closed."""
    async with Ledger(database_url) as ledger:
        receipt = await ledger.place(client, ORDER, ref="cart-81", cost=Decimal("0.90"))
        assert (receipt.state, receipt.order, receipt.cost) == (ReceiptState.PLACED, 1, Decimal("0.90"))
        assert await ledger.place(client, ORDER, ref="cart-81") == receipt
    async with Ledger(database_url) as ledger:
        assert await ledger.place(client, ORDER, ref="cart-81") == receipt
        assert await ledger.receipt("cart-81") == receipt
        assert (await ledger.place(client, ORDER, ref="cart-82")).order == 2
    assert [taken["order"] for taken in sandbox.orders()] == [1, 2]


@pytest.mark.parametrize("cost", [Decimal("0.90"), "0.90", 0.9])
async def test_cost_is_stored_as_it_is_written(database_url: str, client: AsyncClient, cost: Any) -> None:
    """Also for callers without a type checker: no binary fraction."""
    async with Ledger(database_url) as ledger:
        await ledger.place(client, ORDER, ref="cart-81", cost=cost)
        assert (await ledger.receipt("cart-81")).cost == Decimal("0.90")


@pytest.mark.parametrize("cost", ["abc", True, float("nan")])
async def test_cost_that_is_no_amount_is_rejected(
    database_url: str, client: AsyncClient, sandbox: Sandbox, cost: Any
) -> None:
    """Before anything is sent."""
    async with Ledger(database_url) as ledger:
        with pytest.raises(ValueError, match=r"^cost is an amount, not "):
            await ledger.place(client, ORDER, ref="cart-81", cost=cost)
    assert sandbox.orders() == []


async def test_an_order_is_sent_again_after_the_panel_wanted_fewer_requests(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """It has not looked at the order."""
    busy: Any = Breaking(client, before=raising(RateLimitedError("Too many requests", action="add")))
    async with Ledger(database_url) as ledger:
        receipt = await ledger.place(busy, ORDER, ref="a")
        assert (receipt.state, receipt.error) == (ReceiptState.NOT_SENT, "RateLimitedError")
        assert (await ledger.place(client, ORDER, ref="a")).state is ReceiptState.PLACED
    assert len(sandbox.orders()) == 1


async def test_an_order_that_is_too_large_is_not_sent(database_url: str, sandbox: Sandbox) -> None:
    """It is on record as not sent, and can be sent with a greater limit."""
    http = sandbox.http()
    order = orders.CustomComments(service=2, link="https://example.com", comments=["x" * 1_000] * 20)
    async with http, Ledger(database_url) as ledger:
        async with AsyncClient(sandbox.key, url=sandbox.url, http=http, max_request_bytes=9_000) as client:
            receipt = await ledger.place(client, order, ref="a")
            assert (receipt.state, receipt.error) == (ReceiptState.NOT_SENT, "RequestTooLargeError")
        async with AsyncClient(sandbox.key, url=sandbox.url, http=http) as client:
            assert (await ledger.place(client, order, ref="a")).state is ReceiptState.PLACED
    assert len(sandbox.orders()) == 1


async def test_a_ref_stands_for_one_order(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """Another body, or another panel, is an error, and nothing is sent."""
    async with Ledger(database_url) as ledger:
        await ledger.place(client, ORDER, ref="cart-81")
        for order, name in ((OTHER, "main"), (ORDER, "spare")):
            with pytest.raises(ValueError, match=r"^the ref 'cart-81' was used for another order"):
                await ledger.place(client, order, ref="cart-81", panel=name)
    assert len(sandbox.orders()) == 1


async def test_callers_of_one_ref_at_the_same_time_place_it_once(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """And all of them have its receipt: a button pressed twice."""
    receipts: list[Receipt] = []
    async with Ledger(database_url) as ledger:

        async def press() -> None:
            receipts.append(await ledger.place(client, ORDER, ref="cart-81"))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(press)
        assert ledger._placement._locks == {}
    assert [receipt.order for receipt in receipts] == [1] * 5
    assert len(sandbox.orders()) == 1


async def test_two_ledgers_at_the_same_time_place_it_once(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """Of the other one nobody can tell how far it is; afterwards both know."""
    async with Ledger(database_url) as one, Ledger(database_url) as two:
        inner: list[Receipt] = []

        async def meanwhile() -> None:
            inner.append(await two.place(client, ORDER, ref="cart-81"))

        outer = await one.place(Breaking(client, before=meanwhile), ORDER, ref="cart-81")  # type: ignore[arg-type]
        assert (outer.state, inner[0].state) == (ReceiptState.PLACED, ReceiptState.UNKNOWN)
        assert await two.receipt("cart-81") == outer
    assert len(sandbox.orders()) == 1


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (NotSentError("the network is away"), ReceiptState.NOT_SENT),
        (InsufficientFundsError("Not enough funds"), ReceiptState.REFUSED),
        (AuthenticationError("Invalid API key"), ReceiptState.REFUSED),
        (InvalidOrderError("Bad link"), ReceiptState.REFUSED),
        (OutcomeUnknownError("cut off", action="add"), ReceiptState.UNKNOWN),
    ],
)
async def test_what_became_of_it_is_on_record(
    database_url: str, client: AsyncClient, error: Exception, state: ReceiptState
) -> None:
    """With the class and the message. It is sent again if it did not leave, or was rejected because of the account."""
    async with Ledger(database_url) as ledger:
        broken = Breaking(client, before=raising(error))
        receipt = await ledger.place(broken, ORDER, ref="cart-81")  # type: ignore[arg-type]
        assert (receipt.state, receipt.error, receipt.message) == (state, type(error).__name__, error.message)  # type: ignore[attr-defined]
        assert await ledger.receipt("cart-81") == receipt
        again = await ledger.place(client, ORDER, ref="cart-81")
        is_final = isinstance(error, (InvalidOrderError, OutcomeUnknownError))
        assert receipt.can_be_sent is not is_final
        assert again.state is (state if is_final else ReceiptState.PLACED)
        assert again.error == (type(error).__name__ if is_final else None)


@pytest.mark.parametrize("message", ["Server error", "Service temporarily unavailable", "Bir hata oluştu"])
async def test_a_crash_that_the_panel_reports_is_unknown(
    database_url: str, client: AsyncClient, sandbox: Sandbox, message: str
) -> None:
    """The panel has taken the order, and says so with HTTP 200."""
    sandbox.next("refused", action="add", taken=True, message=message)
    async with Ledger(database_url) as ledger:
        receipt = await ledger.place(client, ORDER, ref="cart-81")
        assert receipt.state is ReceiptState.UNKNOWN
        assert message in str(receipt.message)
        assert await ledger.place(client, ORDER, ref="cart-81") == receipt
    assert len(sandbox.orders()) == 1


async def test_a_callers_mistake_is_raised_and_nothing_was_sent(database_url: str) -> None:
    """The ref may be used again."""
    closed = AsyncClient("sandbox-key", url="http://127.0.0.1:1/")
    async with Ledger(database_url) as ledger:
        with pytest.raises(ConfigurationError, match=r"^the client is not open"):
            await ledger.place(closed, ORDER, ref="cart-81")
        assert (await ledger.receipt("cart-81")).state is ReceiptState.NOT_SENT


async def test_a_cancelled_caller_leaves_a_whole_record(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """The answer is awaited and written down."""
    async with Ledger(database_url) as ledger:
        with anyio.CancelScope() as scope:

            async def cancel() -> None:
                scope.cancel()

            await ledger.place(Breaking(client, before=cancel), ORDER, ref="cart-81")  # type: ignore[arg-type]
        assert (await ledger.receipt("cart-81")).order == 1
    assert len(sandbox.orders()) == 1


async def test_a_task_that_asyncio_cancels_leaves_a_whole_record(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """As a server does at its end: no scope's shield holds that off."""
    arrived, released = anyio.Event(), anyio.Event()

    async def wait() -> None:
        arrived.set()
        await released.wait()

    async with Ledger(database_url) as ledger:
        broken = Breaking(client, before=wait)
        task = asyncio.create_task(ledger.place(broken, ORDER, ref="cart-81"))  # type: ignore[arg-type]
        await arrived.wait()
        task.cancel()
        await asyncio.sleep(0)
        released.set()
        assert (await task).order == 1
        assert (await ledger.receipt("cart-81")).state is ReceiptState.PLACED
    assert len(sandbox.orders()) == 1


async def test_closing_waits_for_an_order_that_is_being_placed(database_url: str, client: AsyncClient) -> None:
    """Its answer is to be written down."""
    arrived, released = anyio.Event(), anyio.Event()
    receipts: list[Receipt] = []

    async def wait() -> None:
        arrived.set()
        await released.wait()

    async def place(ledger: Ledger) -> None:
        receipts.append(await ledger.place(Breaking(client, before=wait), ORDER, ref="cart-81"))  # type: ignore[arg-type]

    async def release() -> None:
        await anyio.wait_all_tasks_blocked()
        released.set()

    async with anyio.create_task_group() as group:
        async with Ledger(database_url) as ledger:
            group.start_soon(place, ledger)
            await arrived.wait()
            group.start_soon(release)
        assert [receipt.state for receipt in receipts] == [ReceiptState.PLACED]


async def test_what_is_not_ours_proves_nothing(database_url: str, sandbox: Sandbox) -> None:
    """A lent client's hook fails after the panel took the order: it is on record as unknown, and not sent again."""

    async def hook(_: httpx.Response) -> None:
        json.loads(b"")

    async with Ledger(database_url) as ledger, sandbox.http() as http:
        http.event_hooks = {"response": [hook]}
        async with AsyncClient(sandbox.key, url=sandbox.url, http=http) as client:
            receipt = await ledger.place(client, ORDER, ref="cart-81")
            assert (receipt.state, receipt.error) == (ReceiptState.UNKNOWN, "OutcomeUnknownError")
            assert "JSONDecodeError" in str(receipt.message)
            assert await ledger.place(client, ORDER, ref="cart-81") == receipt
    assert len(sandbox.orders()) == 1


async def test_a_cancelled_look_leaves_nothing_behind(database_url: str) -> None:
    """No task for which an event loop that ends would wait, and a ledger that works."""
    async with Ledger(database_url) as ledger:
        await ledger.track([1, 2, 3])
        before = asyncio.all_tasks()
        for steps in range(100):
            async with anyio.create_task_group() as group:
                group.start_soon(ledger.counts)
                for _ in range(steps):
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
            assert asyncio.all_tasks() == before
        assert await ledger.counts() == {None: 3}


# --- the outbox


async def test_an_intent_is_part_of_the_users_own_transaction(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """Rolled back, it was never there; committed, it is sent once."""
    engine = create_engine(database_url)
    async with Ledger(engine) as ledger:
        with pytest.raises(ZeroDivisionError):
            async with engine.begin() as connection:
                await ledger.intend(connection, ORDER, ref="cart-80")
                _ = 1 / 0
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE carts (id INTEGER)"))
            await connection.execute(text("INSERT INTO carts VALUES (81)"))
            intended = await ledger.intend(connection, ORDER, ref="cart-81")
            assert await ledger.intend(connection, ORDER, ref="cart-81") == intended
        assert intended.state is ReceiptState.INTENDED
        assert await refs(ledger.intended()) == ["cart-81"]
        with pytest.raises(LookupError, match=r"^nothing is on record for the ref 'cart-80'$"):
            await ledger.send(client, "cart-80")
        assert sandbox.orders() == []
        sent = await ledger.send(client, "cart-81")
        assert await ledger.send(client, "cart-81") == sent
        assert await ledger.place(client, ORDER, ref="cart-81") == sent
        assert await refs(ledger.intended()) == []
    assert (sent.state, sent.order, len(sandbox.orders())) == (ReceiptState.PLACED, 1, 1)
    async with engine.connect() as connection:  # A lent engine is not disposed.
        assert (await connection.execute(text("SELECT id FROM carts"))).scalar() == 81
    await engine.dispose()


# --- what nobody knows


async def unknown_under(ledger: Ledger, client: AsyncClient, ref: str, **known: Any) -> Receipt:
    """An order that was taken, and whose answer was lost."""
    lost = Breaking(client, after=raising(OutcomeUnknownError("cut off", action="add", sent=True)))
    return await ledger.place(lost, ORDER, ref=ref, **known)  # type: ignore[arg-type]


async def test_unknown_orders_are_listed_with_the_money_at_risk(database_url: str, client: AsyncClient) -> None:
    """The oldest first, and however many there are."""
    async with Ledger(database_url) as ledger:
        for number in range(3):
            await unknown_under(ledger, client, f"cart-{number}", cost=Decimal(number))
        await ledger.place(client, ORDER, ref="cart-9")
        assert [(receipt.ref, receipt.cost) async for receipt in ledger.unknown()] == [
            ("cart-0", Decimal(0)),
            ("cart-1", Decimal(1)),
            ("cart-2", Decimal(2)),
        ]


async def test_more_orders_than_a_page_holds(database_url: str) -> None:
    """Written down in the same moment, too."""
    engine = create_engine(database_url)
    async with Ledger(engine, clock=lambda: 1000.0) as ledger:
        async with engine.begin() as connection:
            for number in range(1203):
                await ledger.intend(connection, ORDER, ref=f"{number:04}")
        assert await refs(ledger.intended()) == [f"{number:04}" for number in range(1203)]
    await engine.dispose()


async def test_evidence_compares_the_balance(database_url: str, client: AsyncClient) -> None:
    """With what it was before; code decides nothing."""
    async with Ledger(database_url) as ledger:
        before = (await client.balance()).balance
        await unknown_under(ledger, client, "cart-1", balance_before=before)
        evidence = await ledger.evidence(client, "cart-1")
        assert evidence.spent == before - evidence.balance > 0
        await unknown_under(ledger, client, "cart-2")
        assert (await ledger.evidence(client, "cart-2")).spent is None
        assert evidence.receipt.state is ReceiptState.UNKNOWN


async def test_an_unknown_order_is_settled_by_whoever_looked(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """As placed, with its id; or as not placed, and then it may be placed again."""
    async with Ledger(database_url) as ledger:
        for ref in ("cart-1", "cart-2"):
            await unknown_under(ledger, client, ref)
        settled = await ledger.resolve("cart-1", order=1)
        assert (settled.state, settled.order) == (ReceiptState.PLACED, 1)
        assert await ledger.place(client, ORDER, ref="cart-1") == settled == await ledger.receipt("cart-1")
        assert (await ledger.resolve("cart-2", placed=False)).state is ReceiptState.NOT_SENT
        assert await refs(ledger.unknown()) == []
        assert (await ledger.place(client, ORDER, ref="cart-2")).order == 3
    assert len(sandbox.orders()) == 3


@pytest.mark.parametrize(
    ("ref", "said", "error", "words"),
    [
        ("cart-1", {}, ValueError, "say either order=…"),
        ("cart-1", {"order": 1, "placed": False}, ValueError, "say either order=…"),
        ("cart-1", {"order": "1,2"}, ValueError, "has a comma"),
        ("cart-2", {"order": 1}, ValueError, "'cart-2' is placed, and not unknown"),
        ("cart-3", {"order": 1}, LookupError, "nothing is on record for the ref 'cart-3'"),
    ],
)
async def test_only_what_is_unknown_is_settled(
    database_url: str, client: AsyncClient, ref: str, said: dict[str, Any], error: type[Exception], words: str
) -> None:
    """And only in so many words."""
    async with Ledger(database_url) as ledger:
        await unknown_under(ledger, client, "cart-1")
        await ledger.place(client, ORDER, ref="cart-2")
        with pytest.raises(error, match=words):
            await ledger.resolve(ref, **said)


async def test_an_answer_that_comes_after_it_was_given_up_is_written_down(
    database_url: str, client: AsyncClient
) -> None:
    """Placed is placed, whatever somebody decided meanwhile; any other answer does not undo a decision."""
    async with Ledger(database_url) as ledger, Ledger(database_url) as human:

        async def give_up() -> None:
            await human.resolve("cart-1", placed=False)

        assert (await ledger.place(Breaking(client, after=give_up), ORDER, ref="cart-1")).order == 1  # type: ignore[arg-type]
        assert (await human.receipt("cart-1")).order == 1

        async def settle_and_refuse() -> None:
            await human.resolve("cart-2", order=77)
            raise InsufficientFundsError("Not enough funds")

        await ledger.place(Breaking(client, before=settle_and_refuse), ORDER, ref="cart-2")  # type: ignore[arg-type]
        assert (await human.receipt("cart-2")).order == 77


@pytest.mark.parametrize("late", [NotSentError("late"), InvalidOrderError("late", action="add")])
async def test_a_late_outcome_says_nothing_of_a_newer_attempt(
    database_url: str, client: AsyncClient, sandbox: Sandbox, late: Exception
) -> None:
    """Otherwise an order that may have been sent would be called not sent, and be sent again."""
    lost: Any = Breaking(client, after=raising(OutcomeUnknownError("cut off", action="add")))
    async with Ledger(database_url) as ledger, Ledger(database_url) as other:

        async def send_again_and_fail() -> None:
            await other.resolve("cart-1", placed=False)
            assert (await other.place(lost, ORDER, ref="cart-1")).state is ReceiptState.UNKNOWN
            raise late

        slow: Any = Breaking(client, before=send_again_and_fail)
        await ledger.place(slow, ORDER, ref="cart-1")
        assert (await ledger.receipt("cart-1")).state is ReceiptState.UNKNOWN
        assert (await ledger.place(client, ORDER, ref="cart-1")).state is ReceiptState.UNKNOWN
    assert len(sandbox.orders()) == 1


# --- bad input


@pytest.mark.parametrize("field", ["key", "action", "li\nnk"])
async def test_fields_that_cannot_be_sent_are_refused_first(
    database_url: str, client: AsyncClient, sandbox: Sandbox, field: str
) -> None:
    """Of an order class of the user's: nothing is on record as being sent."""

    class Own:
        def fields(self) -> dict[str, str]:
            return {"service": "3", "link": "https://example.com/p", field: "x"}

    async with Ledger(database_url) as ledger:
        with pytest.raises(ValueError, match=r"^(extra may not hold|a name in extra must be one line)"):
            await ledger.place(client, Own(), ref="a")
        with pytest.raises(LookupError):
            await ledger.receipt("a")
    assert sandbox.orders() == []


@pytest.mark.parametrize("ref", ["", "  ", "x" * 10_000, "a\x00b", "a\nb", "\ud800"])
async def test_a_ref_that_cannot_be_kept_is_refused(
    database_url: str, client: AsyncClient, sandbox: Sandbox, ref: str
) -> None:
    """Before anything is sent."""
    async with Ledger(database_url) as ledger:
        with pytest.raises(ValueError, match=r"^ref (has|must be one line) "):
            await ledger.place(client, ORDER, ref=ref)
        with pytest.raises(TypeError, match=r"^ref is a text, not int$"):
            await ledger.place(client, ORDER, ref=81)  # type: ignore[arg-type]
    assert sandbox.orders() == []


async def renamed(database_url: str, old: str, new: str) -> None:
    """A table that is away."""
    engine = create_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
    await engine.dispose()


async def test_a_database_that_breaks_before_sends_nothing(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """And says so."""
    async with Ledger(database_url) as ledger:
        await renamed(database_url, "followersdata_intents", "elsewhere")
        with pytest.raises(LedgerError, match=r"^the ledger could not be used, and nothing was sent: ") as caught:
            await ledger.place(client, ORDER, ref="cart-81")
        assert caught.value.receipt is None
        assert ORDER.link not in str(caught.value)
    assert sandbox.orders() == []


async def test_a_database_that_breaks_in_the_middle_loses_nothing(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """The caller has the answer, the ledger says unknown, and nothing is sent again."""

    async def breaks() -> None:
        await renamed(database_url, "followersdata_intents", "elsewhere")

    async with Ledger(database_url) as ledger:
        with pytest.raises(LedgerError, match=r"^what became of the order could not be written down") as caught:
            await ledger.place(Breaking(client, after=breaks), ORDER, ref="cart-81")  # type: ignore[arg-type]
        assert caught.value.receipt is not None
        assert (caught.value.receipt.state, caught.value.receipt.order) == (ReceiptState.PLACED, 1)
        await renamed(database_url, "elsewhere", "followersdata_intents")
        assert (await ledger.place(client, ORDER, ref="cart-81")).state is ReceiptState.UNKNOWN
        await ledger.resolve("cart-81", order=1)
    assert len(sandbox.orders()) == 1


async def test_a_locked_database_sends_nothing(tmp_path: Any, client: AsyncClient, sandbox: Sandbox) -> None:
    """Another program writes for longer than we wait."""
    database_url = f"sqlite+aiosqlite:///{tmp_path}/orders.db"
    engine = create_async_engine(database_url, connect_args={"timeout": 0.01})
    other = create_engine(database_url)
    async with Ledger(engine) as ledger:
        async with other.begin():
            with pytest.raises(LedgerError, match="database is locked"):
                await ledger.place(client, ORDER, ref="cart-81")
        assert sandbox.orders() == []
        assert (await ledger.place(client, ORDER, ref="cart-81")).order == 1
    await other.dispose()
    await engine.dispose()


async def test_a_full_database_sends_nothing(tmp_path: Any, client: AsyncClient, sandbox: Sandbox) -> None:
    """There is no room for the intent."""
    engine = create_engine(f"sqlite:///{tmp_path}/orders.db")
    async with Ledger(engine) as ledger:
        async with engine.connect() as connection:
            pages = (await connection.execute(text("PRAGMA page_count"))).scalar()
        # Of each connection from now on, however they are pooled.
        await engine.dispose()
        event.listen(engine.sync_engine, "connect", lambda one, _: one.execute(f"PRAGMA max_page_count = {pages}"))
        long = orders.Package(service=3, link="https://example.com/" + "x" * 10_000)
        with pytest.raises(LedgerError, match="database or disk is full"):
            await ledger.place(client, long, ref="cart-81")
    assert sandbox.orders() == []
    await engine.dispose()


async def opened(database_url: str) -> None:
    """Open a ledger, and close it."""
    async with Ledger(database_url):
        pass


async def test_a_database_that_may_not_be_written_sends_nothing(
    tmp_path: Any, client: AsyncClient, sandbox: Sandbox
) -> None:
    """It can be read."""
    await opened(f"sqlite:///{tmp_path}/orders.db")
    async with Ledger(f"sqlite:///file:{tmp_path}/orders.db?mode=ro&uri=true") as ledger:
        assert await refs(ledger.unknown()) == []
        with pytest.raises(LedgerError, match="readonly"):
            await ledger.place(client, ORDER, ref="cart-81")
    assert sandbox.orders() == []


@pytest.mark.parametrize("database_url", ["sqlite:////nowhere/at/all.db", "postgresql://nobody@127.0.0.1:1/none"])
async def test_a_database_that_is_not_there_is_said_when_it_is_opened(database_url: str) -> None:
    """With the driver's own words."""
    with pytest.raises(LedgerError, match=r"unable to open|connection failed|refused"):
        await opened(database_url)


async def test_a_ledger_of_a_newer_version_is_refused(database_url: str) -> None:
    """Nobody knows what its columns mean."""
    engine = create_engine(database_url)
    async with Ledger(engine):
        pass
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE followersdata_schema SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match=r"^the ledger has the schema 9999, which this version does not know"):
        await opened(database_url)
    await engine.dispose()


@pytest.mark.parametrize("database_url", ["", "orders.db", "mysql://me:secret@host/db", "sqlite", "http://me:secret@x"])
def test_an_address_that_is_none_is_refused_and_not_shown(database_url: str) -> None:
    """It may hold a password."""
    with pytest.raises(ConfigurationError, match=r"^a ledger's address is sqlite:///file\.db or postgresql:") as caught:
        Ledger(database_url)
    assert "secret" not in str(caught.value)


def test_a_ledger_shows_no_password() -> None:
    """In its repr."""
    assert "secret" not in repr(Ledger("postgresql://me:secret@127.0.0.1/orders"))


def test_it_runs_on_asyncio_only(tmp_path: Any) -> None:
    """And says so elsewhere."""
    with pytest.raises(ConfigurationError, match=r"^the ledger runs on asyncio only"):
        anyio.run(opened, f"sqlite:///{tmp_path}/orders.db", backend="trio")
