"""Bodies are read with a bound, whatever the panel packs into them."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest

from followersdata_async._transport.response import UnusableBodyError, get_max_body_bytes, read_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

MEBIBYTE = 1024 * 1024
ONE = b'{"order": 23501}'


class FakeResponse:
    """A body in pieces of seven bytes."""

    is_stream_consumed = False

    def __init__(self, body: bytes, coding: str = "") -> None:
        self.headers = {"content-encoding": coding} if coding else {}
        self._body = body

    async def aiter_raw(self) -> AsyncIterator[bytes]:
        """The body as it came."""
        for start in range(0, len(self._body), 65536 if len(self._body) > 1000 else 7):
            yield self._body[start : start + (65536 if len(self._body) > 1000 else 7)]

    async def aread(self) -> bytes:
        """The body unpacked, as a mock has it."""
        return self._body


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (ONE, ""),
        (ONE, "identity"),
        (gzip.compress(ONE, mtime=0), "gzip"),
        (gzip.compress(ONE, mtime=0), " GZIP "),
        (gzip.compress(ONE, mtime=0), "x-gzip"),
        (zlib.compress(ONE), "deflate"),
    ],
)
async def test_a_body_is_unpacked(body: bytes, coding: str) -> None:
    """In any pieces."""
    assert await read_body(FakeResponse(body, coding), 100) == ONE


async def test_a_body_that_was_read_before_is_taken_as_it_is() -> None:
    """A mock's answer has no stream."""
    response = FakeResponse(ONE)
    response.is_stream_consumed = True
    assert await read_body(response, 1) == ONE


@pytest.mark.parametrize(
    ("body", "coding", "says"),
    [
        (b"x" * 101, "", "is larger than"),
        (gzip.compress(b"x" * 101, mtime=0), "gzip", "is larger than"),
        (gzip.compress(ONE, mtime=0)[:-4], "gzip", "is cut"),
        (b"no gzip at all", "gzip", "is broken"),
        (ONE, "br", "is packed as 'br', and only gzip was asked for"),
        (ONE, "gzip, gzip", "is packed as 'gzip, gzip'"),
    ],
)
async def test_a_body_that_is_too_large_cut_or_packed_otherwise_is_unusable(
    body: bytes, coding: str, says: str
) -> None:
    """It never fills the memory."""
    with pytest.raises(UnusableBodyError, match=says):
        await read_body(FakeResponse(body, coding), 100)


async def test_a_bomb_is_refused_before_it_unpacks() -> None:
    """A thousandth of its size comes over the wire; no more than the bound is ever unpacked."""
    with pytest.raises(UnusableBodyError, match="larger than 8 MiB"):
        await read_body(FakeResponse(gzip.compress(b"\x00" * (64 * MEBIBYTE)), "gzip"), get_max_body_bytes("status"))


def test_a_catalogue_may_be_larger_than_other_answers() -> None:
    """The bounds, in bytes."""
    assert (get_max_body_bytes("services"), get_max_body_bytes("status")) == (64 * MEBIBYTE, 8 * MEBIBYTE)
