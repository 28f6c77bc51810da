"""The administration of a panel under ``/__sandbox__/``: a page for people, and the same as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from attrs import frozen
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from .asgi import TooLongError, read_body
from .faults import FAULT_KINDS, parse_faults
from .guard import Guard
from .panel import Panel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp

    Handler = Callable[[Request], Awaitable[Response]]


ADMIN_PATH = "/__sandbox__/"
_STATE_ROWS = 50
_JSON_TYPE = "application/json"


def create_admin(panel: Panel, hosts: tuple[str, ...], *, max_body_bytes: int | None) -> ASGIApp:
    """Return an ASGI application that shows and changes the panel, for requests to and from ``hosts``."""
    commands = {name: _Command(panel, max_body_bytes, run).handle for name, run in _COMMANDS.items()}
    faults = {
        "GET": _create_view(panel.list_faults),
        "HEAD": _create_view(panel.list_faults),
        "POST": _Command(panel, max_body_bytes, _add_faults).handle,
        "DELETE": _Command(panel, max_body_bytes, _clear_faults).handle,
    }
    views = {
        "state": lambda: panel.get_state(_STATE_ROWS),
        "orders": panel.list_orders,
        "requests": panel.list_requests,
        "kinds": _list_fault_kinds,
    }
    app = Starlette(
        routes=[
            Route("/", _redirect_to_page),
            Route("/openapi.json", _create_view(lambda: describe_api(len(panel.backend.offers)))),
            Route(ADMIN_PATH, _send_page),
            *(Route(ADMIN_PATH + name, _create_view(read)) for name, read in views.items()),
            Route(f"{ADMIN_PATH}faults", _choose_handler(faults), methods=list(faults)),
            *(Route(ADMIN_PATH + name, handle, methods=["POST"]) for name, handle in commands.items()),
        ]
    )
    return Guard(app, hosts)


# --- what is shown


def describe_api(services: int) -> dict[str, Any]:
    """Return the OpenAPI description of a panel with ``services`` services.

    It describes the documented dialect, without a quota and without faults.
    """
    description: dict[str, Any] = json.loads(_read_file("openapi.json"))
    change = description["paths"]["/__sandbox__/services"]["post"]
    schema = change["requestBody"]["content"]["application/json"]["schema"]
    schema["properties"]["service"]["maximum"] = services
    return description


@cache
def _read_file(name: str) -> str:
    """Return the text of a file that lies beside this module."""
    return files("followersdata_async.sandbox").joinpath(name).read_text("utf-8")


async def _redirect_to_page(_: Request) -> Response:
    return RedirectResponse(ADMIN_PATH)


async def _send_page(_: Request) -> Response:
    return HTMLResponse(_read_file("page.html"))


def _create_view(read: Callable[[], object]) -> Handler:
    """Return a request handler that sends the value of ``read`` as JSON."""

    async def send_json(_: Request) -> Response:
        return JSONResponse(read())

    return send_json


def _list_fault_kinds() -> object:
    return {name: {"words": kind.description, "takes": kind.options} for name, kind in FAULT_KINDS.items()}


# --- what is changed


def _add_faults(panel: Panel, body: object) -> object:
    panel.add_faults(parse_faults(body))
    return panel.list_faults()


def _clear_faults(panel: Panel, _: object) -> object:
    panel.clear_faults()
    return panel.list_faults()


def _advance(panel: Panel, body: object) -> object:
    panel.advance(_get_member(body, "seconds"))
    return panel.get_state(0)


def _reset(panel: Panel, _: object) -> object:
    panel.reset()
    return panel.get_state(0)


def _change_service(panel: Panel, body: object) -> object:
    members = _require_object(body)
    changes = {name: value for name, value in members.items() if name != "service"}
    return panel.change_service(_get_member(members, "service"), changes)


def _set_balance(panel: Panel, body: object) -> object:
    panel.set_balance(_get_member(body, "key"), _get_member(body, "balance"))
    return panel.get_state(0)


_COMMANDS: Mapping[str, Callable[[Panel, object], object]] = {
    "advance": _advance,
    "reset": _reset,
    "services": _change_service,
    "balance": _set_balance,
}
"""The commands by name. Each takes the JSON of the request's body and returns the JSON of the response."""


@frozen
class _Command:
    """A request handler that changes the panel, or responds with HTTP 400, 413 or 415 if it cannot read the body."""

    panel: Panel
    max_body_bytes: int | None
    run: Callable[[Panel, object], object]

    async def handle(self, request: Request) -> Response:
        """Run the command and return its response."""
        try:
            body = await read_body(request.receive, self.max_body_bytes)
            _check_content_type(request.headers.get("content-type"), body)
            return JSONResponse(self.run(self.panel, _parse_json(body) if request.method == "POST" else None))
        except TooLongError as error:
            return JSONResponse({"error": str(error)}, 413)
        except _UnsupportedTypeError as error:
            return JSONResponse({"error": str(error)}, 415)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)


def _choose_handler(handlers: Mapping[str, Handler]) -> Handler:
    """Return a request handler that calls the one for the request's method."""

    async def handle(request: Request) -> Response:
        return await handlers[request.method](request)

    return handle


# --- bodies


class _UnsupportedTypeError(Exception):
    """The body is not declared as JSON."""


def _check_content_type(content_type: str | None, body: bytes) -> None:
    """Check that the body is declared as JSON; only an empty one need not be.

    Raises:
        _UnsupportedTypeError: It is not. Browsers send the types of forms for any page
            without asking the server first (CORS), so they are refused.
    """
    if content_type is None and not body:
        return
    if (content_type or "").partition(";")[0].strip().lower() != _JSON_TYPE:
        msg = f"Content-Type must be {_JSON_TYPE}, got {content_type or ''!r}: send JSON, with this header"
        raise _UnsupportedTypeError(msg)


def _parse_json(body: bytes) -> object:
    """Return the JSON of a body, or ``None`` if it is empty.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return json.loads(body or b"null", parse_float=_parse_float)
    except (ValueError, RecursionError) as error:
        msg = 'the body must be JSON, like {"seconds": 3600}'
        raise ValueError(msg) from error


def _parse_float(text: str) -> float:
    """Return a number as an integer if it is one: JSON does not distinguish 1.0 from 1."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _require_object(body: object) -> Mapping[str, object]:
    """Return the body if it is a JSON object.

    Raises:
        ValueError: It is not.
    """
    if not isinstance(body, dict):
        msg = "the body must be an object"
        raise ValueError(msg)  # noqa: TRY004 - invalid input, not a caller's mistake
    return body


def _get_member(body: object, name: str) -> object:
    """Return a member of the body.

    Raises:
        ValueError: The body is not an object, or has no such member.
    """
    if name not in (members := _require_object(body)):
        msg = f"the body must be an object with {name!r}"
        raise ValueError(msg)
    return members[name]
