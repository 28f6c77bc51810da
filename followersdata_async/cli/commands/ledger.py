"""Orders on record: placed once under a ref, looked up, and settled when nobody knew."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, final

from attrs import frozen

from ...ledger import Ledger, ReceiptState
from ..exit_codes import NETWORK, REFUSED, SOME_FAILED, SUCCESS, UNKNOWN
from ..input import UsageError
from ..live_view import LiveView, show_live_view
from ..output import Format, Row, to_row, write_json_line, write_row, write_rows
from ..progress import print_message, show_spinner
from ..signals import get_interrupt_handler

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from ...client import AsyncClient
    from ...ledger import Receipt
    from ...models import Change, Id
    from ...orders import Order


@final
@frozen(kw_only=True)
class Place:
    """Where an order is written down: under which ref, in which ledger, as whose."""

    ref: str
    db: str
    panel: str


CHANGE_COLUMNS = ("order", "before", "status", "charge", "start_count", "remains", "currency")
COLUMNS = ("ref", "state", "order", "charge", "currency", "cost", "error", "message")
_CODES = {
    ReceiptState.INTENDED: SUCCESS,
    ReceiptState.PLACED: SUCCESS,
    ReceiptState.REFUSED: REFUSED,
    ReceiptState.NOT_SENT: NETWORK,
    ReceiptState.UNKNOWN: UNKNOWN,
}


async def recorded(client: AsyncClient, order: Order, cost: Decimal | None, place: Place, format: Format) -> int:
    """Place an order under a ref, write its receipt, and return the exit code that it stands for."""
    with get_interrupt_handler().finish_in_flight():
        async with Ledger(place.db) as ledger:
            with show_spinner(f"ordering {place.ref} …"):
                receipt = await ledger.place(client, order, ref=place.ref, name=place.panel, cost=cost)
    write_row(to_row(receipt), COLUMNS, format)
    if receipt.state is ReceiptState.UNKNOWN:
        print_message(
            f"nobody knows whether it was placed: look at the panel, then `followersdata ledger resolve {place.ref} …`"
        )
    return _CODES[receipt.state]


async def tracked(ids: Sequence[Id], db: str, name: str) -> int:
    """Follow orders that were placed elsewhere, at the panel of this name."""
    async with Ledger(db) as ledger:
        with show_spinner(f"writing {len(ids):,} ids down …"):
            new = await ledger.track(ids, panel=name)
    print_message(f"{new:,} of {len(ids):,} are new")
    return SUCCESS


async def polled_once(client: AsyncClient, db: str, name: str, batches: int, format: Format) -> int:
    """Look at what is due at the panel of this name, and write what changed."""
    async with _existing(db) as ledger:
        with show_spinner("looking at what is due …"):
            report = await ledger.poll_once(client, name=name, max_requests=batches)
    write_rows([_row_of_change(change) for change in report.changes], CHANGE_COLUMNS, format)
    print_message(
        f"{report.orders:,} orders: {len(report.changes):,} changed, {report.final:,} final, "
        f"{report.failed:,} failed; {report.requests:,} requests"
    )
    return SOME_FAILED if report.failed else SUCCESS


async def polled(client: AsyncClient, db: str, name: str) -> int:
    """Write each change as a line of JSON, with a live view, until it is interrupted."""
    async with _existing(db) as ledger, ledger.poll(client, name=name) as changes:
        view = LiveView(await ledger.counts(panel=name))
        with show_live_view(view, "jsonl"):
            async for change in changes:
                view.record_change(change, changes.requests)
                write_json_line(_row_of_change(change))
                sys.stdout.flush()
    return SUCCESS


def _row_of_change(change: Change) -> Row:
    before = None if change.before is None else change.before.status
    return {"order": change.order, "before": before, **to_row(change.after)}


async def shown(ref: str, db: str, format: Format) -> int:
    """Write what is on record for a ref."""
    async with _existing(db) as ledger:
        with _a_ref_on_record():
            write_row(to_row(await ledger.receipt(ref)), COLUMNS, format)
    return SUCCESS


async def listed(db: str, format: Format) -> int:
    """Write the orders of which nobody knows whether they were placed, and say what they may have cost."""
    async with _existing(db) as ledger:
        receipts = [receipt async for receipt in ledger.unknown()]
    write_rows([to_row(receipt) for receipt in receipts], COLUMNS, format)
    print_message(f"{len(receipts):,} unknown{_risk_of(receipts)}")
    return UNKNOWN if receipts else SUCCESS


def _risk_of(receipts: list[Receipt]) -> str:
    costs = [receipt.cost for receipt in receipts if receipt.cost is not None]
    return f", {sum(costs)} at risk" if costs else ""


async def settled(ref: str, order: Id | None, db: str, format: Format, *, placed: bool) -> int:
    """Settle an unknown order, and write its receipt."""
    if (order is None) is placed:
        msg = "say what you found: --order with its id at the panel, or --not-placed"
        raise UsageError(msg)
    async with _existing(db) as ledger:
        with _a_ref_on_record():
            write_row(to_row(await ledger.resolve(ref, order=order, placed=placed)), COLUMNS, format)
    return SUCCESS


def _existing(db: str) -> Ledger:
    """A ledger that is there: who looks into an empty one by mistake would take it for an all-clear.

    Raises:
        UsageError: there is no such file.
    """
    from sqlalchemy import make_url

    ledger = Ledger(db)
    url = make_url(db)
    file = url.database or ""
    is_file = url.get_backend_name() == "sqlite" and file not in {"", ":memory:"} and "uri" not in url.query
    if is_file and not Path(file).exists():
        msg = f"there is no ledger in {Path(file).absolute()}: go to its folder, or name it with --db"
        raise UsageError(msg)
    return ledger


@contextmanager
def _a_ref_on_record() -> Iterator[None]:
    try:
        yield
    except LookupError as error:
        raise UsageError(*error.args) from error


async def upgraded(db: str) -> int:
    """Bring a ledger to this version's schema."""
    print_message(f"the ledger has the schema {await Ledger(db).upgrade()}")
    return SUCCESS
