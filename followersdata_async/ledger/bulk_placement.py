"""Placing many orders: their intents are written in batches, the orders are sent concurrently, receipts stream out.

Pairs flow through four stages: they are read, prepared (their intents are
written, and receipts on record found), sent, and delivered to the caller.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping, Sequence, Sized
from contextlib import suppress
from inspect import isasyncgen
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, final

import anyio
from attrs import frozen

from .._concurrency import run_to_completion
from ..errors import ConfigurationError, FollowersDataError, LedgerError
from ..models import OrderInput, Receipt, ReceiptState, Service
from .bulk_intents import BulkIntents, BulkOrder
from .group_commit import GroupCommit
from .placement import check_same, is_raised, make_intent, send_order, write_outcomes

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from sqlalchemy.ext.asyncio import AsyncConnection

    from .._concurrency import Commit
    from ..client import AsyncClient
    from .placement import Placement

T = TypeVar("T")
_Stream: TypeAlias = "MemoryObjectReceiveStream[Any] | MemoryObjectSendStream[Any]"
RefAndOrder: TypeAlias = tuple[str, OrderInput]
Orders: TypeAlias = Mapping[str, OrderInput] | Iterable[RefAndOrder] | AsyncIterable[RefAndOrder]

_BATCH_SIZE = 200
"""Intents that are written in one transaction."""


@final
@frozen(kw_only=True)
class PlacementProgress:
    """How many orders of ``place_many`` are done, by the state of their receipts. ``total`` is ``None`` if unknown."""

    done: int
    total: int | None
    placed: int
    refused: int
    not_sent: int
    unknown: int


@final
class Placements(AsyncIterator[Receipt]):
    """The receipts of many orders: ``async with … as receipts`` streams them, ``await`` returns them by ref.

    Receipts come in the order in which orders finish. Orders are read only as
    fast as receipts are taken. After leaving early no more orders are sent, and
    those in flight are completed and written.
    """

    def __init__(
        self,
        placement: Placement,
        client: AsyncClient,
        orders: Orders,
        *,
        panel: str,
        rates: Mapping[str, Service] | None,
        concurrency: int,
        on_progress: Callable[[PlacementProgress], object] | None,
    ) -> None:
        self._placement = placement
        self._client = client
        self._orders = orders
        self._panel = panel
        self._intents = BulkIntents(placement, client, panel, rates)
        self._concurrency = concurrency
        self._on_progress = on_progress
        self._total = len(orders) if isinstance(orders, Sized) else None
        self._counts = dict.fromkeys(ReceiptState, 0)
        # Apart, so that a claim that fails takes no outcome with it.
        self._claims = GroupCommit(placement.database, self._intents.claim, is_after_sending=False)
        self._outcomes = GroupCommit(placement.database, self._write_outcomes, is_after_sending=True)
        self._active: dict[str, BulkOrder] = {}
        self._ready: deque[Receipt] = deque()
        self._error: Exception | None = None
        self._group: TaskGroup | None = None
        self._news: MemoryObjectReceiveStream[None] | None = None
        self._reading = anyio.CancelScope()
        self._streams: list[_Stream] = []

    @property
    def stopped_by(self) -> FollowersDataError | None:
        """The error that ended sending because it holds for all orders; ``None`` if there is none."""
        return self._intents.stopped_by

    def __await__(self) -> Generator[object, None, dict[str, Receipt]]:
        """Place all orders, and return the receipts by ref."""
        return self._collect().__await__()

    async def _collect(self) -> dict[str, Receipt]:
        async with self:
            return {receipt.ref: receipt async for receipt in self}

    async def __aenter__(self) -> Self:
        """Start placing.

        Raises:
            ConfigurationError: it was entered before.
        """
        if self._group is not None:
            msg = "orders are placed once: call place_many again for each `async with` or `await`"
            raise ConfigurationError(msg)
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        pairs, next_pair = anyio.create_memory_object_stream[RefAndOrder](_BATCH_SIZE)
        items, next_item = anyio.create_memory_object_stream[BulkOrder](0)
        # Says that there are receipts. These are kept apart, in case the reader is cancelled as it takes one.
        news, self._news = anyio.create_memory_object_stream[None](self._concurrency)
        self._streams = [pairs, next_pair, items, next_item, news, self._news]
        senders = [(next_item.clone(), news.clone()) for _ in range(self._concurrency)]
        for ends in senders:
            self._streams += ends
            self._group.start_soon(self._send, *ends)
        next_item.close()
        self._group.start_soon(self._read, pairs)
        self._group.start_soon(self._prepare, next_pair, items, news)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop sending. Orders in flight are completed, and their outcome is written."""
        if self._group is None or self._news is None:
            return
        self._news.close()
        self._group.cancel_scope.cancel()
        try:
            # Not given the exception of the body, so that it does not wrap it in an exception group.
            await self._group.__aexit__(None, None, None)
        finally:
            for stream in self._streams:
                stream.close()
            # A closed ledger's database is not opened again. They stay intended, which is true as well.
            if not self._placement.is_closed:
                await self._intents.withdraw(list(self._active.values()))
            self._active.clear()

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> Receipt:
        """Return the next receipt.

        Raises:
            LedgerError: the ledger could not be read or written; raised after all receipts that are known.
            TypeError, ValueError: a ref was used for another order, or cannot be one; raised as above.
            ConfigurationError: not inside ``async with``, or the client was closed; raised as above.
        """
        if self._news is None:
            msg = "use it as: async with ledger.place_many(client, orders) as receipts"
            raise ConfigurationError(msg)
        while not self._ready:
            try:
                await self._news.receive()
            except anyio.ClosedResourceError:
                msg = "these receipts were left: read them inside their `async with`"
                raise ConfigurationError(msg) from None
            except anyio.EndOfStream:
                if self._error is not None:
                    raise self._error from None
                raise StopAsyncIteration from None
        receipt = self._ready.popleft()
        self._counts[receipt.state] += 1
        if self._on_progress is not None:
            self._on_progress(self._make_progress())
        return receipt

    def _make_progress(self) -> PlacementProgress:
        return PlacementProgress(
            done=sum(self._counts.values()),
            total=self._total,
            placed=self._counts[ReceiptState.PLACED],
            refused=self._counts[ReceiptState.REFUSED],
            not_sent=self._counts[ReceiptState.NOT_SENT],
            unknown=self._counts[ReceiptState.UNKNOWN],
        )

    # --- the stages, each in a task of its own

    async def _read(self, pairs: MemoryObjectSendStream[RefAndOrder]) -> None:
        """Read the caller's orders."""
        with pairs, self._reading:
            try:
                async for pair in _iterate(self._orders):
                    if not await _deliver(pairs, _check_pair(pair)):
                        return
            # Raised in the caller's task, not as an exception group.
            except Exception as error:  # noqa: BLE001
                self._fail(error)

    async def _prepare(
        self,
        pairs: MemoryObjectReceiveStream[RefAndOrder],
        items: MemoryObjectSendStream[BulkOrder],
        news: MemoryObjectSendStream[None],
    ) -> None:
        """Write intents in batches. Deliver the receipts on record, and pass on the orders that are to be sent."""
        with pairs, items, news:
            try:
                while batch := await _receive_batch(pairs):
                    known, new = await self._prepare_batch(batch)
                    if known and not await self._deliver_receipts(news, known):
                        return
                    for item in new:
                        if not await _deliver(items, item):
                            return
            except Exception as error:  # noqa: BLE001 - as above
                self._fail(error)

    async def _prepare_batch(self, batch: Sequence[RefAndOrder]) -> tuple[list[Receipt], list[BulkOrder]]:
        """Return the receipts of the orders that are not to be sent, and the orders that are."""
        self._placement.check_open()
        orders = self._collect_orders(batch)
        known = await self._intents.write(orders)
        receipts = [receipt for ref, receipt in known.items() for _ in range(self._active.pop(ref).copies)]
        return receipts, [order for order in orders if order.ref not in known]

    def _collect_orders(self, batch: Sequence[RefAndOrder]) -> list[BulkOrder]:
        """Return the orders whose refs are not on their way yet.

        Raises:
            TypeError, ValueError: a ref cannot be one, or it stands for two orders.
        """
        orders: list[BulkOrder] = []
        now = self._placement.clock()
        for ref, order in batch:
            intent = make_intent(order, ref=ref, panel=self._panel, cost=None, balance_before=None, intended_at=now)
            if (active := self._active.get(ref)) is not None:
                check_same(active.intent, intent)
                active.copies += 1
            else:
                self._active[ref] = BulkOrder(intent)
                orders.append(self._active[ref])
        return orders

    async def _send(self, items: MemoryObjectReceiveStream[BulkOrder], news: MemoryObjectSendStream[None]) -> None:
        """Send one order after the other, and deliver their receipts."""
        with items, news:
            async for order in items:
                if self._error is not None:
                    return
                try:
                    receipt = await self._place(order)
                    if not await self._deliver_receipts(news, [receipt] * self._active.pop(order.ref).copies):
                        return
                except anyio.get_cancelled_exc_class():
                    if self._group is None or self._group.cancel_scope.cancel_called:
                        raise
                    # The client waits for something of its own that was cancelled.
                    self._fail(
                        LedgerError(f"placing {order.ref!r} was cancelled by the client; its outcome is unknown")
                    )
                    return
                except Exception as error:  # noqa: BLE001 - as above
                    self._fail(error)
                    return

    async def _place(self, order: BulkOrder) -> Receipt:
        """Claim an order, send it, and write its outcome. Once it is claimed, it is completed, whoever is cancelled."""

        async def work(commit: Commit) -> Receipt:
            commit()
            return await self._claim_and_send(order)

        async with self._placement.lock(order.ref):
            self._placement.check_open()
            return await run_to_completion(work)

    async def _claim_and_send(self, order: BulkOrder) -> Receipt:
        if (receipt := await self._claims.run(order)) is not None:
            return receipt
        receipt, error = await send_order(self._client, order.intent, self._placement.clock)
        self._intents.record_outcome(error, in_flight=self._concurrency)
        if error is not None and is_raised(error):
            self._fail(error)
        try:
            await self._outcomes.run(receipt)
        # Whatever it is, the receipt is still delivered.
        except LedgerError as failure:
            self._fail(LedgerError(failure.message, receipt=receipt))
        except Exception as failure:  # noqa: BLE001
            self._fail(failure)
        return receipt

    async def _write_outcomes(self, connection: AsyncConnection, receipts: Sequence[Receipt]) -> Sequence[None]:
        """Write the outcomes of orders."""
        await write_outcomes(connection, receipts, now=self._placement.clock())
        return [None] * len(receipts)

    async def _deliver_receipts(self, news: MemoryObjectSendStream[None], receipts: list[Receipt]) -> bool:
        """Pass receipts to the reader. Return whether there is one."""
        self._ready.extend(receipts)
        return await _deliver(news, None)

    def _fail(self, error: Exception) -> None:
        """Stop reading and sending, and raise an error once all that is known was delivered."""
        self._error = self._error or error
        self._reading.cancel()


