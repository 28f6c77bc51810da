"""What an exchange that broke means for the caller."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, OutcomeUnknownError, PanelUnavailableError, RequestTimeoutError

if TYPE_CHECKING:
    from .._wire.messages import Request
    from ..errors import TransportError

_ALWAYS = ("anyio", "ssl", "socket")


@cache
def foreign_errors(*libraries: str) -> tuple[type[Exception], ...]:
    """Every exception class of HTTP libraries, their cores and what they stand on: looked up, not listed."""
    cores = (library.replace("httpx", "httpcore") for library in libraries)
    modules = map(import_module, (*libraries, *cores, *_ALWAYS))
    # getattr, as some load their parts when they are asked for.
    found = (getattr(module, name) for module in modules for name in dir(module) if not name.startswith("_"))
    return tuple({class_ for class_ in found if isinstance(class_, type) and issubclass(class_, Exception)})


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


def check_running(*, is_stopped: bool) -> None:
    """Refuse what got its place after the client was closed.

    Raises:
        ConfigurationError: it was; nothing is sent.
    """
    if is_stopped:
        msg = "the client was closed while this waited for its turn, and nothing was sent: keep it open"
        raise ConfigurationError(msg)
