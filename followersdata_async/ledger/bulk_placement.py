"""Placing many orders: their intents are written in batches, the orders are sent concurrently, receipts stream out.

Pairs flow through four stages: they are read, prepared (their intents are
written, and receipts on record found), sent, and delivered to the caller.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping, Sequence, Sized
from contextlib import asynccontextmanager, nullcontext, suppress
from inspect import isasyncgen
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, final

import anyio
from attrs import define, evolve, frozen

from .._concurrency import run_to_completion
from ..errors import (
    AuthenticationError,
    ConfigurationError,
    FollowersDataError,
    InsufficientFundsError,
    LedgerError,
    SpendingLimitError,
)
from ..models import OrderInput, Receipt, ReceiptState, Service
from .group_commit import GroupCommit
from .placement import (
    check_same,
    compute_cost,
    is_raised,
    make_intent,
    make_pruned_error,
    read_rates,
    send_order,
    write_outcomes,
)
from .spending import HOUR
from .store_intents import (
    claim_intents,
    find_intents,
    find_uncounted,
    find_used_refs,
    insert_intents,
    renew_intents,
    set_cost,
    withdraw_intents,
)
from .store_spending import find_too_expensive

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


@define(eq=False)
class _Item:
    """One order on its way: how often its ref was given, and whether its intent is on record."""

    order: OrderInput
    intent: Receipt
    copies: int = 1
    is_written: bool = False

    @property
    def ref(self) -> str:
        return self.intent.ref


@final
class Placements(AsyncIterator[Receipt]):
    """The receipts of many orders: ``async with … as receipts`` streams them, ``await`` returns them by ref.

    Receipts come in the order in which orders finish. Orders are read only as
    fast as receipts are taken. After leaving early no more orders are sent, and
    those in flight are completed and written.

    Attributes:
        stopped_by: The error that ended sending because it holds for all orders; ``None`` if there is none.
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
        self.stopped_by: FollowersDataError | None = None
        self._placement = placement
        self._client = client
        self._orders = orders
        self._panel = panel
        self._rates = rates
        self._concurrency = concurrency
        self._on_progress = on_progress
        self._total = len(orders) if isinstance(orders, Sized) else None
        self._counts = dict.fromkeys(ReceiptState, 0)
        # Apart, so that a claim that fails takes no outcome with it.
        self._claims = GroupCommit(placement.database, self._claim, is_after_sending=False)
        self._outcomes = GroupCommit(placement.database, self._write_outcomes, is_after_sending=True)
        self._active: dict[str, _Item] = {}
        self._ready: deque[Receipt] = deque()
        self._error: Exception | None = None
        self._group: TaskGroup | None = None
        self._receipts: MemoryObjectReceiveStream[list[Receipt]] | None = None
        self._streams: list[_Stream] = []

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
        items, next_item = anyio.create_memory_object_stream[_Item](0)
        receipts, self._receipts = anyio.create_memory_object_stream[list[Receipt]](self._concurrency)
        self._streams = [pairs, next_pair, items, next_item, receipts, self._receipts]
        senders = [(next_item.clone(), receipts.clone()) for _ in range(self._concurrency)]
        for ends in senders:
            self._streams += ends
            self._group.start_soon(self._send, *ends)
        next_item.close()
        self._group.start_soon(self._read, pairs)
        self._group.start_soon(self._prepare, next_pair, items, receipts)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop sending. Orders in flight are completed, and their outcome is written."""
        if self._group is None or self._receipts is None:
            return
        self._receipts.close()
        self._group.cancel_scope.cancel()
        try:
            # Not given the exception of the body, so that it does not wrap it in an exception group.
            await self._group.__aexit__(None, None, None)
        finally:
            for stream in self._streams:
                stream.close()
            with anyio.CancelScope(shield=True):
                await self._withdraw_rest()

    async def _withdraw_rest(self) -> None:
        """Settle the orders as not sent whose intents were written for nothing."""
        refs = [item.ref for item in self._active.values() if item.is_written]
        self._active.clear()
        # If it fails, they stay intended, which is true as well.
        with suppress(LedgerError):
            if refs:
                async with self._placement.database.transaction() as connection:
                    await withdraw_intents(connection, refs, error=None, message=_LEFT, now=self._placement.clock())

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
        if self._receipts is None:
            msg = "use it as: async with ledger.place_many(client, orders) as receipts"
            raise ConfigurationError(msg)
        if not self._ready:
            try:
                self._ready.extend(await self._receipts.receive())
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
        with pairs:
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
        items: MemoryObjectSendStream[_Item],
        receipts: MemoryObjectSendStream[list[Receipt]],
    ) -> None:
        """Write intents in batches. Deliver the receipts on record, and pass on the orders that are to be sent."""
        with pairs, items, receipts:
            try:
                while batch := await _receive_batch(pairs):
                    known, new = await self._prepare_batch(batch)
                    if known and not await _deliver(receipts, known):
                        return
                    for item in new:
                        if not await _deliver(items, item):
                            return
            except Exception as error:  # noqa: BLE001 - as above
                self._fail(error)

    async def _prepare_batch(self, batch: list[RefAndOrder]) -> tuple[list[Receipt], list[_Item]]:
        """Return the receipts of the orders that are not to be sent, and the orders that are."""
        items = self._collect_items(batch)
        async with self._shielded_transaction() as connection:
            known = await self._find_known(connection, items)
        new = [item for item in items if item.ref not in known]
        if new and self.stopped_by is None:
            await self._price(new)
            async with self._shielded_transaction() as connection:
                errors = await self._write(connection, new)
            known |= {ref: self._make_not_sent(ref, error) for ref, error in errors.items()}
        if self.stopped_by is not None:
            stopped = [item.ref for item in new if item.ref not in known and not item.is_written]
            known |= {ref: self._make_not_sent(ref, self.stopped_by) for ref in stopped}
        to_send = [item for item in new if item.ref not in known]
        return [receipt for ref, receipt in known.items() for _ in range(self._active.pop(ref).copies)], to_send

    @asynccontextmanager
    async def _shielded_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that is not cancelled halfway: PostgreSQL's driver would leave its connection open."""
        with anyio.CancelScope(shield=True):
            async with self._placement.database.transaction() as connection:
                yield connection

    def _collect_items(self, batch: list[RefAndOrder]) -> list[_Item]:
        """Return the orders whose refs are not on their way yet.

        Raises:
            TypeError, ValueError: a ref cannot be one, or it stands for two orders.
        """
        items: list[_Item] = []
        now = self._placement.clock()
        for ref, order in batch:
            intent = make_intent(order, ref=ref, panel=self._panel, cost=None, balance_before=None, intended_at=now)
            if (active := self._active.get(ref)) is not None:
                check_same(active.intent, intent)
                active.copies += 1
            else:
                item = self._active[ref] = _Item(order, intent)
                items.append(item)
        return items

    async def _find_known(self, connection: AsyncConnection, items: list[_Item]) -> dict[str, Receipt]:
        """Return the receipts of the orders that were sent before, by ref.

        Raises:
            ValueError: a ref was used for another order, or its receipt was pruned.
        """
        stored = await find_intents(connection, [item.ref for item in items])
        for ref in sorted(await find_used_refs(connection, [item.ref for item in items if item.ref not in stored])):
            raise make_pruned_error(ref)
        for item in items:
            if (found := stored.get(item.ref)) is not None:
                check_same(found.receipt, item.intent)
                item.intent = found.receipt
        return {ref: found.receipt for ref, found in stored.items() if not found.is_claimable}

    async def _price(self, items: list[_Item]) -> None:
        """Compute the costs of orders by the caller's catalogue, or by the panel's if the spending limit needs them."""
        is_needed = self._placement.limit is not None and self._placement.limit.needs_cost
        rates = self._rates
        if rates is None and is_needed:
            rates = await read_rates(self._client, items[0].ref)
        if rates is None:
            return
        for item in items:
            if item.intent.cost is None:
                with nullcontext() if is_needed else suppress(ValueError):
                    item.intent = evolve(item.intent, cost=compute_cost(rates, item.intent))

    async def _write(self, connection: AsyncConnection, items: list[_Item]) -> dict[str, SpendingLimitError]:
        """Write the intents of orders, within the spending limit. Return the errors of those that are over it.

        Raises:
            ValueError: a ref was used for another order.
        """
        now = self._placement.clock()
        errors: dict[str, SpendingLimitError] = {}
        if self._placement.limit is not None:
            costs = {item.ref: item.intent.cost for item in items}
            errors = await find_too_expensive(connection, self._placement.limit, self._panel, costs, now=now)
        fitting = {item.ref: item for item in items if item.ref not in errors}
        new = await insert_intents(connection, [item.intent for item in fitting.values()], sending=False)
        on_record = await find_intents(connection, [ref for ref in fitting if ref not in new])
        for ref, found in on_record.items():
            # Another program may have written it since it was not found.
            check_same(found.receipt, fitting[ref].intent)
            if found.receipt.cost is None and (cost := fitting[ref].intent.cost) is not None:
                await set_cost(connection, ref, cost)
        await renew_intents(connection, [*on_record], now=now)
        for item in fitting.values():
            item.is_written = True
        self._stop_for(*errors.values())
        return errors

    async def _send(
        self, items: MemoryObjectReceiveStream[_Item], receipts: MemoryObjectSendStream[list[Receipt]]
    ) -> None:
        """Send one order after the other, and deliver their receipts."""
        with items, receipts:
            async for item in items:
                if self._error is not None:
                    return
                try:
                    receipt = await self._place(item)
                    if not await _deliver(receipts, [receipt] * self._active.pop(item.ref).copies):
                        return
                except Exception as error:  # noqa: BLE001 - as above
                    self._fail(error)
                    return

    async def _place(self, item: _Item) -> Receipt:
        """Claim an order, send it, and write its outcome. Once it is claimed, it is completed, whoever is cancelled."""

        async def work(commit: Commit) -> Receipt:
            commit()
            return await self._claim_and_send(item)

        return await run_to_completion(work)

    async def _claim_and_send(self, item: _Item) -> Receipt:
        if (receipt := await self._claims.run(item)) is not None:
            return receipt
        receipt, error = await send_order(self._client, item.order, item.intent, self._placement.clock)
        if error is not None:
            self._stop_for(error)
            if is_raised(error):
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

    async def _claim(self, connection: AsyncConnection, items: Sequence[_Item]) -> list[Receipt | None]:
        """Claim orders within the spending limit. Return ``None`` for each that is to be sent, else its receipt."""
        now = self._placement.clock()
        await self._check_again(connection, items, now)
        refs = [item.ref for item in items]
        if (error := self.stopped_by) is not None:
            name, message = type(error).__name__, _explain(error)
            await withdraw_intents(connection, refs, error=name, message=message, now=now)
            return [self._make_not_sent(ref, error) for ref in refs]
        ours = await claim_intents(connection, refs, now=now)
        others = await find_intents(connection, [ref for ref in refs if ref not in ours])
        return [None if ref in ours else others[ref].receipt for ref in refs]

    async def _check_again(self, connection: AsyncConnection, items: Sequence[_Item], now: float) -> None:
        """Check orders against the limit again that do not count in it any more.

        An intent may have been written long ago, or another program that had the
        same refs may have given it up.
        """
        limit = self._placement.limit
        if limit is None or self.stopped_by is not None:
            return
        uncounted = await find_uncounted(connection, [item.ref for item in items], since=now - HOUR)
        if uncounted:
            costs = {item.ref: item.intent.cost for item in items if item.ref in uncounted}
            errors = await find_too_expensive(connection, limit, self._panel, costs, now=now)
            self._stop_for(*errors.values())

    def _fail(self, error: Exception) -> None:
        """Stop sending, and raise an error once all that is known was delivered."""
        self._error = self._error or error

    def _stop_for(self, *errors: Exception) -> None:
        """Stop sending if an error holds for all orders, not just for its own."""
        for error in errors:
            is_of_all = isinstance(error, (InsufficientFundsError, AuthenticationError)) or (
                isinstance(error, SpendingLimitError) and error.limit != "per_order"
            )
            if is_of_all and isinstance(error, FollowersDataError):
                self.stopped_by = self.stopped_by or error

    def _make_not_sent(self, ref: str, error: FollowersDataError) -> Receipt:
        return evolve(
            self._active[ref].intent,
            state=ReceiptState.NOT_SENT,
            error=type(error).__name__,
            message=error.message if isinstance(error, SpendingLimitError) else _explain(error),
            settled_at=self._placement.clock(),
        )


async def _deliver(stream: MemoryObjectSendStream[T], value: T) -> bool:
    """Pass a value on. Return whether somebody is there to take it."""
    try:
        await stream.send(value)
    except anyio.BrokenResourceError:
        return False
    return True


_LEFT = "not sent: its caller left first"


def _explain(error: FollowersDataError) -> str:
    return f"not sent, because an order before it failed: {error.message}"


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
