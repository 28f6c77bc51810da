"""From an HTTP response to ours: the body within size limits, and the key in none of it."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64encode, urlsafe_b64encode
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, quote_plus

import anyio
import anyio.lowlevel

from .._wire.messages import Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from collections.abc import Set as AbstractSet

    from .._settings import Settings
    from .._wire.messages import Request

ACCEPT_ENCODING = "gzip"
USER_AGENT = "followersdata-async"

_MEBIBYTE = 1024 * 1024
_MAX_BODY_BYTES = {"services": 64 * _MEBIBYTE}
_DEFAULT_MAX_BODY_BYTES = 8 * _MEBIBYTE
_DECOMPRESSED_AT_ONCE = _MEBIBYTE
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_MASK = b"***"
_MIN_MASKED_KEY = 8


class UnusableBodyError(Exception):
    """A body that is too large, truncated, or compressed in an unexpected way."""


class HttpxHeaders(Protocol):
    """What is needed of a response's headers."""

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """The headers as they arrived."""
        ...

    def get(self, key: str, default: str) -> str:
        """Return a header by its name in any case."""
        ...


class HttpxResponse(Protocol):
    """What is needed of a response of httpx or httpx2."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> HttpxHeaders:
        """The headers."""
        ...

    @property
    def is_stream_consumed(self) -> bool:
        """Whether the body was read before, as that of a mock."""
        ...

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """Iterate over the body as it arrives."""
        ...

    async def aread(self) -> bytes:
        """Read the decompressed body."""
        ...

    async def aclose(self) -> None:
        """Release the connection."""
        ...


def build_headers(settings: Settings) -> dict[str, str]:
    """Return the headers of every request. None of them contains the key."""
    return {
        "accept": "application/json",
        "accept-encoding": ACCEPT_ENCODING,
        "content-type": settings.body_format.content_type,
        "user-agent": settings.user_agent or USER_AGENT,
    }


def get_max_body_bytes(action: str) -> int:
    """Return how many bytes a response to this action may have, decompressed."""
    return _MAX_BODY_BYTES.get(action, _DEFAULT_MAX_BODY_BYTES)


async def read_response(
    response: HttpxResponse, request: Request, key: str, *, chunks: AsyncIterator[bytes] | None = None
) -> Response:
    """Read the whole response and close it. ``chunks`` is its body as it arrives, if not that of httpx.

    Raises:
        UnusableBodyError: the body is too large, truncated, or compressed in an unexpected way.
    """
    try:
        if response.is_stream_consumed:
            body = await response.aread()
        else:
            coding = response.headers.get("content-encoding", "")
            body = await read_body(chunks or response.aiter_raw(), coding, get_max_body_bytes(request.action))
    finally:
        await response.aclose()
    raw_headers = response.headers.raw
    if _can_mask(key):
        raw_headers = [(name, _mask_key(value, key)) for name, value in raw_headers]
        body = _mask_key(body, key)
    return Response(status=response.status_code, headers=_decode_headers(raw_headers), body=body)


def _decode_headers(raw_headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by lower-case name. Those of the same name are joined by commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw_headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


async def read_body(chunks: AsyncIterator[bytes], coding: str, max_bytes: int) -> bytes:
    """Read and decompress a body, at most ``max_bytes`` of it, both before and after decompression.

    Raises:
        UnusableBodyError: it is larger, truncated, or compressed in an unknown way or twice.
    """
    parts: list[bytes] = []
    decompressor = _create_decompressor(coding)
    received = size = 0
    try:
        async for chunk in chunks:
            received += len(chunk)
            _check_size(received, max_bytes)
            if decompressor is None:
                parts.append(chunk)
                continue
            for part in _decompress(decompressor, chunk):
                size += len(part)
                _check_size(size, max_bytes)
                parts.append(part)
                if len(part) == _DECOMPRESSED_AT_ONCE:
                    await anyio.lowlevel.checkpoint()
    except UnusableBodyError:
        await _abandon(chunks)
        raise
    if decompressor is not None and not decompressor.eof:
        msg = "the compressed response is truncated"
        raise UnusableBodyError(msg)
    return b"".join(parts)


async def _abandon(chunks: AsyncIterator[bytes]) -> None:
    """Stop reading a body halfway.

    httpx nests async generators. Closing the outermost one leaves the others to
    the garbage collector; a cancellation in the innermost one unwinds them all.
    """
    with anyio.CancelScope() as scope:
        scope.cancel()
        async for _ in chunks:
            pass


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        msg = f"the response is larger than {max_bytes // _MEBIBYTE} MiB"
        raise UnusableBodyError(msg)


def _create_decompressor(coding: str) -> zlib._Decompress | None:
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return None
    if coding not in _WINDOW_BITS:
        msg = f"the response is compressed as {coding[:40]!r}, and only {ACCEPT_ENCODING} was accepted"
        raise UnusableBodyError(msg)
    return zlib.decompressobj(_WINDOW_BITS[coding])


def _decompress(decompressor: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """Decompress data in parts of at most 1 MiB. What follows the end of the compressed body is dropped."""
    while data and not decompressor.eof:
        try:
            part = decompressor.decompress(data, _DECOMPRESSED_AT_ONCE)
        except zlib.error as error:
            msg = "the compressed response is broken"
            raise UnusableBodyError(msg) from error
        data = decompressor.unconsumed_tail
        yield part


def mask_text(text: str, key: str) -> str:
    """Replace the key in the text of an exception."""
    return _mask_key(text.encode("utf-8", "replace"), key).decode() if _can_mask(key) else text


def _mask_key(data: bytes, key: str) -> bytes:
    """Replace the key: some panels repeat it in their errors."""
    spellings, pattern = _spell_key(key)
    lowered = data.lower()
    # Searching for strings is much faster than for the pattern.
    return pattern.sub(_MASK, data) if any(spelling in lowered for spelling in spellings) else data


@lru_cache(maxsize=16)
def _spell_key(key: str) -> tuple[AbstractSet[bytes], re.Pattern[bytes]]:
    """Return the key in lower case, as it is and as JSON, forms, HTML and base64 encode it, and a pattern for these."""
    encoded = key.encode()
    texts = (key, json.dumps(key)[1:-1], key.replace("/", "\\/"), quote_plus(key), quote(key, safe=""), escape(key))
    codes = (b64encode(encoded), urlsafe_b64encode(encoded))
    spellings = {*(text.encode() for text in texts), *(code.rstrip(b"=") for code in codes)}
    pattern = re.compile(b"|".join(map(re.escape, sorted(spellings, key=len, reverse=True))), re.IGNORECASE)
    return {spelling.lower() for spelling in spellings}, pattern


def _can_mask(key: str) -> bool:
    """Return whether the key is too long to appear in a response by accident, in a word or as an order's id."""
    return len(key) >= _MIN_MASKED_KEY and (not key.isdecimal() or len(key) >= 2 * _MIN_MASKED_KEY)
