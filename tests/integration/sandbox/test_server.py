"""Faults on a real connection: the bytes that arrive, and how it ends."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import pytest

from followersdata_async import AsyncClient, NotSentError, OutcomeUnknownError, orders
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

ORDER = orders.Default(service=1, link="https://example.com/p/1", quantity=1000)
FORM = b"key=sandbox-key&action=add&service=3&link=a.b"


@pytest.fixture(name="sandbox")
def _sandbox() -> Iterator[Sandbox]:
    with Sandbox(serve=True) as sandbox:
        yield sandbox


def build_request(path: str = "/api/v2") -> bytes:
    """Return the bytes of a request that places an order."""
    return b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(FORM), FORM)


class RawConnection:
    """A connection to the sandbox that is read and written as bytes."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._socket = socket.create_connection(("127.0.0.1", urlsplit(sandbox.url).port or 0), timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send all bytes."""
        self._socket.sendall(data)

    def end(self) -> None:
        """Send no more bytes."""
        self._socket.shutdown(socket.SHUT_WR)

    def read_response(self) -> bytes:
        """Read one whole response with a JSON object."""
        received = b""
        while b"\r\n\r\n" not in received or not received.endswith(b"}"):
            received += self._socket.recv(65536)
        return received

    def read_to_end(self) -> bytes:
        """Read everything until the connection ends.

        Raises:
            ConnectionResetError: It ended with a reset.
        """
        received = b""
        while data := self._socket.recv(65536):
            received += data
        return received


def test_a_dropped_connection_ends_without_a_byte(sandbox: Sandbox) -> None:
    """The order was taken."""
    sandbox.next("dropped")
    with RawConnection(sandbox) as connection:
        connection.send(build_request())
        assert connection.read_to_end() == b""
    assert len(sandbox.orders()) == 1


def test_an_unread_connection_is_reset(sandbox: Sandbox) -> None:
    """The order was not taken, and the request does not count."""
    sandbox.next("unread")
    with RawConnection(sandbox) as connection:
        connection.send(build_request())
        with pytest.raises(ConnectionResetError):
            connection.read_to_end()
    assert (sandbox.orders(), sandbox.requests, sandbox.faults()) == ([], 0, [])
    assert sandbox.log()[0]["fault"] == "unread"


def test_a_connection_can_be_reset_after_a_good_response(sandbox: Sandbox) -> None:
    """At its second request."""
    with RawConnection(sandbox) as connection:
        connection.send(build_request())
        assert connection.read_response().endswith(b'{"order":1}')
        sandbox.next("unread")
        connection.send(build_request())
        with pytest.raises(ConnectionResetError):
            connection.read_to_end()
    assert len(sandbox.orders()) == 1


def test_a_cut_response_is_shorter_than_its_content_length(sandbox: Sandbox) -> None:
    """It ends after half of the body."""
    sandbox.next("cut")
    with RawConnection(sandbox) as connection:
        connection.send(build_request())
        head, _, body = connection.read_to_end().partition(b"\r\n\r\n")
    assert b"content-length: 11" in head.lower()
    assert body == b'{"ord'


def test_no_fault_applies_to_the_administration(sandbox: Sandbox) -> None:
    """An open page does not use up a fault that is meant for the client."""
    sandbox.next("unread")
    with RawConnection(sandbox) as connection:
        connection.send(b"GET /__sandbox__/faults HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert connection.read_to_end().endswith(b'[{"fault":"unread","times":1}]')
    assert sandbox.faults() == [{"fault": "unread", "times": 1}]


def test_a_body_that_is_too_long_is_refused_and_the_connection_goes_on(sandbox: Sandbox) -> None:
    """It is read to its end: some clients read no response before."""
    with RawConnection(sandbox) as connection:
        connection.send(b"POST /api/v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000)
        connection.send(build_request())
        received = connection.read_response()
    assert received.startswith(b"HTTP/1.1 413 ")
    assert received.endswith(b'{"order":1}')


def test_a_request_whose_body_breaks_off_is_not_carried_out(sandbox: Sandbox) -> None:
    """What came of it may be an order for something else."""
    with RawConnection(sandbox) as connection:
        connection.send(build_request()[:-1])
        connection.end()
        assert connection.read_to_end() == b""
    with RawConnection(sandbox) as connection:
        connection.send(build_request())
        assert connection.read_response().endswith(b'{"order":1}')
    assert (sandbox.requests, len(sandbox.orders())) == (1, 1)


def test_a_page_whose_name_points_to_this_machine_sees_nothing(sandbox: Sandbox) -> None:
    """DNS rebinding: the connection is to this machine, and the host is the page's."""
    with RawConnection(sandbox) as connection:
        connection.send(b"GET /__sandbox__/orders HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert connection.read_to_end().startswith(b"HTTP/1.1 403 ")


@pytest.mark.anyio
@pytest.mark.parametrize(("fault", "taken"), [("unread", 0), ("dropped", 1), ("cut", 1), ("garbage", 1)])
async def test_a_client_over_sockets_never_orders_twice(sandbox: Sandbox, fault: str, taken: int) -> None:
    """Even with retries on."""
    sandbox.next(fault)
    async with AsyncClient(sandbox.key, url=sandbox.url) as panel:
        with pytest.raises(OutcomeUnknownError):
            await panel.add(ORDER)
        assert len(sandbox.orders()) == taken
        await panel.balance()


@pytest.mark.anyio
async def test_a_stopped_sandbox_accepts_no_connections() -> None:
    """The order is not sent."""
    with Sandbox(serve=True) as sandbox:
        url = sandbox.url
    async with AsyncClient(sandbox.key, url=url, retry=None) as panel:
        with pytest.raises(NotSentError):
            await panel.add(ORDER)


def test_a_sandbox_stops_while_a_response_is_still_dripping() -> None:
    """After its second of grace."""
    with (
        Sandbox(serve=True, faults=[{"fault": "dripping", "seconds": 3600}]) as sandbox,
        RawConnection(sandbox) as connection,
    ):
        connection.send(build_request())
        while not sandbox.orders():
            pass
    assert len(sandbox.orders()) == 1
