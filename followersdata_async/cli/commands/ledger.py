"""``place``, ``track``, ``poll`` and ``ledger``: orders on record in a database."""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ..._serialization import format_amount
from ...client import AsyncClient
from ...errors import DecodeError, PanelError, TransportError
from ...models import OrderInput
from ..examples import EXAMPLES
from ..exit_codes import NETWORK, REFUSED, SOME_FAILED, SUCCESS, UNKNOWN
from ..input import UsageError
from ..live_view import LiveView, show_live_view
from ..options import (
    DEFAULT_CONNECTION,
    DEFAULT_CONSENT,
    DEFAULT_DATABASE,
    DEFAULT_IDS,
    DEFAULT_ORDER,
    DEFAULT_ORDER_FILE,
    ConnectionOptions,
    ConsentOptions,
    Database,
    IdArgument,
    IdOptions,
    OrderFileOptions,
    OrderOptions,
)
from ..order_file import OrderFile
from ..output import (
    CHANGE_COLUMNS,
    DEFAULT_OUTPUT,
    OutputOptions,
    change_to_row,
    to_row,
    write_json_line,
    write_row,
    write_rows,
)
from ..progress import print_message, show_spinner
from ..signals import get_interrupt_handler
from .add import submit_order
from .place_file import place_file
from .reconcile import FINDING_COLUMNS, finding_to_row, settle_findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...ledger import Ledger, Receipt

_DAY = 86_400
RECEIPT_COLUMNS = ("ref", "state", "order", "charge", "currency", "cost", "error", "message")


