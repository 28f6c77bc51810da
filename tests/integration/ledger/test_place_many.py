"""Many orders at once: each is placed at most once, and each has one receipt, whatever fails in the middle."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from followersdata_async import (
    AsyncClient,
    ConfigurationError,
    InsufficientFundsError,
    InvalidOrderError,
    LedgerError,
    NotSentError,
    OutcomeUnknownError,
    PlacedOrder,
    SpendingLimitError,
    orders,
)
from followersdata_async.ledger import Ledger, PlacementProgress, ReceiptState, SpendingLimit
from followersdata_async.ledger.database import create_engine
from followersdata_async.ledger.store_intents import withdraw_intents
from tests.helpers.panels import Breaking, raising

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from followersdata_async.ledger import Receipt
    from followersdata_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def sandbox(sandbox: Sandbox) -> Sandbox:
    """A panel with money for all of the orders."""
    sandbox.set_balance(1_000_000)
    return sandbox


def make_order(number: int) -> orders.Package:
    """An order of its own link."""
    return orders.Package(service=3, link=f"https://example.com/p/{number}")


def make_orders(count: int) -> list[tuple[str, orders.Package]]:
    """Orders under the refs r-0, r-1, …."""
    return [(f"r-{number}", make_order(number)) for number in range(count)]


def states(receipts: dict[str, Receipt]) -> Counter[ReceiptState]:
    """How many receipts are in which state."""
    return Counter(receipt.state for receipt in receipts.values())


def links(sandbox: Sandbox) -> Counter[str]:
    """How often each link was ordered."""
    return Counter(order["link"] for order in sandbox.orders())


async def list_unknown(ledger: Ledger) -> list[str]:
    """The refs of unknown orders."""
    return [receipt.ref async for receipt in ledger.unknown()]


async def list_intended(ledger: Ledger) -> list[str]:
    """The refs of orders that are still to be sent."""
    return [receipt.ref async for receipt in ledger.intended()]


async def test_each_order_is_placed_once(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """More than one batch, in one call and again: the receipts on record are returned, and nothing is sent."""
    progress: list[PlacementProgress] = []
    async with Ledger(database_url) as ledger:
        receipts = await ledger.place_many(client, make_orders(450), on_progress=progress.append)
        assert states(receipts) == {ReceiptState.PLACED: 450}
        assert set(links(sandbox).values()) == {1}
        assert {receipt.order for receipt in receipts.values()} == {order["order"] for order in sandbox.orders()}
        assert [step.done for step in progress] == list(range(1, 451))
        assert progress[-1] == PlacementProgress(done=450, total=450, placed=450, refused=0, not_sent=0, unknown=0)
        assert await ledger.place_many(client, dict(make_orders(450))) == receipts
        assert [receipts["r-7"]] == [await ledger.receipt("r-7")]
        assert await ledger.counts() == {None: 450}
    assert len(sandbox.orders()) == 450


async def test_costs_are_on_record_by_a_catalogue(database_url: str, client: AsyncClient) -> None:
    """Where it has one; an order of an unknown service has none."""
    pairs = [*make_orders(1), ("x", orders.Raw(service=9_999))]
    async with Ledger(database_url) as ledger:
        receipts = await ledger.place_many(client, pairs, catalogue=await client.services())
        assert (receipts["r-0"].cost, receipts["x"].cost) == (Decimal("4.50"), None)
        assert await ledger.receipts(["r-0", "x", "none"]) == {ref: await ledger.receipt(ref) for ref in receipts}
        assert await ledger.receipts(f"r-{number}" for number in range(1_200)) == {"r-0": receipts["r-0"]}
        with pytest.raises(TypeError):
            await ledger.receipts("r-0")


async def test_receipts_stream_from_an_async_iterable(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """An order that arrives alone is sent without waiting for others."""
    done = anyio.Event()
    closed: list[bool] = []

    async def arrive() -> AsyncIterator[tuple[str, orders.Package]]:
        try:
            yield "r-0", make_order(0)
            await done.wait()
            yield "r-1", make_order(1)
        finally:
            closed.append(True)

    async with Ledger(database_url) as ledger, ledger.place_many(client, arrive()) as receipts:
        first = await anext(receipts)
        assert (first.ref, first.state, len(sandbox.orders())) == ("r-0", ReceiptState.PLACED, 1)
        done.set()
        assert [receipt.ref async for receipt in receipts] == ["r-1"]
    assert closed == [True]


async def test_orders_are_read_as_fast_as_receipts_are_taken(database_url: str, client: AsyncClient) -> None:
    """A million lines are not in memory."""
    taken = 0

    def read() -> Iterator[tuple[str, orders.Package]]:
        nonlocal taken
        for pair in make_orders(3_000):
            taken += 1
            yield pair

    async with Ledger(database_url) as ledger, ledger.place_many(client, read(), concurrency=4) as receipts:
        await anext(receipts)
        for _ in range(200):
            await asyncio.sleep(0)
        assert taken < 700


async def test_leaving_early_completes_what_is_in_flight(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """The others were not sent, and are sent by the next run."""
    async with Ledger(database_url) as ledger:
        async with ledger.place_many(client, make_orders(300), concurrency=3) as receipts:
            await anext(receipts)
        placed = len(sandbox.orders())
        assert 1 <= placed < 300
        assert await list_unknown(ledger) == []
        assert await list_intended(ledger) == []
        assert states(await ledger.place_many(client, make_orders(300))) == {ReceiptState.PLACED: 300}
    assert len(links(sandbox)) == len(sandbox.orders()) == 300


async def test_cancelled_placing_knows_what_was_placed(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """Asyncio's own cancellation, with orders in flight."""
    entered = asyncio.Event()

    async def wait() -> None:
        entered.set()
        await asyncio.sleep(0.05)

    async with Ledger(database_url) as ledger:
        panel: Any = Breaking(client, before=wait)

        async def place() -> None:
            await ledger.place_many(panel, make_orders(50), concurrency=5)

        task = asyncio.create_task(place())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert 1 <= len(sandbox.orders()) <= 10
        assert await list_unknown(ledger) == []
        assert states(await ledger.place_many(client, make_orders(50))) == {ReceiptState.PLACED: 50}
    assert len(links(sandbox)) == len(sandbox.orders()) == 50


