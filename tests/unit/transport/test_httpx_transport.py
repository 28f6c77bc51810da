"""Through a client that the user lends: used as it is, never closed, and no proof of what it sent."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
import respx

from followersdata_async._transport import CustomClientTransport
from followersdata_async._wire.messages import Request, Response, SendState
from followersdata_async.errors import (
    ConfigurationError,
    FollowersDataError,
    OutcomeUnknownError,
    PanelUnavailableError,
    RequestTimeoutError,
)
from tests.helpers.fakes import make_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

URL = "https://panel.example/api/v2"
READ = Request("balance")
WRITE = Request("add", (("link", "x.y"),), is_write=True)


@pytest.fixture(name="client")
async def _client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(headers={"x-shop": "mine"}, follow_redirects=True) as client:
        yield client


async def sent(
    client: httpx.AsyncClient, request: Request = READ, state: SendState | None = None, attempt_timeout: float = 20.0
) -> Response:
    """Send one request, and return its response."""
    settings = make_settings(URL, attempt_timeout=attempt_timeout)
    transport = CustomClientTransport(settings, client)  # type: ignore[arg-type]  # as AsyncClient's overloads differ
    await transport.open()
    try:
        return await transport.send(request, state or SendState())
    finally:
        await transport.aclose()


async def failure(client: httpx.AsyncClient, request: Request, attempt_timeout: float = 20.0) -> FollowersDataError:
    """Send one request, and return its error."""
    with pytest.raises(FollowersDataError) as caught:
        await sent(client, request, attempt_timeout=attempt_timeout)
    return caught.value


async def test_a_lent_client_sends_the_form_and_stays_open(client: httpx.AsyncClient) -> None:
    """With its own headers beside ours."""
    state = SendState()
    with respx.mock() as router:
        route = router.post(URL).respond(json={"balance": "1"})
        reply = await sent(client, READ, state)
    request = route.calls.last.request
    assert request.content == b"key=sandbox-key&action=balance"
    assert (request.headers["x-shop"], request.headers["content-type"]) == ("mine", "application/x-www-form-urlencoded")
    assert (reply.status, reply.body) == (200, b'{"balance":"1"}')
    assert (state.sent, state.requests) == (None, 1)
    assert not client.is_closed


async def test_its_redirects_are_not_followed(client: httpx.AsyncClient) -> None:
    """Whatever the client is set to."""
    with respx.mock() as router:
        router.post(URL).respond(307, headers={"location": "https://elsewhere.example/"})
        assert (await sent(client)).status == 307


async def test_a_packed_answer_is_unpacked_within_its_bound() -> None:
    """A lent client's answers are bounded, too."""

    async def stream() -> AsyncIterator[bytes]:
        yield gzip.compress(b"\x00" * (9 * 1024 * 1024))

    def reply(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": "gzip"}, content=stream())

    async with httpx.AsyncClient(transport=httpx.MockTransport(reply)) as client:
        assert type(await failure(client, READ)) is PanelUnavailableError
        assert type(await failure(client, WRITE)) is OutcomeUnknownError


@pytest.mark.parametrize(
    ("error", "read"),
    [
        (httpx.ConnectError("refused"), PanelUnavailableError),
        (httpx.ConnectTimeout("slow"), RequestTimeoutError),
        (httpx.ReadTimeout("slow"), RequestTimeoutError),
        (httpx.DecodingError("bad"), PanelUnavailableError),
        (OSError("broken"), PanelUnavailableError),
        (anyio.EndOfStream(), PanelUnavailableError),
    ],
)
async def test_a_failed_write_is_always_unknown(
    client: httpx.AsyncClient, error: Exception, read: type[FollowersDataError]
) -> None:
    """The class of an exception proves nothing: some clients raise ``ConnectTimeout`` after sending."""
    with respx.mock() as router:
        router.post(URL).mock(side_effect=error)
        assert type(await failure(client, READ)) is read
        assert type(await failure(client, WRITE)) is OutcomeUnknownError


async def test_an_answer_that_never_comes_is_late() -> None:
    """By our own deadline, whatever the client's."""

    async def never(_: httpx.Request) -> httpx.Response:
        return await anyio.sleep_forever()

    async with httpx.AsyncClient(transport=httpx.MockTransport(never), timeout=60) as client:
        assert type(await failure(client, READ, attempt_timeout=0.1)) is RequestTimeoutError


async def test_a_lent_client_that_is_closed_is_a_mistake_of_configuration() -> None:
    """Nothing can have left."""
    client = httpx.AsyncClient()
    await client.aclose()
    for request in (READ, WRITE):
        assert type(await failure(client, request)) is ConfigurationError


@pytest.mark.parametrize("client", [object(), "client", httpx.Client])
def test_what_is_no_asynchronous_client_is_refused(client: object) -> None:
    """At once, and not at the first request."""
    lent = client() if isinstance(client, type) else client
    with pytest.raises(TypeError, match=r"^http is an httpx\.AsyncClient \(or httpx2\.AsyncClient\), not "):
        CustomClientTransport(make_settings(URL), lent)  # type: ignore[arg-type]
