"""What the ledger knows of an order that was to be placed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum, unique
from typing import final

from attrs import frozen

from .._serialization import Serializable
from ..models import Id


@final
@unique
class ReceiptState(Enum):
    """What became of an order, as far as it is on record."""

    INTENDED = "intended"
    """Written down, and not sent yet."""
    PLACED = "placed"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    """Proven: it did not leave. The same ref may be placed again."""
    UNKNOWN = "unknown"
    """It was being sent, and no answer is on record. It is never sent again: look, then ``resolve``."""


@final
@frozen(kw_only=True)
class Receipt(Serializable):
    """An order under a name of the caller's, and what became of it. Times are seconds since 1970.

    ``fields`` are the order's, as they are sent. ``order`` is the panel's id of
    it. ``error`` and ``message`` are the exception's class and words, where
    there was one. ``cost`` and ``balance_before`` are what the caller knew:
    the money at risk, and what to compare the balance with.
    """

    ref: str
    panel: str
    state: ReceiptState
    fields: Mapping[str, str]
    order: Id | None = None
    charge: Decimal | None = None
    currency: str | None = None
    error: str | None = None
    message: str | None = None
    cost: Decimal | None = None
    balance_before: Decimal | None = None
    intended_at: float
    sent_at: float | None = None
    settled_at: float | None = None


@final
@frozen(kw_only=True)
class Evidence(Serializable):
    """What helps to decide what became of an order whose outcome is unknown. Code never decides it.

    ``spent`` is what the balance fell by since before the order, ``None``
    where that is not on record; other orders of the same account count, too.
    """

    receipt: Receipt
    balance: Decimal
    currency: str | None
    spent: Decimal | None
