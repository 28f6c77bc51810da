"""An answer's body, read with a bound: what a panel sends never fills the memory."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Protocol

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

ACCEPT_ENCODING = "gzip"

_MEBIBYTE = 1024 * 1024
_MOST_BYTES = {"services": 64 * _MEBIBYTE}
_MOST_BYTES_OTHERWISE = 8 * _MEBIBYTE


class UnusableBodyError(Exception):
    """A body that is too large, cut, or packed in a way nobody asked for."""


class Response(Protocol):
    """What is needed of an httpx response, of whichever httpx."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; their names' case does not matter."""
        ...

    @property
    def is_stream_consumed(self) -> bool:
        """Whether the body was read before, as a mock's is."""
        ...

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """The body as it came."""
        ...

    async def aread(self) -> bytes:
        """The body unpacked."""
        ...


def most_bytes(action: str) -> int:
    """How many bytes an answer to this action may have, unpacked."""
    return _MOST_BYTES.get(action, _MOST_BYTES_OTHERWISE)


async def body_of(response: Response, most: int) -> bytes:
    """The unpacked body, at most ``most`` bytes of it.

    Raises:
        UnusableBodyError: it is larger, cut, or packed in an unknown way or twice.
    """
    if response.is_stream_consumed:
        return await response.aread()
    unpack = _Unpacking(response.headers.get("content-encoding", ""), most)
    chunks = response.aiter_raw()
    try:
        parts = [unpack.fed(chunk) async for chunk in chunks]
    except UnusableBodyError:
        await _abandon(chunks)
        raise
    unpack.finish()
    return b"".join(parts)


async def _abandon(chunks: AsyncIterator[bytes]) -> None:
    """Leave a body half read.

    httpx stacks async generators, and closing the outermost leaves the others
    to the garbage collector; a cancellation in the innermost unwinds them all.
    """
    with anyio.CancelScope() as scope:
        scope.cancel()
        async for _ in chunks:
            pass


class _Unpacking:
    """Feeds packed bytes to zlib a bounded piece at a time."""

    def __init__(self, coding: str, most: int) -> None:
        self._left = most
        self._most = most
        coding = coding.strip().lower()
        if coding in {"", "identity"}:
            self._zlib = None
        elif coding in _WINDOW_BITS:
            self._zlib = zlib.decompressobj(_WINDOW_BITS[coding])
        else:
            msg = f"the answer is packed as {coding[:40]!r}, and only {ACCEPT_ENCODING} was asked for"
            raise UnusableBodyError(msg)

    def fed(self, chunk: bytes) -> bytes:
        """What one more piece unpacks to."""
        if self._zlib is not None:
            try:
                chunk = self._zlib.decompress(chunk, self._left + 1)
            except zlib.error as error:
                msg = "the answer's packing is broken"
                raise UnusableBodyError(msg) from error
        self._left -= len(chunk)
        if self._left < 0:
            msg = f"the answer is larger than {self._most // _MEBIBYTE} MiB"
            raise UnusableBodyError(msg)
        return chunk

    def finish(self) -> None:
        """Check that nothing is missing at the end."""
        if self._zlib is not None and not self._zlib.eof:
            msg = "the answer's packing is cut"
            raise UnusableBodyError(msg)


_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
