"""All SQL of the ledger, for SQLite and PostgreSQL alike."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from .._wire.scalars import parse_id
from .receipts import Receipt, ReceiptState
from .tables import INTENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

SENDING = "sending"
"""On record before the first byte leaves. Whoever reads it cannot know more than that it may have left."""


async def intend(connection: AsyncConnection, receipt: Receipt, *, sending: bool) -> bool:
    """Write an intent down; whether its ref was new."""
    row = _row_of(receipt)
    if sending:
        row |= {"state": SENDING, "sent_at": receipt.intended_at}
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    new = insert(INTENTS).values(row).on_conflict_do_nothing().returning(INTENTS.c.ref)
    return (await connection.execute(new)).scalar() is not None


async def begin_sending(connection: AsyncConnection, ref: str, *, now: float) -> bool:
    """Claim an intent that has not left; whether it is ours now."""
    claim = (
        update(INTENTS)
        .where(INTENTS.c.ref == ref, INTENTS.c.state.in_([ReceiptState.INTENDED.value, ReceiptState.NOT_SENT.value]))
        .values(state=SENDING, sent_at=now, settled_at=None, error=None, message=None)
        .returning(INTENTS.c.ref)
    )
    return (await connection.execute(claim)).scalar() is not None


async def receipt_of(connection: AsyncConnection, ref: str) -> Receipt | None:
    """What is on record for a ref."""
    row = (await connection.execute(select(INTENTS).where(INTENTS.c.ref == ref))).first()
    return None if row is None else _receipt_from(row)


async def settle(connection: AsyncConnection, receipt: Receipt) -> bool:
    """Write down what became of an order that was being sent; whether it was on record as such.

    That it was placed is written in any case: it is the truth, whatever was decided meanwhile.
    """
    is_open = INTENTS.c.state.in_([SENDING, ReceiptState.UNKNOWN.value])
    settled = update(INTENTS).where(INTENTS.c.ref == receipt.ref).values(_row_of(receipt)).returning(INTENTS.c.ref)
    if receipt.state is not ReceiptState.PLACED:
        settled = settled.where(is_open)
    return (await connection.execute(settled)).scalar() is not None


async def open_receipts(
    connection: AsyncConnection, states: Sequence[str], *, after: Receipt | None, limit: int
) -> list[Receipt]:
    """Intents in some states, the oldest first, a page of them."""
    page = select(INTENTS).where(INTENTS.c.state.in_(states))
    if after is not None:
        page = page.where(
            or_(
                INTENTS.c.intended_at > after.intended_at,
                and_(INTENTS.c.intended_at == after.intended_at, INTENTS.c.ref > after.ref),
            )
        )
    rows = await connection.execute(page.order_by(INTENTS.c.intended_at, INTENTS.c.ref).limit(limit))
    return [_receipt_from(row) for row in rows]


def fields_text(fields: Mapping[str, str]) -> str:
    """An order's fields as one text, the same for the same fields."""
    return json.dumps(dict(fields), sort_keys=True, ensure_ascii=False)


def _row_of(receipt: Receipt) -> dict[str, object]:
    return {
        "ref": receipt.ref,
        "panel": receipt.panel,
        "fields": fields_text(receipt.fields),
        "state": receipt.state.value,
        "order_id": None if receipt.order is None else str(receipt.order),
        "charge": _text(receipt.charge),
        "currency": receipt.currency,
        "error": receipt.error,
        "message": receipt.message,
        "cost": _text(receipt.cost),
        "balance_before": _text(receipt.balance_before),
        "intended_at": receipt.intended_at,
        "sent_at": receipt.sent_at,
        "settled_at": receipt.settled_at,
    }


def _receipt_from(row: Row[Any]) -> Receipt:
    return Receipt(
        ref=row.ref,
        panel=row.panel,
        state=ReceiptState.UNKNOWN if row.state == SENDING else ReceiptState(row.state),
        fields=json.loads(row.fields),
        order=None if row.order_id is None else parse_id(row.order_id),
        charge=_money(row.charge),
        currency=row.currency,
        error=row.error,
        message=row.message,
        cost=_money(row.cost),
        balance_before=_money(row.balance_before),
        intended_at=row.intended_at,
        sent_at=row.sent_at,
        settled_at=row.settled_at,
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
