"""One attempt over real sockets: what it proves when it breaks."""

from __future__ import annotations

import gzip
import ssl
from typing import TYPE_CHECKING

import anyio
import pytest
import trustme

from followersdata_async._transport.h11_transport import H11Transport
from followersdata_async._wire.messages import Request, Response, SendState
from followersdata_async.errors import (
    FollowersDataError,
    NotSentError,
    OutcomeUnknownError,
    PanelUnavailableError,
    RequestTimeoutError,
)
from tests.helpers.fakes import make_settings
from tests.helpers.sockets import closed_port, replying, response, serving

if TYPE_CHECKING:
    from anyio.abc import SocketStream

pytestmark = pytest.mark.anyio

READ = Request("balance")
WRITE = Request("add", (("link", "x.y"),), is_write=True)
ONE = b'{"order": 23501}'


def transport_to(url: str, **changes: object) -> H11Transport:
    """Create our own transport to an address."""
    return H11Transport(make_settings(url, **changes))


async def sent(url: str, request: Request = READ, trail: SendState | None = None, **changes: object) -> Response:
    """One attempt's answer."""
    transport = transport_to(url, **changes)
    await transport.open()
    try:
        return await transport.send(request, trail or SendState())
    finally:
        await transport.aclose()


async def failure(
    url: str, request: Request = READ, trail: SendState | None = None, **changes: object
) -> FollowersDataError:
    """What one attempt ends in."""
    with pytest.raises(FollowersDataError) as caught:
        await sent(url, request, trail, **changes)
    return caught.value


async def test_a_request_is_the_form_and_nothing_more() -> None:
    """The key stands in the body alone; the headers are ours."""
    trail = SendState()
    async with serving(replying(response(ONE, b"X-Panel: yes", status=b"201 Created"))) as server:
        reply = await sent(server.url, WRITE, trail, user_agent="shop/1.0")
    assert (reply.status, reply.body, reply.headers["x-panel"]) == (201, ONE, "yes")
    assert server.forms == [b"key=sandbox-key&action=add&link=x.y"]
    head = server.heads[0].lower()
    assert head.startswith(b"post /api/v2 http/1.1\r\n")
    assert b"\r\nuser-agent: shop/1.0" in head
    assert b"\r\naccept-encoding: gzip" in head
    assert b"sandbox-key" not in head
    assert (trail.sent, trail.requests) == (True, 1)


async def test_a_packed_answer_is_unpacked() -> None:
    """Gzip is what we ask for."""
    packed = response(gzip.compress(ONE), b"Content-Encoding: gzip")
    async with serving(replying(packed)) as server:
        assert (await sent(server.url)).body == ONE


async def test_a_connection_is_used_again() -> None:
    """Several requests, one connection."""
    async with serving(replying(response(ONE))) as server:
        transport = transport_to(server.url)
        await transport.open()
        for _ in range(5):
            await transport.send(READ, SendState())
        await transport.aclose()
    assert server.connections == 1


@pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
async def test_without_a_connection_it_is_proven_that_nothing_was_sent(request_: Request) -> None:
    """Also for a write: it may be sent again."""
    trail = SendState()
    error = await failure(f"http://127.0.0.1:{closed_port()}/", request_, trail)
    assert type(error) is NotSentError
    assert (trail.sent, trail.requests) == (False, 0)
    assert "nothing was sent" in str(error)


async def test_a_failed_handshake_has_sent_nothing() -> None:
    """The certificate is checked before the request leaves."""
    async with serving(replying(b"")) as server:
        url = server.url.replace("http:", "https:")
        error = await failure(url, WRITE, attempt_timeout=0.05, ssl_context=ssl.create_default_context())
    assert type(error) is NotSentError


async def test_certificate_of_another_host_has_sent_nothing() -> None:
    """The order was not placed, and the error says why."""
    authority = trustme.CA()
    server_context, client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("panel.example").configure_cert(server_context)
    authority.configure_trust(client_context)
    async with serving(replying(response(ONE)), ssl_context=server_context) as server:
        error = await failure(server.url, WRITE, ssl_context=client_context)
    assert type(error) is NotSentError
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert server.forms == []


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"\x00" * 100,
        response(b"not packed", b"Content-Encoding: gzip"),
        response(ONE, b"Content-Encoding: br"),
        response(ONE, b"Content-Encoding: gzip, gzip"),
    ],
)
async def test_a_broken_answer_of_a_write_leaves_the_outcome_unknown(answer: bytes) -> None:
    """The panel has read it; nobody knows what it did."""
    async with serving(replying(answer, close=True)) as server:
        error = await failure(server.url, WRITE)
        assert type(error) is OutcomeUnknownError
        assert (error.action, error.asked, error.sent) == ("add", {"link": "x.y"}, True)
        assert type(await failure(server.url, READ)) is PanelUnavailableError


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"])
async def test_an_answer_that_does_not_come_in_time(start: bytes) -> None:
    """A read is late, a write unknown."""
    async with serving(replying(start)) as server:
        assert type(await failure(server.url, READ, attempt_timeout=0.5)) is RequestTimeoutError
        assert type(await failure(server.url, WRITE, attempt_timeout=0.5)) is OutcomeUnknownError


async def test_a_dripping_body_is_late_too() -> None:
    """One deadline for the whole attempt, not for each byte."""

    async def drip(stream: SocketStream, _: bytes) -> None:
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            await stream.send(b" ")
            await anyio.sleep(0.01)

    async with serving(drip) as server:
        assert type(await failure(server.url, READ, attempt_timeout=0.5)) is RequestTimeoutError


async def test_a_redirect_is_not_followed() -> None:
    """It would turn the form into an empty request, or hand the key to another host."""
    moved = response(b"", b"Location: https://elsewhere.example/", status=b"307 Temporary Redirect")
    async with serving(replying(moved)) as server:
        reply = await sent(server.url)
    assert (reply.status, len(server.forms)) == (307, 1)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only ``proxy=`` sets one."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{closed_port()}")
    async with serving(replying(response(ONE))) as server:
        assert (await sent(server.url)).body == ONE
