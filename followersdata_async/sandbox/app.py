"""The world behind HTTP: forms, JSON or a query in, the answer in a panel's dialect out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import anyio
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from .dialects import Dialect
    from .world import World

API_PATH = "/api/v2"
_MOST_BODY_BYTES = 1024 * 1024
_MOST_FIELDS = 100


def application(world: World, dialect: Dialect, *, clock: Callable[[], float], latency: float) -> Starlette:
    """The panel as an ASGI application that waits ``latency`` seconds before each answer."""

    async def api(request: Request) -> Response:
        text = request.url.query if request.method == "GET" else await _body_of(request)
        if latency:
            await anyio.sleep(latency)
        # A body that is no request has no fields, not even a key.
        reply = dialect.reply(_fields_in(text), lambda fields: world.answer(fields, clock()))
        return Response(reply.body, reply.status, media_type=reply.content_type)

    async def ledger(_: Request) -> Response:
        return JSONResponse([entry.row() for entry in world.entries])

    return Starlette(
        routes=[
            *(Route(path, api, methods=["GET", "POST"]) for path in (API_PATH, f"{API_PATH}/")),
            Route("/__sandbox__/ledger", ledger, methods=["GET"]),
        ]
    )


async def _body_of(request: Request) -> str:
    """The body as text; empty where it is too long or no text."""
    body = bytearray()
    async for chunk in request.stream():
        # Read to the end in any case: who sends does not listen before.
        body += chunk[: _MOST_BODY_BYTES + 1 - len(body)]
    try:
        return body.decode() if len(body) <= _MOST_BODY_BYTES else ""
    except UnicodeDecodeError:
        return ""


def _fields_in(text: str) -> dict[str, str]:
    """The fields of a form or of a JSON object, or none. Of a name that comes twice, the last counts."""
    try:
        if text.lstrip().startswith("{"):
            return {name: _field_of(value) for name, value in json.loads(text).items()}
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except (ValueError, RecursionError):
        return {}


def _field_of(value: object) -> str:
    """A JSON value as a form would have it: lists of ids joined."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
