"""What is said while it works: on standard error, and a bar only where that is a terminal and it takes a while."""

from __future__ import annotations

import sys
import threading
import unicodedata
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.live import Live

PATIENCE = 0.5
"""Seconds for which nobody needs to see that it works."""
_SHOWN: list[Progress | Live] = []
"""What moves on the process's terminal."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """How many a second."""
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")


def _title() -> TextColumn:
    """As it is: a ref may look like markup."""
    return TextColumn("{task.description}", markup=False)


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar; call what it gives once for each id that is done."""
    columns = (_title(), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
    task = progress.add_task(title, total=total)
    with shown(progress, after=PATIENCE):
        yield lambda: progress.advance(task)


@contextmanager
def working(title: str) -> Iterator[None]:
    """A sign of life, for what cannot tell how far it is."""
    columns = (SpinnerColumn(), _title())
    progress = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
    progress.add_task(title, total=None)
    with shown(progress, after=PATIENCE):
        yield


@contextmanager
def shown(display: Progress | Live, *, after: float = 0.0) -> Iterator[None]:
    """Show something that moves, on a terminal alone, and not for what is over in a moment."""
    if not sys.stderr.isatty():
        yield
        return
    _SHOWN.append(display)
    late = threading.Timer(after, display.start)
    late.daemon = True
    late.start()
    if not after:
        late.join()
    try:
        yield
    finally:
        late.cancel()
        late.join()
        display.stop()
        _SHOWN.remove(display)


def cleared() -> None:
    """Take away what moves, and give the terminal its cursor back."""
    for display in _SHOWN:
        display.stop()


def say(text: str) -> None:
    """Say a line on standard error; what a panel says moves no cursor and breaks no line."""
    sys.stderr.write(printable(text) + "\n")


def ring() -> None:
    """Call whoever sits at a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write("\a")


def printable(text: str) -> str:
    """The text with what controls a terminal, or turns the way of its letters, as escapes."""
    return text if text.isprintable() else "".join(repr(sign)[1:-1] if _controls(sign) else sign for sign in text)


def _controls(sign: str) -> bool:
    return unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} or unicodedata.bidirectional(sign) in _TURNS


_TURNS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
