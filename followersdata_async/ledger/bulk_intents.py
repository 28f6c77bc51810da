"""The intents of many orders: written in batches, and claimed right before they are sent, within the spending limit."""

from __future__ import annotations

from contextlib import asynccontextmanager, nullcontext, suppress
from operator import attrgetter
from typing import TYPE_CHECKING, final

import anyio
from attrs import define, evolve

from .._concurrency import run_to_completion
from ..errors import (
    AuthenticationError,
    FollowersDataError,
    InsufficientFundsError,
    LedgerError,
    OutcomeUnknownError,
    SpendingLimitError,
)
from ..models import Receipt, ReceiptState, Service
from .placement import check_same, compute_cost, read_rates
from .spending import HOUR
from .store_intents import (
    claim_intents,
    find_intents,
    find_uncounted,
    find_used_refs,
    insert_intents,
    make_pruned_error,
    renew_intents,
    set_cost,
    withdraw_intents,
)
from .store_spending import find_too_expensive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from .._concurrency import Commit
    from ..client import AsyncClient
    from .placement import Placement


@define(eq=False)
class BulkOrder:
    """One of many orders: how often its ref was given, and whether its intent is on record."""

    intent: Receipt
    copies: int = 1
    is_written: bool = False

    @property
    def ref(self) -> str:
        """The order's ref."""
        return self.intent.ref


