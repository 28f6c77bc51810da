"""``watch``: a live view of orders on a terminal, and a row for each change on standard output."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ..._polling.policy import PollPolicy
from ...client import AsyncClient
from ...models import Change
from ..exit_codes import get_batch_exit_code
from ..live_view import LiveView, show_live_view
from ..options import (
    DEFAULT_CONNECTION,
    DEFAULT_IDS,
    DEFAULT_POLL_POLICY,
    ConnectionOptions,
    IdArgument,
    IdOptions,
)
from ..output import (
    CHANGE_COLUMNS,
    DEFAULT_OUTPUT,
    CsvWriter,
    OutputOptions,
    change_to_row,
    outcome_to_row,
    to_row,
    write_json_line,
    write_rows,
)
from ..progress import print_message
from ..signals import get_interrupt_handler
from .status import count_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...models import Id
    from ..output import CsvWriter, Row

COLUMNS = ("id", "outcome", "status", "charge", "start_count", "remains", "currency", "error", "message")


async def watch(
    *ids: IdArgument,
    source: IdOptions = DEFAULT_IDS,
    until_final: Annotated[bool, Parameter(negative=())] = False,
    min_delay: float = DEFAULT_POLL_POLICY.min_delay,
    max_delay: float = DEFAULT_POLL_POLICY.max_delay,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> int:
    """Watch orders until all are final: a live view on a terminal, then the last status of each.

    Parameters
    ----------
    ids
        The orders' ids; - reads them from standard input.
    until_final
        Write nothing of an order until it is final.
    min_delay
        Seconds between two looks at an order that has just moved.
    max_delay
        Seconds between two looks at an order that has not moved for long.
    """
    poll_policy = PollPolicy(min_delay=min_delay, max_delay=max_delay)
    order_ids = source.read_ids(ids)
    async with connection.create_client() as client:
        return await watch_orders(client, order_ids, poll_policy, output, until_final=until_final)


async def watch_orders(
    client: AsyncClient, ids: Sequence[Id], poll_policy: PollPolicy, output: OutputOptions, *, until_final: bool
) -> int:
    """Watch orders until all are final, write their changes, and return the exit code."""
    view = LiveView({None: len(ids)})
    write_change = _create_change_writer(output)
    async with client.watch(ids, poll_policy=poll_policy, include_failures=True) as changes:
        with show_live_view(view, output), get_interrupt_handler().cancel_inside():
            async for event in changes:
                view.record(event, changes.requests)
                if isinstance(event, Change) and (event.after.is_final or not until_final):
                    write_change(event)
    known = changes.known
    if output.format in {"table", "json"}:
        write_rows([outcome_to_row(outcome) for outcome in known.values()], COLUMNS, output)
    else:
        for id_, error in known.errors.items():
            print_message(f"{id_}: {error}")
    print_message(str(count_outcomes(known)))
    return get_batch_exit_code(known.values())


def _create_change_writer(output: OutputOptions) -> Callable[[Change], None]:
    """Return a function that writes a change at once as JSON or CSV. Tables and JSON lists are written at the end."""
    if output.format == "jsonl":
        return lambda change: write_json_line(_to_nested_row(change), flush=True)
    if output.format != "csv":
        return lambda _: None
    writer = CsvWriter(sys.stdout, CHANGE_COLUMNS, is_raw=output.raw)
    writer.write_header()

    def write_csv_row(change: Change) -> None:
        writer.write(change_to_row(change))
        sys.stdout.flush()

    return write_csv_row


def _to_nested_row(change: Change) -> Row:
    return {
        "order": change.order,
        "before": None if change.before is None else to_row(change.before),
        "after": to_row(change.after),
    }
