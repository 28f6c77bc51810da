"""FastAPI: a panel's client for the life of the app, in every route that asks for it, and errors as problem details.

Needs the extra ``fastapi``: ``pip install 'followersdata_async[fastapi]'``.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import cache
from typing import Annotated, Any, TypeAlias

try:
    from fastapi import Depends, FastAPI
except ImportError as _error:
    msg = "this integration needs its extra: pip install 'followersdata_async[fastapi]'"
    raise ImportError(msg) from _error

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse

from ..client import AsyncClient
from ..errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    FollowersDataError,
    InsufficientFundsError,
    InvalidOrderError,
    LedgerError,
    NotSentError,
    NotSupportedError,
    OrderNotFoundError,
    OutcomeUnknownError,
    PollTimeoutError,
    RateLimitedError,
    RefillNotFoundError,
    RequestTimeoutError,
    ServiceNotFoundError,
    TemporaryPanelError,
)
from .responses import EventStreamResponse, NdjsonResponse

__all__ = [
    "EventStreamResponse",
    "NdjsonResponse",
    "Panel",
    "PanelDep",
    "install_error_handlers",
    "lifespan",
    "panel_named",
    "panels_of",
]

Panel: TypeAlias = AsyncClient | Callable[[], AsyncClient]
"""A client, or what makes one: a client can be opened once, and in tests an app's lifespan runs again and again."""

Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]

MAIN = "main"
_STATE = "followersdata_panels"


def lifespan(
    panels: Panel | Mapping[str, Panel] | None = None, *, inner: Lifespan | None = None
) -> Callable[[FastAPI], AbstractAsyncContextManager[dict[str, Any]]]:
    """A lifespan that opens clients before the first request, and closes them after the last.

    Args:
        panels: A client, or several by name, of which ``main`` is that of
            ``PanelDep``; ``None`` makes one from the environment.
        inner: Another lifespan, which runs inside: the clients are open when it
            starts (``panels_of(app)``), and still when it ends. Its state is kept.

    Raises:
        ConfigurationError: there is no panel, or none of several is named ``main``.
    """
    named = panels if isinstance(panels, Mapping) else {MAIN: AsyncClient if panels is None else panels}
    if MAIN not in named:
        msg = f"one of the panels is named {MAIN!r}, for PanelDep; these are {', '.join(named) or 'none'}"
        raise ConfigurationError(msg)

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            clients = {
                name: await stack.enter_async_context(panel if isinstance(panel, AsyncClient) else panel())
                for name, panel in named.items()
            }
            setattr(app.state, _STATE, clients)
            state = None if inner is None else await stack.enter_async_context(inner(app))
            yield {**(state or {}), _STATE: clients}

    return opened


def panels_of(app: FastAPI) -> Mapping[str, AsyncClient]:
    """The open clients by their names, for what is no route: a task of the inner lifespan, for example.

    Raises:
        ConfigurationError: the app's lifespan does not run.
    """
    return _open_in(app)


@cache
def panel_named(name: str) -> Callable[[HTTPConnection], AsyncClient]:
    """The dependency of one of several panels: ``Annotated[AsyncClient, Depends(panel_named("spare"))]``.

    It is the same object each time, for ``dependency_overrides``.
    """

    def panel(connection: HTTPConnection) -> AsyncClient:
        panels = _open_in(connection)
        if name not in panels:
            msg = f"there is no panel {name!r}: lifespan() was given {', '.join(panels)}"
            raise ConfigurationError(msg)
        return panels[name]

    return panel


PanelDep = Annotated[AsyncClient, Depends(panel_named(MAIN))]
"""The client of a route or a WebSocket: ``async def show(order: int, panel: PanelDep) -> OrderStatus``."""


def _open_in(holder: HTTPConnection | FastAPI) -> Mapping[str, AsyncClient]:
    panels: Mapping[str, AsyncClient] | None = getattr(holder.state, _STATE, None)
    if panels is None:
        msg = (
            "the app has no open panel: make it with FastAPI(lifespan=lifespan()), "
            "and in tests use the TestClient as `with TestClient(app) as client`"
        )
        raise ConfigurationError(msg)
    return panels


# --- errors


def install_error_handlers(app: FastAPI) -> None:
    """Answer this library's errors as problem details (RFC 9457), with a fitting status, and never the key.

    ``retry`` says whether the same request may be sent again: ``false`` where
    an order may have been placed. ``Retry-After`` is the panel's.
    """
    app.add_exception_handler(FollowersDataError, _problem)


async def _problem(request: Request, error: Exception) -> JSONResponse:
    retry_after = getattr(error, "retry_after", None)
    problem = {
        "type": f"urn:followersdata:{type(error).__name__}",
        "title": (type(error).__doc__ or "").partition("\n")[0].rstrip("."),
        "status": _status_of(error),
        "detail": str(error),
        "instance": request.url.path,
        "retry": not isinstance(error, OutcomeUnknownError),
    }
    headers = {} if retry_after is None else {"Retry-After": str(math.ceil(retry_after))}
    return JSONResponse(problem, _status_of(error), headers, media_type="application/problem+json")


_STATUSES: Mapping[type[FollowersDataError], int] = {
    InvalidOrderError: 422,
    NotSupportedError: 422,
    OrderNotFoundError: 404,
    RefillNotFoundError: 404,
    ServiceNotFoundError: 404,
    ConflictError: 409,
    InsufficientFundsError: 402,
    RateLimitedError: 503,
    TemporaryPanelError: 503,
    NotSentError: 503,
    LedgerError: 503,
    RequestTimeoutError: 504,
    PollTimeoutError: 504,
    AuthenticationError: 500,
    ConfigurationError: 500,
    FollowersDataError: 502,
}
"""Of each class, or of the nearest above it. The panel is behind the service: its 401 and 429 are not the caller's."""


def _status_of(error: Exception) -> int:
    return next(_STATUSES[class_] for class_ in type(error).__mro__ if class_ in _STATUSES)