async def _deliver(stream: MemoryObjectSendStream[T], value: T) -> bool:
    """Pass a value on. Return whether somebody is there to take it."""
    try:
        await stream.send(value)
    except anyio.BrokenResourceError:
        return False
    return True


async def _iterate(orders: Orders) -> AsyncIterator[object]:
    """Yield the pairs of the caller's orders, and close a generator of theirs."""
    if isinstance(orders, AsyncIterable):
        try:
            async for pair in orders:
                yield pair
        finally:
            if isasyncgen(orders):
                await orders.aclose()
        return
    for pair in orders.items() if isinstance(orders, Mapping) else orders:
        yield pair


def _check_pair(pair: object) -> RefAndOrder:
    """Return an item of the caller's orders.

    Raises:
        TypeError: it is not a pair.
    """
    if not isinstance(pair, tuple) or len(pair) != 2:  # noqa: PLR2004 - a pair
        msg = f"each item must be a pair of a ref and an order, got {type(pair).__name__}"
        raise TypeError(msg)
    return pair


async def _receive_batch(pairs: MemoryObjectReceiveStream[RefAndOrder]) -> list[RefAndOrder]:
    """Wait for a pair, and return it with those that have come by then. Return nothing at the end."""
    batch: list[RefAndOrder] = []
    with suppress(anyio.EndOfStream, anyio.WouldBlock):
        batch.append(await pairs.receive())
        while len(batch) < _BATCH_SIZE:
            batch.append(pairs.receive_nowait())
    return batch
