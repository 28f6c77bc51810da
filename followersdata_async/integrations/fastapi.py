"""FastAPI: a panel's client for the life of the app, in every route that asks for it, and errors as problem details.

Needs the extra ``fastapi``: ``pip install 'followersdata_async[fastapi]'``.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import cache
from typing import Annotated, Any, TypeAlias, TypedDict, cast

try:
    from fastapi import Depends, FastAPI
except ImportError as _error:
    _msg = "this integration needs its extra: pip install 'followersdata_async[fastapi]'"
    raise ImportError(_msg) from _error

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketState

from ..client import AsyncClient
from ..errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    DecodeError,
    FollowersDataError,
    InsufficientFundsError,
    InvalidOrderError,
    InvalidRequestError,
    LedgerError,
    NotSentError,
    NotSupportedError,
    OrderNotFoundError,
    OutcomeUnknownError,
    PanelError,
    PanelUnavailableError,
    PartialFailureError,
    PollTimeoutError,
    RateLimitedError,
    RefillNotFoundError,
    RequestTimeoutError,
    RequestTooLargeError,
    ServiceNotFoundError,
    SpendingLimitError,
    TemporaryPanelError,
    TransportError,
    is_unknown,
)
from .starlette import EventStreamResponse, NdjsonResponse

__all__ = [
    "EventStreamResponse",
    "Lifespan",
    "NdjsonResponse",
    "Panel",
    "PanelDep",
    "PanelState",
    "install_error_handlers",
    "lifespan",
    "panel_named",
    "panels_of",
]

Panel: TypeAlias = AsyncClient | Callable[[], AsyncClient]
"""A client, or a function that creates one: a client can be opened once, but tests run an app's lifespan repeatedly."""

Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]
"""A lifespan of FastAPI or Starlette."""

_LOGGER = logging.getLogger(__name__)
_MAIN = "main"
_STATE = "followersdata_panels"


class PanelState(TypedDict):
    """What ``lifespan`` adds to the app's state; a state of your own that has more inherits from it."""

    followersdata_panels: Mapping[str, AsyncClient]


def lifespan(
    panels: Panel | Mapping[str, Panel] | None = None, *, inner: Lifespan | None = None
) -> Callable[[FastAPI], AbstractAsyncContextManager[PanelState]]:
    """A lifespan that opens clients before the first request, and closes them after the last.

    Args:
        panels: A client, or several by name, of which ``main`` is that of
            ``PanelDep``; ``None`` makes one from the environment.
        inner: Another lifespan, which runs inside: the clients are open when it
            starts (``panels_of(app)``), and still when it ends. Its state is kept.

    Raises:
        ConfigurationError: there is no panel, or none of several is named ``main``.
    """
    named = panels if isinstance(panels, Mapping) else {_MAIN: AsyncClient if panels is None else panels}
    if _MAIN not in named:
        msg = f"one of the panels is named {_MAIN!r}, for PanelDep; these are {', '.join(named) or 'none'}"
        raise ConfigurationError(msg)

    @asynccontextmanager
    async def open_clients(app: FastAPI) -> AsyncIterator[PanelState]:
        async with AsyncExitStack() as stack:
            clients = {
                name: await stack.enter_async_context(panel if isinstance(panel, AsyncClient) else panel())
                for name, panel in named.items()
            }
            setattr(app.state, _STATE, clients)
            stack.callback(delattr, app.state, _STATE)
            state = None if inner is None else await stack.enter_async_context(inner(app))
            yield cast("PanelState", {**(state or {}), _STATE: clients})

    return open_clients


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


