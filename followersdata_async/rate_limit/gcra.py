"""The generic cell rate algorithm: one number says when the next request may go. Pure: the time is an argument."""

from __future__ import annotations

from typing import final

from attrs import define


@final
@define
class Gcra:
    """``requests`` in ``per`` seconds, of which ``burst`` may come at once after a quiet while.

    ``due`` is when a request would be exactly on time.
    """

    requests: int
    per: float
    burst: int = 1
    due: float = float("-inf")

    @property
    def interval(self) -> float:
        """Seconds between two requests."""
        return self.per / self.requests

    def delay(self, now: float) -> float:
        """Seconds until the next request may go."""
        return max(0.0, self.due - (self.burst - 1) * self.interval - now)

    def take(self, now: float) -> None:
        """A request goes."""
        self.due = max(self.due, now) + self.interval

    def pause(self, until: float) -> None:
        """No request goes before ``until``."""
        self.due = max(self.due, until + (self.burst - 1) * self.interval)
