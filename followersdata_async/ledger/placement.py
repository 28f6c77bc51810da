"""Placing one order: write its intent, send it once, and write its outcome."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, final

import anyio
from attrs import evolve

from .._concurrency import run_to_completion
from .._validators import check_name
from .._wire.scalars import parse_decimal
from ..errors import ConfigurationError, FollowersDataError, NotSentError, PanelError
from ..models import Receipt, ReceiptState
from ..orders import Raw
from .store_intents import claim_intent, get_receipt, insert_intent, settle
from .store_tracked import add_orders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from decimal import Decimal

    from sqlalchemy.ext.asyncio import AsyncConnection

    from .._concurrency import Commit
    from ..client import AsyncClient
    from ..models import OrderInput
    from .database import Database


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
    return Receipt(
        ref=ref,
        panel=panel,
        state=ReceiptState.INTENDED,
        fields=dict(order.fields()),
        cost=_to_amount("cost", cost),
        balance_before=_to_amount("balance_before", balance_before),
        intended_at=intended_at,
    )


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


@final
class Placement:
    """The orders that one program is placing. Each of them is finished, even if its caller is cancelled."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._locks: dict[str, anyio.Lock] = {}

    async def place(self, client: AsyncClient, order: OrderInput, intent: Receipt) -> Receipt:
        """Write an intent and send it, unless its ref was sent before. See ``Ledger.place``."""

        async def work(commit: Commit) -> Receipt:
            commit()
            async with self._database.transaction() as connection:
                receipt = intent
                if not await insert_intent(connection, intent, sending=True):
                    receipt = await _get_same(connection, intent)
                    if not await claim_intent(connection, intent.ref, now=self._clock()):
                        return receipt
            return await self._send(client, order, receipt)

        async with self._lock(intent.ref):
            return await run_to_completion(work)

    async def intend(self, connection: AsyncConnection, intent: Receipt) -> Receipt:
        """Write an intent in a transaction of the caller's. See ``Ledger.intend``."""
        if await insert_intent(connection, intent, sending=False):
            return intent
        return await _get_same(connection, intent)

    async def send(self, client: AsyncClient, ref: str) -> Receipt:
        """Send the order that was intended under a ref. See ``Ledger.send``."""

        async def work(commit: Commit) -> Receipt:
            commit()
            async with self._database.transaction() as connection:
                receipt = await get_receipt(connection, ref)
                if not await claim_intent(connection, ref, now=self._clock()):
                    return receipt
            fields = dict(receipt.fields)
            return await self._send(client, Raw(service=fields.pop("service"), extra=fields), receipt)

        async with self._lock(ref):
            return await run_to_completion(work)

    async def wait_until_idle(self) -> None:
        """Wait until no order is being placed."""
        while self._locks:
            async with self._lock(next(iter(self._locks))):
                pass

    async def _send(self, client: AsyncClient, order: OrderInput, receipt: Receipt) -> Receipt:
        """Send an order that is on record as being sent, and write its outcome."""
        receipt = evolve(receipt, sent_at=self._clock(), error=None, message=None)
        receipt, error = await _add(client, order, receipt)
        receipt = evolve(receipt, settled_at=self._clock())
        async with self._database.transaction(receipt) as connection:
            await settle(connection, receipt)
            if receipt.order is not None:
                await add_orders(connection, receipt.panel, [receipt.order], now=self._clock())
        if error is not None:
            raise error
        return receipt

    @asynccontextmanager
    async def _lock(self, ref: str) -> AsyncIterator[None]:
        """Let one caller of a ref through at a time. The next one finds the first one's receipt."""
        lock = self._locks.setdefault(ref, anyio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.statistics().locked and not lock.statistics().tasks_waiting:
                self._locks.pop(ref, None)


async def _get_same(connection: AsyncConnection, intent: Receipt) -> Receipt:
    """Return the receipt of an intent's ref, if it is of the same order.

    Raises:
        ValueError: it is of another order.
    """
    receipt = await get_receipt(connection, intent.ref)
    if (receipt.panel, receipt.fields) != (intent.panel, intent.fields):
        msg = f"the ref {intent.ref!r} was used for another order: take a new one for each order"
        raise ValueError(msg)
    return receipt


async def _add(client: AsyncClient, order: OrderInput, receipt: Receipt) -> tuple[Receipt, Exception | None]:
    """Send an order. Return its receipt, and the error to raise once it is written, if any."""
    try:
        placed = await client.add(order)
    except NotSentError as error:
        return _record_error(receipt, ReceiptState.NOT_SENT, error), None
    except ConfigurationError as error:
        return _record_error(receipt, ReceiptState.NOT_SENT, error), error
    except PanelError as error:
        return _record_error(receipt, ReceiptState.REFUSED, error), None
    except FollowersDataError as error:
        return _record_error(receipt, ReceiptState.UNKNOWN, error), None
    # A client of the user's own may raise anything at any moment: that proves nothing.
    except Exception as error:  # noqa: BLE001
        return _record_error(receipt, ReceiptState.UNKNOWN, error), error
    return (
        evolve(
            receipt,
            state=ReceiptState.PLACED,
            order=placed.order,
            charge=placed.charge,
            currency=placed.currency,
        ),
        None,
    )


def _record_error(receipt: Receipt, state: ReceiptState, error: Exception) -> Receipt:
    message = error.message if isinstance(error, FollowersDataError) else str(error)
    return evolve(receipt, state=state, error=type(error).__name__, message=message)