PanelDep = Annotated[AsyncClient, Depends(panel_named(_MAIN))]
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

    ``retry`` says whether sending the same request again is safe and may help:
    ``false`` where an order may have been placed. ``Retry-After`` is the panel's.
    Each is logged, as an ERROR where a person has to do something, else as a
    WARNING. A WebSocket that was accepted is closed with 1011.
    """
    app.add_exception_handler(FollowersDataError, _handle_error)  # type: ignore[arg-type]  # it takes both kinds


async def _handle_error(connection: HTTPConnection, error: Exception) -> JSONResponse | None:
    status, title = next(_PROBLEMS[class_] for class_ in type(error).__mro__ if class_ in _PROBLEMS)
    _LOGGER.log(_level_of(error), "%s: %s", type(error).__name__, error)
    problem = {
        "type": f"urn:followersdata:{type(error).__name__}",
        "title": title,
        "status": status,
        "detail": str(error),
        "instance": connection.url.path,
        "retry": _may_be_repeated(error),
    }
    retry_after: float | None = getattr(error, "retry_after", None)
    is_known = retry_after is not None and 0 <= retry_after < math.inf
    headers = {"Retry-After": str(math.ceil(retry_after or 0))} if is_known else {}
    response = JSONResponse(problem, status, headers, media_type="application/problem+json")
    if isinstance(connection, WebSocket):
        await _end(connection, response, title)
        return None
    return response


async def _end(socket: WebSocket, response: JSONResponse, title: str) -> None:
    """Refuse a WebSocket with the problem, if the server can and it is not accepted yet; else close it."""
    if socket.application_state is WebSocketState.DISCONNECTED:
        return
    is_new = socket.application_state is WebSocketState.CONNECTING
    if is_new and "websocket.http.response" in socket.scope.get("extensions", {}):
        await socket.send_denial_response(response)
    else:
        await socket.close(_INTERNAL_ERROR, title)


_INTERNAL_ERROR = 1011

_PROBLEMS: Mapping[type[FollowersDataError], tuple[int, str]] = {
    InvalidRequestError: (502, "The panel does not know this request"),
    InvalidOrderError: (422, "The order cannot be placed like this"),
    NotSupportedError: (422, "Not for this service or order"),
    OrderNotFoundError: (404, "There is no such order"),
    RefillNotFoundError: (404, "There is no such refill"),
    ServiceNotFoundError: (404, "There is no such service"),
    ConflictError: (409, "Not now"),
    InsufficientFundsError: (402, "The account's balance does not cover it"),
    RateLimitedError: (503, "The panel wants fewer requests"),
    TemporaryPanelError: (503, "The panel asks to come back later"),
    RequestTooLargeError: (413, "The request is larger than the service sends"),
    NotSentError: (503, "The panel cannot be reached"),
    LedgerError: (503, "The ledger cannot be used"),
    SpendingLimitError: (503, "The spending limit is used up"),
    RequestTimeoutError: (504, "The panel did not answer in time"),
    PollTimeoutError: (504, "Not all orders are final yet"),
    AuthenticationError: (500, "The panel refuses the service's account"),
    ConfigurationError: (500, "The service is not set up"),
    OutcomeUnknownError: (502, "Nobody knows whether it was done"),
    DecodeError: (502, "The panel's answer cannot be read"),
    PanelUnavailableError: (502, "The panel gives no usable answer"),
    PartialFailureError: (502, "Some of it came to nothing"),
    PanelError: (502, "The panel said no"),
    FollowersDataError: (502, "The panel could not be used"),
}
"""Of each class, or of the nearest above it. The panel is behind the service: its 401 and 429 are not the caller's."""


def _may_be_repeated(error: Exception) -> bool:
    """Whether it may pass, and ordered nothing; a ledger's error with a receipt is about an order that was sent."""
    if isinstance(error, SpendingLimitError):
        return error.frees_at is not None
    if isinstance(error, RequestTooLargeError):
        return False
    return isinstance(error, _PASSING) and getattr(error, "receipt", None) is None


_PASSING = (TransportError, ConflictError, RateLimitedError, TemporaryPanelError, PollTimeoutError, LedgerError)


def _level_of(error: Exception) -> int:
    return logging.ERROR if is_unknown(error) or isinstance(error, _FOR_A_PERSON) else logging.WARNING


_FOR_A_PERSON = (AuthenticationError, ConfigurationError, InsufficientFundsError, LedgerError, SpendingLimitError)
