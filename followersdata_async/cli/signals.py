"""Ctrl-C: what is on its way gets a moment to come back, and what was and was not sent is said."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar, final

import anyio
import anyio.from_thread
import anyio.lowlevel

from ..errors import PanelError
from ..events import RequestEnded, RequestStarted
from .exit_codes import INTERRUPTED
from .progress import clear_displays, print_message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator
    from types import FrameType

    from ..client import AsyncClient
    from ..events import ClientEvent
    from ..models import Id

T = TypeVar("T")

_GRACE = 0.7
"""Seconds for what is on its way."""
_LAST_MOMENT = 0.95
"""Seconds until it ends without a word, where even saying something takes too long."""
_WRITES = frozenset({"add", "refill", "cancel"})


class SentError(Exception):
    """A command broke after it had sent what costs money."""


@final
class Interrupts:
    """What one command does when it is interrupted, and what it has sent by then."""

    def __init__(self, exit_now: Callable[[int], object] = os._exit) -> None:
        self.came: bool = False
        self.has_written: bool = False
        self._exit_now = exit_now
        self._scopes: list[anyio.CancelScope] = []
        self._patient = 0
        self._reports: list[Callable[[], object]] = []
        self._answered = 0
        self._on_their_way: Counter[str] = Counter()
        self._grace = threading.Timer(_GRACE, self._give_up)
        self._last_moment = threading.Timer(_LAST_MOMENT, self._exit)
        self._grace.daemon = self._last_moment.daemon = True

    def watch(self, client: AsyncClient) -> AsyncClient:
        """Note what a client sends."""
        client.events.add(self._note)
        return client

    def _note(self, event: ClientEvent) -> None:
        if isinstance(event, RequestStarted):
            self.has_written = self.has_written or event.action in _WRITES
            self._on_their_way[event.action] += 1
        elif isinstance(event, RequestEnded):
            self._on_their_way[event.action] -= 1
            self._answered += isinstance(event.error, PanelError | None)

    async def run(self, command: Callable[[], Awaitable[int]]) -> int:
        """Run a command. An interrupted one ends with its code, and says what it had sent."""
        _CURRENT.set(self)
        code = INTERRUPTED
        with self._heard():
            with self.stopped_here():
                code = await command()
            # Here, where an interrupt is heard: whoever reads it may have stopped reading.
            sys.stdout.flush()
        if self.came:
            print_message(self.told)
        return INTERRUPTED if self.came else code

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """Take the signal from the event loop, which would wait for a write for as long as it takes."""
        if not _hears():
            yield
            return
        token = anyio.lowlevel.current_token()

        def interrupted(_number: int, _frame: FrameType | None) -> None:
            if self.came:
                self._give_up()
                return
            self.came = True
            self._grace.start()
            self._last_moment.start()
            # Whatever the loop does, it is not done in the middle of it.
            threading.Thread(
                target=anyio.from_thread.run_sync, args=(self._stop,), kwargs={"token": token}, daemon=True
            ).start()

        before = signal.signal(signal.SIGINT, interrupted)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            self._grace.cancel()

    def _stop(self) -> None:
        if self._scopes and not self._patient:
            self._scopes[-1].cancel()

    def _give_up(self) -> None:
        clear_displays()
        for report in self._reports:
            report()
        print_message(self.told)
        sys.stdout.flush()
        self._exit()

    def _exit(self) -> None:
        self._exit_now(INTERRUPTED)

    def done(self) -> None:
        """The event loop has ended, too."""
        self._last_moment.cancel()

    @contextmanager
    def stopped_here(self) -> Iterator[None]:
        """Let an interrupt end what is in here, and go on with what comes after it."""
        with anyio.CancelScope() as scope:
            self._scopes.append(scope)
            try:
                yield
            finally:
                self._scopes.pop()

    @contextmanager
    def patiently(self, report: Callable[[], object] | None = None) -> Iterator[None]:
        """Do not drop what is under way.

        Where that takes too long, ``report`` writes what is known of it. Who
        has none is stopped at the end.
        """
        self._patient += 1
        if report is not None:
            self._reports.append(report)
        try:
            yield
        finally:
            self._patient -= 1
            if report is not None:
                self._reports.remove(report)
        if self.came and report is None:
            self._stop()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """At a prompt, which blocks everything: an interrupt is a ``KeyboardInterrupt``, at once."""
        if not _hears():
            yield
            return
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def until_interrupted(self, ids: Iterable[Id]) -> Iterator[Id]:
        """These ids, as long as nobody interrupts."""
        for id_ in ids:
            if self.came:
                return
            yield id_

    @property
    def told(self) -> str:
        """What was and was not sent."""
        under_way = +self._on_their_way
        unknown = ", ".join(f"{count:,} {action}" for action, count in under_way.items() if action in _WRITES)
        words = f"followersdata: interrupted; {self._answered:,} requests were answered"
        if unknown:
            return f"{words}, and nobody knows what became of {unknown}: look at the panel before you repeat it"
        if under_way:
            words += f", {under_way.total():,} that only read were dropped"
        return f"{words}; nothing else was sent"


def _hears() -> bool:
    """Whether interrupts are for us: not in a thread, nor where whoever started us wants them ignored."""
    return (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    )


_CURRENT: ContextVar[Interrupts | None] = ContextVar("followersdata_interrupts", default=None)


def current() -> Interrupts:
    """Those of the command that runs; of none, some that never come."""
    return _CURRENT.get() or Interrupts()


def interruptible(command: Callable[[], Awaitable[int]], exit_now: Callable[[int], object] = os._exit) -> int:
    """Run a command in an event loop, and its exit code.

    Raises:
        SentError: something broke after an order, a refill or a cancellation was sent.
    """
    interrupts = Interrupts(exit_now)
    try:
        return anyio.run(interrupts.run, command)
    except (OSError, ValueError, TypeError) as error:
        if not interrupts.has_written:
            raise
        what = "the output cannot be written" if isinstance(error, OSError) else type(error).__name__
        msg = f"{what}: {getattr(error, 'strerror', None) or error}"
        raise SentError(msg) from error
    finally:
        interrupts.done()
