"""An HTTP response to an answer: its body within bounds, and the key in none of it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, quote_plus

from .._wire.messages import Answer
from .body import Response, body_of, most_bytes

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from .._wire.messages import Request


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
        headers={name: _scrubbed(value.encode(), key).decode() for name, value in headers.items()},
        body=_scrubbed(body, key),
    )


def _scrubbed(said: bytes, key: str) -> bytes:
    """What a panel said, without the key: some repeat it in their errors."""
    for spelling in _spellings(key):
        said = said.replace(spelling, _HIDDEN)
    return said


@lru_cache(maxsize=16)
def _spellings(key: str) -> AbstractSet[bytes]:
    """The key as it is, and as JSON and forms write it."""
    texts = (key, json.dumps(key)[1:-1], key.replace("/", "\\/"), quote_plus(key), quote(key, safe=""))
    return {text.encode() for text in texts}


_HIDDEN = b"***"
_SHORTEST = 8


def _is_telling(key: str) -> bool:
    """Whether the key is too long to stand in an answer by chance, as part of a word or as an order's id."""
    return len(key) >= _SHORTEST and (not key.isdecimal() or len(key) >= 2 * _SHORTEST)
