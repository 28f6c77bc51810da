"""The live view of orders that are followed: how many are in which state, and how much is going on."""

from __future__ import annotations

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

from ..models import Change, OrderState
from .progress import show_display

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import RenderableType

    from .._polling.tracker import Event
    from ..models import Id
    from .output import Format

_MINUTE = 60.0
_BAR_WIDTH = 40
_UNSEEN = "not seen yet"
_FINAL = frozenset(state.value for state in OrderState if state.is_final)


@final
class Board:
    """What the view shows. ``counts``: how many orders there are by state at the beginning, ``None``: not seen yet."""

    def __init__(self, counts: Mapping[OrderState | None, int], clock: Callable[[], float] = time.monotonic) -> None:
        self._counts = Counter({_name_of(state): count for state, count in counts.items()})
        self._clock = clock
        self._began = clock()
        self._seen: set[Id] = set()
        self._missed: set[Id] = set()
        self._moves: deque[float] = deque()
        self._requests = 0

    def note(self, event: Event, requests: int) -> None:
        """Note what was told, and how many requests were sent so far."""
        if isinstance(event, Change):
            self._seen.add(event.order)
            self._missed.discard(event.order)
            self.note_change(event, requests)
        elif event.id not in self._seen:
            self._missed.add(event.id)

    def note_change(self, change: Change, requests: int) -> None:
        """Note a change, where looks that came to nothing are not told."""
        self._requests = requests
        self._counts[_name_of(None if change.before is None else change.before.state)] -= 1
        self._counts[_name_of(change.after.state)] += 1
        if change.before is not None:
            self._moves.append(self._clock())

    @property
    def counts(self) -> Counter[str]:
        """How many orders are in which state, or were not seen yet, or had looks that came to nothing."""
        return +(self._counts + Counter({"no answer": len(self._missed)}) - Counter({_UNSEEN: len(self._missed)}))

    @property
    def changes_per_minute(self) -> int:
        """Changes of the last minute, without first sightings."""
        while self._moves and self._moves[0] < self._clock() - _MINUTE:
            self._moves.popleft()
        return len(self._moves)

    def __rich__(self) -> RenderableType:
        """The view."""
        counts = self.counts
        total, final_ones = counts.total(), sum(counts[name] for name in _FINAL)
        table = Table(box=SIMPLE_HEAD)
        table.add_column("state")
        table.add_column("orders", justify="right")
        for state, count in sorted(counts.items()):
            table.add_row(state, f"{count:,}")
        talk = (
            f"{final_ones:,} of {total:,} final; {self._requests:,} requests, "
            f"{self.changes_per_minute:,} changes in the last minute, {self._clock() - self._began:,.0f} s"
        )
        return Group(table, Text(talk), ProgressBar(total=total, completed=final_ones, width=_BAR_WIDTH))


def _name_of(state: OrderState | None) -> str:
    return _UNSEEN if state is None else state.value


@contextmanager
def live(board: Board, format: Format) -> Iterator[None]:
    """Show the view on standard error, if it is a terminal that no rows are written to."""
    if format in {"jsonl", "csv"} and sys.stdout.isatty():
        yield
        return
    view = Live(get_renderable=board.__rich__, console=Console(stderr=True), transient=True, redirect_stdout=False)
    with show_display(view):
        yield
