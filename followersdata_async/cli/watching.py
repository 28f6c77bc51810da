"""Orders watched: a live view on a terminal, a row for each change on standard output."""

from __future__ import annotations

import csv
import sys
import time
from collections import Counter, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, final

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..models import Change
from .batches import tally_of
from .exits import exit_code_of_batch
from .progress import say
from .render import Format, row_of, row_of_outcome, write, write_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import RenderableType

    from ..client import AsyncClient
    from ..following import Event
    from ..models import Id, OrderStatus
    from ..pacing import PollPolicy
    from .render import Row

COLUMNS = ("id", "outcome", "status", "charge", "start_count", "remains", "currency", "error", "message")
CHANGE_COLUMNS = ("order", "before", "status", "charge", "start_count", "remains", "currency")
_MINUTE = 60.0
_BAR_WIDTH = 40


async def watched(client: AsyncClient, ids: Sequence[Id], pace: PollPolicy, how: Format, *, until_final: bool) -> int:
    """Watch orders to their end, tell what changes, and return the exit code."""
    board = Board(len(ids))
    tell = _teller(how)
    async with client.watch(ids, pace=pace, include_failures=True) as changes:
        with shown(board, how):
            async for event in changes:
                board.note(event, changes.requests)
                if isinstance(event, Change) and (event.after.is_final or not until_final):
                    tell(event)
    known = changes.known
    if how in {"table", "json"}:
        write([row_of_outcome(outcome) for outcome in known.values()], COLUMNS, how)
    else:
        for id_, error in known.errors.items():
            say(f"{id_}: {error}")
    say(str(tally_of(known)))
    return exit_code_of_batch(known.values())


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


@final
class Board:
    """What the live view shows: how many orders are in which state, and how much is going on."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._clock = clock
        self._began = clock()
        self._statuses: dict[Id, OrderStatus] = {}
        self._missed: set[Id] = set()
        self._moves: deque[float] = deque()
        self._requests = 0

    def note(self, event: Event, requests: int) -> None:
        """Note what was told, and how many requests were sent so far."""
        self._requests = requests
        if not isinstance(event, Change):
            self._missed.add(event.id)
            return
        self._missed.discard(event.order)
        self._statuses[event.order] = event.after
        if event.before is not None:
            self._moves.append(self._clock())

    @property
    def counts(self) -> Counter[str]:
        """How many orders are in which state; those that were not seen yet, and whose last look came to nothing."""
        counts = Counter(status.state.value for status in self._statuses.values())
        counts["not seen yet"] = self._total - len(self._statuses.keys() | self._missed)
        counts["no answer"] = len(self._missed - self._statuses.keys())
        return +counts

    @property
    def changes_per_minute(self) -> int:
        """Changes of the last minute, without first sightings."""
        while self._moves and self._moves[0] < self._clock() - _MINUTE:
            self._moves.popleft()
        return len(self._moves)

    def __rich__(self) -> RenderableType:
        """The view."""
        final_ones = sum(status.is_final for status in self._statuses.values())
        table = Table(box=SIMPLE_HEAD)
        table.add_column("state")
        table.add_column("orders", justify="right")
        for state, count in sorted(self.counts.items()):
            table.add_row(state, f"{count:,}")
        talk = (
            f"{final_ones:,} of {self._total:,} final; {self._requests:,} requests, "
            f"{self.changes_per_minute:,} changes in the last minute, {self._clock() - self._began:,.0f} s"
        )
        return Group(table, Text(talk), ProgressBar(total=self._total, completed=final_ones, width=_BAR_WIDTH))


@contextmanager
def shown(board: Board, how: Format) -> Iterator[None]:
    """Show the view on standard error, if it is a terminal that no rows are written to."""
    if not sys.stderr.isatty() or (how in {"jsonl", "csv"} and sys.stdout.isatty()):
        yield
        return
    with Live(get_renderable=board.__rich__, console=Console(stderr=True), transient=True):
        yield
