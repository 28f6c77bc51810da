"""An HTTP response to an answer: its body within bounds, and the key in none of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from ..wire.messages import Answer
from .body import Response, body_of, most_bytes

if TYPE_CHECKING:
    from ..wire.messages import Request


class WholeResponse(Response, Protocol):
    """What is needed of an httpx response, of whichever httpx."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        ...

    async def aclose(self) -> None:
        """Let go of the connection."""
        ...


async def received(response: WholeResponse, request: Request, key: str) -> Answer:
    """The whole answer; the response is closed in any case.

    Raises:
        UnusableBodyError: the body is too large, cut, or packed in an unknown way.
    """
    try:
        body = await body_of(response, most_bytes(request.action))
    finally:
        await response.aclose()
    headers = {name.lower(): value for name, value in response.headers.items()}
    if not _is_telling(key):
        return Answer(status=response.status_code, headers=headers, body=body)
    return Answer(
        status=response.status_code,
        headers={name: value.replace(key, _HIDDEN) for name, value in headers.items()},
        body=_scrubbed(body, key),
    )


def _scrubbed(body: bytes, key: str) -> bytes:
    """The body without the key, as it is and as JSON writes it: some panels repeat it in their errors."""
    for written in {key, json.dumps(key)[1:-1], key.replace("/", "\\/")}:
        body = body.replace(written.encode(), _HIDDEN.encode())
    return body


_HIDDEN = "***"
_SHORTEST = 8


def _is_telling(key: str) -> bool:
    """Whether the key is too long to stand in an answer by chance, as part of a word or as an order's id."""
    return len(key) >= _SHORTEST and (not key.isdecimal() or len(key) >= 2 * _SHORTEST)
