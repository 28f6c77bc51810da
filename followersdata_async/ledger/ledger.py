"""The public ledger: orders that are placed at most once, whatever fails."""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import islice
from typing import TYPE_CHECKING, Self, final

from .._batch.ids import check_iterable
from .._concurrency import run_to_completion
from .._polling.policy import PollPolicy
from .._settings import DEFAULT_CONCURRENCY
from .._validators import check_duration, check_name
from ..errors import ConfigurationError
from ..models import Evidence, Receipt, ReceiptState
from . import reconcile, schema
from .bulk_placement import Placements
from .database import Database, convert_errors
from .health import read_health
from .placement import Placement, index_services, make_intent
from .poller import CHUNKS_PER_ROUND, Polling, poll_once
from .retention import check_number, forget_reader, iterate_changes, prune
from .store_intents import SENDING, count_unknown, find_intents, get_receipt
from .store_retention import acknowledge, read_readers
from .store_tracked import add_orders, count_states, find_next_due

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
    from decimal import Decimal
    from types import TracebackType

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from .._concurrency import Commit
    from ..client import AsyncClient
    from ..models import Id, OrderInput, OrderState, Service
    from .bulk_placement import PlacementProgress
    from .findings import Reconciliation
    from .health import LedgerHealth
    from .poller import PollReport
    from .retention import PruneReport
    from .spending import SpendingLimit
    from .store_tracked import Recorded

_logger = logging.getLogger(__name__)

_PAGE_SIZE = 500
_LONG_UNKNOWN = 3_600.0
"""Seconds after which an unknown order is logged."""