@final
class BulkIntents:
    """The intents of the orders of one ``place_many``.

    Attributes:
        rejection: The error because of which no more orders are sent, as it holds for all of them.
        excess: The error of the first order that was over the limit. Those before it have their place in the limit.
    """

    def __init__(
        self, placement: Placement, client: AsyncClient, panel: str, rates: Mapping[str, Service] | None
    ) -> None:
        self.rejection: FollowersDataError | None = None
        self.excess: SpendingLimitError | None = None
        self._unknown_in_a_row = 0
        self._database = placement.database
        self._clock = placement.clock
        self._limit = placement.limit
        self._client = client
        self._panel = panel
        self._rates = rates

    @property
    def stopped_by(self) -> FollowersDataError | None:
        """The error because of which no more intents are written."""
        return self.rejection or self.excess

    async def write(self, orders: Sequence[BulkOrder]) -> dict[str, Receipt]:
        """Write intents, and return the receipts of the orders that are not to be sent, by ref.

        They were sent before, are over the spending limit, or come after an order
        that has stopped all others.

        Raises:
            ValueError: a ref was used for another order, its receipt was pruned, or the limit needs an unknown cost.
            NotSentError: the limit needs a cost that could not be looked up.
            LedgerError: the ledger could not be read or written.
        """
        async with self._transaction() as connection:
            known = await self._find_known(connection, orders)
        new = [order for order in orders if order.ref not in known]
        errors: dict[str, FollowersDataError] = {}
        if (stopped_by := self.stopped_by) is not None:
            errors = {order.ref: stopped_by for order in new}
        elif new:
            await self._price(new)
            async with self._transaction() as connection:
                errors |= await self._insert(connection, new)
        if errors:
            async with self._transaction() as connection:
                # Another program may have placed one in the meantime.
                on_record = await find_intents(connection, [*errors])
            for order in new:
                if (error := errors.get(order.ref)) is not None:
                    found = on_record.get(order.ref)
                    is_sent = found is not None and not found.can_be_sent
                    known[order.ref] = found if found is not None and is_sent else self._make_not_sent(order, error)
        return known

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that is not cancelled halfway: PostgreSQL's driver would leave its connection open."""
        with anyio.CancelScope(shield=True):
            async with self._database.transaction() as connection:
                yield connection

    async def _find_known(self, connection: AsyncConnection, orders: Sequence[BulkOrder]) -> dict[str, Receipt]:
        """Return the receipts of the orders that were sent before, by ref."""
        stored = await find_intents(connection, [order.ref for order in orders])
        missing = [order.ref for order in orders if order.ref not in stored]
        for ref in sorted(await find_used_refs(connection, missing)):
            raise make_pruned_error(ref)
        for order in orders:
            if (found := stored.get(order.ref)) is not None:
                check_same(found, order.intent)
                order.intent = found
        return {ref: found for ref, found in stored.items() if not found.can_be_sent}

    async def _price(self, orders: Sequence[BulkOrder]) -> None:
        """Compute the costs of orders by the caller's catalogue, or by the panel's if the spending limit needs them."""
        is_needed = self._limit is not None and self._limit.needs_cost
        rates = self._rates
        if rates is None and is_needed:
            rates = await read_rates(self._client, orders[0].ref)
        if rates is None:
            return
        for order in orders:
            if order.intent.cost is None:
                with nullcontext() if is_needed else suppress(ValueError):
                    order.intent = evolve(order.intent, cost=compute_cost(rates, order.intent))

    async def _insert(
        self, connection: AsyncConnection, orders: Sequence[BulkOrder]
    ) -> Mapping[str, SpendingLimitError]:
        """Write the intents of orders that are within the limit. Return the errors of the others, by ref."""
        now = self._clock()
        errors: Mapping[str, SpendingLimitError] = {}
        if self._limit is not None:
            costs = {order.ref: order.intent.cost for order in orders}
            errors = await find_too_expensive(connection, self._limit, self._panel, costs, now=now)
        fitting = {order.ref: order for order in orders if order.ref not in errors}
        new = await insert_intents(connection, [order.intent for order in fitting.values()], now=now, sending=False)
        await renew_intents(connection, [ref for ref in fitting if ref not in new], now=now)
        on_record = await find_intents(connection, [ref for ref in fitting if ref not in new])
        for ref, found in sorted(on_record.items()):
            # Another program may have written it since it was not found.
            check_same(found, fitting[ref].intent)
            if found.can_be_sent and found.cost is None and (cost := fitting[ref].intent.cost) is not None:
                await set_cost(connection, ref, cost)
        for order in fitting.values():
            # An intent that was there before stays there: its owner may send it.
            order.is_written = order.ref in new or order.intent.settled_at is not None
        self.stop_for(*errors.values())
        return errors

    async def claim(self, connection: AsyncConnection, orders: Sequence[BulkOrder]) -> list[Receipt | None]:
        """Claim orders within the limit. Return ``None`` for each that is to be sent, else its receipt."""
        now = self._clock()
        refs = [order.ref for order in orders]
        errors = await self._check_again(connection, orders, now)
        if self.rejection is not None:
            errors = dict.fromkeys(refs, self.rejection)
        for order in sorted(orders, key=attrgetter("ref")):
            if (error := errors.get(order.ref)) is not None and order.is_written:
                name, message = type(error).__name__, _explain(order.ref, error)
                await withdraw_intents(connection, [order.ref], error=name, message=message, now=now)
        to_claim = [ref for ref in refs if ref not in errors]
        ours = await claim_intents(connection, to_claim, now=now, skip_locked=True)
        others = await find_intents(connection, [ref for ref in refs if ref not in ours])
        for order in orders:
            if order.ref in ours:
                order.intent = evolve(order.intent, state=ReceiptState.INTENDED, sent_at=now)
            elif order.ref not in others:
                # Another program may have placed it long ago, if nobody took a receipt from this one since.
                raise make_pruned_error(order.ref)
        return [
            None
            if ref in ours
            # What another program is claiming at this moment is being sent.
            else evolve(others[ref], state=ReceiptState.UNKNOWN)
            if ref in to_claim and others[ref].can_be_sent
            else others[ref]
            for ref in refs
        ]

    async def _check_again(
        self, connection: AsyncConnection, orders: Sequence[BulkOrder], now: float
    ) -> Mapping[str, FollowersDataError]:
        """Return the errors of orders that do not count in the limit any more, and do not fit into it again.

        An intent may have been written long ago, or another program that had the
        same refs may have given it up.
        """
        if self._limit is None or self.rejection is not None:
            return {}
        uncounted = await find_uncounted(connection, [order.ref for order in orders], since=now - HOUR)
        if not uncounted:
            return {}
        costs = {order.ref: order.intent.cost for order in orders if order.ref in uncounted}
        errors = await find_too_expensive(connection, self._limit, self._panel, costs, now=now)
        self.stop_for(*errors.values())
        return errors

    async def withdraw(self, orders: Sequence[BulkOrder]) -> None:
        """Settle orders as not sent whose intents were written for nothing."""
        refs = [order.ref for order in orders if order.is_written]

        async def work(commit: Commit) -> None:
            commit()
            async with self._database.transaction() as connection:
                await withdraw_intents(connection, refs, error=None, message=_LEFT, now=self._clock())

        # If it fails, they stay intended, which is true as well.
        with suppress(LedgerError):
            if refs:
                await run_to_completion(work)

    def record_outcome(self, error: Exception | None, *, in_flight: int) -> None:
        """Stop if an error holds for all orders, or if outcomes are unknown again and again: the panel is broken."""
        self._unknown_in_a_row = self._unknown_in_a_row + 1 if isinstance(error, OutcomeUnknownError) else 0
        if error is not None:
            self.stop_for(error)
        if isinstance(error, OutcomeUnknownError) and self._unknown_in_a_row >= _MAX_UNKNOWN + in_flight:
            self.rejection = self.rejection or error

    def stop_for(self, *errors: Exception) -> None:
        """Stop if an error holds for all orders, not just for its own."""
        for error in errors:
            if isinstance(error, (InsufficientFundsError, AuthenticationError)):
                self.rejection = self.rejection or error
            elif isinstance(error, SpendingLimitError) and error.limit != "per_order":
                self.excess = self.excess or error

    def _make_not_sent(self, order: BulkOrder, error: FollowersDataError) -> Receipt:
        return evolve(
            order.intent,
            state=ReceiptState.NOT_SENT,
            error=type(error).__name__,
            message=_explain(order.ref, error),
            settled_at=self._clock(),
        )


_MAX_UNKNOWN = 20
"""Unknown outcomes in a row, besides those that were in flight with the first, after which no more orders are sent."""
_LEFT = "not sent: its caller left first"


def _explain(ref: str, error: FollowersDataError) -> str:
    is_its_own = isinstance(error, SpendingLimitError) and error.ref == ref
    return error.message if is_its_own else f"not sent, because an order before it failed: {error.message}"
