"""The sandbox's own address, ``/__sandbox__/``: a page for people, and the same as JSON for programs."""

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

from .faults import FAULTS, faults_from
from .panel import Panel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from starlette.requests import Request


DESK_PATH = "/__sandbox__/"
_MOST_BODY_BYTES = 1024 * 1024
_SHOWN = 50


def desk(panel: Panel) -> Starlette:
    """What can be seen of the panel, and what it can be told, as an ASGI application."""
    shown = {
        "state": lambda: panel.state(_SHOWN),
        "orders": panel.orders,
        "requests": panel.log,
        "kinds": lambda: {name: {"words": kind.words, "takes": kind.takes} for name, kind in FAULTS.items()},
    }
    return Starlette(
        routes=[
            Route("/", _home),
            Route("/openapi.json", _shown(lambda: describe_api(len(panel.world.offers)))),
            Route(DESK_PATH, _page),
            *(Route(DESK_PATH + name, _shown(show)) for name, show in shown.items()),
            Route(f"{DESK_PATH}faults", _faults(panel), methods=["GET", "POST", "DELETE"]),
            *(Route(DESK_PATH + name, _Told(panel, tell).answer, methods=["POST"]) for name, tell in _TELLS.items()),
        ]
    )


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


async def _home(_: Request) -> Response:
    return RedirectResponse(DESK_PATH)


async def _page(_: Request) -> Response:
    return HTMLResponse(_read_file("page.html"))


def _shown(show: Callable[[], object]) -> Callable[[Request], Awaitable[Response]]:
    async def shown(_: Request) -> Response:
        return JSONResponse(show())

    return shown


def _add_faults(panel: Panel, said: object) -> object:
    panel.add_faults(faults_from(said))
    return panel.faults()


def _clear_faults(panel: Panel, _: object) -> object:
    panel.clear_faults()
    return panel.faults()


def _advance(panel: Panel, said: object) -> object:
    panel.advance(_part(said, "seconds"))
    return panel.state(0)


def _reset(panel: Panel, _: object) -> object:
    panel.reset()
    return panel.state(0)


def _change(panel: Panel, said: object) -> object:
    terms = dict(_object(said))
    return panel.change(_part(terms, "service"), {name: terms[name] for name in terms if name != "service"})


def _set_balance(panel: Panel, said: object) -> object:
    panel.set_balance(_part(said, "key"), _part(said, "balance"))
    return panel.state(0)


_TELLS: Mapping[str, Callable[[Panel, object], object]] = {
    "advance": _advance,
    "reset": _reset,
    "services": _change,
    "balance": _set_balance,
}
"""What the panel can be told under which name; each takes the body's JSON, and gives what is answered."""


@frozen
class _Told:
    """What changes the panel: a mistake is said with HTTP 400, and other sites' pages have no say."""

    panel: Panel
    tell: Callable[[Panel, object], object]

    async def answer(self, request: Request) -> Response:
        """Do it, and say what came of it."""
        if request.headers.get("sec-fetch-site") == "cross-site":
            return JSONResponse({"error": "a page of another site has no say here"}, 403)
        try:
            said = await _said(request) if request.method == "POST" else None
            return JSONResponse(self.tell(self.panel, said))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)


def _faults(panel: Panel) -> Callable[[Request], Awaitable[Response]]:
    by_method = {
        "GET": _shown(panel.faults),
        "HEAD": _shown(panel.faults),
        "POST": _Told(panel, _add_faults).answer,
        "DELETE": _Told(panel, _clear_faults).answer,
    }

    async def faults(request: Request) -> Response:
        return await by_method[request.method](request)

    return faults


async def _said(request: Request) -> object:
    """The body's JSON; ``None`` where there is no body.

    Raises:
        ValueError: it is none, or too long.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk[: _MOST_BODY_BYTES + 1 - len(body)]
    if len(body) > _MOST_BODY_BYTES:
        msg = f"the body is longer than {_MOST_BODY_BYTES} bytes"
        raise ValueError(msg)
    try:
        return json.loads(body or b"null", parse_float=_number)
    except (ValueError, RecursionError) as error:
        msg = 'the body must be JSON, like {"seconds": 3600}'
        raise ValueError(msg) from error


def _number(text: str) -> float:
    """A number, whole if it is: JSON has but one kind."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _object(said: object) -> Mapping[str, object]:
    if not isinstance(said, dict):
        msg = "the body must be an object"
        raise ValueError(msg)  # noqa: TRY004 - what came over the wire, and no caller's mistake
    return said


def _part(said: object, name: str) -> object:
    """A part of what was said.

    Raises:
        ValueError: it is not there.
    """
    if name not in (parts := _object(said)):
        msg = f"the body must be an object with {name!r}"
        raise ValueError(msg)
    return parts[name]
