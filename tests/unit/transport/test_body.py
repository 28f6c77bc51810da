"""Bodies are read within a size limit, however they are compressed."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import anyio
import pytest

from followersdata_async._transport.response import UnusableBodyError, get_max_body_bytes, read_body
from tests.helpers.fakes import StepCounter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

MEBIBYTE = 1024 * 1024
ONE = b'{"order": 23501}'


async def pieces(body: bytes, size: int = 7) -> AsyncIterator[bytes]:
    """Yield a body in pieces."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (ONE, ""),
        (ONE, "identity"),
        (gzip.compress(ONE, mtime=0), "gzip"),
        (gzip.compress(ONE, mtime=0), " GZIP "),
        (gzip.compress(ONE, mtime=0), "x-gzip"),
        (zlib.compress(ONE), "deflate"),
        (gzip.compress(ONE, mtime=0) + b"trailing bytes", "gzip"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_body_is_decompressed_in_any_pieces(body: bytes, coding: str, size: int) -> None:
    """Bytes after the end of a compressed body are dropped."""
    assert await read_body(pieces(body, size), coding, 100) == ONE


@pytest.mark.parametrize(
    ("body", "coding", "message"),
    [
        (b"x" * 101, "", "is larger than"),
        (gzip.compress(b"x" * 101, mtime=0), "gzip", "is larger than"),
        (gzip.compress(ONE, mtime=0) + b"x" * 100, "gzip", "is larger than"),
        (gzip.compress(ONE, mtime=0)[:-4], "gzip", "is truncated"),
        (b"", "gzip", "is truncated"),
        (b"no gzip at all", "gzip", "is broken"),
        (zlib.compress(ONE)[2:-4], "deflate", "is broken"),
        (ONE, "br", "is compressed as 'br', and only gzip was accepted"),
        (ONE, "gzip, gzip", "is compressed as 'gzip, gzip'"),
        (ONE, "gzip, identity", "is compressed as 'gzip, identity'"),
    ],
)
async def test_unusable_body_is_rejected(body: bytes, coding: str, message: str) -> None:
    """It is too large, truncated, broken, or compressed in another way."""
    with pytest.raises(UnusableBodyError, match=message):
        await read_body(pieces(body), coding, 100)


@pytest.mark.parametrize(
    ("body", "action"),
    [
        (gzip.compress(bytes(400 * MEBIBYTE), 1), "services"),
        (gzip.compress(bytes(64 * MEBIBYTE), 1), "status"),
        (gzip.compress(ONE) + bytes(16 * MEBIBYTE), "status"),
        (bytes(16 * MEBIBYTE), "status"),
    ],
    ids=["400 MiB compressed", "64 MiB compressed", "16 MiB after a compressed body", "16 MiB as they are"],
)
async def test_memory_for_a_large_body_is_bounded(body: bytes, action: str) -> None:
    """At most 8 MiB above the limit are used before the body is rejected."""
    limit = get_max_body_bytes(action)
    tracemalloc.start()
    try:
        with pytest.raises(UnusableBodyError, match=f"larger than {limit // MEBIBYTE} MiB"):
            await read_body(pieces(body, 65536), "" if body.startswith(bytes(4)) else "gzip", limit)
        assert tracemalloc.get_traced_memory()[1] < limit + 8 * MEBIBYTE
    finally:
        tracemalloc.stop()


async def test_other_tasks_run_while_a_body_is_decompressed() -> None:
    """The body of one read is decompressed in steps of 1 MiB."""
    counter = StepCounter()

    body = gzip.compress(bytes(32 * MEBIBYTE), 9)
    async with anyio.create_task_group() as group:
        group.start_soon(counter.run)
        assert len(await read_body(pieces(body, len(body)), "gzip", 64 * MEBIBYTE)) == 32 * MEBIBYTE
        group.cancel_scope.cancel()
    assert counter.steps >= 16


def test_catalogue_may_be_larger_than_other_responses() -> None:
    """The limits, in bytes."""
    assert (get_max_body_bytes("services"), get_max_body_bytes("status")) == (64 * MEBIBYTE, 8 * MEBIBYTE)
