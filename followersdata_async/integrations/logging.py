"""A client's events as lines of the standard library's logging. Needs no extra."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..errors import FollowersDataError
from ..events import CallEnded, Coalesced, PollStarted, RequestEnded, RetryPlanned

if TYPE_CHECKING:
    from ..events import ClientEvent, Listener

__all__ = ["log_to"]


def log_to(logger: logging.Logger | None = None) -> Listener:
    """A listener that logs: ``AsyncClient(on_event=log_to(logging.getLogger("shop.panel")))``.

    Calls are INFO, those that failed WARNING, a write of which nobody knows
    what became ERROR; retries are WARNING; requests and the rest DEBUG. Lines
    have counts and the names of errors, neither ids nor the panel's words.

    Args:
        logger: Where to; ``None`` is ``followersdata_async``.
    """
    target = logging.getLogger("followersdata_async") if logger is None else logger

    def listener(event: ClientEvent) -> None:
        match event:
            case CallEnded():
                _log_call(target, event)
            case RetryPlanned():
                words = "%s: attempt %d follows in %.1f s, after %s"
                target.warning(words, event.action, event.attempt, event.delay, _name_of(event.error))
            case RequestEnded():
                words = "%s: request for %d ids, attempt %d: %s in %.3f s"
                what = _name_of(event.error)
                target.debug(words, event.action, event.ids, event.attempt, what, event.duration)
            case Coalesced():
                target.debug("%s: %d calls share a request for %d ids", event.action, event.calls, event.ids)
            case PollStarted():
                target.debug("looking at %d orders, %.1f s after they were due", event.orders, event.lag)

    return listener


def _log_call(target: logging.Logger, event: CallEnded) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in sorted(event.outcomes.items())) or _name_of(event.error)
    words = "%s: %s; %d requests, %d attempts, %.3f s"
    target.log(_level_of(event), words, event.method, counts, event.requests, event.attempts, event.duration)


def _level_of(event: CallEnded) -> int:
    if "unknown" in event.outcomes:
        return logging.ERROR
    return logging.WARNING if isinstance(event.error, FollowersDataError) else logging.INFO


def _name_of(error: BaseException | None) -> str:
    return "ok" if error is None else type(error).__name__
