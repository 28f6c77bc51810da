"""Messages, progress bars and spinners on standard error; bars and spinners only on a terminal."""

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

DISPLAY_DELAY = 0.5
"""Seconds before a bar or a spinner is shown; most commands are done by then."""
_DISPLAYS: list[Progress | Live] = []
"""What is shown on the terminal now."""


class _RateColumn(ProgressColumn):
    """The column of a progress bar that shows steps per second."""

    def render(self, task: Task) -> Text:
        """Return the rate, or nothing while it is not known."""
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")


def _make_title_column() -> TextColumn:
    """Return the column of the title. It is not markup, although an order's ref may look like it."""
    return TextColumn("{task.description}", markup=False)


@contextmanager
def show_bar(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar, and yield a function that advances it by one id."""
    columns = (_make_title_column(), BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
    task = progress.add_task(title, total=total)
    with show_display(progress, after=DISPLAY_DELAY):
        yield lambda: progress.advance(task)


@contextmanager
def show_spinner(title: str) -> Iterator[None]:
    """Show a spinner while work of unknown length is done."""
    columns = (SpinnerColumn(), _make_title_column())
    progress = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
    progress.add_task(title, total=None)
    with show_display(progress, after=DISPLAY_DELAY):
        yield


@contextmanager
def show_display(display: Progress | Live, *, after: float = 0.0) -> Iterator[None]:
    """Show a live display, if standard error is a terminal and the work takes longer than ``after`` seconds."""
    if not sys.stderr.isatty():
        yield
        return
    _DISPLAYS.append(display)
    timer = threading.Timer(after, display.start)
    timer.daemon = True
    timer.start()
    if not after:
        timer.join()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        display.stop()
        _DISPLAYS.remove(display)


def clear_displays() -> None:
    """Stop all live displays and show the cursor again."""
    for display in _DISPLAYS:
        display.stop()


def print_message(text: str) -> None:
    """Print one line to standard error, with control characters escaped: a panel's message must not move the cursor."""
    sys.stderr.write(escape_controls(text) + "\n")


def ring_bell() -> None:
    """Ring the bell, if standard error is a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write("\a")


def escape_controls(text: str) -> str:
    """Return the text with the characters escaped that control a terminal or change the direction of writing."""
    if text.isprintable():
        return text
    return "".join(repr(character)[1:-1] if _is_control(character) else character for character in text)


def _is_control(character: str) -> bool:
    is_directional = unicodedata.bidirectional(character) in _BIDI_CLASSES
    return is_directional or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}


_BIDI_CLASSES = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
