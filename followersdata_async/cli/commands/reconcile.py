"""``ledger reconcile``: what is known of each unknown order, and what the user decides about it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..._serialization import format_amount, to_json
from ...client import AsyncClient
from ...errors import PanelError, TransportError
from ..exit_codes import SUCCESS, UNKNOWN
from ..options import confirm
from ..output import Row
from ..progress import print_message, show_spinner
from ..signals import get_interrupt_handler

if TYPE_CHECKING:
    from ...ledger import Ledger, Receipt, Reconciliation

FINDING_COLUMNS = (
    "ref",
    "sent_at",
    "cost",
    "balance_before",
    "balance",
    "spent",
    "others",
    "suggestion",
    "reason",
    "message",
)


def finding_to_row(found: Reconciliation) -> Row:
    """Return what is known of an order as a row."""
    receipt = found.receipt
    return {
        "ref": receipt.ref,
        "sent_at": _format_time(receipt.sent_at),
        "cost": to_json(receipt.cost),
        "balance_before": to_json(receipt.balance_before),
        "balance": to_json(found.balance),
        "spent": to_json(found.spent),
        "others": len(found.others),
        "suggestion": found.suggestion.value,
        "reason": found.reason,
        "message": receipt.message,
    }


async def settle_findings(ledger: Ledger, client: AsyncClient, findings: Sequence[Reconciliation]) -> int:
    """Ask what became of each order, and settle those that the user decides."""
    remaining = 0
    for number, found in enumerate(findings, 1):
        print_message("")
        print_message(f"{number} of {len(findings)}: {found.receipt.ref}")
        for line in describe_finding(found):
            print_message(f"  {line}")
        if not await _settle(ledger, client, found.receipt):
            remaining += 1
    print_message(f"{len(findings) - remaining:,} settled, {remaining:,} remain unknown")
    return UNKNOWN if remaining else SUCCESS


def describe_finding(found: Reconciliation) -> list[str]:
    """Return what is known of an order, in lines."""
    receipt = found.receipt
    fields = ", ".join(f"{name} {value.splitlines()[0] if value else ''}" for name, value in receipt.fields.items())
    lines = [f"order: {fields}", f"sent: {_format_time(receipt.sent_at)}"]
    if receipt.cost is not None:
        lines.append(f"cost: {format_amount(receipt.cost)}")
    if receipt.balance_before is not None:
        lines.append(f"balance before: {format_amount(receipt.balance_before)}")
    lines.append(f"balance now: {format_amount(found.balance)} {found.currency or ''}".rstrip())
    if receipt.message:
        lines.append(f"response: {receipt.error}: {receipt.message}")
    if found.others:
        refs = ", ".join(other.ref for other in found.others[:5])
        more = f" and {len(found.others) - 5} more" if len(found.others) > 5 else ""  # noqa: PLR2004 - as above
        lines.append(f"sent within a minute of it: {refs}{more}")
    return [*lines, f"{found.suggestion.value.replace('_', ' ')}: {found.reason}"]


async def _settle(ledger: Ledger, client: AsyncClient, receipt: Receipt) -> bool:
    """Ask until the order is settled or left. Return whether it is settled."""
    while True:
        answer = _ask("the order's id at the panel, n if it was not placed, Enter to leave it: ")
        if not answer:
            return False
        is_placed = answer.casefold() not in {"n", "no"}
        if is_placed:
            is_agreed = await _is_order(client, answer)
        else:
            is_agreed = confirm("The same ref can be placed again then. Is it certain?")
        if not is_agreed:
            continue
        try:
            await ledger.resolve(receipt.ref, order=answer if is_placed else None, placed=is_placed)
        except ValueError as error:
            print_message(f"  {error}")
            # Its outcome may have arrived while the question was open.
            if (await ledger.receipt(receipt.ref)).state is not receipt.state:
                return True
        else:
            return True


async def _is_order(client: AsyncClient, answer: str) -> bool:
    """Look an id up at the panel, and ask whether it is the order."""
    try:
        with show_spinner("looking it up …"):
            status = await client.status(answer)
    except (PanelError, TransportError, ValueError) as error:
        print_message(f"  {error}")
        return False
    charge = (
        "" if status.charge is None else f", charge {format_amount(status.charge)} {status.currency or ''}".rstrip()
    )
    start = "" if status.start_count is None else f", start count {status.start_count}"
    print_message(f"  {answer} is {status.status}{charge}{start}")
    return confirm("Is this the order?")


def _ask(question: str) -> str:
    """Ask a question on standard error. Return the answer, nothing at the end of the input."""
    try:
        with get_interrupt_handler().raise_at_once():
            sys.stderr.write(f"  {question}")
            sys.stderr.flush()
            return input().strip()
    except EOFError:
        return ""


def _format_time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
