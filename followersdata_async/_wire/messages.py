"""What goes to the panel and what comes back, before anybody reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from attrs import define, field, frozen


@final
@frozen
class Request:
    """One request: its action, its other fields, and whether it may be sent again.

    The key is not in here: it is added when the body is made.
    """

    action: str
    fields: tuple[tuple[str, str], ...] = ()
    repeatable: bool = field(default=True, kw_only=True)

    @property
    def ids(self) -> int:
        """How many ids it asks about; of an order that is to be placed there is none yet."""
        texts = () if self.action == "add" else (text for name, text in self.fields if name in _OF_IDS)
        return sum(text.count(",") + 1 for text in texts)


_OF_IDS = frozenset({"order", "orders", "refill", "refills"})


@final
@frozen(kw_only=True)
class Answer:
    """One whole answer, as bytes. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(factory=dict, hash=False)
    body: bytes = field(repr=False)


@final
@define(eq=False)
class Trail:
    """What one call has sent so far, as it is known at any moment, also when it is cut off.

    ``sent`` is about the latest attempt: ``False`` is proof that nothing left,
    ``None`` that nobody can tell. ``requests`` counts the attempts that were
    sent, or may have been.
    """

    sent: bool | None = False
    requests: int = 0

    def begin(self) -> None:
        """A new attempt starts; nothing of it has left yet."""
        self.sent = False

    def hand_over(self) -> None:
        """The request is given to somebody who may send it without a word."""
        self.sent = None
        self.requests += 1

    def hold(self) -> None:
        """It was seen that nothing has left yet."""
        if self.sent is None:
            self.sent = False
            self.requests -= 1

    def leave(self) -> None:
        """It was seen that the request leaves."""
        if self.sent is False:
            self.requests += 1
        self.sent = True
