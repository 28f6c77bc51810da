"""Placing one order: write its intent, send it once, and write its outcome."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, final

import anyio
from attrs import evolve

from .._concurrency import run_to_completion
from .._validators import check_name
from .._wire.scalars import parse_decimal
from ..errors import (
    ConfigurationError,
    DecodeError,
    FollowersDataError,
    NotSentError,
    PanelError,
    RateLimitedError,
    TransportError,
)
from ..models import Receipt, ReceiptState, format_id
from ..orders import Raw
from .store_intents import (
    claim_intents,
    find_intents,
    find_used_refs,
    get_receipt,
    insert_intents,
    make_pruned_error,
    set_cost,
    settle,
)
from .store_spending import find_too_expensive
from .store_tracked import add_orders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from decimal import Decimal

    from sqlalchemy.ext.asyncio import AsyncConnection

    from .._concurrency import Commit
    from ..client import AsyncClient
    from ..models import OrderInput, Service
    from .database import Database
    from .spending import SpendingLimit


def make_intent(
    order: OrderInput,
    *,
    ref: str,
    panel: str,
    cost: Decimal | None,
    balance_before: Decimal | None,
    intended_at: float,
) -> Receipt:
    """Return the receipt of an order that is to be placed.

    Raises:
        TypeError, ValueError: the ref, the panel's name or an amount cannot be one.
    """
    check_name("ref", ref)
    check_name("panel", panel)
    if not callable(getattr(order, "fields", None)):
        msg = f"the order of {ref!r} must be one of followersdata_async.orders, got {type(order).__name__}"
        raise TypeError(msg)
    fields = dict(order.fields())
    if "service" not in fields:
        msg = f"the order of {ref!r} must have a service, got {', '.join(fields) or 'no fields'}"
        raise ValueError(msg)
    intent = Receipt(
        ref=ref,
        panel=panel,
        state=ReceiptState.INTENDED,
        fields=fields,
        cost=_check_not_negative(_to_amount("cost", cost)),
        balance_before=_to_amount("balance_before", balance_before),
        intended_at=intended_at,
    )
    # What cannot be sent must not be on record as being sent.
    make_raw_order(intent)
    return intent


def _to_amount(name: str, value: object) -> Decimal | None:
    """Convert an amount exactly as it is written: callers without a type checker also pass strings and floats.

    Raises:
        ValueError: it is not an amount.
    """
    amount = None if value is None else parse_decimal(str(value))
    if value is not None and amount is None:
        msg = f"{name} is an amount, not {value!r}"
        raise ValueError(msg)
    return amount


def _check_not_negative(cost: Decimal | None) -> Decimal | None:
    """Return a cost. A negative one would raise what is left of a spending limit.

    Raises:
        ValueError: it is negative.
    """
    if cost is not None and cost < 0:
        msg = f"cost must be 0 or more, got {cost}"
        raise ValueError(msg)
    return cost


@final
class Placement:
    """The orders that one program is placing. Each of them is finished, even if its caller is cancelled."""

    def __init__(self, database: Database, clock: Callable[[], float], limit: SpendingLimit | None) -> None:
        self.database = database
        self.clock = clock
        self.limit = limit
        self._locks: dict[str, anyio.Lock] = {}
        self.is_closed: bool = False

    async def place(self, client: AsyncClient, intent: Receipt) -> Receipt:
        """Write an intent and send it, unless its ref was sent before. See ``Ledger.place``."""

        async def work(commit: Commit) -> Receipt:
            commit()
            async with self.database.transaction() as connection:
                receipt = await self._write(connection, priced)
                if receipt is None:
                    return await self._get_same(connection, priced)
            return await self._send(client, receipt)

        async with self.lock(intent.ref):
            priced = await self._price(client, intent)
            return await run_to_completion(work)

    async def _write(self, connection: AsyncConnection, intent: Receipt) -> Receipt | None:
        """Write an intent as being sent, or claim the one on record. Return ``None`` if that one was sent before."""
        stored = await find_intent(connection, intent)
        if stored is not None and not stored.can_be_sent:
            return None
        if stored is not None and intent.cost is None:
            intent = evolve(intent, cost=stored.cost)
        await self._reserve(connection, intent)
        now = self.clock()
        if stored is None and await insert_intents(connection, [intent], now=now, sending=True):
            return evolve(intent, sent_at=now)
        if not await claim_intents(connection, [intent.ref], now=now):
            return None
        receipt = await self._get_same(connection, intent)
        if intent.cost is not None:
            # What was checked against the limit is what counts.
            await set_cost(connection, intent.ref, intent.cost)
        return evolve(receipt, state=ReceiptState.INTENDED, cost=intent.cost)

    async def intend(self, connection: AsyncConnection, intent: Receipt) -> Receipt:
        """Write an intent in a transaction of the caller's. See ``Ledger.intend``."""
        if await find_intent(connection, intent) is None:
            await self._reserve(connection, intent)
            if await insert_intents(connection, [intent], now=self.clock(), sending=False):
                return intent
        return await self._get_same(connection, intent)

    async def send(self, client: AsyncClient, ref: str) -> Receipt:
        """Send the order that was intended under a ref. See ``Ledger.send``."""

        async def work(commit: Commit) -> Receipt:
            commit()
            async with self.database.transaction() as connection:
                receipt = await self._write(connection, priced)
                if receipt is None:
                    return await get_receipt(connection, ref)
            return await self._send(client, receipt)

        async with self.lock(ref):
            async with self.database.transaction() as connection:
                intent = await get_receipt(connection, ref)
            if not intent.can_be_sent:
                return intent
            priced = await self._price(client, intent)
            return await run_to_completion(work)

    async def _price(self, client: AsyncClient, intent: Receipt) -> Receipt:
        """Return the intent with its cost, if the limit needs it."""
        if self.limit is None or not self.limit.needs_cost or intent.cost is not None:
            return intent
        async with self.database.transaction() as connection:
            stored = await find_intent(connection, intent)
        if stored is not None and (stored.cost is not None or not stored.can_be_sent):
            return evolve(intent, cost=stored.cost)
        return evolve(intent, cost=compute_cost(await read_rates(client, intent.ref), intent))

    async def _reserve(self, connection: AsyncConnection, intent: Receipt) -> None:
        """Check an order against the limit; whoever calls this writes it in the same transaction.

        Raises:
            SpendingLimitError: it is over the limit.
        """
        if self.limit is not None:
            costs = {intent.ref: intent.cost}
            errors = await find_too_expensive(connection, self.limit, intent.panel, costs, now=self.clock())
            for error in errors.values():
                raise error

    @staticmethod
    async def _get_same(connection: AsyncConnection, intent: Receipt) -> Receipt:
        stored = await find_intent(connection, intent)
        return stored or await get_receipt(connection, intent.ref)

    def check_open(self) -> None:
        """Check that the ledger was not closed.

        Raises:
            ConfigurationError: it was closed.
        """
        if self.is_closed:
            msg = "the ledger is closed: place orders inside its `async with`"
            raise ConfigurationError(msg)

    def open(self) -> None:
        """Take orders."""
        self.is_closed = False

    async def aclose(self) -> None:
        """Take no more orders, and wait until those that are being placed have ended."""
        self.is_closed = True
        while self._locks:
            async with self.lock(next(iter(self._locks))):
                pass

    async def _send(self, client: AsyncClient, receipt: Receipt) -> Receipt:
        """Send an order that is on record as being sent, and write its outcome."""
        receipt, error = await send_order(client, receipt, self.clock)
        async with self.database.transaction(receipt) as connection:
            await write_outcomes(connection, [receipt], now=self.clock())
        if error is not None and is_raised(error):
            raise error
        return receipt

    @asynccontextmanager
    async def lock(self, ref: str) -> AsyncIterator[None]:
        """Let one caller of a ref through at a time. The next one finds the first one's receipt."""
        lock = self._locks.setdefault(ref, anyio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.statistics().locked and not lock.statistics().tasks_waiting:
                self._locks.pop(ref, None)


async def find_intent(connection: AsyncConnection, intent: Receipt) -> Receipt | None:
    """Return what is on record for an intent's ref, ``None`` if it is new.

    Raises:
        ValueError: the ref was used for another order, or its receipt was pruned.
    """
    stored = (await find_intents(connection, [intent.ref])).get(intent.ref)
    if stored is not None:
        check_same(stored, intent)
    elif await find_used_refs(connection, [intent.ref]):
        raise make_pruned_error(intent.ref)
    return stored


def check_same(receipt: Receipt, intent: Receipt) -> None:
    """Check that a receipt is of the same order as an intent.

    Raises:
        ValueError: it is of another order.
    """
    if (receipt.panel, receipt.fields) != (intent.panel, intent.fields):
        msg = f"the ref {intent.ref!r} was used for another order: take a new one for each order"
        raise ValueError(msg)


async def read_rates(client: AsyncClient, ref: str) -> dict[str, Service]:
    """Return the services by id, to compute costs: one request, or none in the hour after it.

    Raises:
        NotSentError: the catalogue could not be read; nothing was sent.
    """
    try:
        catalogue = await client.services(max_age=_MAX_CATALOGUE_AGE)
    except (PanelError, TransportError, DecodeError) as error:
        msg = f"{ref!r} was not sent: its cost could not be looked up ({error}). Pass cost=, or try again"
        raise NotSentError(msg, action="services") from error
    return index_services(catalogue)


def index_services(catalogue: Iterable[Service]) -> dict[str, Service]:
    """Return the services by id."""
    return {format_id(service.service): service for service in catalogue}


def compute_cost(rates: Mapping[str, Service], intent: Receipt) -> Decimal:
    """Return the cost of an order by the catalogue.

    Raises:
        ValueError: it has no cost that can be computed.
    """
    order = make_raw_order(intent)
    service = rates.get(format_id(order.service))
    if service is None:
        msg = f"the cost of {intent.ref!r} is unknown: the catalogue has no service {order.service}. Pass cost="
        raise ValueError(msg)
    cost = order.cost(service)
    if cost < 0:
        msg = f"the cost of {intent.ref!r} is unknown: the catalogue has the rate {service.rate}. Pass cost="
        raise ValueError(msg)
    return cost


def make_raw_order(receipt: Receipt) -> Raw:
    """Return the order on record: what is sent is what was written down, whatever became of the caller's object."""
    fields = dict(receipt.fields)
    return Raw(service=fields.pop("service"), extra=fields)


_MAX_CATALOGUE_AGE = 3_600.0


async def send_order(
    client: AsyncClient, receipt: Receipt, clock: Callable[[], float]
) -> tuple[Receipt, Exception | None]:
    """Send the order that is on record as being sent. Return its receipt, and the error if there was one."""
    receipt = evolve(receipt, error=None, message=None)
    order = make_raw_order(receipt)
    try:
        placed = await client.add(order)
    # A panel that wants fewer requests has not looked at the order.
    except (NotSentError, ConfigurationError, RateLimitedError) as error:
        return _record_error(receipt, ReceiptState.NOT_SENT, error, clock()), error
    except PanelError as error:
        return _record_error(receipt, ReceiptState.REFUSED, error, clock()), error
    # A client of the user's own may raise anything at any moment: that proves nothing.
    except Exception as error:  # noqa: BLE001
        return _record_error(receipt, ReceiptState.UNKNOWN, error, clock()), error
    return (
        evolve(
            receipt,
            state=ReceiptState.PLACED,
            order=placed.order,
            charge=placed.charge,
            currency=placed.currency,
            settled_at=clock(),
        ),
        None,
    )


def is_raised(error: Exception) -> bool:
    """Return whether an error is raised to the caller, besides being on record in the receipt."""
    return isinstance(error, ConfigurationError) or not isinstance(error, FollowersDataError)


async def write_outcomes(connection: AsyncConnection, receipts: Sequence[Receipt], *, now: float) -> None:
    """Write the outcomes of orders of one panel that were sent, and track those that were placed."""
    await settle(connection, receipts)
    orders = [receipt.order for receipt in receipts if receipt.order is not None]
    await add_orders(connection, receipts[0].panel, orders, now=now)


def _record_error(receipt: Receipt, state: ReceiptState, error: Exception, settled_at: float) -> Receipt:
    message = error.message if isinstance(error, FollowersDataError) else str(error)
    return evolve(receipt, state=state, error=type(error).__name__, message=message, settled_at=settled_at)