@final
class Ledger:
    """A record of orders in a database, for ``async with``. Only on asyncio.

    Args:
        url: ``sqlite:///orders.db`` (extra ``ledger``), ``postgresql://…`` (extra
            ``postgres``), or an SQLAlchemy ``AsyncEngine``, which is used and never disposed.
            A custom SQLite engine keeps its own settings: whether an intent survives a
            power cut depends on its ``synchronous``.
        spending_limit: The most that orders may cost, e.g. ``SpendingLimit(per_day=Decimal(50))``,
            for each panel. All programs with the same database count together; give each the limit.
        clock: Returns the time of day in seconds since 1970.

    Raises:
        ConfigurationError: the URL is of another kind, an extra is missing, or, on
            entering, the tables are of another version.
        LedgerError: on entering: the database cannot be opened.
    """

    def __init__(
        self,
        url: str | AsyncEngine,
        *,
        spending_limit: SpendingLimit | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = Database(url)
        self._clock = clock
        self._placement = Placement(self._database, clock, spending_limit)

    def __repr__(self) -> str:
        """Show the URL without its password."""
        return f"<Ledger at {self._database}>"

    async def __aenter__(self) -> Self:
        """Open the database, and create the tables if there are none."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            msg = "the ledger runs on asyncio only: its database drivers know no other event loop"
            raise ConfigurationError(msg) from None
        try:
            await self._database.open()
            self._placement.open()
            async with self._database.transaction() as connection:
                await connection.run_sync(schema.prepare)
                unknown = await count_unknown(connection, sent_before=self._clock() - _LONG_UNKNOWN)
        except BaseException:
            await self._database.aclose()
            raise
        if unknown:
            _logger.warning(
                "orders that have been unknown for over an hour: %d. Settle them with `followersdata ledger reconcile`",
                unknown,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for orders that are being placed, and close the database unless its engine is a custom one."""
        await run_to_completion(self._close)

    async def _close(self, commit: Commit) -> None:
        commit()
        await self._placement.aclose()
        await self._database.aclose()

    async def upgrade(self) -> str:
        """Upgrade the tables to this version's schema, outside ``async with``. Return the schema's number.

        Raises:
            ConfigurationError: the schema is of a newer version.
            LedgerError: the database could not be changed.
        """
        try:
            await self._database.open()
            async with self._database.transaction() as connection:
                return await connection.run_sync(schema.upgrade)
        finally:
            await self._database.aclose()

    async def place(
        self,
        client: AsyncClient,
        order: OrderInput,
        *,
        ref: str,
        panel: str = "main",
        cost: Decimal | None = None,
        balance_before: Decimal | None = None,
    ) -> Receipt:
        """Place an order once under a ref of yours, e.g. the number of a cart. Sends one request, or none.

        The intent is on disk before the first byte is sent. The same ``ref`` and
        order again return the receipt on record and send nothing, unless the
        order is proven not to have been sent. An order that was being sent when
        the program died is ``UNKNOWN``, and is never sent again.

        A cancelled call waits until the response is on record, for at most the
        client's ``timeout`` and ``attempt_timeout`` together.

        Args:
            client: The client of the panel.
            order: The order.
            ref: The order's name, up to 200 characters.
            panel: The panel's name, if the ledger has orders of several.
            cost: The expected cost, on record as the money at risk.
            balance_before: The balance before the order, on record for ``evidence``.

        Raises:
            ValueError: the ref was used for another order, or it is too long or empty.
            LedgerError: the ledger could not be read, and nothing was sent; or it could not
                be written, and ``.receipt`` has the outcome.
            ConfigurationError: the client is not open; nothing was sent.
        """
        intent = make_intent(
            order, ref=ref, panel=panel, cost=cost, balance_before=balance_before, intended_at=self._clock()
        )
        return await self._placement.place(client, intent)

    def place_many(
        self,
        client: AsyncClient,
        orders: Mapping[str, OrderInput] | Iterable[tuple[str, OrderInput]] | AsyncIterable[tuple[str, OrderInput]],
        *,
        panel: str = "main",
        catalogue: Iterable[Service] | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
        on_progress: Callable[[PlacementProgress], object] | None = None,
    ) -> Placements:
        """Place any number of orders, each once under its ref. Sends one request for each that was not sent before.

        ``async with ledger.place_many(client, orders) as receipts: async for receipt in receipts: …``
        streams a receipt for each order as it finishes; ``await ledger.place_many(client, orders)``
        returns the receipts by ref.

        Intents are written in batches of up to 200, and each is claimed right
        before its order is sent: if the program dies, at most ``concurrency``
        orders are unknown. Started again with the same orders, it goes on: what
        was placed stays, what was not sent is sent, and what is unknown is
        returned as ``UNKNOWN``, and not sent.

        No more orders are sent if the panel rejects one because of the balance or
        the key, if the spending limit is used up, or if 20 outcomes in a row are
        unknown, besides those in flight. The remaining ones are returned as
        ``NOT_SENT`` with the reason, and ``.stopped_by`` has the error.

        Args:
            client: The client of the panel. Its own ``concurrency`` and rate limit hold, too.
            orders: Pairs of a ref and an order, also from an async iterable or a mapping. They are read lazily.
            panel: The panel's name, if the ledger has orders of several.
            catalogue: Services by which the cost of each order is computed and put on record, where it
                has one; ``None`` looks it up only if the spending limit needs it.
            concurrency: The largest number of orders in flight.
            on_progress: Called with a ``PlacementProgress`` for each receipt that is taken. Its exceptions are
                raised where the receipt is taken.

        Raises:
            TypeError, ValueError: while reading: a ref was used for another order, or cannot be one.
            NotSentError: while reading: the spending limit needs a cost that could not be looked up.
            LedgerError: while reading: the ledger could not be read or written.
            ConfigurationError: while reading: the client is not open.
        """
        check_name("panel", panel)
        if concurrency < 1:
            msg = f"concurrency must be at least 1, got {concurrency}"
            raise ValueError(msg)
        return Placements(
            self._placement,
            client,
            orders,
            panel=panel,
            rates=None if catalogue is None else index_services(catalogue),
            concurrency=concurrency,
            on_progress=on_progress,
        )

    async def intend(
        self,
        connection: AsyncConnection,
        order: OrderInput,
        *,
        ref: str,
        panel: str = "main",
        cost: Decimal | None = None,
        balance_before: Decimal | None = None,
    ) -> Receipt:
        """Write an intent in a transaction of yours. ``send`` sends it after the commit.

        After a rollback it was never intended. The same ``ref`` and order again
        return the receipt on record.

        Raises:
            ValueError: the ref was used for another order, or it is too long or empty.
            LedgerError: the ledger could not be written.
        """
        intent = make_intent(
            order, ref=ref, panel=panel, cost=cost, balance_before=balance_before, intended_at=self._clock()
        )
        with convert_errors("the intent was not written"):
            return await self._placement.intend(connection, intent)

    async def send(self, client: AsyncClient, ref: str) -> Receipt:
        """Send the order that was intended under a ref. Sends one request, or none if it was sent before.

        Raises:
            LookupError: nothing is on record for the ref, or its transaction is not committed.
            LedgerError, ConfigurationError: as for ``place``.
        """
        return await self._placement.send(client, ref)

    async def receipt(self, ref: str) -> Receipt:
        """Return the receipt of a ref.

        Raises:
            LookupError: nothing is on record for it.
            LedgerError: the ledger could not be read.
        """
        async with self._database.transaction() as connection:
            return await get_receipt(connection, ref)

    async def receipts(self, refs: Iterable[str]) -> dict[str, Receipt]:
        """Return the receipts of any number of refs, by ref. Refs without one are left out.

        Raises:
            LedgerError: the ledger could not be read.
        """
        check_iterable(refs)
        receipts: dict[str, Receipt] = {}
        left = iter(refs)
        while page := list(islice(left, _PAGE_SIZE)):
            async with self._database.transaction() as connection:
                found = await find_intents(connection, page)
            receipts |= {ref: found[ref] for ref in page if ref in found}
        return receipts

    async def unknown(self) -> AsyncIterator[Receipt]:
        """Yield the orders whose outcome is unknown, the oldest first.

        They include an order that another program is sending at this moment: it
        cannot be told from one whose program died.

        Raises:
            LedgerError: the ledger could not be read.
        """
        async for receipt in reconcile.iterate_receipts(self._database, [ReceiptState.UNKNOWN.value, SENDING]):
            yield receipt

    async def intended(self) -> AsyncIterator[Receipt]:
        """Yield the orders that were intended and not sent yet, the oldest first.

        Raises:
            LedgerError: the ledger could not be read.
        """
        async for receipt in reconcile.iterate_receipts(self._database, [ReceiptState.INTENDED.value]):
            yield receipt

    async def evidence(self, client: AsyncClient, ref: str) -> Evidence:
        """Return evidence to decide the outcome of an order. Sends one request, for the balance.

        Raises:
            LookupError: nothing is on record for the ref.
            FollowersDataError: the balance could not be read.
        """
        return await reconcile.collect_evidence(client, await self.receipt(ref))

    async def reconcile(self, client: AsyncClient, *, panel: str = "main") -> AsyncIterator[Reconciliation]:
        """Yield what is known of each order whose outcome is unknown, with a suggestion. Sends one request, or none.

        It compares the balance of now with the one before the order, and with
        what the other orders of the ledger have cost since. It decides nothing:
        settle each with ``resolve``, after you have checked the panel.

        Raises:
            FollowersDataError: the balance could not be read.
            LedgerError: the ledger could not be read.
        """
        check_name("panel", panel)
        async for found in reconcile.reconcile(self._database, client, panel, self._clock):
            yield found

    async def resolve(self, ref: str, *, order: Id | None = None, placed: bool = True) -> Receipt:
        """Settle an order whose outcome was unknown, after you have checked the panel.

        ``order=…``: it was placed, and this is its id. ``placed=False``: it was
        not, and the ref may be placed again.

        Raises:
            LookupError: nothing is on record for the ref.
            ValueError: its outcome is known, the id is on record for another ref, or neither or both were given.
        """
        if (order is None) is placed:
            msg = "say either order=…, its id at the panel, or placed=False"
            raise ValueError(msg)
        async with self._database.transaction() as connection:
            return await reconcile.resolve(connection, ref, order=order, now=self._clock())

    async def track(self, orders: Iterable[Id], *, panel: str = "main") -> int:
        """Track any number of orders that were placed elsewhere. Return how many are new.

        Orders that the ledger places are tracked anyway.

        Raises:
            TypeError, ValueError: an item is not an id; none is tracked.
            LedgerError: the ledger could not be written.
        """
        check_iterable(orders)
        check_name("panel", panel)
        async with self._database.transaction() as connection:
            return await add_orders(connection, panel, orders, now=self._clock())

    async def poll_once(
        self,
        client: AsyncClient,
        *,
        panel: str = "main",
        max_requests: int = 10,
        deadline: float = 30.0,
        lease: float = 300.0,
        poll_policy: PollPolicy = PollPolicy(),
    ) -> PollReport:
        """Poll the orders that are due, with up to ``max_requests`` requests, and retries.

        Any number of programs may do this at any time: each order is claimed by
        one of them. After ``deadline`` seconds the results so far are written,
        and requests in flight are cancelled. Orders that a killed program had
        claimed are free again after ``lease`` seconds, which must be longer than
        ten requests take.

        Args:
            client: The client of the panel.
            panel: The panel's name, if the ledger has orders of several.
            max_requests: The largest number of requests.
            deadline: Seconds for the whole round.
            lease: Seconds for which no other program polls the claimed orders.
            poll_policy: How often orders are polled, as for ``AsyncClient.watch``.

        Raises:
            AuthenticationError: the key was rejected.
            LedgerError: the ledger could not be read or written.
        """
        return await poll_once(
            self._database,
            client,
            panel=panel,
            max_requests=max_requests,
            deadline=deadline,
            lease=lease,
            poll_policy=poll_policy,
            clock=self._clock,
        )

    def poll(
        self,
        client: AsyncClient,
        *,
        panel: str = "main",
        lease: float = 300.0,
        poll_policy: PollPolicy = PollPolicy(),
        until_final: bool = False,
    ) -> Polling:
        """Stream the changes of all tracked orders, polled in rounds as by ``poll_once``: for ``async with``.

        The stream never ends, because new orders may come. With ``until_final``
        it ends when no order is open.

        Raises:
            AuthenticationError: while iterating: the key was rejected.
            LedgerError: while iterating: the ledger could not be read or written.
        """

        async def poll_round() -> PollReport:
            return await self.poll_once(
                client, panel=panel, max_requests=CHUNKS_PER_ROUND, lease=lease, poll_policy=poll_policy
            )

        async def find_due() -> float | None:
            async with self._database.transaction() as connection:
                return await find_next_due(connection, panel, now=self._clock())

        return Polling(poll_round, find_due, self._clock, until_final=until_final)

    def changes(self, *, since: int | None = None, reader: str | None = None) -> AsyncIterator[Recorded]:
        """Yield the changes on record after a number, up to the last one.

        Remember the last ``number`` and pass it the next time, or let the ledger
        remember it by ``acknowledge``: no change is missed, whoever wrote it.

        Args:
            since: The number; 0 by default.
            reader: The name of a reader: begin after the last change that it has acknowledged. It is registered if
                it is new; ``prune`` keeps what it has not read.

        Raises:
            TypeError, ValueError: both were given, or the name cannot be one.
            LedgerError: while iterating: the ledger could not be read, or the reader not registered.
        """
        if reader is not None:
            check_name("reader", reader)
            if since is not None:
                msg = "say either since=…, the last number, or reader=…, who remembers it"
                raise ValueError(msg)
        return iterate_changes(self._database, since=since or 0, reader=reader)

    async def counts(self, *, panel: str = "main") -> Mapping[OrderState | None, int]:
        """Count the tracked orders by state; ``None`` counts the orders that were not polled yet.

        Raises:
            LedgerError: the ledger could not be read.
        """
        async with self._database.transaction() as connection:
            return await count_states(connection, panel)

    async def health(self, *, panel: str = "main", overdue: float = 60.0) -> LedgerHealth:
        """Return the state of a panel's orders, for metrics and health checks. Sends no request.

        Args:
            panel: The panel's name, if the ledger has orders of several.
            overdue: Seconds for which an order has been due when it counts as overdue.

        Raises:
            LedgerError: the ledger could not be read.
        """
        check_name("panel", panel)
        check_duration("overdue", overdue, zero=True)
        async with self._database.transaction() as connection:
            return await read_health(connection, panel, self._placement.limit, now=self._clock(), overdue=overdue)

    async def acknowledge(self, reader: str, number: int) -> None:
        """Note the last change that a reader has read, and register the reader if it is new.

        ``changes(reader=…)`` begins after it, and ``prune`` keeps what comes after it. A
        number that is less than the one on record changes nothing.

        Args:
            reader: The reader's name, up to 200 characters.
            number: The ``number`` of the change; 0 for none.

        Raises:
            TypeError, ValueError: the name or the number cannot be one.
            LedgerError: the ledger could not be written.
        """
        check_name("reader", reader)
        check_number(number)
        async with self._database.transaction() as connection:
            await acknowledge(connection, reader, number)

    async def readers(self) -> Mapping[str, int]:
        """Return the last change that each registered reader has acknowledged, by the reader's name.

        Raises:
            LedgerError: the ledger could not be read.
        """
        async with self._database.transaction() as connection:
            return await read_readers(connection)

    async def forget_reader(self, reader: str) -> None:
        """Forget a reader: ``prune`` keeps nothing for it any more.

        Raises:
            LookupError: no reader has this name.
            LedgerError: the ledger could not be written.
        """
        check_name("reader", reader)
        async with self._database.transaction() as connection:
            await forget_reader(connection, reader)

    async def prune(self, *, older_than: float) -> PruneReport:
        """Delete what is settled for longer than ``older_than`` seconds. Return how many rows that were.

        - Changes, if each registered reader has acknowledged them. The last one on record stays.
        - Tracked orders that are final. An order that is tracked again is a new one.
        - Receipts that are placed, refused or not sent, unless their order is still open. Their
          refs stay refused: to place one is a ``ValueError``.

        Each transaction looks at 500 rows, and others can write in between. Any
        number of programs may prune at any time; if one is killed, the next one goes on.

        Args:
            older_than: Seconds, at least 86,400: spending limits count what a day has cost.

        Raises:
            TypeError, ValueError: ``older_than`` is not a number, or it is less than a day.
            LedgerError: the ledger could not be read or written.
        """
        return await prune(self._database, older_than=older_than, now=self._clock())
