"""Orders watched: a live view on a terminal, a row for each change on standard output."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

from ...models import Change
from ..exit_codes import get_batch_exit_code
from ..live_view import Board, live
from ..output import Format, row_of, row_of_outcome, write, write_line
from ..progress import print_message
from ..signals import current
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
    client: AsyncClient, ids: Sequence[Id], poll_policy: PollPolicy, how: Format, *, until_final: bool
) -> int:
    """Watch orders to their end, tell what changes, and return the exit code."""
    board = Board({None: len(ids)})
    tell = _teller(how)
    async with client.watch(ids, poll_policy=poll_policy, include_failures=True) as changes:
        with live(board, how), current().stopped_here():
            async for event in changes:
                board.note(event, changes.requests)
                if isinstance(event, Change) and (event.after.is_final or not until_final):
                    tell(event)
    known = changes.known
    if how in {"table", "json"}:
        write([row_of_outcome(outcome) for outcome in known.values()], COLUMNS, how)
    else:
        for id_, error in known.errors.items():
            print_message(f"{id_}: {error}")
    print_message(str(tally_of(known)))
    return get_batch_exit_code(known.values())


def _teller(how: Format) -> Callable[[Change], None]:
    """What writes a change at once: a line of JSON or CSV; tables and JSON lists come at the end."""
    if how == "jsonl":
        return lambda change: _flushed(write_line, _nested(change))
    if how == "csv":
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
        "before": None if change.before is None else row_of(change.before),
        "after": row_of(change.after),
    }


def _flat(change: Change) -> Row:
    return {
        "order": change.order,
        "before": None if change.before is None else change.before.status,
        **row_of(change.after),
    }
