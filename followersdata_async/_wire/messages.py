"""Requests and responses between the pipeline and the transport, and what is known of a request's way out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

from attrs import define, field, frozen

from ..models import Id


@final
@frozen
class Request:
    """A request: its action, its other form fields, and whether it is a write.

    A write costs money or changes something, so it is never repeated. ``ids``
    are the ids of a batch call, keyed by the string that is sent. The key is
    not part of a request: it is added when the body is encoded.
    """

    action: str
    fields: tuple[tuple[str, str], ...] = ()
    is_write: bool = field(default=False, kw_only=True)
    ids: Mapping[str, Id] = field(factory=dict, kw_only=True, eq=False, repr=False)


@final
@frozen(kw_only=True)
class Response:
    """A whole response, as bytes. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(factory=dict, hash=False)
    body: bytes = field(repr=False)


def _no_clock() -> float:
    return 0.0


@final
@define(eq=False)
class SendState:
    """What one call has sent so far. Valid at any moment, also after a cancellation.

    ``sent`` is about the latest attempt: ``False`` proves that no byte was
    sent, ``None`` means unknown. ``sent_at`` is when it was sent, or passed to
    code that may have sent it, by ``clock``. ``requests`` counts the attempts
    that were sent, or may have been.
    """

    sent: bool | None = False
    requests: int = 0
    sent_at: float | None = None
    clock: Callable[[], float] = _no_clock

    def start_attempt(self) -> None:
        """Start a new attempt: nothing of it was sent yet."""
        self.sent, self.sent_at = False, None

    def mark_handed_over(self) -> None:
        """Record that the request was passed to code that may send it without notice."""
        self.sent, self.sent_at = None, self.clock()
        self.requests += 1

    def mark_not_sent(self) -> None:
        """Record the proof that nothing was sent, after ``mark_handed_over``."""
        if self.sent is None:
            self.sent = False
            self.requests -= 1

    def mark_sent(self) -> None:
        """Record that the first byte of the request leaves."""
        if self.sent is False:
            self.requests += 1
        if self.sent is not True:
            self.sent_at = self.clock()
        self.sent = True
