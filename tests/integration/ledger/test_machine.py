"""Whatever happens in whatever order: at most one order for a ref, and none that nobody knows of."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from followersdata_async import AsyncClient, ConflictError, NotSentError, OutcomeUnknownError, orders
from followersdata_async.ledger import Ledger, ReceiptState
from followersdata_async.sandbox import Sandbox
from tests.helpers.panels import Breaking, raising

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from followersdata_async import Id, OrderStatus
    from followersdata_async.ledger import Receipt
    from followersdata_async.models import Outcome

REFS = st.sampled_from(["a", "b", "c"])


class Killed(BaseException):
    """The process is gone."""


FAULTS: dict[str, tuple[BaseException | None, BaseException | None]] = {
    "none": (None, None),
    "not sent": (NotSentError("away"), None),
    "refused": (ConflictError("Wait"), None),
    "lost before": (OutcomeUnknownError("cut off", action="add"), None),
    "lost after": (None, OutcomeUnknownError("cut off", action="add")),
    "crash reported": (None, None),
    "killed before": (Killed(), None),
    "killed after": (None, Killed()),
}


class Orders(RuleBasedStateMachine):
    """A reseller whose program, network and patience break at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database_url = f"sqlite:///{Path(self.folder.name)}/orders.db"
        self.now = time.time()
        self.sandbox = Sandbox(clock=lambda: self.now)
        self.pruned: dict[str, Receipt] = {}
        self.pruned_orders = 0
        self.read: dict[Id, OrderStatus] = {}

    def teardown(self) -> None:
        """Away with the database."""
        self.folder.cleanup()

    def run(self, work: Callable[[Ledger, AsyncClient], Awaitable[None]]) -> None:
        """A program that opens the ledger, works, and may be killed."""

        async def main() -> None:
            async with (
                self.sandbox.http() as http,
                AsyncClient(self.sandbox.key, url=self.sandbox.url, http=http) as client,
                Ledger(self.database_url, clock=lambda: self.now) as ledger,
            ):
                await work(ledger, client)

        with suppress(Killed):
            asyncio.run(main())

    def taken(self, ref: str) -> list[int]:
        """The orders that the panel took for a ref."""
        return [row["order"] for row in self.sandbox.orders() if row["link"] == link_of(ref)]  # type: ignore[misc]

    @rule(ref=REFS, fault=st.sampled_from(sorted(FAULTS)), outbox=st.booleans())
    def place(self, ref: str, fault: str, *, outbox: bool) -> None:
        """Order, directly or by way of the outbox."""
        before, after = (None if error is None else raising(error) for error in FAULTS[fault])

        async def work(ledger: Ledger, client: AsyncClient) -> None:
            breaking: AsyncClient = Breaking(client, before=before, after=after)  # type: ignore[assignment]
            if ref in self.pruned:
                with pytest.raises(ValueError, match="was used for an order whose receipt was pruned"):
                    await ledger.place(breaking, order_of(ref), ref=ref)
                return
            if not outbox:
                await ledger.place(breaking, order_of(ref), ref=ref)
                return
            async with ledger._database._engine.begin() as connection:
                await ledger.intend(connection, order_of(ref), ref=ref)
            await ledger.send(breaking, ref)

        if fault == "crash reported":
            self.sandbox.next("refused", action="add", taken=True, message="Service temporarily unavailable")
        self.run(work)
        self.sandbox.clear()

    @rule(ref=REFS)
    def resolve(self, ref: str) -> None:
        """Somebody looks, and says what is true."""

        async def work(ledger: Ledger, _: AsyncClient) -> None:
            async for receipt in ledger.unknown():
                if receipt.ref == ref:
                    taken = self.taken(ref)
                    await (ledger.resolve(ref, order=taken[0]) if taken else ledger.resolve(ref, placed=False))

        self.run(work)

    @rule()
    def prune(self) -> None:
        """Two days later, delete what is old."""
        self.now += 2 * 86_400.0

        async def work(ledger: Ledger, _: AsyncClient) -> None:
            before = await list_receipts(ledger)
            report = await ledger.prune(older_than=86_400)
            pruned = {ref: before[ref] for ref in before.keys() - (await list_receipts(ledger)).keys()}
            assert report.receipts == len(pruned)
            assert not {receipt.state for receipt in pruned.values()} & {ReceiptState.INTENDED, ReceiptState.UNKNOWN}
            self.pruned |= pruned
            self.pruned_orders += report.orders

        self.run(work)

    @rule()
    def acknowledge(self) -> None:
        """Read what has changed."""

        async def work(ledger: Ledger, _: AsyncClient) -> None:
            async for recorded in ledger.changes(reader="shipping"):
                self.read[recorded.change.order] = recorded.change.after
                await ledger.acknowledge("shipping", recorded.number)

        self.run(work)

    @rule(broken=st.sampled_from(["", "before", "in the middle"]))
    def poll(self, broken: str) -> None:
        """Look at what is due, and be stopped before there is an answer, or after the first one."""
        self.now += 1000.0

        async def work(ledger: Ledger, client: AsyncClient) -> None:
            looking: AsyncClient = Looking(client, broken) if broken else client  # type: ignore[assignment]
            try:
                report = await ledger.poll_once(looking)
                assert report.failed == report.lost == 0
            except* Killed:
                pass

        self.run(work)

    @invariant()
    def every_order_that_is_placed_is_followed_and_its_changes_make_one_line(self) -> None:
        """Nothing is told twice, nothing is left out."""

        async def work(ledger: Ledger, _: AsyncClient) -> None:
            receipts = self.pruned | await list_receipts(ledger)
            placed = {receipt.order for receipt in receipts.values() if receipt.state is ReceiptState.PLACED}
            assert sum((await ledger.counts()).values()) + self.pruned_orders == len(placed)
            last: dict[Id, OrderStatus] = dict(self.read)
            async for recorded in ledger.changes(reader="shipping"):
                assert recorded.change.before == last.get(recorded.change.order)
                last[recorded.change.order] = recorded.change.after
            assert last.keys() <= placed

        self.run(work)

    @invariant()
    def no_order_is_placed_twice_and_none_is_lost(self) -> None:
        """What the panel took is placed or unknown here; what is placed here, the panel took."""
        receipts: dict[str, Receipt] = dict(self.pruned)

        async def work(ledger: Ledger, _: AsyncClient) -> None:
            receipts.update(await list_receipts(ledger))

        self.run(work)
        for ref in {"a", "b", "c"} - receipts.keys():
            assert self.taken(ref) == []
        for ref, receipt in receipts.items():
            taken = self.taken(ref)
            assert len(taken) <= 1
            if taken:
                assert receipt.state in {ReceiptState.PLACED, ReceiptState.UNKNOWN}
            if receipt.state is ReceiptState.PLACED:
                assert taken == [receipt.order]


