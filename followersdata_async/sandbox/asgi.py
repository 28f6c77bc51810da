"""The panel behind HTTP: forms, JSON or a query in, answers out, as whole and as soon as its faults let them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, final
from urllib.parse import parse_qsl

import anyio
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from .faults import Fault
    from .panel import Delivery, Panel

API_PATH = "/api/v2"
_MOST_BODY_BYTES = 1024 * 1024
_MOST_FIELDS = 100


class Dropped(Exception):  # noqa: N818 - what happened to a connection, which is no error here
    """The connection is to end now, whatever of the answer was sent."""


@final
class Application:
    """The API as an ASGI application that waits ``latency`` seconds before each answer; all else is the desk's.

    Raises:
        Dropped: while it answers: whoever serves it is to end the connection.
    """

    def __init__(self, panel: Panel, desk: ASGIApp, *, latency: float) -> None:
        self._panel = panel
        self._desk = desk
        self._latency = latency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] not in {API_PATH, f"{API_PATH}/"}:
            await self._desk(scope, receive, send)
        elif scope["method"] not in {"GET", "POST"}:
            await PlainTextResponse("Method Not Allowed", 405, {"Allow": "GET, POST"})(scope, receive, send)
        else:
            text = scope["query_string"].decode("latin-1") if scope["method"] == "GET" else await _body_of(receive)
            if self._latency:
                await anyio.sleep(self._latency)
            # A body that is no request has no fields, not even a key.
            await _deliver(self._panel.received(_fields_in(text)), send)


async def _deliver(delivery: Delivery, send: Send) -> None:
    match delivery.fault:
        case None:
            await _begin(delivery, send)
            await send({"type": "http.response.body", "body": delivery.reply.body})
        case fault:
            await _deliver_with(fault, delivery, send)


async def _deliver_with(fault: Fault, delivery: Delivery, send: Send) -> None:
    body = delivery.reply.body
    if fault.fault in {"unread", "dropped"}:
        raise Dropped
    if fault.fault == "late":
        await anyio.sleep(fault.delay)
    await _begin(delivery, send)
    if fault.fault == "cut":
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        raise Dropped
    if fault.fault == "dripping":
        for place in range(len(body)):
            await anyio.sleep(fault.delay)
            await send({"type": "http.response.body", "body": body[place : place + 1], "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body})


async def _begin(delivery: Delivery, send: Send) -> None:
    reply = delivery.reply
    headers = {"Content-Type": reply.content_type, "Content-Length": str(len(reply.body)), **reply.headers}
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": encoded})


async def _body_of(receive: Receive) -> str:
    """The body as text; empty where it is too long or no text."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        # Read to the end in any case: who sends does not listen before.
        body += message.get("body", b"")[: _MOST_BODY_BYTES + 1 - len(body)]
        more = message.get("more_body", False)
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
