"""The SQL for intents and their receipts, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    Double,
    Text,
    and_,
    any_,
    bindparam,
    case,
    delete,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from .._serialization import format_amount
from .._wire.scalars import parse_id
from ..models import ACCOUNT_ERRORS, Receipt, ReceiptState
from .schema import INTENTS, USED_REFS
from .texts import clean_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from ..models import Id

SENDING = "sending"
"""On record before the first byte leaves. To any reader it means: it may have been sent."""
_CAN_BE_SENT = or_(
    INTENTS.c.state.in_([ReceiptState.INTENDED.value, ReceiptState.NOT_SENT.value]),
    and_(INTENTS.c.state == ReceiptState.REFUSED.value, INTENTS.c.error.in_(ACCOUNT_ERRORS)),
)
"""As ``Receipt.can_be_sent``."""
_FREE_OF_COST = (ReceiptState.REFUSED, ReceiptState.NOT_SENT)
_MAX_SHOWN = 200
_SETTLE = (
    update(INTENTS)
    .where(
        INTENTS.c.ref == bindparam("new_ref"),
        or_(
            bindparam("is_placed", type_=Boolean),
            and_(
                # An IN cannot be executed for many rows.
                or_(INTENTS.c.state == SENDING, INTENTS.c.state == ReceiptState.UNKNOWN.value),
                # A late outcome says nothing of a newer attempt.
                INTENTS.c.sent_at == bindparam("new_sent_at", type_=Double),
            ),
        ),
    )
    .values(
        {column.name: bindparam(f"new_{column.name}") for column in INTENTS.columns if column.name != "counted_at"}
        | {
            "counted_at": case(
                (bindparam("is_free", type_=Boolean), null()),
                else_=func.coalesce(INTENTS.c.counted_at, bindparam("new_counted_at", type_=Double)),
            )
        }
    )
)


async def find_intents(connection: AsyncConnection, refs: Sequence[str]) -> dict[str, Receipt]:
    """Return what is on record for some refs, by ref."""
    rows = await connection.execute(select(INTENTS).where(match_refs(connection, INTENTS.c.ref, refs)))
    return {row.ref: decode_row(row) for row in rows}


async def find_used_refs(connection: AsyncConnection, refs: Sequence[str]) -> set[str]:
    """Return the refs whose receipts were pruned."""
    rows = await connection.execute(select(USED_REFS).where(match_refs(connection, USED_REFS.c.ref, refs)))
    return set(rows.scalars())


async def insert_intents(
    connection: AsyncConnection, receipts: Sequence[Receipt], *, now: float, sending: bool
) -> set[str]:
    """Write intents, as being sent since now if ``sending``. Return the refs that are new.

    Raises:
        ValueError: the receipt of a ref was pruned; none of those is written.
    """
    if not receipts:
        return set()
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    rows = []
    # Sorted, so that two programs that write the same refs wait for each other without a deadlock.
    for receipt in sorted(receipts, key=attrgetter("ref")):
        row = _encode_row(receipt) | {"counted_at": now}
        rows.append(row | {"state": SENDING, "sent_at": now} if sending else row)
    statement = insert(INTENTS).on_conflict_do_nothing().returning(INTENTS.c.ref)
    new = set((await connection.execute(statement, rows)).scalars())
    # Asked again after writing: until then, a ref can move from the intents to the used refs between two statements.
    if new and (pruned := await find_used_refs(connection, [*new])):
        # Deleted, because the transaction may be the caller's, who may commit it.
        await connection.execute(delete(INTENTS).where(match_refs(connection, INTENTS.c.ref, [*pruned])))
        raise make_pruned_error(min(pruned))
    return new


def make_pruned_error(ref: str) -> ValueError:
    """Return the error for a ref whose receipt was pruned."""
    return ValueError(f"the ref {ref!r} was used for an order whose receipt was pruned: take a new one for each order")


async def renew_intents(connection: AsyncConnection, refs: Sequence[str], *, now: float) -> None:
    """Count orders that can be sent as spent from now on."""
    await lock_intents(connection, refs)
    await connection.execute(
        update(INTENTS)
        .where(match_refs(connection, INTENTS.c.ref, refs), _CAN_BE_SENT)
        .values(state=ReceiptState.INTENDED.value, counted_at=now)
    )


async def release_intents(connection: AsyncConnection, refs: Sequence[str]) -> None:
    """Count orders that can be sent as not spent, until they are renewed or claimed."""
    await lock_intents(connection, refs)
    await connection.execute(
        update(INTENTS).where(match_refs(connection, INTENTS.c.ref, refs), _CAN_BE_SENT).values(counted_at=None)
    )


async def find_uncounted(connection: AsyncConnection, refs: Sequence[str], *, since: float) -> set[str]:
    """Return the refs of orders that do not count as spent since a time."""
    rows = await connection.execute(
        select(INTENTS.c.ref).where(
            match_refs(connection, INTENTS.c.ref, refs),
            or_(INTENTS.c.counted_at.is_(None), INTENTS.c.counted_at <= since),
        )
    )
    return set(rows.scalars())


async def set_cost(connection: AsyncConnection, ref: str, cost: Decimal) -> None:
    """Write the cost of an intent that had none."""
    await connection.execute(update(INTENTS).where(INTENTS.c.ref == ref).values(cost=_encode_amount(cost)))


async def lock_intents(connection: AsyncConnection, refs: Sequence[str]) -> None:
    """Lock intents in the order of their refs, so that programs with the same refs wait without a deadlock."""
    if connection.dialect.name == "postgresql" and refs:
        locked = (
            select(INTENTS.c.ref)
            .where(match_refs(connection, INTENTS.c.ref, refs))
            .order_by(INTENTS.c.ref)
            .with_for_update()
        )
        await connection.execute(locked)


async def claim_intents(
    connection: AsyncConnection, refs: Sequence[str], *, now: float, skip_locked: bool = False
) -> set[str]:
    """Claim intents that were not sent. Return the refs that are ours now.

    With ``skip_locked``, those that another program claims at this moment are left
    out without waiting, which could end in a deadlock of programs with many refs.
    """
    free = (
        select(INTENTS.c.ref)
        .where(match_refs(connection, INTENTS.c.ref, refs), _CAN_BE_SENT)
        .with_for_update(skip_locked=skip_locked)
    )
    ours = (await connection.execute(free)).scalars().all()
    if ours:
        await connection.execute(
            update(INTENTS)
            .where(match_refs(connection, INTENTS.c.ref, ours))
            .values(state=SENDING, sent_at=now, counted_at=now, settled_at=None, error=None, message=None)
        )
    return set(ours)


async def get_receipt(connection: AsyncConnection, ref: str) -> Receipt:
    """Return the receipt of a ref.

    Raises:
        LookupError: nothing is on record for it.
    """
    row = (await connection.execute(select(INTENTS).where(INTENTS.c.ref == ref))).first()
    if row is None:
        msg = f"nothing is on record for the ref {ref[:_MAX_SHOWN]!r}"
        raise LookupError(msg)
    return decode_row(row)


async def settle(connection: AsyncConnection, receipts: Sequence[Receipt]) -> None:
    """Write the outcomes of orders that were being sent, unless they were decided or sent again in the meantime.

    "Placed" is always written: it is the truth.
    """
    rows = [
        {f"new_{name}": value for name, value in _encode_row(receipt).items()}
        | {
            "is_placed": receipt.state is ReceiptState.PLACED,
            "is_free": receipt.state in _FREE_OF_COST,
            "new_counted_at": receipt.sent_at or receipt.intended_at,
        }
        for receipt in sorted(receipts, key=attrgetter("ref"))
    ]
    await connection.execute(_SETTLE, rows)


async def withdraw_intents(
    connection: AsyncConnection, refs: Sequence[str], *, error: str | None, message: str, now: float
) -> None:
    """Settle intents that are not going to be sent as not sent."""
    await lock_intents(connection, refs)
    await connection.execute(
        update(INTENTS)
        .where(match_refs(connection, INTENTS.c.ref, refs), _CAN_BE_SENT)
        .values(state=ReceiptState.NOT_SENT.value, error=error, message=message, settled_at=now, counted_at=None)
    )


async def find_ref_of_order(connection: AsyncConnection, panel: str, order: Id) -> str | None:
    """Return the ref under which an order is on record as placed."""
    found = select(INTENTS.c.ref).where(INTENTS.c.panel == panel, INTENTS.c.order_id == str(order)).limit(1)
    ref: str | None = (await connection.execute(found)).scalar()
    return ref


async def count_unknown(connection: AsyncConnection, *, sent_before: float) -> int:
    """Count the orders whose outcome is unknown since a time."""
    unknown = select(func.count()).where(
        INTENTS.c.state.in_([SENDING, ReceiptState.UNKNOWN.value]), INTENTS.c.sent_at < sent_before
    )
    return int((await connection.execute(unknown)).scalar_one())


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
    return [decode_row(row) for row in rows]


def match_refs(connection: AsyncConnection, column: ColumnElement[str], refs: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that selects some refs, with one parameter for all of them."""
    if connection.dialect.name == "postgresql":
        return column == any_(literal(list(refs), postgresql.ARRAY(Text)))
    each = func.json_each(json.dumps(list(refs))).table_valued("value")
    return column.in_(select(each.c.value))


def encode_fields(fields: Mapping[str, str]) -> str:
    """Encode an order's fields as a string, the same for the same fields."""
    return json.dumps(dict(fields), sort_keys=True, ensure_ascii=False)


def _encode_row(receipt: Receipt) -> dict[str, object]:
    return {
        "ref": receipt.ref,
        "panel": receipt.panel,
        "fields": encode_fields(receipt.fields),
        "state": receipt.state.value,
        "order_id": None if receipt.order is None else clean_text(str(receipt.order)),
        "charge": _encode_amount(receipt.charge),
        "currency": None if receipt.currency is None else clean_text(receipt.currency),
        "error": receipt.error,
        "message": None if receipt.message is None else clean_text(receipt.message),
        "cost": _encode_amount(receipt.cost),
        "balance_before": _encode_amount(receipt.balance_before),
        "intended_at": receipt.intended_at,
        "sent_at": receipt.sent_at,
        "settled_at": receipt.settled_at,
    }


def decode_row(row: Row[Any]) -> Receipt:
    """Return the receipt of a row."""
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