class Looking:
    """A client whose program is stopped while it polls."""

    requests = 1

    def __init__(self, client: AsyncClient, broken: str) -> None:
        self._panel = client
        self._broken = broken
        self.max_retry_after = client.max_retry_after
        self.events = client.events

    @asynccontextmanager
    async def stream_status(self, ids: Iterable[Id]) -> AsyncIterator[Looking]:
        """Stopped at once, or after the first answer."""
        if self._broken == "before":
            raise Killed
        self._outcomes = iter((await self._panel.multi_status(ids)).values())
        yield self

    async def __aiter__(self) -> AsyncIterator[Outcome[OrderStatus]]:
        yield next(self._outcomes)
        raise Killed


async def list_receipts(ledger: Ledger) -> dict[str, Receipt]:
    """What is on record, by ref."""
    receipts = {}
    for ref in ("a", "b", "c"):
        with suppress(LookupError):
            receipts[ref] = await ledger.receipt(ref)
    return receipts


def link_of(ref: str) -> str:
    """The link that a ref's order is for."""
    return f"https://example.com/{ref}"


def order_of(ref: str) -> orders.Package:
    """A ref's order."""
    return orders.Package(service=3, link=link_of(ref))


Orders.TestCase.settings = settings(max_examples=30, stateful_step_count=12)
TestOrders = Orders.TestCase
