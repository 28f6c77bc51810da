"""Requests to an ASGI application without a server, which would take more time than the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message

_SCOPE = {"type": "http", "method": "POST", "path": "/api/v2", "query_string": b"", "headers": []}


async def post_form(app: ASGIApp, form: bytes) -> bytes:
    """Send a form to the API's address, and return the body of the response."""
    parts: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": form}

    async def send(message: Message) -> None:
        parts.append(message.get("body", b""))

    await app(_SCOPE, receive, send)
    return b"".join(parts)
