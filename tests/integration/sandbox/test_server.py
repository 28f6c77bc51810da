"""Faults as a socket sees them: what arrives, and how the connection ends."""

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


def request(path: str = "/api/v2") -> bytes:
    """An order as it goes over the wire."""
    return b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(FORM), FORM)


class Wire:
    """A connection to the sandbox, byte by byte."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._socket = socket.create_connection(("127.0.0.1", urlsplit(sandbox.url).port or 0), timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send it."""
        self._socket.sendall(data)

    def answer(self) -> bytes:
        """One whole answer."""
        received = b""
        while b"\r\n\r\n" not in received or not received.endswith(b"}"):
            received += self._socket.recv(65536)
        return received

    def rest(self) -> bytes:
        """Everything until the connection ends.

        Raises:
            ConnectionResetError: it ended with a reset.
        """
        received = b""
        while data := self._socket.recv(65536):
            received += data
        return received


def test_a_dropped_connection_ends_without_a_byte(sandbox: Sandbox) -> None:
    """After the order was taken."""
    sandbox.next("dropped")
    with Wire(sandbox) as wire:
        wire.send(request())
        assert wire.rest() == b""
    assert len(sandbox.orders()) == 1


def test_an_unread_connection_is_reset(sandbox: Sandbox) -> None:
    """Before the order was taken; the request was never seen."""
    sandbox.next("unread")
    with Wire(sandbox) as wire:
        wire.send(request())
        with pytest.raises(ConnectionResetError):
            wire.rest()
    assert (sandbox.orders(), sandbox.requests, sandbox.faults()) == ([], 0, [])
    assert sandbox.log()[0]["fault"] == "unread"


def test_a_connection_can_break_after_good_answers(sandbox: Sandbox) -> None:
    """The second request on it."""
    with Wire(sandbox) as wire:
        wire.send(request())
        assert wire.answer().endswith(b'{"order":1}')
        sandbox.next("unread")
        wire.send(request())
        with pytest.raises(ConnectionResetError):
            wire.rest()
    assert len(sandbox.orders()) == 1


def test_a_cut_answer_promises_more_than_it_has(sandbox: Sandbox) -> None:
    """Half of the body, and the end."""
    sandbox.next("cut")
    with Wire(sandbox) as wire:
        wire.send(request())
        head, _, body = wire.rest().partition(b"\r\n\r\n")
    assert b"content-length: 11" in head.lower()
    assert body == b'{"ord'


def test_the_sandboxs_own_address_is_never_broken(sandbox: Sandbox) -> None:
    """A page that is open takes no fault from the client."""
    sandbox.next("unread")
    with Wire(sandbox) as wire:
        wire.send(b"GET /__sandbox__/faults HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert wire.rest().endswith(b'[{"fault":"unread","times":1}]')
    assert sandbox.faults() == [{"fault": "unread", "times": 1}]


@pytest.mark.anyio
@pytest.mark.parametrize(("fault", "taken"), [("unread", 0), ("dropped", 1), ("cut", 1), ("garbage", 1)])
async def test_a_client_over_sockets_never_orders_twice(sandbox: Sandbox, fault: str, taken: int) -> None:
    """Whatever it is told to try again."""
    sandbox.next(fault)
    async with AsyncClient(sandbox.key, url=sandbox.url) as panel:
        with pytest.raises(OutcomeUnknownError):
            await panel.add(ORDER)
        assert len(sandbox.orders()) == taken
        await panel.balance()


@pytest.mark.anyio
async def test_a_stopped_sandbox_is_not_there() -> None:
    """Nothing is sent to it."""
    with Sandbox(serve=True) as sandbox:
        url = sandbox.url
    async with AsyncClient(sandbox.key, url=url, retry=None) as panel:
        with pytest.raises(NotSentError):
            await panel.add(ORDER)


def test_a_sandbox_ends_while_a_client_still_drips() -> None:
    """Within its second of grace; nobody is waited for."""
    with Sandbox(serve=True, faults=[{"fault": "dripping", "seconds": 3600}]) as sandbox, Wire(sandbox) as wire:
        wire.send(request())
        while not sandbox.orders():
            pass
    assert len(sandbox.orders()) == 1
