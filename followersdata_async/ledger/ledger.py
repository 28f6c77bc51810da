"""Orders that are placed once, whatever breaks: on record before they leave, and never sent again when in doubt."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Self, final

from attrs import evolve

from .._batch.ids import check_iterable
from .._concurrency import run_to_completion
from .._polling.policy import PollPolicy
from .._wire.scalars import parse_id
from ..errors import ConfigurationError
from ..models import format_id
from . import poller as rounds
from . import schema
from . import store_intents as store
from . import store_tracked as following
from .database import Database, database_errors
from .placement import Placing, check_name, intent, on_record
from .poller import Polling
from .receipts import Evidence, Receipt, ReceiptState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from decimal import Decimal
    from types import TracebackType

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from .._concurrency import Commit
    from ..client import AsyncClient
    from ..models import Id, OrderState
    from ..orders import Order
    from .poller import PollReport
    from .store_tracked import Recorded

_LONGEST_NAME = 200
_PAGE = 500


@final
class Ledger:
    """Orders on record, for ``async with``; on asyncio only.

    Args:
        where: ``sqlite:///orders.db`` (extra ``ledger``), ``postgresql://…`` (extra
            ``postgres``), or an SQLAlchemy ``AsyncEngine``, which is used and not disposed.
            A lent SQLite engine keeps its own settings: what a power cut leaves of an
            intent depends on its ``synchronous``.
        clock: The time of day, in seconds since 1970.

    Raises:
        ConfigurationError: it is no such address, an extra is missing, or on entering:
            the tables are of another version.
        LedgerError: on entering: the database cannot be opened.
    """

    def __init__(self, where: str | AsyncEngine, *, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(where)
        self._clock = clock
        self._placing = Placing(self._database, clock)

    def __repr__(self) -> str:
        """The address, without a password."""
        return f"<Ledger at {self._database}>"

    async def __aenter__(self) -> Self:
        """Open the database; tables are created where there are none."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            msg = "the ledger runs on asyncio only: its database drivers know no other event loop"
            raise ConfigurationError(msg) from None
        try:
            await self._database.open()
            async with self._database.transaction() as connection:
                await connection.run_sync(schema.prepare)
        except BaseException:
            await self._database.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the database, unless it was lent; orders that are being placed are waited for."""
        await run_to_completion(self._closed)

    async def _closed(self, hold: Commit) -> None:
        hold()
        await self._placing.landed()
        await self._database.aclose()

    async def upgrade(self) -> str:
        """Bring the tables to this version's schema, outside ``async with``; the schema's number.

        Raises:
            ConfigurationError: the schema is of a newer version.
            LedgerError: the database could not be changed.
        """
        try:
            await self._database.open()
            async with self._database.transaction() as connection:
                return await connection.run_sync(schema.upgraded)
        finally:
            await self._database.aclose()

    # --- placing

    async def place(
        self,
        panel: AsyncClient,
        order: Order,
        *,
        ref: str,
        name: str = "main",
        cost: Decimal | None = None,
        balance_before: Decimal | None = None,
    ) -> Receipt:
        """Place an order once under a name of yours, e.g. of a cart: one request, or none.

        The intent is on disk before the first byte leaves. The same ``ref`` and
        order again give the receipt that is on record, and send nothing; only
        what is proven not to have left is sent again. An order that was being
        sent when everything broke is ``UNKNOWN``, and never sent again.

        A caller that is cancelled waits until the answer is on record, at most
        the client's ``timeout`` and ``attempt_timeout`` together.

        Args:
            panel: The client of the panel that it is ordered from.
            order: What is ordered.
            ref: The order's name, up to 200 characters.
            name: The panel's name, where a ledger has several.
            cost: What it should cost: the money at risk, on record.
            balance_before: What the account had, on record for ``evidence``.

        Raises:
            ValueError: the ref was used for another order, or is too long or empty.
            LedgerError: the ledger could not be read, and nothing was sent; or not
                written, and ``.receipt`` says what the panel answered.
            ConfigurationError: the client is not open; nothing was sent.
        """
        receipt = self._intent(order, ref, name, cost, balance_before)
        return await self._placing.place(panel, order, receipt)

    async def intend(
        self,
        connection: AsyncConnection,
        order: Order,
        *,
        ref: str,
        name: str = "main",
        cost: Decimal | None = None,
        balance_before: Decimal | None = None,
    ) -> Receipt:
        """Write an intent down in a transaction of yours; ``send`` sends it once that is committed.

        What is rolled back was never intended. The same ``ref`` and order again
        give the receipt that is on record.

        Raises:
            ValueError: the ref was used for another order, or is too long or empty.
            LedgerError: the ledger could not be written.
        """
        receipt = self._intent(order, ref, name, cost, balance_before)
        with database_errors("the intent was not written"):
            return await self._placing.intend(connection, receipt)

    async def send(self, panel: AsyncClient, ref: str) -> Receipt:
        """Send what was intended under a ref, once: one request, or none where it was sent before.

        Raises:
            LookupError: there is no such ref, or its transaction is not committed.
            LedgerError, ConfigurationError: as of ``place``.
        """
        return await self._placing.send(panel, ref)

    # --- looking

    async def receipt(self, ref: str) -> Receipt:
        """What is on record for a ref.

        Raises:
            LookupError: nothing is.
            LedgerError: the ledger could not be read.
        """
        async with self._database.transaction() as connection:
            return await on_record(connection, ref)

    async def unknown(self) -> AsyncIterator[Receipt]:
        """Orders of which nobody knows whether they were placed, the oldest first.

        One that another program is sending at this moment is among them: nobody
        can tell it from one that broke.

        Raises:
            LedgerError: the ledger could not be read.
        """
        async for receipt in self._pages([ReceiptState.UNKNOWN.value, store.SENDING]):
            yield receipt

    async def intended(self) -> AsyncIterator[Receipt]:
        """Orders that were written down and are to be sent, the oldest first.

        Raises:
            LedgerError: the ledger could not be read.
        """
        async for receipt in self._pages([ReceiptState.INTENDED.value]):
            yield receipt

    async def evidence(self, panel: AsyncClient, ref: str) -> Evidence:
        """What helps to decide what became of an order: one request, for the balance.

        Raises:
            LookupError: nothing is on record for the ref.
            FollowersDataError: the balance could not be read.
        """
        receipt = await self.receipt(ref)
        now = await panel.balance()
        spent = None if receipt.balance_before is None else receipt.balance_before - now.balance
        return Evidence(receipt=receipt, balance=now.balance, currency=now.currency, spent=spent)

    async def resolve(self, ref: str, *, order: Id | None = None, placed: bool = True) -> Receipt:
        """Settle an order whose outcome was unknown, after you have looked.

        ``order=…``: it was placed, and this is its id. ``placed=False``: it was
        not, and the ref may be placed again.

        Raises:
            LookupError: nothing is on record for the ref.
            ValueError: its outcome is known, or neither or both were given.
        """
        if (order is None) is placed:
            msg = "say either order=…, its id at the panel, or placed=False"
            raise ValueError(msg)
        order = None if order is None else parse_id(format_id(order))
        async with self._database.transaction() as connection:
            receipt = await on_record(connection, ref)
            if receipt.state is not ReceiptState.UNKNOWN:
                msg = f"{ref!r} is {receipt.state.value}, and not unknown: there is nothing to settle"
                raise ValueError(msg)
            state = ReceiptState.PLACED if placed else ReceiptState.NOT_SENT
            settled = evolve(receipt, state=state, order=order, settled_at=self._clock())
            await store.settle(connection, settled)
            if order is not None:
                await following.adopt(connection, receipt.panel, [order], now=self._clock())
        return settled

    # --- following

    async def track(self, orders: Iterable[Id], *, panel: str = "main") -> int:
        """Follow orders that were placed elsewhere, however many; how many are new. Placed ones are followed anyway.

        Raises:
            TypeError, ValueError: something in it is no id; none is followed.
            LedgerError: the ledger could not be written.
        """
        check_iterable(orders)
        check_name("panel", panel)
        async with self._database.transaction() as connection:
            return await following.adopt(connection, panel, orders, now=self._clock())

    async def poll_once(
        self,
        panel: AsyncClient,
        *,
        name: str = "main",
        max_requests: int = 10,
        deadline: float = 30.0,
        lease: float = 300.0,
        poll_policy: PollPolicy = PollPolicy(),
    ) -> PollReport:
        """Look at orders that are due: up to ``max_requests`` requests of the client's ``chunk_size``, and retries.

        It may be run again at any time, and beside any number of others: each
        order is claimed by one of them. When ``deadline`` seconds are over,
        what was answered is written down, and what is on its way is dropped.
        What a killed program had claimed is free again after ``lease`` seconds,
        which must be more than ten requests take.

        Args:
            panel: The client of the panel.
            name: The panel's name, where a ledger has several.
            max_requests: How many requests at the most.
            deadline: Seconds for the whole round.
            lease: Seconds for which nobody else asks for what is claimed.
            poll_policy: How often orders are looked at, as of ``AsyncClient.watch``.

        Raises:
            AuthenticationError: the key was refused.
            LedgerError: the ledger could not be read or written.
        """
        return await rounds.poll_once(
            self._database,
            panel,
            name=name,
            max_requests=max_requests,
            deadline=deadline,
            lease=lease,
            poll_policy=poll_policy,
            clock=self._clock,
        )

    def poll(
        self,
        panel: AsyncClient,
        *,
        name: str = "main",
        lease: float = 300.0,
        poll_policy: PollPolicy = PollPolicy(),
        until_final: bool = False,
    ) -> Polling:
        """The changes of all orders that are followed, in rounds as of ``poll_once``: for ``async with``.

        It goes on for ever, as new orders may come; with ``until_final`` it ends
        when none is open.

        Raises:
            AuthenticationError: while reading: the key was refused.
            LedgerError: while reading: the ledger could not be read or written.
        """

        async def again() -> PollReport:
            return await self.poll_once(
                panel, name=name, max_requests=rounds.MOST, lease=lease, poll_policy=poll_policy
            )

        async def next_due_at() -> float | None:
            async with self._database.transaction() as connection:
                return await following.next_due_at(connection, name, now=self._clock())

        return Polling(again, next_due_at, self._clock, until_final=until_final)

    async def changes(self, *, since: int = 0) -> AsyncIterator[Recorded]:
        """The changes on record after that number, to the last one.

        Remember the last ``number`` and ask again: none is missed, whoever wrote it.

        Raises:
            LedgerError: the ledger could not be read.
        """
        while True:
            async with self._database.transaction() as connection:
                page = await following.changes_since(connection, since, limit=_PAGE)
            for recorded in page:
                yield recorded
            if len(page) < _PAGE:
                return
            since = page[-1].number

    async def counts(self, *, panel: str = "main") -> Mapping[OrderState | None, int]:
        """How many followed orders are in which state; under ``None`` those that were not seen yet.

        Raises:
            LedgerError: the ledger could not be read.
        """
        async with self._database.transaction() as connection:
            return await following.counts(connection, panel)

    # --- inside

    def _intent(
        self, order: Order, ref: str, name: str, cost: Decimal | None, balance_before: Decimal | None
    ) -> Receipt:
        now = self._clock()
        return intent(order, ref=ref, name=name, cost=cost, balance_before=balance_before, intended_at=now)

    async def _pages(self, states: list[str]) -> AsyncIterator[Receipt]:
        last: Receipt | None = None
        while True:
            async with self._database.transaction() as connection:
                page = await store.open_receipts(connection, states, after=last, limit=_PAGE)
            for receipt in page:
                yield receipt
            if len(page) < _PAGE:
                return
            last = page[-1]
