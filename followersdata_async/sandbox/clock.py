"""The sandbox's own time: a real clock, faster or slower, that can be advanced. Pure: the clock is an argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from attrs import Factory, define

_MAX_SPEED = 1e9
_MAX_ADVANCE = 1e10


@final
@define(kw_only=True)
class Clock:
    """A clock that runs ``speed`` times as fast as ``get_real_time``; with 0 only ``advance`` moves it.

    It shows ``set_to`` at the real time ``set_at``. All times are in seconds.

    Raises:
        ValueError: The speed is negative, or more than a billion.
    """

    get_real_time: Callable[[], float]
    speed: float = 1.0
    set_at: float = Factory(lambda self: self.get_real_time(), takes_self=True)
    set_to: float = Factory(lambda self: self.set_at, takes_self=True)

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.speed <= _MAX_SPEED:
            msg = f"speed is {self.speed}, but must be from 0 to {_MAX_SPEED:.0f}"
            raise ValueError(msg)

    def now(self) -> float:
        """Return the sandbox's time."""
        return self.set_to + (self.get_real_time() - self.set_at) * self.speed

    def advance(self, seconds: object) -> None:
        """Move the time forward by ``seconds``.

        Raises:
            ValueError: It is not a number from 0 to 10 billion (three centuries).
        """
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _MAX_ADVANCE:
            msg = f"time moves on by 0 to {_MAX_ADVANCE:.0f} seconds, not by {seconds!r}"
            raise ValueError(msg)
        self.set_to += seconds

    def set(self, now: float) -> None:
        """Set the time, which goes on from there."""
        self.set_at, self.set_to = self.get_real_time(), now