async def place(
    *,
    ref: str | None = None,
    service: str | None = None,
    many: OrderFileOptions = DEFAULT_ORDER_FILE,
    order: OrderOptions = DEFAULT_ORDER,
    consent: ConsentOptions = DEFAULT_CONSENT,
    db: Database = DEFAULT_DATABASE,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> int:
    """Place an order, or those of a CSV file, each once under a name of yours. The same command again sends nothing.

    Parameters
    ----------
    ref
        The order's name, e.g. of a cart. Only an order that is proven not to have been sent is sent again.
    service
        The service's id, from `followersdata services`. With --file it is that of all lines.
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    """
    from ...ledger import Ledger

    if many.file is not None:
        if ref is not None or order != DEFAULT_ORDER:
            msg = "with --file, refs and fields are columns of the file: leave out --ref and the options of an order"
            raise UsageError(msg)
        file = OrderFile(many.file, many.ref_column, service, many.ignored_columns)
        consent.check()
        return await place_file(file, many.results_file, consent, db, connection, output)
    if ref is None or service is None:
        msg = "give --ref and --service for one order, or --file for many"
        raise UsageError(msg)
    consent.check()
    async with connection.create_client() as client:

        async def send(order: OrderInput, cost: Decimal | None) -> int:
            with get_interrupt_handler().finish_in_flight():
                async with Ledger(db) as ledger:
                    with show_spinner(f"ordering {ref} …"):
                        balance = await _read_balance(client)
                        receipt = await ledger.place(
                            client, order, ref=ref, panel=connection.panel, cost=cost, balance_before=balance
                        )
            write_row(to_row(receipt), RECEIPT_COLUMNS, output)
            return _report_receipt(receipt)

        async def find_settled(order: OrderInput) -> int | None:
            async with Ledger(db) as ledger:
                receipt = (await ledger.receipts([ref])).get(ref)
            if receipt is None or receipt.can_be_sent:
                return None
            if (receipt.panel, receipt.fields) != (connection.panel, order.fields()):
                msg = f"the ref {ref!r} was used for another order: take a new one for each order"
                raise UsageError(msg)
            print_message(f"{ref} is on record as {receipt.state.value}, and nothing was sent")
            write_row(to_row(receipt), RECEIPT_COLUMNS, output)
            return _report_receipt(receipt)

        return await submit_order(client, service, order, consent, output, send, find_settled=find_settled)


async def _read_balance(client: AsyncClient) -> Decimal | None:
    """Return the balance, by which an order whose outcome is unknown can be settled. Ordering does not fail for it."""
    try:
        return (await client.balance()).balance
    except (PanelError, TransportError, DecodeError):
        return None


def _report_receipt(receipt: Receipt) -> int:
    """Return the exit code of a receipt. If the outcome is unknown, print what to do."""
    from ...ledger import ReceiptState

    match receipt.state:
        case ReceiptState.INTENDED | ReceiptState.PLACED:
            return SUCCESS
        case ReceiptState.REFUSED:
            return REFUSED
        case ReceiptState.NOT_SENT:
            return NETWORK
        case ReceiptState.UNKNOWN:
            print_message(
                "nobody knows whether it was placed: look at the panel, then `followersdata ledger reconcile`, "
                f"or `followersdata ledger resolve {receipt.ref} …`"
            )
            return UNKNOWN


async def track(
    *ids: IdArgument, source: IdOptions = DEFAULT_IDS, profile: str = "main", db: Database = DEFAULT_DATABASE
) -> int:
    """Follow orders that were placed elsewhere; those of `place` are followed anyway.

    Parameters
    ----------
    ids
        The orders' ids; - reads them from standard input.
    profile
        Whose orders they are: the name with which `poll` looks at them.
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    """
    from ...ledger import Ledger

    order_ids = source.read_ids(ids)
    async with Ledger(db) as ledger:
        with show_spinner(f"writing {len(order_ids):,} ids down …"):
            added = await ledger.track(order_ids, panel=profile)
    print_message(f"{added:,} of {len(order_ids):,} are new")
    return SUCCESS


async def poll(
    *,
    once: Annotated[bool, Parameter(negative=())] = False,
    max_requests: int = 10,
    db: Database = DEFAULT_DATABASE,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> int:
    """Look at the orders that a ledger follows, whenever they are due, and write a line of JSON for each change.

    Parameters
    ----------
    once
        Look at what is due now, write what changed, and end.
    max_requests
        With --once: how many requests at the most.
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    """
    async with connection.create_client() as client:
        if once:
            return await _poll_once(client, db, connection.panel, max_requests, output)
        return await _poll_until_interrupted(client, db, connection.panel)


async def _poll_once(client: AsyncClient, db: str, panel: str, max_requests: int, output: OutputOptions) -> int:
    """Poll the orders of a panel that are due now, and write their changes."""
    async with _open_ledger(db) as ledger:
        with show_spinner("looking at what is due …"):
            report = await ledger.poll_once(client, panel=panel, max_requests=max_requests)
    write_rows([change_to_row(change) for change in report.changes], CHANGE_COLUMNS, output)
    print_message(
        f"{report.orders:,} orders: {len(report.changes):,} changed, {report.final:,} final, "
        f"{report.failed:,} failed; {report.requests:,} requests"
    )
    return SOME_FAILED if report.failed else SUCCESS


async def _poll_until_interrupted(client: AsyncClient, db: str, panel: str) -> int:
    """Poll the orders of a panel, write each change as a line of JSON, and show a live view."""
    async with _open_ledger(db) as ledger, ledger.poll(client, panel=panel) as changes:
        view = LiveView(await ledger.counts(panel=panel))
        with show_live_view(view, OutputOptions(format="jsonl")):
            async for change in changes:
                view.record_change(change, changes.requests)
                write_json_line(change_to_row(change), flush=True)
    return SUCCESS


ledger: App = App(
    name="ledger",
    help="Orders on record: look, and settle what nobody knew.",
    help_format="plaintext",
    help_epilogue=EXAMPLES["ledger"],
)


@ledger.command(name="show", help_epilogue=EXAMPLES["ledger show"])
async def ledger_show(ref: str, *, db: Database = DEFAULT_DATABASE, output: OutputOptions = DEFAULT_OUTPUT) -> int:
    """Show what is on record for a ref.

    Parameters
    ----------
    ref
        The order's name.
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    """
    async with _open_ledger(db) as ledger:
        with _report_missing_ref():
            write_row(to_row(await ledger.receipt(ref)), RECEIPT_COLUMNS, output)
    return SUCCESS


@ledger.command(name="unknown", help_epilogue=EXAMPLES["ledger unknown"])
async def ledger_unknown(*, db: Database = DEFAULT_DATABASE, output: OutputOptions = DEFAULT_OUTPUT) -> int:
    """List the orders of which nobody knows whether they were placed, with the money at risk.

    Parameters
    ----------
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    """
    async with _open_ledger(db) as ledger:
        receipts = [receipt async for receipt in ledger.unknown()]
    write_rows([to_row(receipt) for receipt in receipts], RECEIPT_COLUMNS, output)
    costs = [receipt.cost for receipt in receipts if receipt.cost is not None]
    risk = f", {format_amount(sum(costs, Decimal(0)))} at risk" if costs else ""
    hint = "; settle them with `followersdata ledger reconcile`" if receipts else ""
    print_message(f"{len(receipts):,} unknown{risk}{hint}")
    return UNKNOWN if receipts else SUCCESS


@ledger.command(name="reconcile", help_epilogue=EXAMPLES["ledger reconcile"])
async def ledger_reconcile(
    *,
    db: Database = DEFAULT_DATABASE,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> int:
    """Show what is known of each order whose outcome is unknown, and on a terminal ask what became of it.

    An order id that you type is looked up at the panel before it is accepted.

    Parameters
    ----------
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    """
    async with connection.create_client() as client, _open_ledger(db) as ledger:
        with show_spinner("reading the balance …"):
            findings = [found async for found in ledger.reconcile(client, panel=connection.panel)]
        if sys.stdin.isatty() and sys.stderr.isatty() and output.format == "table":
            return await settle_findings(ledger, client, findings)
    write_rows([finding_to_row(found) for found in findings], FINDING_COLUMNS, output)
    print_message(f"{len(findings):,} unknown")
    return UNKNOWN if findings else SUCCESS


@ledger.command(name="resolve", help_epilogue=EXAMPLES["ledger resolve"])
async def ledger_resolve(
    ref: str,
    *,
    order: str | None = None,
    not_placed: Annotated[bool, Parameter(negative=())] = False,
    db: Database = DEFAULT_DATABASE,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> int:
    """Settle an order whose outcome was unknown, after you have looked at the panel.

    Parameters
    ----------
    ref
        The order's name.
    order
        It was placed: its id at the panel.
    not_placed
        It was not placed, and may be placed again.
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    """
    if (order is None) != not_placed:
        msg = "say what you found: --order with its id at the panel, or --not-placed"
        raise UsageError(msg)
    async with _open_ledger(db) as ledger:
        with _report_missing_ref():
            receipt = await ledger.resolve(ref, order=order, placed=not not_placed)
            write_row(to_row(receipt), RECEIPT_COLUMNS, output)
    return SUCCESS


@ledger.command(name="prune", help_epilogue=EXAMPLES["ledger prune"])
async def ledger_prune(*, older_than: float, db: Database = DEFAULT_DATABASE) -> int:
    """Delete old changes, final orders and settled receipts. Their refs stay refused.

    Parameters
    ----------
    older_than
        How many days old, at least 1.
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    """
    if not 1 <= older_than < math.inf:
        msg = f"--older-than must be at least 1 day, got {older_than:g}"
        raise UsageError(msg)
    async with _open_ledger(db) as ledger:
        with show_spinner("pruning …"):
            report = await ledger.prune(older_than=older_than * _DAY)
    print_message(f"{report.receipts:,} receipts, {report.orders:,} orders and {report.changes:,} changes deleted")
    return SUCCESS


@ledger.command(name="upgrade", help_epilogue=EXAMPLES["ledger upgrade"])
async def ledger_upgrade(*, db: Database = DEFAULT_DATABASE) -> int:
    """Bring a ledger of an older version to this one's schema.

    Parameters
    ----------
    db
        The ledger: sqlite:///file.db or postgresql://user@host/database.
    """
    from ...ledger import Ledger

    print_message(f"the ledger has the schema {await Ledger(db).upgrade()}")
    return SUCCESS


def _open_ledger(db: str) -> Ledger:
    """Return a ledger that exists already. An empty one, made by mistake, would look like an all-clear.

    Raises:
        UsageError: the file does not exist.
    """
    from ...ledger import Ledger

    ledger = Ledger(db)
    # Imported after the ledger, whose import says which extra is missing.
    from sqlalchemy import make_url

    url = make_url(db)
    file = url.database or ""
    is_file = url.get_backend_name() == "sqlite" and file not in {"", ":memory:"} and "uri" not in url.query
    if is_file and not Path(file).exists():
        msg = f"there is no ledger in {Path(file).absolute()}: go to its folder, or name it with --db"
        raise UsageError(msg)
    return ledger


@contextmanager
def _report_missing_ref() -> Iterator[None]:
    """Turn the error for a ref that is not on record into a mistake in the command line."""
    try:
        yield
    except LookupError as error:
        raise UsageError(*error.args) from error
