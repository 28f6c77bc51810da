"""Through clients of httpx: custom ones prove nothing, our own one proves what its exceptions prove."""

from __future__ import annotations

import gzip
import socket
import ssl
from typing import TYPE_CHECKING

import anyio
import httpcore
import httpx
import pytest
import respx

from followersdata_async._transport import HttpxTransport, OwnHttpxTransport
from followersdata_async._transport.httpx_transport import is_httpx_patched
from followersdata_async._wire.messages import Request, Response, SendState
from followersdata_async.errors import (
    ConfigurationError,
    FollowersDataError,
    NotSentError,
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
    transport = HttpxTransport(settings, client)  # type: ignore[arg-type]  # as AsyncClient's overloads differ
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
    with pytest.raises(TypeError, match=r"^http must be an httpx\.AsyncClient \(or httpx2\.AsyncClient\), got "):
        HttpxTransport(make_settings(URL), lent)  # type: ignore[arg-type]


# --- our own client, for proxies and while httpx is patched


def foreign_errors() -> list[type[Exception]]:
    """Return every public exception class of the libraries below, and those below them."""
    waiting: list[type] = [
        class_
        for module in (httpx, httpcore, ssl, socket, anyio)
        for class_ in map(module.__dict__.get, dir(module))
        if isinstance(class_, type) and issubclass(class_, Exception)
    ]
    found: set[type[Exception]] = {anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError}
    while waiting:
        class_ = waiting.pop()
        if not class_.__name__.startswith("_"):
            found.add(class_)
        waiting.extend(below for below in class_.__subclasses__() if below.__module__.partition(".")[0] in _BELOW)
    return sorted(found, key=lambda class_: (class_.__module__, class_.__name__))


_BELOW = {"httpx", "httpcore", "ssl", "socket", "anyio", "builtins"}
_NOT_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"}


@pytest.mark.parametrize("class_", foreign_errors())
@pytest.mark.parametrize("is_custom", [True, False], ids=["custom", "own"])
async def test_foreign_exceptions_become_ours(
    class_: type[Exception], is_custom: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five classes prove that nothing was sent, and only through httpx's own transport."""

    async def fail(*_: object) -> httpx.Response:
        # Some want more arguments than a message.
        raise class_.__new__(class_, "boom")

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", fail)
    settings, state = make_settings(URL), SendState()
    client = httpx.AsyncClient()
    transport = HttpxTransport(settings, client) if is_custom else OwnHttpxTransport(settings)
    with pytest.raises(FollowersDataError) as caught:
        await transport.send(WRITE, state)
    await transport.aclose()
    await client.aclose()
    is_not_sent = not is_custom and class_.__module__ == "httpx" and class_.__name__ in _NOT_SENT
    assert type(caught.value) is (NotSentError if is_not_sent else OutcomeUnknownError)
    assert isinstance(caught.value.__cause__, class_)
    assert state.requests == (0 if is_not_sent else 1)


@pytest.mark.parametrize(
    ("class_", "method"),
    [
        (httpx.AsyncClient, "send"),
        (httpx.AsyncClient, "_transport_for_url"),
        (httpx.AsyncHTTPTransport, "handle_async_request"),
        (httpx.AsyncHTTPTransport, "__init__"),
        (httpcore.AsyncConnectionPool, "handle_async_request"),
        (httpcore.AsyncHTTPConnection, "handle_async_request"),
    ],
)
@pytest.mark.parametrize("replacement", [lambda: None, object()], ids=["function", "object"])
def test_patched_httpx_is_recognized(
    class_: type, method: str, replacement: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever replaces the method, and only as long as it does."""
    assert not is_httpx_patched()
    with monkeypatch.context() as context:
        context.setattr(class_, method, replacement)
        assert is_httpx_patched()
    assert not is_httpx_patched()


def test_class_in_the_place_of_the_client_is_recognized(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some instrumentation replaces the class instead of its methods."""

    class Replacement(httpx.AsyncClient):
        """A client that does something more."""

    monkeypatch.setattr(httpx, "AsyncClient", Replacement)
    assert is_httpx_patched()
