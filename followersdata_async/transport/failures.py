"""What an exchange that broke means for the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import OutcomeUnknownError, PanelUnavailableError, RequestTimeoutError

if TYPE_CHECKING:
    from ..errors import TransportError
    from ..wire.messages import Request


def lost(request: Request, what: str, *, late: bool, sent: bool | None) -> TransportError | OutcomeUnknownError:
    """The error for a request that left, or may have, and whose answer did not come: of a write, nobody knows."""
    if not request.repeatable:
        return OutcomeUnknownError(what, action=request.action, asked=dict(request.fields), sent=sent)
    message = f"{request.action}: {what}; try again later"
    if late:
        return RequestTimeoutError(message, action=request.action)
    return PanelUnavailableError(message, action=request.action)


def described(error: Exception) -> str:
    """A foreign exception in a few words."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