async def test_unknown_orders_are_reported_and_not_sent(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """Nor are they in the next run."""
    async with Ledger(database_url) as ledger:
        lost: Any = Breaking(client, after=raising(OutcomeUnknownError("cut off", action="add")))
        await ledger.place(lost, make_order(3), ref="r-3")
        for _ in range(2):
            receipts = await ledger.place_many(client, make_orders(6))
            assert states(receipts) == {ReceiptState.PLACED: 5, ReceiptState.UNKNOWN: 1}
            assert receipts["r-3"].state is ReceiptState.UNKNOWN
    assert len(sandbox.orders()) == 6


async def test_a_broken_panel_stops_the_rest(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """Otherwise the outcome of each order would be unknown."""
    broken: Any = Breaking(client, after=raising(OutcomeUnknownError("maintenance", action="add")))
    async with Ledger(database_url) as ledger:
        async with ledger.place_many(broken, make_orders(500), concurrency=4) as stream:
            receipts = {receipt.ref: receipt async for receipt in stream}
        assert isinstance(stream.stopped_by, OutcomeUnknownError)
        assert 24 <= states(receipts)[ReceiptState.UNKNOWN] < 32
        assert len(receipts) == 500
        counts = states(await ledger.place_many(client, make_orders(500)))
        assert counts[ReceiptState.PLACED] == 500 - states(receipts)[ReceiptState.UNKNOWN]
    assert len(links(sandbox)) == len(sandbox.orders()) == 500


async def test_an_empty_account_stops_the_rest(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """All of them say why, and none is left intended; after a payment the same call goes on."""
    sandbox.set_balance(30)
    async with Ledger(database_url) as ledger:
        async with ledger.place_many(client, make_orders(500), concurrency=1) as stream:
            receipts = {receipt.ref: receipt async for receipt in stream}
        assert isinstance(stream.stopped_by, InsufficientFundsError)
        counts = states(receipts)
        assert counts[ReceiptState.REFUSED] == 1
        assert counts[ReceiptState.PLACED] == len(sandbox.orders()) > 0
        assert counts.total() == 500
        last = receipts["r-499"]
        assert (last.state, last.error) == (ReceiptState.NOT_SENT, "InsufficientFundsError")
        assert last.message is not None
        assert last.message.startswith("not sent, because an order before it failed: ")
        assert await list_intended(ledger) == []
        sandbox.set_balance(1_000_000)
        assert states(await ledger.place_many(client, make_orders(500))) == {ReceiptState.PLACED: 500}
    assert len(links(sandbox)) == len(sandbox.orders()) == 500


async def test_a_wrong_key_stops_the_rest(database_url: str, sandbox: Sandbox) -> None:
    """Few requests are spent on it."""
    http = sandbox.http()
    async with http, AsyncClient("wrong-key", url=sandbox.url, http=http) as client, Ledger(database_url) as ledger:
        receipts = await ledger.place_many(client, make_orders(300))
    assert {receipt.error for receipt in receipts.values()} == {"AuthenticationError"}
    assert len(receipts) == 300
    assert sandbox.requests <= 16


async def test_a_ref_that_comes_twice_is_placed_once(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """Each time it was given has a receipt, the same one."""
    pairs = [*make_orders(3), *make_orders(3), *make_orders(250)]
    async with Ledger(database_url) as ledger, ledger.place_many(client, pairs) as stream:
        receipts = [receipt async for receipt in stream]
    assert len(receipts) == 256
    assert len({receipt.order for receipt in receipts}) == len(sandbox.orders()) == 250


@pytest.mark.parametrize("place", [0, 399])
async def test_a_ref_of_another_order_ends_it(
    database_url: str, client: AsyncClient, sandbox: Sandbox, place: int
) -> None:
    """Nothing of its batch is sent; what was sent before is on record."""
    pairs = make_orders(400)
    pairs[place] = ("r-200", make_order(9_999))
    async with Ledger(database_url) as ledger:
        with pytest.raises(ValueError, match=r"^the ref 'r-200' was used for another order"):
            await ledger.place_many(client, pairs)
        assert "https://example.com/p/9999" not in links(sandbox) or place == 0
        assert await list_unknown(ledger) == []
        for name in [f"r-{number}" for number in range(1, 400)]:
            try:
                assert (await ledger.receipt(name)).state in {ReceiptState.PLACED, ReceiptState.NOT_SENT}
            except LookupError:
                continue
    assert set(links(sandbox).values()) <= {1}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("", make_order(1))], r"^ref has 0 characters"),
        ([("a\nb", make_order(1))], r"^ref must be one line"),
        (["ab"], r"^each item must be a pair of a ref and an order, got str$"),
        ([("a", make_order(1), 3)], r"^each item must be a pair"),
        ([("a", 1)], r"^the order of 'a' must be one of followersdata_async.orders, got int$"),
        (None, r"not iterable"),
    ],
)
async def test_input_that_is_none_is_an_error(
    database_url: str, client: AsyncClient, sandbox: Sandbox, pairs: Any, message: str
) -> None:
    """Raised in the caller's task, as what it is."""
    async with Ledger(database_url) as ledger:
        with pytest.raises((TypeError, ValueError), match=message):
            await ledger.place_many(client, pairs)
    assert sandbox.orders() == []


