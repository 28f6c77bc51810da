"""The world behind HTTP: form bodies in, JSON out, errors with status 200."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import anyio
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from .world import World

API_PATH = "/api/v2"
_MOST_BODY_BYTES = 1024 * 1024
_MOST_FIELDS = 100


def application(world: World, *, clock: Callable[[], float], latency: float) -> Starlette:
    """The panel as an ASGI application that waits ``latency`` seconds before each answer."""

    async def api(request: Request) -> Response:
        fields = await _fields_of(request)
        if latency:
            await anyio.sleep(latency)
        return JSONResponse({"error": "Incorrect request"} if fields is None else world.answer(fields, clock()))

    async def ledger(_: Request) -> Response:
        return JSONResponse([entry.row() for entry in world.entries])

    return Starlette(
        routes=[
            Route(API_PATH, api, methods=["POST"]),
            Route("/__sandbox__/ledger", ledger, methods=["GET"]),
        ]
    )


async def _fields_of(request: Request) -> dict[str, str] | None:
    """The form's fields, or ``None`` where the body is no form. Of a name that comes twice, the last counts."""
    body = bytearray()
    async for chunk in request.stream():
        # Read to the end in any case: who sends does not listen before.
        body += chunk[: _MOST_BODY_BYTES + 1 - len(body)]
    if len(body) > _MOST_BODY_BYTES:
        return None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        return None
