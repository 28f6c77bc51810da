"""Ctrl-C: requests in flight have a moment to be answered, then a message says what was sent."""

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

_GRACE_PERIOD = 0.7
"""Seconds for the requests in flight."""
_EXIT_AFTER = 0.95
"""Seconds until the process exits in any case, even if the report could not be written."""
_WRITE_ACTIONS = frozenset({"add", "refill", "cancel"})


class FailedAfterWriteError(Exception):
    """A command failed after it had sent an order, a refill or a cancellation."""


@final
class InterruptHandler:
    """The reaction of one command to Ctrl-C. It counts requests, to say at the end what was sent."""

    def __init__(self, exit_now: Callable[[int], object] = os._exit) -> None:
        self.is_interrupted: bool = False
        self.has_sent_write: bool = False
        self._exit_now = exit_now
        self._scopes: list[anyio.CancelScope] = []
        self._protected = 0
        self._reports: list[Callable[[], object]] = []
        self._answered = 0
        self._in_flight: Counter[str] = Counter()
        self._grace_timer = threading.Timer(_GRACE_PERIOD, self._report_and_exit)
        self._exit_timer = threading.Timer(_EXIT_AFTER, self._exit)
        self._grace_timer.daemon = self._exit_timer.daemon = True

    def count_requests(self, client: AsyncClient) -> AsyncClient:
        """Count the requests that a client sends, and return the client."""
        client.events.add(self._count_event)
        return client

    def _count_event(self, event: ClientEvent) -> None:
        if isinstance(event, RequestStarted):
            self.has_sent_write = self.has_sent_write or event.action in _WRITE_ACTIONS
            self._in_flight[event.action] += 1
        elif isinstance(event, RequestEnded):
            self._in_flight[event.action] -= 1
            self._answered += isinstance(event.error, PanelError | None)

    async def run(self, command: Callable[[], Awaitable[int]]) -> int:
        """Run a command and return its exit code.

        If it is interrupted, print what was sent and return ``INTERRUPTED``.
        """
        _HANDLER.set(self)
        code = INTERRUPTED
        with self._handle_signals():
            with self.cancel_inside():
                code = await command()
            # Flush while interrupts are handled: a reader that has stopped reading blocks this.
            sys.stdout.flush()
        if self.is_interrupted:
            print_message(self.summary)
        return INTERRUPTED if self.is_interrupted else code

    @contextmanager
    def _handle_signals(self) -> Iterator[None]:
        """Handle SIGINT instead of the event loop, which would wait for a write without a limit."""
        if not _can_handle_signals():
            yield
            return
        token = anyio.lowlevel.current_token()

        def handle_signal(_number: int, _frame: FrameType | None) -> None:
            if self.is_interrupted:
                self._report_and_exit()
                return
            self.is_interrupted = True
            self._grace_timer.start()
            self._exit_timer.start()
            # From another thread, so that nothing is cancelled in the middle of a step of the loop.
            threading.Thread(
                target=anyio.from_thread.run_sync, args=(self._cancel_innermost,), kwargs={"token": token}, daemon=True
            ).start()

        before = signal.signal(signal.SIGINT, handle_signal)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            self._grace_timer.cancel()

    def _cancel_innermost(self) -> None:
        if self._scopes and not self._protected:
            self._scopes[-1].cancel()

    def _report_and_exit(self) -> None:
        clear_displays()
        for report in self._reports:
            report()
        print_message(self.summary)
        sys.stdout.flush()
        self._exit()

    def _exit(self) -> None:
        self._exit_now(INTERRUPTED)

    def stop_timers(self) -> None:
        """Stop the timer that exits the process, once the event loop has ended."""
        self._exit_timer.cancel()

    @contextmanager
    def cancel_inside(self) -> Iterator[None]:
        """Cancel the block when it is interrupted; the code after it still runs."""
        with anyio.CancelScope() as scope:
            self._scopes.append(scope)
            try:
                yield
            finally:
                self._scopes.pop()

    @contextmanager
    def finish_in_flight(self, report: Callable[[], object] | None = None) -> Iterator[None]:
        """Let the requests of the block finish when it is interrupted.

        If they take longer than the grace period, ``report`` writes what is
        known so far and the process exits. A block without a report is
        cancelled when it ends.
        """
        self._protected += 1
        if report is not None:
            self._reports.append(report)
        try:
            yield
        finally:
            self._protected -= 1
            if report is not None:
                self._reports.remove(report)
        if self.is_interrupted and report is None:
            self._cancel_innermost()

    @contextmanager
    def raise_at_once(self) -> Iterator[None]:
        """Raise ``KeyboardInterrupt`` in the block at once, for a prompt that blocks the event loop."""
        if not _can_handle_signals():
            yield
            return
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def take_until_interrupted(self, ids: Iterable[Id]) -> Iterator[Id]:
        """Yield the ids until the command is interrupted."""
        for id_ in ids:
            if self.is_interrupted:
                return
            yield id_

    @property
    def summary(self) -> str:
        """The message that says what was sent and what was not."""
        in_flight = +self._in_flight
        unknown = ", ".join(f"{count:,} {action}" for action, count in in_flight.items() if action in _WRITE_ACTIONS)
        text = f"followersdata: interrupted; {self._answered:,} requests were answered"
        if unknown:
            return f"{text}, and nobody knows what became of {unknown}: look at the panel before you repeat it"
        if in_flight:
            text += f", {in_flight.total():,} that only read were dropped"
        return f"{text}; nothing else was sent"


def _can_handle_signals() -> bool:
    """Return whether SIGINT can be handled: only in the main thread, and not if the parent process has it ignored."""
    return (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    )


_HANDLER: ContextVar[InterruptHandler | None] = ContextVar("followersdata_interrupts", default=None)


def get_interrupt_handler() -> InterruptHandler:
    """Return the handler of the running command; outside of one, a handler that is never interrupted."""
    return _HANDLER.get() or InterruptHandler()


def run_interruptible(command: Callable[[], Awaitable[int]], exit_now: Callable[[int], object] = os._exit) -> int:
    """Run a command in an event loop and return its exit code.

    Raises:
        FailedAfterWriteError: it failed after it had sent an order, a refill or a cancellation.
    """
    handler = InterruptHandler(exit_now)
    try:
        return anyio.run(handler.run, command)
    except (OSError, ValueError, TypeError) as error:
        if not handler.has_sent_write:
            raise
        reason = "the output cannot be written" if isinstance(error, OSError) else type(error).__name__
        msg = f"{reason}: {getattr(error, 'strerror', None) or error}"
        raise FailedAfterWriteError(msg) from error
    finally:
        handler.stop_timers()
