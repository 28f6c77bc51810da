"""What is said while it works: on standard error, and a bar only where that is a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar; call what it gives once for each id that is done."""
    if not sys.stderr.isatty():
        yield _nothing
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda: progress.advance(task)


@contextmanager
def working(title: str) -> Iterator[None]:
    """A sign of life, for what cannot tell how far it is."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(title):
        yield


def say(text: str) -> None:
    """Say a line on standard error."""
    sys.stderr.write(text + "\n")


def _nothing() -> None:
    """No terminal, no bar."""