async def test_what_an_iterable_raises_reaches_the_caller(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """As what it is, and nothing more is sent."""

    def read() -> Iterator[tuple[str, orders.Package]]:
        yield "r-0", make_order(0)
        msg = "the file ends here"
        raise OSError(msg)

    async with Ledger(database_url) as ledger, ledger.place_many(client, read()) as stream:
        with pytest.raises(OSError, match="the file ends here"):
            assert {receipt.ref async for receipt in stream} <= {"r-0"}
    assert len(sandbox.orders()) <= 1


async def test_a_closed_client_ends_it(database_url: str, sandbox: Sandbox) -> None:
    """Nothing is sent, and nothing is unknown."""
    async with sandbox.http() as http:
        client = AsyncClient(sandbox.key, url=sandbox.url, http=http)
        async with Ledger(database_url) as ledger:
            with pytest.raises(ConfigurationError):
                await ledger.place_many(client, make_orders(30))
            assert await list_unknown(ledger) == []
            assert await list_intended(ledger) == []
    assert sandbox.orders() == []


async def test_placements_are_entered_once(database_url: str, client: AsyncClient) -> None:
    """And only read inside ``async with``."""
    async with Ledger(database_url) as ledger:
        placements = ledger.place_many(client, make_orders(1))
        with pytest.raises(ConfigurationError, match=r"^use it as: async with ledger.place_many"):
            await anext(placements)
        await placements
        with pytest.raises(ConfigurationError, match=r"^orders are placed once"):
            await placements
        with pytest.raises(ValueError, match=r"^concurrency must be at least 1, got 0$"):
            ledger.place_many(client, [], concurrency=0)
        assert await ledger.place_many(client, []) == {}


async def test_an_outcome_that_cannot_be_written_is_returned(
    database_url: str, client: AsyncClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receipt has the order's id; on record it is unknown, and it is not sent again."""
    from followersdata_async.ledger import bulk_placement  # noqa: PLC0415 - its function is replaced

    async def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    async with Ledger(database_url) as ledger:
        with monkeypatch.context() as patch:
            patch.setattr(bulk_placement, "write_outcomes", fail)
            async with ledger.place_many(client, make_orders(5), concurrency=1) as stream:
                receipt = await anext(stream)
                with pytest.raises(
                    LedgerError, match=r"^what became of the order could not .* the disk is full$"
                ) as caught:
                    await anext(stream)
        assert [receipt.order] == [order["order"] for order in sandbox.orders()] == [1]
        assert caught.value.receipt == receipt
        assert await list_unknown(ledger) == [receipt.ref]
        assert states(await ledger.place_many(client, make_orders(5)))[ReceiptState.UNKNOWN] == 1
    assert len(sandbox.orders()) == 5


@pytest.mark.parametrize(
    ("limits", "fitting"),
    [
        ({"per_day": Decimal(50)}, 11),
        ({"orders_per_hour": 200}, 200),
        ({"per_hour": Decimal("1012.50")}, 225),
        ({"per_order": Decimal("4.49")}, 0),
    ],
)
async def test_a_limit_is_used_up_to_the_last_whole_order(
    database_url: str, client: AsyncClient, sandbox: Sandbox, limits: dict[str, Any], fitting: int
) -> None:
    """Of orders of 4.50. The others say what is missing; with a greater limit the same call goes on."""
    for _ in range(2):
        async with Ledger(database_url, spending_limit=SpendingLimit(**limits)) as ledger:
            async with ledger.place_many(client, make_orders(400)) as stream:
                receipts = {receipt.ref: receipt async for receipt in stream}
            assert states(receipts) == Counter({ReceiptState.PLACED: fitting, ReceiptState.NOT_SENT: 400 - fitting})
            assert {receipt.error for receipt in receipts.values()} - {None} == {"SpendingLimitError"}
            assert await list_intended(ledger) == []
            assert isinstance(stream.stopped_by, SpendingLimitError) is ("per_order" not in limits)
    async with Ledger(database_url, spending_limit=SpendingLimit(per_day=Decimal(10_000))) as ledger:
        assert states(await ledger.place_many(client, make_orders(400))) == {ReceiptState.PLACED: 400}
    assert len(links(sandbox)) == len(sandbox.orders()) == 400


async def test_an_iterable_that_reads_a_broken_stream_is_an_error(database_url: str, client: AsyncClient) -> None:
    """It is not taken for the end of the orders."""

    async def read() -> AsyncIterator[tuple[str, orders.Package]]:
        yield "r-0", make_order(0)
        raise anyio.BrokenResourceError

    async with Ledger(database_url) as ledger:
        with pytest.raises(anyio.BrokenResourceError):
            await ledger.place_many(client, read())


async def test_receipts_are_read_inside_their_block(database_url: str, client: AsyncClient) -> None:
    """Afterwards it says so."""
    async with Ledger(database_url) as ledger:
        async with ledger.place_many(client, make_orders(3)) as receipts:
            await anext(receipts)
        with pytest.raises(ConfigurationError, match=r"^these receipts were left"):
            [receipt async for receipt in receipts]


async def test_two_calls_with_the_same_orders_place_each_once(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """Also of two programs; what one of them is sending is unknown to the other."""
    async with Ledger(database_url) as one, Ledger(database_url) as two:
        results: list[dict[str, Receipt]] = []

        async def place(ledger: Ledger) -> None:
            results.append(await ledger.place_many(client, make_orders(300)))

        async with anyio.create_task_group() as group:
            group.start_soon(place, one)
            group.start_soon(place, two)
        assert await list_unknown(one) == []
    assert len(links(sandbox)) == len(sandbox.orders()) == 300
    assert [len(receipts) for receipts in results] == [300, 300]


async def test_an_intent_that_another_program_gave_up_is_checked_again(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """Otherwise what was reserved for it would be spent twice."""
    limit = SpendingLimit(orders_per_hour=2)
    async with Ledger(database_url, spending_limit=limit) as ledger:

        async def give_up() -> None:
            if not sandbox.orders():
                while not await list_intended(ledger):  # noqa: ASYNC110 - of a database
                    await anyio.sleep(0.01)
                async with ledger._database.transaction() as connection:
                    await withdraw_intents(connection, ["r-1"], error=None, message="given up", now=time.time())
                await ledger.place(client, make_order(9), ref="r-9")

        panel: Any = Breaking(client, before=give_up)
        receipts = await ledger.place_many(panel, make_orders(2), concurrency=1)
    assert Counter(receipt.error for receipt in receipts.values()) == {None: 1, "SpendingLimitError": 1}
    assert len(sandbox.orders()) == 2


async def test_closing_the_ledger_ends_placing(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """Orders in flight are completed, and no others are sent."""
    ledger = Ledger(database_url)
    await ledger.__aenter__()
    async with ledger.place_many(client, make_orders(300), concurrency=3) as receipts:
        await anext(receipts)
        await ledger.__aexit__(None, None, None)
        placed = len(sandbox.orders())
        with pytest.raises(ConfigurationError, match=r"^the ledger is closed: place orders inside its `async with`$"):
            [receipt async for receipt in receipts]
    assert len(sandbox.orders()) == placed < 300
    async with ledger:
        assert await list_unknown(ledger) == []
        assert states(await ledger.place_many(client, make_orders(300))) == {ReceiptState.PLACED: 300}
    assert len(links(sandbox)) == len(sandbox.orders()) == 300


async def test_no_receipt_is_lost_when_a_reader_gives_up(database_url: str, client: AsyncClient) -> None:
    """``wait_for`` cancels it at the moment at which a receipt arrives."""
    refs: list[str] = []
    async with Ledger(database_url) as ledger, ledger.place_many(client, make_orders(300)) as receipts:
        while True:
            try:
                refs.append((await asyncio.wait_for(anext(receipts), 0.0005)).ref)
            except TimeoutError:
                continue
            except StopAsyncIteration:
                break
    assert sorted(refs) == sorted(ref for ref, _ in make_orders(300))


async def test_an_error_does_not_wait_for_the_next_order(database_url: str, sandbox: Sandbox) -> None:
    """An iterable that is quiet could keep it back for ever."""
    http = sandbox.http()

    async def read() -> AsyncIterator[tuple[str, orders.Package]]:
        yield "r-0", make_order(0)
        await anyio.sleep_forever()

    async with http, Ledger(database_url) as ledger:
        closed = AsyncClient(sandbox.key, url=sandbox.url, http=http)
        with anyio.fail_after(20), pytest.raises(ConfigurationError):
            await ledger.place_many(closed, read())


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_client_that_is_cancelled_by_itself_is_an_error(
    database_url: str, client: AsyncClient, concurrency: int
) -> None:
    """Not an end of the receipts, and not a cancellation of the caller."""
    broken: Any = Breaking(client, before=raising(asyncio.CancelledError()))
    async with Ledger(database_url) as ledger:
        with pytest.raises(LedgerError, match="was cancelled by the client; its outcome is unknown"):
            await ledger.place_many(broken, make_orders(9), concurrency=concurrency)
        assert 1 <= len(await list_unknown(ledger)) <= concurrency


async def test_what_is_on_record_is_what_is_sent(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """Also if a generator uses its objects again."""
    fields = {"link": "https://example.com/first", "quantity": "100"}

    class Reused:
        def fields(self) -> dict[str, str]:
            return {"service": "1", **fields}

    def read() -> Iterator[tuple[str, Any]]:
        for number in range(5):
            fields["link"] = f"https://example.com/{number}"
            yield f"raw-{number}", orders.Raw(service=1, extra=fields)

    async with Ledger(database_url) as ledger:
        receipts = await ledger.place_many(client, read())
        assert {receipt.fields["link"] for receipt in receipts.values()} == set(links(sandbox))
        assert set(links(sandbox)) == {f"https://example.com/{number}" for number in range(5)}
        receipt = await ledger.place(client, Reused(), ref="reused")
        assert receipt.fields["link"] in links(sandbox)


async def test_an_intent_of_the_outbox_stays_there(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """It belongs to whoever wrote it, also if a call that had it leaves early."""
    engine = create_engine(database_url)
    async with Ledger(engine) as ledger:
        async with engine.begin() as connection:
            for ref, order in make_orders(150):
                await ledger.intend(connection, order, ref=ref)
        async with ledger.place_many(client, make_orders(150), concurrency=1) as receipts:
            await anext(receipts)
        placed = len(sandbox.orders())
        assert len(await list_intended(ledger)) == 150 - placed
        for ref in await list_intended(ledger):
            await ledger.send(client, ref)
    await engine.dispose()
    assert len(links(sandbox)) == len(sandbox.orders()) == 150


@pytest.mark.parametrize("text", ["Link is private \ud83d", "NUL \x00 in it"])
async def test_odd_text_of_a_panel_loses_no_outcome(
    database_url: str, client: AsyncClient, sandbox: Sandbox, text: str
) -> None:
    """Neither its own, nor those of the orders that are written with it."""

    class Odd:
        async def add(self, order: Any) -> PlacedOrder:
            if order.fields()["link"].endswith("/3"):
                raise InvalidOrderError(text, action="add")
            placed = await client.add(order)
            return PlacedOrder(order=placed.order, currency=text)

    panel: Any = Odd()
    async with Ledger(database_url) as ledger:
        receipts = await ledger.place_many(panel, make_orders(8))
        assert states(receipts) == {ReceiptState.PLACED: 7, ReceiptState.REFUSED: 1}
        assert await list_unknown(ledger) == []
        assert (await ledger.receipt("r-3")).message == text.replace("\ud83d", "?").replace("\x00", "?")
        assert (await ledger.place(panel, make_order(9), ref="r-9")).state is ReceiptState.PLACED
    assert len(sandbox.orders()) == 8


async def test_what_another_program_claims_is_not_called_not_sent(
    database_url: str, client: AsyncClient, sandbox: Sandbox
) -> None:
    """Two programs send again what was not sent, at the same moment."""
    away: Any = Breaking(client, before=raising(NotSentError("away")))
    async with Ledger(database_url) as one, Ledger(database_url) as two:
        for round_ in range(20):
            ref = f"r-{round_}"
            await one.place(away, make_order(round_), ref=ref)
            results = await asyncio.gather(
                one.place(client, make_order(round_), ref=ref), two.place(client, make_order(round_), ref=ref)
            )
            assert {result.state for result in results} <= {ReceiptState.PLACED, ReceiptState.UNKNOWN}
    assert len(links(sandbox)) == len(sandbox.orders()) == 20


async def test_two_calls_send_again_what_was_not_sent(database_url: str, client: AsyncClient, sandbox: Sandbox) -> None:
    """Each order once; what the other one is sending is unknown, and nothing is called intended."""
    away: Any = Breaking(client, before=raising(NotSentError("away")))
    async with Ledger(database_url) as one, Ledger(database_url) as two:
        await one.place_many(away, make_orders(200))
        found = await asyncio.gather(*(ledger.place_many(client, make_orders(200)) for ledger in (one, two)))
        for receipts in found:
            assert set(states(receipts)) <= {ReceiptState.PLACED, ReceiptState.UNKNOWN}
        assert await list_unknown(one) == []
    assert len(links(sandbox)) == len(sandbox.orders()) == 200
