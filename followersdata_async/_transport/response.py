"""From an HTTP response to ours: the body within size limits, and the key in none of it."""

from __future__ import annotations

import json
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, quote_plus

import anyio

from .._wire.messages import Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from collections.abc import Set as AbstractSet

    from .._wire.messages import Request

ACCEPT_ENCODING = "gzip"

_MEBIBYTE = 1024 * 1024
_MAX_BODY_BYTES = {"services": 64 * _MEBIBYTE}
_DEFAULT_MAX_BODY_BYTES = 8 * _MEBIBYTE
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_MASK = b"***"
_MIN_MASKED_KEY = 8


class UnusableBodyError(Exception):
    """A body that is too large, truncated, or compressed in an unexpected way."""


class HttpxResponse(Protocol):
    """What is needed of a response of httpx or httpx2."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, case-insensitive."""
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


def get_max_body_bytes(action: str) -> int:
    """Return how many bytes a response to this action may have, decompressed."""
    return _MAX_BODY_BYTES.get(action, _DEFAULT_MAX_BODY_BYTES)


async def read_response(response: HttpxResponse, request: Request, key: str) -> Response:
    """Read the whole response and close it.

    Raises:
        UnusableBodyError: the body is too large, truncated, or compressed in an unexpected way.
    """
    try:
        body = await read_body(response, get_max_body_bytes(request.action))
    finally:
        await response.aclose()
    headers = {name.lower(): value for name, value in response.headers.items()}
    if _can_mask(key):
        headers = {name: _mask_key(value.encode(), key).decode() for name, value in headers.items()}
        body = _mask_key(body, key)
    return Response(status=response.status_code, headers=headers, body=body)


async def read_body(response: HttpxResponse, max_bytes: int) -> bytes:
    """Read the decompressed body, at most ``max_bytes`` of it.

    Raises:
        UnusableBodyError: it is larger, truncated, or compressed in an unknown way or twice.
    """
    if response.is_stream_consumed:
        return await response.aread()
    decompressor = _Decompressor(response.headers.get("content-encoding", ""), max_bytes)
    chunks = response.aiter_raw()
    try:
        parts = [decompressor.feed(chunk) async for chunk in chunks]
    except UnusableBodyError:
        await _abandon(chunks)
        raise
    decompressor.check_complete()
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


class _Decompressor:
    """Decompresses a body piece by piece, within a size limit."""

    def __init__(self, coding: str, max_bytes: int) -> None:
        self._left = max_bytes
        self._max_bytes = max_bytes
        coding = coding.strip().lower()
        if coding in {"", "identity"}:
            self._zlib = None
        elif coding in _WINDOW_BITS:
            self._zlib = zlib.decompressobj(_WINDOW_BITS[coding])
        else:
            msg = f"the answer is packed as {coding[:40]!r}, and only {ACCEPT_ENCODING} was asked for"
            raise UnusableBodyError(msg)

    def feed(self, chunk: bytes) -> bytes:
        """Decompress one more piece."""
        if self._zlib is not None:
            try:
                chunk = self._zlib.decompress(chunk, self._left + 1)
            except zlib.error as error:
                msg = "the answer's packing is broken"
                raise UnusableBodyError(msg) from error
        self._left -= len(chunk)
        if self._left < 0:
            msg = f"the answer is larger than {self._max_bytes // _MEBIBYTE} MiB"
            raise UnusableBodyError(msg)
        return chunk

    def check_complete(self) -> None:
        """Check that nothing is missing at the end."""
        if self._zlib is not None and not self._zlib.eof:
            msg = "the answer's packing is cut"
            raise UnusableBodyError(msg)


def _mask_key(data: bytes, key: str) -> bytes:
    """Replace the key: some panels repeat it in their errors."""
    for spelling in _spell_key(key):
        data = data.replace(spelling, _MASK)
    return data


@lru_cache(maxsize=16)
def _spell_key(key: str) -> AbstractSet[bytes]:
    """Return the key as it is, and as JSON and forms encode it."""
    texts = (key, json.dumps(key)[1:-1], key.replace("/", "\\/"), quote_plus(key), quote(key, safe=""))
    return {text.encode() for text in texts}


def _can_mask(key: str) -> bool:
    """Return whether the key is too long to appear in a response by accident, in a word or as an order's id."""
    return len(key) >= _MIN_MASKED_KEY and (not key.isdecimal() or len(key) >= 2 * _MIN_MASKED_KEY)
