"""HTTP/1.1 of one connection: every shape of a response (RFC 9112), whole and cut at every byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
import httpx
import pytest
from attrs import frozen

from followersdata_async._transport.h11_connection import MAX_HEAD_BYTES, MAX_HEADERS, H11Connection

if TYPE_CHECKING:
    from collections.abc import Iterable

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HEADERS = [(b"host", b"panel.example"), (b"content-length", b"5")]


@frozen
class Received:
    """A whole response."""

    status: int
    body: bytes
    is_clean: bool


def start() -> H11Connection:
    """Return a connection that has sent a request."""
    connection = H11Connection()
    connection.encode_request(b"POST", b"/api/v2", HEADERS, b"key=k")
    return connection


def receive(pieces: Iterable[bytes], connection: H11Connection | None = None) -> Received:
    """Feed pieces, then the end of the connection, until the response is whole."""
    connection = connection or start()
    status, body = 0, b""
    waiting = iter([*pieces, b""])
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
        else:
            connection.receive_data(next(waiting))
    return Received(status, body, connection.is_clean)


WHOLE: dict[str, tuple[bytes, Received]] = {
    "with a length": (OK + b"Content-Length: 2\r\n\r\n{}", Received(200, b"{}", is_clean=True)),
    "without a body": (OK + b"Content-Length: 0\r\n\r\n", Received(200, b"", is_clean=True)),
    "that has none by its status": (b"HTTP/1.1 204 No Content\r\n\r\n", Received(204, b"", is_clean=True)),
    "without a reason": (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n{}", Received(200, b"{}", is_clean=True)),
    "with bare line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", Received(200, b"{}", is_clean=True)),
    "in chunks": (CHUNKED + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", Received(200, b"{}", is_clean=True)),
    "in chunks with extensions": (CHUNKED + b"2;a=b\r\n{}\r\n0;c\r\n\r\n", Received(200, b"{}", is_clean=True)),
    "in chunks with trailers": (CHUNKED + b"2\r\n{}\r\n0\r\nX-A: b\r\n\r\n", Received(200, b"{}", is_clean=True)),
    "with both lengths": (
        OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        Received(200, b"{}", is_clean=False),
    ),
    "with the same length twice": (
        OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        Received(200, b"{}", is_clean=True),
    ),
    "until the connection closes": (OK + b"\r\n{}", Received(200, b"{}", is_clean=False)),
    "that closes": (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}", Received(200, b"{}", is_clean=False)),
    "of HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", Received(200, b"{}", is_clean=False)),
    "after 100 Continue": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\n{}",
        Received(200, b"{}", is_clean=True),
    ),
    "after 16 early hints": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 16 + OK + b"Content-Length: 2\r\n\r\n{}",
        Received(200, b"{}", is_clean=True),
    ),
    "of an error": (b"HTTP/1.1 502 Bad\r\nContent-Length: 3\r\n\r\nbad", Received(502, b"bad", is_clean=True)),
}


_COMPLETE_WHEN_CUT = ("until the connection closes", "that has none by its status")


@pytest.mark.parametrize("name", WHOLE)
def test_whole_response_is_read_however_it_is_cut(name: str) -> None:
    """At once, byte by byte, and in two pieces at every byte."""
    data, expected = WHOLE[name]
    assert receive([data]) == expected
    assert receive(data[index : index + 1] for index in range(len(data))) == expected
    for cut in range(1, len(data)):
        assert receive([data[:cut], data[cut:]]) == expected, data[:cut]


@pytest.mark.parametrize("name", [name for name in WHOLE if name not in _COMPLETE_WHEN_CUT])
def test_truncated_response_is_an_error(name: str) -> None:
    """Wherever the connection ends."""
    data, _ = WHOLE[name]
    for cut in range(len(data)):
        with pytest.raises(httpx.RemoteProtocolError):
            receive([data[:cut]])


BROKEN: dict[str, tuple[bytes, str]] = {
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "illegal status line"),
    "garbage": (b"\x00\xff" * 50, "illegal request line"),
    "HTTP/2": (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", "illegal request line"),
    "lengths that differ": (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "conflicting Content-Length"),
    "a negative length": (OK + b"Content-Length: -2\r\n\r\n{}", "bad Content-Length"),
    "a length that is no number": (OK + b"Content-Length: two\r\n\r\n{}", "bad Content-Length"),
    "two transfer codings": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "Transfer-Encoding"),
    "a chunk without a size": (CHUNKED + b"zz\r\n{}\r\n", "illegal chunk header"),
    "a chunk longer than its size": (CHUNKED + b"2\r\n{}}\r\n", "malformed chunk footer"),
    "a header without a name": (OK + b": a\r\n\r\n", "illegal header line"),
    "17 informational responses": (b"HTTP/1.1 100 Continue\r\n\r\n" * 17, "more than 16 informational responses"),
    "a protocol that nobody asked for": (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "without a pending proposal"),
    "headers without an end": (OK + b"X-A: b\r\n" * (MAX_HEAD_BYTES // 8), "Receive buffer too long"),
    "a header without an end": (OK + b"X-A: " + b"b" * MAX_HEAD_BYTES, "Receive buffer too long"),
    "a chunk extension without an end": (CHUNKED + b"2;" + b"a" * MAX_HEAD_BYTES, "Receive buffer too long"),
    "trailers without an end": (
        CHUNKED + b"0\r\n" + b"X-A: b\r\n" * (MAX_HEAD_BYTES // 8 + 1),
        "Receive buffer too long",
    ),
    "too many headers": (OK + b"a:\r\n" * (MAX_HEADERS + 1) + b"\r\n", f"more than {MAX_HEADERS} headers"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_response_is_an_error(name: str) -> None:
    """With the rule that it breaks, in one piece and in many."""
    data, message = BROKEN[name]
    size = max(len(data) // 50, 1)
    for pieces in ([data], [data[start : start + size] for start in range(0, len(data), size)]):
        with pytest.raises(httpx.RemoteProtocolError, match=message):
            receive(pieces)


@pytest.mark.parametrize("after", [b"H", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", b"\r\n"])
@pytest.mark.parametrize("name", ["with a length", "in chunks", "without a body"])
def test_connection_with_bytes_after_the_response_is_not_clean(name: str, after: bytes) -> None:
    """They would be read as the response to the next request. The response itself is valid."""
    data, expected = WHOLE[name]
    assert receive([data + after]) == Received(expected.status, expected.body, is_clean=False)


def test_connection_is_used_for_many_exchanges() -> None:
    """Each may have informational responses of its own."""
    connection = start()
    data, expected = WHOLE["after 16 early hints"]
    for _ in range(3):
        assert receive([data], connection) == expected
        connection.finish_exchange()
        connection.encode_request(b"POST", b"/api/v2", HEADERS, b"key=k")


def test_error_does_not_quote_the_response() -> None:
    """The response can repeat the key, and an exception's context holds frames."""
    connection = start()
    connection.receive_data(b"SECRET key\r\n\r\n")
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        connection.next_event()
    assert "SECRET" not in str(caught.value)
    assert caught.value.__context__ is None


def test_request_is_written_as_it_is() -> None:
    """In one piece, and hidden where a traceback shows it."""
    data = H11Connection().encode_request(b"POST", b"/api/v2?a=b", HEADERS, b"key=k")
    assert data == b"POST /api/v2?a=b HTTP/1.1\r\nhost: panel.example\r\ncontent-length: 5\r\n\r\nkey=k"
    assert repr(data) == "b'***'"


@pytest.mark.parametrize(
    ("target", "headers"),
    [(b"/a b", HEADERS), (b"/", [*HEADERS, (b"x", b"a\r\nb")]), (b"/", [(b"content-length", b"5")])],
)
def test_request_that_is_not_http_is_an_error(target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Before anything is sent."""
    with pytest.raises(httpx.LocalProtocolError):
        H11Connection().encode_request(b"POST", target, headers, b"key=k")
