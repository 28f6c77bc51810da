"""Orders on their way: written down as being sent, sent once, and written down with what became of them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, final

import anyio
from attrs import evolve

from .._concurrency import run_to_completion
from .._validators import check_encodable
from ..errors import ConfigurationError, FollowersDataError, NotSentError, PanelError
from ..orders import Raw
from . import store_intents as store
from . import store_tracked as following
from .receipts import Receipt, ReceiptState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from decimal import Decimal

    from sqlalchemy.ext.asyncio import AsyncConnection

    from .._concurrency import Commit
    from ..client import AsyncClient
    from ..orders import Order
    from .database import Database

_LONGEST_NAME = 200


def intent(
    order: Order,
    *,
    ref: str,
    name: str,
    cost: Decimal | None,
    balance_before: Decimal | None,
    intended_at: float,
) -> Receipt:
    """The receipt of an order that is to be placed.

    Raises:
        TypeError, ValueError: the ref or the panel's name is none.
    """
    check_name("ref", ref)
    check_name("name", name)
    return Receipt(
        ref=ref,
        panel=name,
        state=ReceiptState.INTENDED,
        fields=dict(order.fields()),
        cost=cost,
        balance_before=balance_before,
        intended_at=intended_at,
    )


async def on_record(connection: AsyncConnection, ref: str) -> Receipt:
    """What is on record for a ref.

    Raises:
        LookupError: nothing is.
    """
    receipt = await store.receipt_of(connection, ref)
    if receipt is None:
        msg = f"nothing is on record for the ref {ref[:_LONGEST_NAME]!r}"
        raise LookupError(msg)
    return receipt


@final
class Placing:
    """The orders that one program places; whoever is cancelled, each of them is finished."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._sending: dict[str, anyio.Lock] = {}

    async def place(self, panel: AsyncClient, order: Order, receipt: Receipt) -> Receipt:
        """Write an intent down and send it, if its ref was not sent before; see ``Ledger.place``."""

        async def placed(hold: Commit) -> Receipt:
            hold()
            async with self._database.transaction() as connection:
                recorded = receipt
                if not await store.intend(connection, receipt, sending=True):
                    recorded = await self._same(connection, receipt)
                    if not await store.begin_sending(connection, receipt.ref, now=self._clock()):
                        return recorded
            return await self._sent(panel, order, recorded)

        async with self._alone(receipt.ref):
            return await run_to_completion(placed)

    async def intend(self, connection: AsyncConnection, receipt: Receipt) -> Receipt:
        """Write an intent down in a transaction of the user's; see ``Ledger.intend``."""
        if await store.intend(connection, receipt, sending=False):
            return receipt
        return await self._same(connection, receipt)

    async def send(self, panel: AsyncClient, ref: str) -> Receipt:
        """Send what was intended under a ref; see ``Ledger.send``."""

        async def sent(hold: Commit) -> Receipt:
            hold()
            async with self._database.transaction() as connection:
                receipt = await on_record(connection, ref)
                if not await store.begin_sending(connection, ref, now=self._clock()):
                    return receipt
            fields = dict(receipt.fields)
            return await self._sent(panel, Raw(service=fields.pop("service"), extra=fields), receipt)

        async with self._alone(ref):
            return await run_to_completion(sent)

    async def landed(self) -> None:
        """Wait until no order is being placed."""
        while self._sending:
            async with self._alone(next(iter(self._sending))):
                pass

    async def _same(self, connection: AsyncConnection, receipt: Receipt) -> Receipt:
        """What is on record for the ref, if it is the same order."""
        recorded = await on_record(connection, receipt.ref)
        if (recorded.panel, recorded.fields) != (receipt.panel, receipt.fields):
            msg = f"the ref {receipt.ref!r} was used for another order: take a new one for each order"
            raise ValueError(msg)
        return recorded

    async def _sent(self, panel: AsyncClient, order: Order, receipt: Receipt) -> Receipt:
        """Send an order that is on record as being sent, and write down what became of it."""
        receipt = evolve(receipt, sent_at=self._clock(), error=None, message=None)
        receipt, mistake = await _answered(panel, order, receipt)
        receipt = evolve(receipt, settled_at=self._clock())
        async with self._database.transaction(receipt) as connection:
            await store.settle(connection, receipt)
            if receipt.order is not None:
                await following.adopt(connection, receipt.panel, [receipt.order], now=self._clock())
        if mistake is not None:
            raise mistake
        return receipt

    @asynccontextmanager
    async def _alone(self, ref: str) -> AsyncIterator[None]:
        """One caller of a ref at a time in this process: the second one has the first one's receipt."""
        lock = self._sending.setdefault(ref, anyio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.statistics().locked and not lock.statistics().tasks_waiting:
                self._sending.pop(ref, None)


async def _answered(panel: AsyncClient, order: Order, receipt: Receipt) -> tuple[Receipt, Exception | None]:
    """What became of an order, and what is to be raised besides: a mistake of the caller's, or what is not ours."""
    try:
        placed = await panel.add(order)
    except NotSentError as error:
        return _failed(receipt, ReceiptState.NOT_SENT, error), None
    except ConfigurationError as error:
        return _failed(receipt, ReceiptState.NOT_SENT, error), error
    except PanelError as error:
        return _failed(receipt, ReceiptState.REFUSED, error), None
    except FollowersDataError as error:
        return _failed(receipt, ReceiptState.UNKNOWN, error), None
    # A lent client's hook or a limiter of the user's may raise anything, at any moment: that proves nothing.
    except Exception as error:  # noqa: BLE001
        return _failed(receipt, ReceiptState.UNKNOWN, error), error
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


def _failed(receipt: Receipt, state: ReceiptState, error: Exception) -> Receipt:
    words = error.message if isinstance(error, FollowersDataError) else str(error)
    return evolve(receipt, state=state, error=type(error).__name__, message=words)


def check_name(what: str, name: object) -> None:
    """Refuse what no record can be found by.

    Raises:
        TypeError: it is no text.
        ValueError: it is empty, blank, or longer than 200 characters.
    """
    if not isinstance(name, str):
        msg = f"{what} is a text, not {type(name).__name__}"
        raise TypeError(msg)
    if not name.strip() or "\x00" in name or len(name) > _LONGEST_NAME:
        msg = f"{what} has {len(name)} characters; it must have 1 to {_LONGEST_NAME}, not all of them blank"
        raise ValueError(msg)
    check_encodable(what, name)
