"""The live view of orders that are polled: how many are in each state, and how often they change."""

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

    from ..models import Id, WatchEvent
    from .output import OutputOptions

_MINUTE = 60.0
_BAR_WIDTH = 40
_UNSEEN = "not seen yet"
_FINAL_STATES = frozenset(state.value for state in OrderState if state.is_final)


@final
class LiveView:
    """A view of the orders. ``counts`` has the number of orders in each state at the start, ``None``: not seen yet."""

    def __init__(self, counts: Mapping[OrderState | None, int], clock: Callable[[], float] = time.monotonic) -> None:
        self._counts = Counter({_get_label(state): count for state, count in counts.items()})
        self._clock = clock
        self._started_at = clock()
        self._seen: set[Id] = set()
        self._unanswered: set[Id] = set()
        self._change_times: deque[float] = deque()
        self._requests = 0

    def record(self, event: WatchEvent, requests: int) -> None:
        """Record an event, and how many requests were sent so far."""
        if isinstance(event, Change):
            self._seen.add(event.order)
            self._unanswered.discard(event.order)
            self.record_change(event, requests)
        elif event.id not in self._seen:
            self._unanswered.add(event.id)

    def record_change(self, change: Change, requests: int) -> None:
        """Record a change of an order of a ledger, which does not report failed polls."""
        self._requests = requests
        self._counts[_get_label(None if change.before is None else change.before.state)] -= 1
        self._counts[_get_label(change.after.state)] += 1
        if change.before is not None:
            self._change_times.append(self._clock())

    @property
    def counts(self) -> Counter[str]:
        """The number of orders in each state, of orders not seen yet, and of orders without an answer."""
        return +(
            self._counts + Counter({"no answer": len(self._unanswered)}) - Counter({_UNSEEN: len(self._unanswered)})
        )

    @property
    def changes_per_minute(self) -> int:
        """The number of changes in the last minute. The first status of an order is not a change."""
        while self._change_times and self._change_times[0] < self._clock() - _MINUTE:
            self._change_times.popleft()
        return len(self._change_times)

    def __rich__(self) -> RenderableType:
        """Return the view for rich to draw."""
        counts = self.counts
        total, final = counts.total(), sum(counts[name] for name in _FINAL_STATES)
        table = Table(box=SIMPLE_HEAD)
        table.add_column("state")
        table.add_column("orders", justify="right")
        for state, count in sorted(counts.items()):
            table.add_row(state, f"{count:,}")
        summary = (
            f"{final:,} of {total:,} final; {self._requests:,} requests, "
            f"{self.changes_per_minute:,} changes in the last minute, {self._clock() - self._started_at:,.0f} s"
        )
        return Group(table, Text(summary), ProgressBar(total=total, completed=final, width=_BAR_WIDTH))


def _get_label(state: OrderState | None) -> str:
    return _UNSEEN if state is None else state.value


@contextmanager
def show_live_view(view: LiveView, output: OutputOptions) -> Iterator[None]:
    """Show the view on standard error, if it is a terminal and no rows are written to the same terminal."""
    if output.format in {"jsonl", "csv"} and sys.stdout.isatty():
        yield
        return
    display = Live(get_renderable=view.__rich__, console=Console(stderr=True), transient=True, redirect_stdout=False)
    with show_display(display):
        yield
