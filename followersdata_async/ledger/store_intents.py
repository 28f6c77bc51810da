"""The SQL for intents and their receipts, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from .._serialization import format_amount
from .._wire.scalars import parse_id
from ..models import Receipt, ReceiptState
from .schema import INTENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

SENDING = "sending"
"""On record before the first byte leaves. To any reader it means: it may have been sent."""
_MAX_SHOWN = 200


async def insert_intent(connection: AsyncConnection, receipt: Receipt, *, sending: bool) -> bool:
    """Write an intent. Return whether its ref is new."""
    row = _encode_row(receipt)
    if sending:
        row |= {"state": SENDING, "sent_at": receipt.intended_at}
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    new = insert(INTENTS).values(row).on_conflict_do_nothing().returning(INTENTS.c.ref)
    return (await connection.execute(new)).scalar() is not None


async def claim_intent(connection: AsyncConnection, ref: str, *, now: float) -> bool:
    """Claim an intent that was not sent. Return whether it is ours now."""
    claim = (
        update(INTENTS)
        .where(INTENTS.c.ref == ref, INTENTS.c.state.in_([ReceiptState.INTENDED.value, ReceiptState.NOT_SENT.value]))
        .values(state=SENDING, sent_at=now, settled_at=None, error=None, message=None)
        .returning(INTENTS.c.ref)
    )
    return (await connection.execute(claim)).scalar() is not None


async def get_receipt(connection: AsyncConnection, ref: str) -> Receipt:
    """Return the receipt of a ref.

    Raises:
        LookupError: nothing is on record for it.
    """
    row = (await connection.execute(select(INTENTS).where(INTENTS.c.ref == ref))).first()
    if row is None:
        msg = f"nothing is on record for the ref {ref[:_MAX_SHOWN]!r}"
        raise LookupError(msg)
    return _decode_row(row)


async def settle(connection: AsyncConnection, receipt: Receipt) -> bool:
    """Write the outcome of an order that was being sent. Return whether it was still open.

    "Placed" is always written: it is the truth, whatever was decided in the meantime.
    """
    is_open = INTENTS.c.state.in_([SENDING, ReceiptState.UNKNOWN.value])
    statement = (
        update(INTENTS).where(INTENTS.c.ref == receipt.ref).values(_encode_row(receipt)).returning(INTENTS.c.ref)
    )
    if receipt.state is not ReceiptState.PLACED:
        statement = statement.where(is_open)
    return (await connection.execute(statement)).scalar() is not None


async def read_receipts(
    connection: AsyncConnection, states: Sequence[str], *, after: Receipt | None, limit: int
) -> list[Receipt]:
    """Return the next page of the receipts in some states, the oldest first."""
    page = select(INTENTS).where(INTENTS.c.state.in_(states))
    if after is not None:
        page = page.where(
            or_(
                INTENTS.c.intended_at > after.intended_at,
                and_(INTENTS.c.intended_at == after.intended_at, INTENTS.c.ref > after.ref),
            )
        )
    rows = await connection.execute(page.order_by(INTENTS.c.intended_at, INTENTS.c.ref).limit(limit))
    return [_decode_row(row) for row in rows]


def encode_fields(fields: Mapping[str, str]) -> str:
    """Encode an order's fields as a string, the same for the same fields."""
    return json.dumps(dict(fields), sort_keys=True, ensure_ascii=False)


def _encode_row(receipt: Receipt) -> dict[str, object]:
    return {
        "ref": receipt.ref,
        "panel": receipt.panel,
        "fields": encode_fields(receipt.fields),
        "state": receipt.state.value,
        "order_id": None if receipt.order is None else str(receipt.order),
        "charge": _encode_amount(receipt.charge),
        "currency": receipt.currency,
        "error": receipt.error,
        "message": receipt.message,
        "cost": _encode_amount(receipt.cost),
        "balance_before": _encode_amount(receipt.balance_before),
        "intended_at": receipt.intended_at,
        "sent_at": receipt.sent_at,
        "settled_at": receipt.settled_at,
    }


def _decode_row(row: Row[Any]) -> Receipt:
    return Receipt(
        ref=row.ref,
        panel=row.panel,
        state=ReceiptState.UNKNOWN if row.state == SENDING else ReceiptState(row.state),
        fields=json.loads(row.fields),
        order=None if row.order_id is None else parse_id(row.order_id),
        charge=_decode_amount(row.charge),
        currency=row.currency,
        error=row.error,
        message=row.message,
        cost=_decode_amount(row.cost),
        balance_before=_decode_amount(row.balance_before),
        intended_at=row.intended_at,
        sent_at=row.sent_at,
        settled_at=row.settled_at,
    )


def _encode_amount(amount: Decimal | None) -> str | None:
    return None if amount is None else format_amount(amount)


def _decode_amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
