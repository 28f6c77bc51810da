"""The sandbox's own time: a clock's, faster or slower, and moved on by hand. Pure: the clock is an argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from attrs import Factory, define

_MOST_SPEED = 1e9
_LONGEST = 1e10


@final
@define(kw_only=True)
class Clock:
    """Time in seconds: ``speed`` times as fast as ``real``; with 0 it moves by ``advance`` alone.

    Raises:
        ValueError: the speed is negative, or more than a billion.
    """

    real: Callable[[], float]
    speed: float = 1.0
    began: float = Factory(lambda self: self.real(), takes_self=True)
    was: float = Factory(lambda self: self.began, takes_self=True)

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.speed <= _MOST_SPEED:
            msg = f"speed is {self.speed}, but must be from 0 to {_MOST_SPEED:.0f}"
            raise ValueError(msg)

    def now(self) -> float:
        """What time it is."""
        return self.was + (self.real() - self.began) * self.speed

    def advance(self, seconds: object) -> None:
        """Move it on.

        Raises:
            ValueError: that would be back, or more than three centuries.
        """
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LONGEST:
            msg = f"time moves on by 0 to {_LONGEST:.0f} seconds, not by {seconds!r}"
            raise ValueError(msg)
        self.was += seconds

    def set(self, now: float) -> None:
        """Let it be this time, and go on from there."""
        self.began, self.was = self.real(), now
