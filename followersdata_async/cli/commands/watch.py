"""Orders watched: a live view on a terminal, a row for each change on standard output."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

from ...models import Change
from ..exit_codes import get_batch_exit_code
from ..live_view import LiveView, show_live_view
from ..output import Format, outcome_to_row, to_row, write_json_line, write_rows
from ..progress import print_message
from ..signals import get_interrupt_handler
from .status import tally_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..._pacing import PollPolicy
    from ...client import AsyncClient
    from ...models import Id
    from ..output import Row

COLUMNS = ("id", "outcome", "status", "charge", "start_count", "remains", "currency", "error", "message")
CHANGE_COLUMNS = ("order", "before", "status", "charge", "start_count", "remains", "currency")


async def watched(
    client: AsyncClient, ids: Sequence[Id], poll_policy: PollPolicy, format: Format, *, until_final: bool
) -> int:
    """Watch orders to their end, tell what changes, and return the exit code."""
    view = LiveView({None: len(ids)})
    tell = _teller(format)
    async with client.watch(ids, poll_policy=poll_policy, include_failures=True) as changes:
        with show_live_view(view, format), get_interrupt_handler().cancel_inside():
            async for event in changes:
                view.record(event, changes.requests)
                if isinstance(event, Change) and (event.after.is_final or not until_final):
                    tell(event)
    known = changes.known
    if format in {"table", "json"}:
        write_rows([outcome_to_row(outcome) for outcome in known.values()], COLUMNS, format)
    else:
        for id_, error in known.errors.items():
            print_message(f"{id_}: {error}")
    print_message(str(tally_of(known)))
    return get_batch_exit_code(known.values())


def _teller(format: Format) -> Callable[[Change], None]:
    """What writes a change at once: a line of JSON or CSV; tables and JSON lists come at the end."""
    if format == "jsonl":
        return lambda change: _flushed(write_json_line, _nested(change))
    if format == "csv":
        rows: csv.DictWriter[str] = csv.DictWriter(
            sys.stdout, CHANGE_COLUMNS, extrasaction="ignore", lineterminator="\n"
        )
        rows.writeheader()
        return lambda change: _flushed(rows.writerow, _flat(change))
    return lambda _: None


def _flushed(write_row: Callable[[Row], object], row: Row) -> None:
    write_row(row)
    sys.stdout.flush()


def _nested(change: Change) -> Row:
    return {
        "order": change.order,
        "before": None if change.before is None else to_row(change.before),
        "after": to_row(change.after),
    }


def _flat(change: Change) -> Row:
    return {
        "order": change.order,
        "before": None if change.before is None else change.before.status,
        **to_row(change.after),
    }
