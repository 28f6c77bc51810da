"""``place --file``: the orders of a CSV file, each placed once, also if the command is run again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field

from ..._serialization import format_amount
from ...client import AsyncClient
from ...errors import FollowersDataError
from ...models import ReceiptState, Service, format_id
from ..exit_codes import INTERRUPTED, NETWORK, SOME_FAILED, SUCCESS, UNKNOWN, get_exit_code
from ..input import UsageError
from ..options import ConnectionOptions, ConsentOptions, confirm
from ..order_file import OrderFile, limit_problems
from ..output import CsvWriter, OutputOptions, Row, to_row, write_rows
from ..progress import print_message, show_bar, show_spinner
from ..signals import FailedAfterWriteError, get_interrupt_handler

if TYPE_CHECKING:
    from ...ledger import Ledger, Placements, Receipt

_COLUMNS = ("ref", "state", "order", "charge", "currency", "cost", "error", "message")
_COST_COLUMNS = ("service", "name", "orders", "cost")
_PAGE_SIZE = 500


async def place_file(
    file: OrderFile,
    results: Path,
    consent: ConsentOptions,
    db: str,
    connection: ConnectionOptions,
    output: OutputOptions,
) -> int:
    """Place the orders of a file that are not placed yet, and write what became of each to a file."""
    from ...ledger import Ledger

    async with connection.create_client() as client, Ledger(db) as ledger:
        with show_spinner("reading the catalogue …"):
            services = {format_id(service.service): service for service in await client.services()}
        with show_spinner("checking the file …"):
            refs = file.read(services)
            settled = await _find_settled(file, services, ledger, connection.panel)
        plan = _make_plan(file, services, settled)
        await _show_plan(plan, settled, client, output)
        if consent.dry_run:
            return SUCCESS
        if plan.orders and not (consent.yes or confirm("Place them?")):
            print_message("nothing was ordered")
            return INTERRUPTED
        stopped_by = None
        if plan.orders:
            _clear_results(results)
            pairs = ((line.ref, line.order) for line in file.iterate(services) if line.ref not in settled)
            placements = ledger.place_many(
                client,
                pairs,
                panel=connection.panel,
                catalogue=services.values(),
                concurrency=connection.concurrency,
            )
            stopped_by = await _place(placements, plan.orders)
        counts = await _write_results(ledger, refs, results, stopped_by)
    return _report(counts, results, stopped_by)


@define
class _Plan:
    """The orders that are to be sent, and their cost by service. ``unpriced`` have no cost that can be computed."""

    by_service: dict[str, tuple[Service, int, Decimal]] = field(factory=dict)
    unpriced: int = 0

    @property
    def orders(self) -> int:
        return sum(orders for _, orders, _ in self.by_service.values())

    @property
    def cost(self) -> Decimal:
        return sum((cost for _, _, cost in self.by_service.values()), Decimal(0))


async def _find_settled(
    file: OrderFile, services: Mapping[str, Service], ledger: Ledger, panel: str
) -> dict[str, ReceiptState]:
    """Return the states of the orders on record that are not sent again, by ref.

    Raises:
        UsageError: a ref was used for another order.
    """
    settled: dict[str, ReceiptState] = {}
    problems: list[str] = []
    lines = file.iterate(services)
    while page := list(islice(lines, _PAGE_SIZE)):
        receipts = await ledger.receipts([line.ref for line in page])
        for line in page:
            if (receipt := receipts.get(line.ref)) is None:
                continue
            if (receipt.panel, receipt.fields) != (panel, line.order.fields()):
                problems.append(f"line {line.number}: the ref {line.ref!r} was used for another order: take a new one")
            elif not receipt.can_be_sent:
                settled[line.ref] = receipt.state
    if problems:
        msg = "the file has refs of other orders, and nothing was sent:"
        raise UsageError(msg, details=limit_problems(problems))
    return settled


def _clear_results(results: Path) -> None:
    """Delete the results of an earlier run, which would be wrong if this one is killed.

    Raises:
        UsageError: results cannot be written there.
    """
    part = get_part(results)
    try:
        part.touch()
        results.unlink(missing_ok=True)
        part.unlink()
    except OSError as error:
        msg = f"{results}: {error.strerror or error}. Nothing was sent: name another file with --results"
        raise UsageError(msg) from error


def get_part(results: Path) -> Path:
    """Return the file to which results are written until they are complete."""
    return results.with_name(results.name + ".part")


def _make_plan(file: OrderFile, services: Mapping[str, Service], settled: Mapping[str, ReceiptState]) -> _Plan:
    plan = _Plan()
    for line in file.iterate(services):
        if line.ref in settled:
            continue
        _, orders, cost = plan.by_service.get(id_ := format_id(line.service.service), (line.service, 0, Decimal(0)))
        try:
            cost += line.order.cost(line.service)
        except ValueError:
            plan.unpriced += 1
        plan.by_service[id_] = line.service, orders + 1, cost
    return plan


async def _show_plan(
    plan: _Plan, settled: Mapping[str, ReceiptState], client: AsyncClient, output: OutputOptions
) -> None:
    """Print how many orders are to be sent, what they cost by service, and the balance after them."""
    with show_spinner("reading the balance …"):
        balance = await client.balance()
    rows: list[Row] = [
        {"service": id_, "name": service.name, "orders": orders, "cost": format_amount(cost)}
        for id_, (service, orders, cost) in plan.by_service.items()
    ]
    if rows or output.format != "table":
        write_rows(rows, _COST_COLUMNS, output)
    for state, count in Counter(settled.values()).items():
        print_message(f"on record as {state.value}, and not sent again: {count:,}")
    if not rows:
        print_message("nothing is left to place")
        return
    currency = balance.currency or ""
    text = f"orders to place: {plan.orders:,}, for {format_amount(plan.cost)} {currency}".rstrip()
    if plan.unpriced:
        text += f", and {plan.unpriced:,} of them without a known price"
    print_message(text)
    after = balance.balance - plan.cost
    print_message(
        f"the balance is {format_amount(balance.balance)} {currency}, and {format_amount(after)} after them".strip()
    )
    if after < 0:
        print_message("the balance does not cover all of them: placing will stop when it is used up")


async def _place(placements: Placements, total: int) -> FollowersDataError | None:
    """Place orders, and show how far they are. Return the error that stopped it, if any."""
    # After Ctrl-C, orders in flight are completed, and the results are still written.
    with show_bar("placing", total) as advance, get_interrupt_handler().cancel_inside():
        async with placements:
            async for _ in placements:
                advance()
    return placements.stopped_by


async def _write_results(
    ledger: Ledger, refs: Sequence[str], results: Path, stopped_by: FollowersDataError | None
) -> Counter[ReceiptState]:
    """Write a line for each ref, in the order of the file, and replace the results of an earlier run at once."""
    counts: Counter[ReceiptState] = Counter()
    part = get_part(results)
    try:
        with part.open("w", encoding="utf-8", newline="") as stream:
            writer = CsvWriter(stream, _COLUMNS)
            writer.write_header()
            for start in range(0, len(refs), _PAGE_SIZE):
                page = refs[start : start + _PAGE_SIZE]
                receipts = await ledger.receipts(page)
                for ref in page:
                    row = _make_row(ref, receipts.get(ref), stopped_by)
                    counts[ReceiptState(row["state"])] += 1
                    writer.write(row)
        part.replace(results)
    except OSError as error:
        reason = error.strerror or error
        msg = f"{results}: {reason}. The orders are on record: run the command again with another --results"
        raise FailedAfterWriteError(msg) from error
    return counts


def _make_row(ref: str, receipt: Receipt | None, stopped_by: FollowersDataError | None) -> Row:
    if receipt is not None:
        return to_row(receipt)
    error = None if stopped_by is None else type(stopped_by).__name__
    message = None if stopped_by is None else f"not sent, because an order before it failed: {stopped_by.message}"
    return {"ref": ref, "state": ReceiptState.NOT_SENT.value, "error": error, "message": message}


def _report(counts: Counter[ReceiptState], results: Path, stopped_by: FollowersDataError | None) -> int:
    """Print what became of the orders, and return the exit code."""
    listed = ", ".join(f"{counts[state]:,} {state.value.replace('_', ' ')}" for state in ReceiptState if counts[state])
    print_message(f"{listed}; a line for each is in {results}")
    if stopped_by is not None:
        print_message(f"stopped: {stopped_by.message}")
    if counts[ReceiptState.NOT_SENT] or counts[ReceiptState.INTENDED]:
        print_message("to send the others, run the same command again")
    if counts[ReceiptState.UNKNOWN]:
        print_message("look for the unknown ones at the panel: `followersdata ledger reconcile`")
        return UNKNOWN
    if stopped_by is not None:
        return get_exit_code(stopped_by)
    if counts[ReceiptState.PLACED] == counts.total():
        return SUCCESS
    return SOME_FAILED if counts[ReceiptState.PLACED] or counts[ReceiptState.REFUSED] else NETWORK
