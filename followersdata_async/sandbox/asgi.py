"""The panel's API over ASGI: it reads forms, JSON or queries, and sends responses as their faults demand."""

from __future__ import annotations

import json
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, final
from urllib.parse import parse_qsl

import anyio
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from .faults import Fault
    from .panel import Delivery, Panel

API_PATH = "/api/v2"
_MAX_FIELDS = 100


class ConnectionDropped(Exception):  # noqa: N818 - a fault that was asked for is not an error
    """The connection must end now, whatever part of the response was sent."""


class TooLongError(Exception):
    """A part of a request has more than ``limit`` bytes. The response is HTTP 413 with this message."""

    def __init__(self, part: str, limit: int) -> None:
        super().__init__(f"the {part} must be at most {limit} bytes, got more: send less, or raise max_body_bytes")


@final
class Application:
    """An ASGI application that serves the API, and leaves all other addresses to ``admin``.

    It waits ``latency`` seconds before it handles a request. A request whose
    body or query has more than ``max_body_bytes`` is neither handled nor counted.

    Raises:
        ConnectionDropped: A fault ends the connection; the server must close it.
    """

    def __init__(self, panel: Panel, admin: ASGIApp, *, latency: float, max_body_bytes: int | None) -> None:
        self._panel = panel
        self._admin = admin
        self._latency = latency
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        if scope["type"] != "http" or scope["path"] not in {API_PATH, f"{API_PATH}/"}:
            await self._admin(scope, receive, send)
        elif scope["method"] not in {"GET", "POST"}:
            await PlainTextResponse("Method Not Allowed", 405, {"Allow": "GET, POST"})(scope, receive, send)
        else:
            try:
                await self._handle_request(scope, receive, send)
            except TooLongError as error:
                await PlainTextResponse(str(error), 413)(scope, receive, send)
            except ClientDisconnect:
                pass  # there is nobody to respond to

    async def _handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request to the API.

        Raises:
            TooLongError: The body or the query is too long.
            ClientDisconnect: The connection ended within the body.
        """
        query, limit = scope["query_string"].decode("latin-1"), self._max_body_bytes
        body = b"" if scope["method"] == "GET" else await read_body(receive, limit)
        if limit is not None and len(query) > limit:
            part = "query"
            raise TooLongError(part, limit)
        if self._latency:
            await anyio.sleep(self._latency)
        # As in PHP, fields of the body go before those of the address. A body that cannot be parsed has no fields,
        # not even a key: the panel rejects it as any wrong key.
        fields = {**_parse_form(query), **_parse_body(body, _find_content_type(scope))}
        await _deliver(self._panel.handle_request(fields), send)


async def _deliver(delivery: Delivery, send: Send) -> None:
    match delivery.fault:
        case None:
            await _send_head(delivery, send)
            await send({"type": "http.response.body", "body": delivery.response.body})
        case fault:
            await _deliver_with_fault(fault, delivery, send)


async def _deliver_with_fault(fault: Fault, delivery: Delivery, send: Send) -> None:
    body = delivery.response.body
    if fault.fault in {"unread", "dropped"}:
        raise ConnectionDropped
    if fault.fault == "late":
        await anyio.sleep(fault.delay)
    await _send_head(delivery, send)
    if fault.fault == "cut":
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        raise ConnectionDropped
    if fault.fault == "dripping":
        for place in range(len(body)):
            await anyio.sleep(fault.delay)
            await send({"type": "http.response.body", "body": body[place : place + 1], "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body})


async def _send_head(delivery: Delivery, send: Send) -> None:
    response = delivery.response
    headers = {"Content-Type": response.content_type, "Content-Length": str(len(response.body)), **response.headers}
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": encoded})


async def read_body(receive: Receive, limit: int | None) -> bytes:
    """Return the body of a request.

    Raises:
        TooLongError: It has more than ``limit`` bytes.
        ClientDisconnect: The connection ended within it.
    """
    body, length, more = bytearray(), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        # Also a body that is too long is read to its end: a client may read no response before it has sent all.
        chunk = message.get("body", b"")
        length += len(chunk)
        if limit is None or length <= limit:
            body += chunk
        more = message.get("more_body", False)
    if limit is not None and length > limit:
        part = "body"
        raise TooLongError(part, limit)
    return bytes(body)


def _find_content_type(scope: Scope) -> bytes:
    return next((value for name, value in scope["headers"] if name.lower() == b"content-type"), b"")


def _parse_body(body: bytes, content_type: bytes) -> dict[str, str]:
    """Return the fields of a form, of a multipart form or of a JSON object, or none."""
    try:
        if content_type.lower().startswith(b"multipart/form-data"):
            return _parse_multipart(body, content_type)
        text = body.decode()
        if text.lstrip().startswith("{"):
            return {name: _format_field(value) for name, value in json.loads(text).items()}
    except (ValueError, LookupError, RecursionError):
        return {}
    return _parse_form(text)


def _parse_form(text: str) -> dict[str, str]:
    """Return the fields of a form or a query, or none. The last of several fields with one name counts."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}


def _parse_multipart(body: bytes, content_type: bytes) -> dict[str, str]:
    """Return the fields of a multipart form, without files. The last of several fields with one name counts."""
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type + b"\r\n\r\n" + body)
    fields: dict[str, str] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str) and part.get_filename() is None:
            fields[name] = bytes(part.get_payload(decode=True)).decode()
    return fields if len(fields) <= _MAX_FIELDS else {}


def _format_field(value: object) -> str:
    """Return a JSON value as a form would have it, with lists of ids joined."""
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
